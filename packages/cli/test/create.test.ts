import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aCluster, CLUSTERS, machineProgress, progress, startWorld, type World } from './world.ts';

let w: World;
beforeEach(async () => {
  w = await startWorld();
  w.on(`POST ${CLUSTERS}`, { status: 201, body: aCluster() });
  w.on(`GET ${CLUSTERS}/web`, { body: aCluster() });
});
afterEach(() => w.close());

const FILE = `
apiVersion: shoto.dev/v1alpha1
kind: Cluster
metadata: { name: web, labels: { team: a } }
spec:
  region: one
  controlPlane: { count: 3, flavor: m1.large }
  nodePools: [{ name: old, count: 9 }]
`;
const sent = async (line: string[], files = {}) => {
  const ran = await w.shoto(['create', 'cluster', ...line, '--no-wait'], { files });
  expect(ran).toMatchObject({ code: 0, err: '' });
  return w.seen[0]!;
};

describe('flags and file become the request', () => {
  it.each<[string, string[], object]>([
    ['a name alone leaves all to the template', ['web'], { metadata: { name: 'web' }, spec: {} }],
    [
      'release and region',
      ['web', '--release', 'v1.35.4', '--region', 'one'],
      { metadata: { name: 'web' }, spec: { release: 'v1.35.4', region: 'one' } },
    ],
    [
      'the control plane',
      ['web', '--control-planes', '3', '--control-plane-flavor', 'big'],
      { metadata: { name: 'web' }, spec: { controlPlane: { count: 3, flavor: 'big' } } },
    ],
    [
      'pools',
      ['web', '--pool', 'a=3', '--pool', 'b=0,flavor=big,release=v1.34.9,zones=az1+az2'],
      {
        metadata: { name: 'web' },
        spec: {
          nodePools: [
            { name: 'a', count: 3 },
            { name: 'b', count: 0, flavor: 'big', release: 'v1.34.9', zones: ['az1', 'az2'] },
          ],
        },
      },
    ],
    [
      'a count that is no number, for the server to name',
      ['web', '--pool', 'a=many', '--control-planes', 'two'],
      {
        metadata: { name: 'web' },
        spec: { controlPlane: { count: 'two' }, nodePools: [{ name: 'a', count: 'many' }] },
      },
    ],
    [
      'a negative count, for the server to name',
      ['web', '--pool', 'a=-1'],
      { metadata: { name: 'web' }, spec: { nodePools: [{ name: 'a', count: -1 }] } },
    ],
    [
      'addons',
      ['web', '--addon', 'flannel', '--addon', 'metrics@1.2.3'],
      { metadata: { name: 'web' }, spec: { addons: [{ name: 'flannel' }, { name: 'metrics', version: '1.2.3' }] } },
    ],
    [
      'networks',
      ['web', '--pod-cidr', '10.1.0.0/16', '--service-cidr', '10.2.0.0/16', '--node-cidr', '10.3.0.0/16'],
      {
        metadata: { name: 'web' },
        spec: { network: { podCIDR: '10.1.0.0/16', serviceCIDR: '10.2.0.0/16', nodeCIDR: '10.3.0.0/16' } },
      },
    ],
    [
      'labels',
      ['web', '--label', 'a=b', '--label', 'c=d=e'],
      { metadata: { name: 'web', labels: { a: 'b', c: 'd=e' } }, spec: {} },
    ],
  ])('%s', async (_what, line, body) => {
    expect((await sent(line)).body).toEqual(body);
  });

  it('a file is sent as it is', async () => {
    expect((await sent(['-f', 'web.yaml'], { 'web.yaml': FILE })).body).toEqual({
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'web', labels: { team: 'a' } },
      spec: {
        region: 'one',
        controlPlane: { count: 3, flavor: 'm1.large' },
        nodePools: [{ name: 'old', count: 9 }],
      },
    });
  });

  it('flags win over the file, and the rest of the file stays', async () => {
    const line = ['web', '-f', '-', '--control-planes', '1', '--pool', 'new=2', '--label', 'x=y'];
    expect((await sent(line, { '-': FILE })).body).toMatchObject({
      metadata: { name: 'web', labels: { team: 'a', x: 'y' } },
      spec: { region: 'one', controlPlane: { count: 1, flavor: 'm1.large' }, nodePools: [{ name: 'new', count: 2 }] },
    });
  });

  it('template and dry run are told, with the token and a key that is new for each run', async () => {
    await sent(['web', '--template', 'big', '--dry-run']);
    await w.shoto(['create', 'cluster', 'web', '--no-wait']);
    const [first, second] = w.seen;
    expect(first!.path).toBe(`${CLUSTERS}?template=big&dryRun=true`);
    expect(first!.headers.authorization).toBe('Bearer t0ken');
    expect(first!.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(second!.headers['idempotency-key']).not.toBe(first!.headers['idempotency-key']);
  });

  it.each<[string, string[], Record<string, string>, string]>([
    ['no name', [], {}, 'no name: write shoto create cluster NAME'],
    ['a pool without a count', ['web', '--pool', 'a'], {}, '--pool a: "a" is no key=value'],
    [
      'a pool with an unknown part',
      ['web', '--pool', 'a=1,size=3'],
      {},
      'there is no "size"; there are flavor, release and zones',
    ],
    ['a label without a value', ['web', '--label', 'a'], {}, '--label a: write key=value'],
    ['a file that is not there', ['-f', 'none.yaml'], {}, 'none.yaml cannot be read'],
    ['a file that is no YAML', ['-f', 'a.yaml'], { 'a.yaml': 'a: [' }, 'a.yaml: '],
    ['a file of two documents', ['-f', 'a.yaml'], { 'a.yaml': 'a: 1\n---\nb: 2\n' }, 'a.yaml holds 2 documents'],
    ['a file that is no object', ['-f', 'a.yaml'], { 'a.yaml': 'just text\n' }, 'a.yaml is no Cluster'],
    [
      'a file of another name',
      ['api', '-f', 'a.yaml'],
      { 'a.yaml': FILE },
      'a.yaml names the cluster web, the command line api',
    ],
    ['an unknown form', ['web', '-o', 'xml'], {}, '-o xml: choose one of table, wide, json, yaml, name'],
    ['a time that is none', ['web', '--timeout', 'soon'], {}, '"soon" is no time: write 90s, 15m or 1h'],
    ['an unknown option', ['web', '--workers', '3'], {}, "unknown option '--workers'"],
  ])('%s is said before anything is sent', async (_what, line, files, message) => {
    const { code, err } = await w.shoto(['create', 'cluster', ...line], { files });
    expect([code, w.seen]).toEqual([2, []]);
    expect(err).toContain(message);
  });
});

describe('what is printed', () => {
  it('is what would be made, for a dry run', async () => {
    expect((await w.shoto(['create', 'cluster', 'web', '--dry-run'])).out).toBe(
      'cluster/web would be made (dry run)\n',
    );
    const { out } = await w.shoto(['create', 'cluster', 'web', '--dry-run', '-o', 'yaml']);
    expect(out).toContain('kind: Cluster\n');
  });

  it('is what happens, line by line, in a pipe', async () => {
    w.on(`GET ${CLUSTERS}/web/progress`, {
      events: [
        [
          'progress',
          progress(false, 'working', [
            ['network', 'running', 'making it'],
            ['nodes', 'waiting', '0 of 3'],
          ]),
        ],
        [
          'progress',
          progress(false, 'working', [
            ['network', 'done', 'made'],
            ['nodes', 'waiting', '0 of 3'],
          ]),
        ],
        [
          'progress',
          progress(false, 'working', [
            ['network', 'done', 'made'],
            ['nodes', 'running', '1 of 3'],
          ]),
        ],
        [
          'progress',
          progress(true, 'ready', [
            ['network', 'done', 'made'],
            ['nodes', 'done', '3 of 3'],
          ]),
        ],
      ],
    });
    const { code, out } = await w.shoto(['create', 'cluster', 'web']);
    expect([code, out.split('\n')]).toEqual([
      0,
      [
        'cluster/web accepted',
        '   0.0s network: running: making it',
        '   0.0s network: done: made',
        '   0.0s nodes: running: 1 of 3',
        '   0.0s nodes: done: 3 of 3',
        'cluster/web ready. Now: shoto kubeconfig web > kubeconfig',
        '',
      ],
    ]);
  });

  it('tells in a pipe when a step of a machine begins and ends, each once, with its seconds', async () => {
    const step = (name: string, state: string, seconds?: number) => ({
      name,
      state,
      startedAt: '2026-01-01T00:59:50Z',
      ...(seconds === undefined ? {} : { seconds }),
    });
    const at = (...steps: object[]) => ({
      ...progress(false, 'working', [['machines', 'running', '1 of 2 servers run']]),
      machines: [machineProgress('web-cp-1', { steps }), machineProgress('web-default-1', { state: 'waiting' })],
    });
    w.on(`GET ${CLUSTERS}/web/progress`, {
      events: [
        ['progress', at(step('download', 'running'))],
        ['progress', at(step('download', 'done', 2.25), step('kubeadm-init', 'running'))],
        ['progress', at(step('download', 'done', 2.25), step('kubeadm-init', 'running'))],
        ['progress', at(step('kubeadm-init', 'failed', 14.5))],
        ['progress', at(step('kubeadm-init', 'done', 9), step('joined', 'done'))],
        ['progress', progress(true, 'ready')],
      ],
    });
    const { out } = await w.shoto(['create', 'cluster', 'web']);
    expect(out.split('\n').slice(1, -2)).toEqual([
      '   0.0s machines: running: 1 of 2 servers run',
      '   0.0s machines: web-cp-1 download: running',
      '   0.0s machines: web-cp-1 download: done in 2.3 s',
      '   0.0s machines: web-cp-1 kubeadm-init: running',
      '   0.0s machines: web-cp-1 kubeadm-init: failed after 14.5 s',
      '   0.0s machines: web-cp-1 kubeadm-init: done in 9.0 s',
      '   0.0s machines: web-cp-1 joined: done',
    ]);
  });

  it('is a block that is drawn again on a terminal, with no line longer than the terminal', async () => {
    w.on(`GET ${CLUSTERS}/web/progress`, {
      events: [
        [
          'progress',
          progress(false, 'working', [
            ['network', 'running', 'x'.repeat(100)],
            ['nodes', 'waiting', '0 of 3'],
          ]),
        ],
        ['progress', progress(true, 'ready', [['network', 'done', 'made']])],
      ],
    });
    const { out } = await w.shoto(['create', 'cluster', 'web'], { isTTY: true });
    const [first, second] = out.split('\x1b[3A');
    expect(first).toContain('… network');
    expect(first).toContain('· nodes');
    expect(second).toContain('✓ network');
    // The old block had a line more: what is left of it is wiped.
    expect(second).toContain('\x1b[0J');
    for (const line of stripVTControlCharacters(out).split('\n').slice(1, -2))
      expect([...line].length).toBeLessThanOrEqual(60);
  });

  it('is the cluster alone, at the end, in the form that is asked for', async () => {
    w.on(`GET ${CLUSTERS}/web/progress`, { events: [['progress', progress(true, 'ready')]] });
    expect((await w.shoto(['create', 'cluster', 'web', '-o', 'name'])).out).toBe('cluster/web\n');
    const { out } = await w.shoto(['create', 'cluster', 'web', '-o', 'json']);
    expect(JSON.parse(out)).toMatchObject({ kind: 'Cluster', metadata: { name: 'web' } });
  });
});

describe('waiting', () => {
  it('goes on when the stream breaks', async () => {
    w.on(`GET ${CLUSTERS}/web/progress`, 'reset', { events: [['progress', progress(true, 'ready')]] });
    const { code, out } = await w.shoto(['create', 'cluster', 'web']);
    expect([code, out]).toEqual([0, expect.stringContaining('cluster/web ready')]);
  });

  it('ends in time, with what it hangs at and how to go on', async () => {
    w.on(`GET ${CLUSTERS}/web/progress`, {
      events: [['progress', progress(false, 'no floating IPs left (10 of 10)')]],
    });
    const { code, err } = await w.shoto(['create', 'cluster', 'web', '--timeout', '300ms']);
    expect(code).toBe(7);
    expect(err).toBe(
      'shoto: not ready after 0.3 s: no floating IPs left (10 of 10)\nit goes on without us: shoto describe cluster web\n',
    );
  });

  it('ends when somebody deletes the cluster', async () => {
    w.on(`GET ${CLUSTERS}/web/progress`, { events: [['gone', { cluster: 'web' }]] });
    const { code, err } = await w.shoto(['create', 'cluster', 'web']);
    expect([code, err]).toEqual([3, 'shoto: the cluster was deleted\n']);
  });
});
