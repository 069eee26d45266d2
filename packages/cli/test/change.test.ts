import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aCluster, CLUSTERS, progress, startWorld, type World } from './world.ts';

const WEB = `${CLUSTERS}/web`;
const at = (resourceVersion: string, spec: object = {}) => {
  const c = aCluster();
  return { ...c, metadata: { ...c.metadata, resourceVersion, generation: 7 }, spec: { ...c.spec, ...spec } };
};
const PLAN = {
  from: 'v1.35.4',
  to: 'v1.35.4',
  steps: [
    {
      release: 'v1.35.4',
      actions: [{ action: 'remove', pool: 'default', machine: 'web-default-a', because: ['1 of 2 is too many'] }],
    },
  ],
  blockers: [],
  notes: ['it begins at once'],
};
let w: World;
beforeEach(async () => {
  w = await startWorld();
  w.on(`GET ${WEB}`, { body: at('1') });
  w.on(`PATCH ${WEB}`, { body: at('2') });
  w.on(`POST ${WEB}/plan`, { body: PLAN });
  w.on(`GET ${WEB}/progress`, {
    events: [
      // What was before the change is not what is waited for.
      ['progress', { ...progress(true, 'as before'), generation: 6, settled: true }],
      ['progress', { ...progress(true, 'working', [['nodes', 'running', '2 of 5']]), generation: 7, settled: false }],
      ['progress', { ...progress(true, 'done', [['nodes', 'done', '5 of 5']]), generation: 7, settled: true }],
    ],
  });
});
afterEach(() => w.close());

const patched = () => w.seen.filter((s) => s.method === 'PATCH').map((s) => s.body);
const POOL = { name: 'default', count: 2, flavor: 'm1.small' };
const GPU = { name: 'gpu', count: 1, flavor: 'g1.large', labels: { a: '1', b: '2' } };
const run = (line: string) => w.shoto(line.split(' '));

describe('scale', () => {
  it('changes the count of a pool, keeps the others, and waits until it is so', async () => {
    w.on(`GET ${WEB}`, { body: at('1', { nodePools: [POOL, GPU] }) });
    expect(await run('scale web --pool default=5')).toEqual({
      code: 0,
      err: '',
      out: 'cluster/web: default 5\n   0.0s nodes: running: 2 of 5\n   0.0s nodes: done: 5 of 5\ncluster/web is as asked for\n',
    });
    expect(patched()).toEqual([{ spec: { nodePools: [{ ...POOL, count: 5 }, GPU] } }]);
    expect(w.seen.find((s) => s.method === 'PATCH')?.headers['if-match']).toBe('"1"');
  });

  it('changes several pools and the control plane at once, without waiting', async () => {
    w.on(`GET ${WEB}`, { body: at('1', { nodePools: [POOL, GPU] }) });
    const { code, out } = await run('scale web --pool default=5 --pool gpu=0 --control-plane 3 --no-wait');
    expect([code, out]).toEqual([0, 'cluster/web: control plane 3, default 5, gpu 0\n']);
    expect(patched()).toEqual([
      {
        spec: {
          nodePools: [
            { ...POOL, count: 5 },
            { ...GPU, count: 0 },
          ],
          controlPlane: { count: 3 },
        },
      },
    ]);
  });

  it('leaves the pools alone where only the control plane changes', async () => {
    await run('scale web --control-plane 3 --no-wait');
    expect(patched()).toEqual([{ spec: { controlPlane: { count: 3 } } }]);
  });

  it('is made anew where somebody else changed the cluster in between', async () => {
    w.on(`GET ${WEB}`, { body: at('1') }, { body: at('2', { nodePools: [POOL, GPU] }) });
    w.on(
      `PATCH ${WEB}`,
      { status: 412, body: { status: 412, reason: 'Changed', detail: 'read it again' } },
      { body: at('3') },
    );
    expect((await run('scale web --pool default=5 --no-wait')).code).toBe(0);
    expect(patched()[1]).toEqual({ spec: { nodePools: [{ ...POOL, count: 5 }, GPU] } });
    expect(w.seen.filter((s) => s.method === 'PATCH').map((s) => s.headers['if-match'])).toEqual(['"1"', '"2"']);
  });

  it('shows what it would do, and changes nothing', async () => {
    const { code, out } = await run('scale web --pool default=1 --dry-run');
    expect(code).toBe(0);
    expect(out).toBe(`cluster/web stays on v1.35.4: 1 step, 1 action

Step 1: v1.35.4
      ACTION   POOL      MACHINE         ZONE   BECAUSE
  1   remove   default   web-default-a   -      1 of 2 is too many

Notes:
  it begins at once
nothing was changed (dry run)
`);
    expect(patched()).toEqual([]);
    expect(w.seen.at(-1)).toMatchObject({ path: `${WEB}/plan`, body: { nodePools: [{ ...POOL, count: 1 }] } });
    expect(JSON.parse((await run('scale web --pool default=1 --dry-run -o json')).out)).toEqual(PLAN);
  });

  it('prints the cluster, and nothing else, where it is asked to', async () => {
    const { out } = await run('scale web --pool default=5 --no-wait -o json');
    expect(JSON.parse(out)).toEqual(at('2'));
  });

  it('does not wait for a cluster that is paused, and says so', async () => {
    w.on(`PATCH ${WEB}`, { body: at('2', { paused: true }) });
    expect(await run('scale web --pool default=5')).toEqual({
      code: 0,
      out: 'cluster/web: default 5\n',
      err: 'cluster/web is paused: nothing happens until somebody runs shoto resume cluster web\n',
    });
  });

  it('says what it hangs at when the time is over', async () => {
    w.on(`GET ${WEB}/progress`, {
      events: [['progress', { ...progress(false, 'pod x is held'), generation: 7, settled: false }]],
    });
    const { code, err } = await run('scale web --pool default=5 --timeout 200ms');
    expect([code, err]).toEqual([7, expect.stringContaining('not done after 0.2 s: pod x is held')]);
  });

  it.each<[string, number, string]>([
    ['scale web', 2, 'nothing to scale: give --pool name=count, or --control-plane count'],
    ['scale web --pool default', 2, '--pool default: write name=count'],
    ['scale web --pool default=', 2, '--pool default=: write name=count'],
    ['scale web --pool gpu=2', 3, 'cluster web has no pool gpu: there are default'],
    ['scale nope --pool default=2', 3, 'nothing at'],
  ])('%s is refused', async (line, code, words) => {
    const ran = await run(line);
    expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(words)]);
    expect(patched()).toEqual([]);
  });

  it.each([
    ['-1', '-1: must be at least 0', -1],
    ['five', '"five": must be a number', 'five'],
  ])('to %s is refused by the server, with the field', async (count, message, sent) => {
    const errors = [{ field: 'spec.nodePools[0].count', message }];
    w.on(`PATCH ${WEB}`, { status: 422, body: { status: 422, reason: 'Invalid', detail: 'x', errors } });
    const { code, err } = await run(`scale web --pool default=${count}`);
    expect([code, err]).toEqual([4, `shoto: refused:\n  spec.nodePools[0].count: ${message}\n`]);
    expect(patched()).toEqual([{ spec: { nodePools: [{ ...POOL, count: sent }] } }]);
  });
});

describe('pools', () => {
  it('create pool adds one with all that it is asked for', async () => {
    const line =
      'create pool web gpu --flavor g1 --count 2 --zones a,b --label k=v --label t= --taint x=y:NoSchedule --taint z:NoExecute --release v1.35.3 --max-surge 25% --max-unavailable 1 --root-volume 40 --drain-timeout 10m --volume-detach-timeout 90s --no-wait';
    expect(await run(line)).toEqual({ code: 0, out: 'cluster/web: pool gpu added\n', err: '' });
    expect(patched()).toEqual([
      {
        spec: {
          nodePools: [
            POOL,
            {
              name: 'gpu',
              flavor: 'g1',
              count: 2,
              zones: ['a', 'b'],
              labels: { k: 'v', t: '' },
              taints: [
                { key: 'x', value: 'y', effect: 'NoSchedule' },
                { key: 'z', effect: 'NoExecute' },
              ],
              release: 'v1.35.3',
              maxSurge: '25%',
              maxUnavailable: 1,
              rootVolume: { sizeGiB: 40 },
              nodeDrainTimeoutSeconds: 600,
              nodeVolumeDetachTimeoutSeconds: 90,
            },
          ],
        },
      },
    ]);
  });

  it('create pool without a flavor is refused by the server, with the field', async () => {
    const errors = [{ field: 'spec.nodePools[1].flavor', message: 'required' }];
    w.on(`PATCH ${WEB}`, { status: 422, body: { status: 422, reason: 'Invalid', detail: 'x', errors } });
    const { code, err } = await run('create pool web gpu --count 1');
    expect([code, err]).toEqual([4, 'shoto: refused:\n  spec.nodePools[1].flavor: required\n']);
  });

  it('create pool of one that is there is refused', async () => {
    const { code, err } = await run('create pool web default --flavor f');
    expect([code, err]).toEqual([4, expect.stringContaining('has a pool default already: choose another name')]);
  });

  it('set pool changes what is named, and takes away what is told to be', async () => {
    const taints = [
      { key: 'x', value: 'y', effect: 'NoSchedule' },
      { key: 'x', effect: 'NoExecute' },
    ];
    const before = { ...GPU, taints, zones: ['a'], release: 'v1.34.9', rootVolume: { sizeGiB: 9, type: 'ssd' } };
    w.on(`GET ${WEB}`, { body: at('1', { nodePools: [POOL, before] }) });
    await run(
      'set pool web gpu --label a- --label c=3 --taint x:NoSchedule- --zones none --release none --root-volume 20 --max-surge 0 --max-unavailable 1 --no-wait',
    );
    expect(patched()).toEqual([
      {
        spec: {
          nodePools: [
            POOL,
            {
              ...GPU,
              labels: { b: '2', c: '3' },
              taints: [{ key: 'x', effect: 'NoExecute' }],
              rootVolume: { sizeGiB: 20, type: 'ssd' },
              maxSurge: 0,
              maxUnavailable: 1,
            },
          ],
        },
      },
    ]);
  });

  it('delete pool takes one away', async () => {
    w.on(`GET ${WEB}`, { body: at('1', { nodePools: [POOL, GPU] }) });
    expect((await run('delete pool web gpu --no-wait')).out).toBe('cluster/web: pool gpu is being taken away\n');
    expect(patched()).toEqual([{ spec: { nodePools: [POOL] } }]);
  });

  it.each<[string, number, string]>([
    ['set pool web default', 2, 'nothing to set: give --flavor'],
    ['set pool web nope --count 1', 3, 'cluster web has no pool nope: there are default'],
    ['set pool web default --label x', 2, '--label x: write key=value, or key- to take it away'],
    ['set pool web default --taint x=y', 2, '--taint x=y: write key=value:NoSchedule'],
    ['set pool web default --drain-timeout soon', 2, '"soon" is no time'],
    ['delete pool web nope', 3, 'cluster web has no pool nope'],
    ['delete pool web', 2, 'missing required argument'],
  ])('%s is refused', async (line, code, words) => {
    const ran = await run(line);
    expect([ran.code, ran.err]).toEqual([code, expect.stringContaining(words)]);
    expect(patched()).toEqual([]);
  });
});

describe('set, pause and resume cluster', () => {
  it('set cluster changes window, healing and flavor', async () => {
    const window = ['--maintenance-window', 'Sat,Sun 02:00-06:00 Asia/Tokyo'];
    expect((await w.shoto(['set', 'cluster', 'web', ...window, '--healing', 'off'])).out).toBe('cluster/web changed\n');
    await run('set cluster web --maintenance-window none --healing on --control-plane-flavor big --no-wait');
    expect(patched()).toEqual([
      {
        spec: {
          maintenanceWindow: { days: ['Sat', 'Sun'], start: '02:00', durationMinutes: 240, timeZone: 'Asia/Tokyo' },
          healing: { enabled: false },
        },
      },
      { spec: { maintenanceWindow: null, healing: { enabled: true }, controlPlane: { flavor: 'big' } } },
    ]);
  });

  it('a time zone that does not exist is refused by the server, with the field', async () => {
    const errors = [{ field: 'spec.maintenanceWindow.timeZone', message: 'there is no such time zone' }];
    w.on(`PATCH ${WEB}`, { status: 422, body: { status: 422, reason: 'Invalid', detail: 'x', errors } });
    const { code, err } = await w.shoto(['set', 'cluster', 'web', '--maintenance-window', '02:00-04:00 Mars/Olympus']);
    expect([code, err]).toEqual([4, expect.stringContaining('spec.maintenanceWindow.timeZone: there is no such')]);
  });

  it('pause and resume', async () => {
    expect((await run('pause cluster web')).out).toBe('cluster/web is paused\n');
    expect((await run('resume cluster web')).out).toBe('cluster/web goes on\n');
    expect(patched()).toEqual([{ spec: { paused: true } }, { spec: { paused: false } }]);
  });

  it.each<[string, string]>([
    ['set cluster web', 'nothing to set'],
    ['set cluster web --healing maybe', '--healing maybe: choose on or off'],
    ['set cluster web --maintenance-window weekends', 'write "Sat,Sun 02:00-06:00 Asia/Tokyo"'],
  ])('%s is refused', async (line, words) => {
    const ran = await run(line);
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(words)]);
  });
});
