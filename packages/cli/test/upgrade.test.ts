import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { aCluster, CLUSTERS, progress, startWorld, type World } from './world.ts';

const WEB = `${CLUSTERS}/web`;
const POOL = { name: 'default', count: 2, flavor: 'm1.small' };
const at = (resourceVersion: string, spec: object = {}) => {
  const c = aCluster();
  return { ...c, metadata: { ...c.metadata, resourceVersion, generation: 7 }, spec: { ...c.spec, ...spec } };
};
const aRelease = (name: string, more: object = {}) => ({
  metadata: { name },
  spec: { version: name, images: [{ region: 'one', image: 'i' }], support: {}, upgradableFrom: [], ...more },
});
const PLAN = {
  from: 'v1.35.4',
  to: 'v1.36.3',
  steps: [
    {
      release: 'v1.36.3',
      actions: [
        { action: 'replace', pool: 'control-plane', machine: 'web-cp-a', because: ['it runs v1.35.4'], zone: 'az1' },
        { action: 'addons', pool: 'control-plane', because: [] },
        { action: 'create', pool: 'default', because: ['one more is asked for', 'none is there'] },
      ],
    },
  ],
  blockers: [] as object[],
  notes: ['it begins on Saturday'],
};
const BLOCKED = {
  ...PLAN,
  blockers: [
    { reason: 'QuotaExceeded', message: 'no cores are left: free some', field: 'spec.controlPlane' },
    { reason: 'DisruptionBudget', message: 'shop/cart lets none go' },
  ],
};
let w: World;
beforeEach(async () => {
  w = await startWorld();
  w.on(`GET ${WEB}`, { body: at('1') });
  w.on(`PATCH ${WEB}`, { body: at('2') });
  w.on(`POST ${WEB}/plan`, { body: PLAN });
  w.on('GET /v1/releases', {
    body: {
      items: [
        aRelease('v1.36.3'),
        aRelease('v1.36.10'),
        aRelease('v1.36.11', { support: { withdrawn: true } }),
        aRelease('v1.36.12', { images: [{ region: 'two', image: 'i' }] }),
        aRelease('v1.35.4'),
        aRelease('v1.35.4-2'),
      ],
    },
  });
});
afterEach(() => w.close());

const run = (line: string, o = {}) => w.shoto(line.split(' '), o);
const patched = () => w.seen.filter((s) => s.method === 'PATCH').map((s) => s.body);
const planned = () => w.seen.filter((s) => s.path.endsWith('/plan')).map((s) => s.body);

describe('upgrade --dry-run', () => {
  it('prints the plan: steps, machines in order with why, notes; and changes nothing', async () => {
    expect(await run('upgrade cluster web --to v1.36.3 --dry-run')).toEqual({
      code: 0,
      err: '',
      out: `cluster/web v1.35.4 to v1.36.3: 1 step, 3 actions

Step 1: v1.36.3
      ACTION    POOL            MACHINE         ZONE   BECAUSE
  1   replace   control-plane   web-cp-a        az1    it runs v1.35.4
  2   addons    control-plane   -               -      -
  3   create    default         a new machine   -      one more is asked for; none is there

Notes:
  it begins on Saturday
nothing was changed (dry run)
`,
    });
    expect(planned()).toEqual([{ release: 'v1.36.3' }]);
    expect(patched()).toEqual([]);
  });

  it('names what is in the way, with what to do', async () => {
    w.on(`POST ${WEB}/plan`, { body: BLOCKED });
    const { code, out } = await run('upgrade cluster web --to v1.36.3 --dry-run');
    expect(code).toBe(0);
    expect(out).toContain(
      'In the way:\n  QuotaExceeded (spec.controlPlane): no cores are left: free some\n  DisruptionBudget: shop/cart lets none go\n',
    );
  });

  it('says so where machines are not known, and where none is touched', async () => {
    w.on(`POST ${WEB}/plan`, { body: { ...PLAN, steps: [{ release: 'v1.36.3', actions: [] }] } });
    expect((await run('upgrade cluster web --to v1.36.3 --dry-run')).out).toContain('Step 1: v1.36.3\n  not known\n');
    w.on(`POST ${WEB}/plan`, { body: { ...PLAN, to: 'v1.35.4', steps: [] } });
    expect((await run('upgrade cluster web --to v1.35.4 --dry-run')).out).toContain('no machine is touched\n');
  });

  it('gives programs the plan alone', async () => {
    expect(JSON.parse((await run('upgrade cluster web --to v1.36.3 --dry-run -o json')).out)).toEqual(PLAN);
    expect(parse((await run('upgrade cluster web --to v1.36.3 --dry-run -o yaml')).out)).toEqual(PLAN);
  });

  it.each([
    ['v1.36', 'v1.36.10'],
    ['1.36', 'v1.36.10'],
    ['v1.35', 'v1.35.4-2'],
    ['v1.36.3', 'v1.36.3'],
    ['v1.35.4-2', 'v1.35.4-2'],
    ['v1.99.1', 'v1.99.1'],
  ])('--to %s means %s', async (to, release) => {
    await run(`upgrade cluster web --to ${to} --dry-run`);
    expect(planned()).toEqual([{ release }]);
  });

  it('of a minor that nobody offers names those on offer', async () => {
    const { code, err } = await run('upgrade cluster web --to v1.37 --dry-run');
    expect([code, err]).toEqual([
      3,
      'shoto: no release of v1.37 is on offer in region one: there are v1.35.4, v1.35.4-2, v1.36.3, v1.36.10\n',
    ]);
  });

  it.each([
    ['down', 'release cannot go below the one that the control plane runs'],
    ['past a minor', 'the way from v1.35.4 to v1.37.0 goes through 1.36, and no release of it is on offer'],
    ['to what is withdrawn', 'release v1.36.11 is withdrawn or out of its support window: choose one of v1.36.3'],
  ])('%s is refused by the server, with the field', async (_what, message) => {
    const errors = [{ field: 'spec.release', message }];
    w.on(`POST ${WEB}/plan`, { status: 422, body: { status: 422, reason: 'Invalid', detail: 'x', errors } });
    const { code, err } = await run('upgrade cluster web --to v1.36.11');
    expect([code, err]).toEqual([4, `shoto: refused:\n  spec.release: ${message}\n`]);
    expect(patched()).toEqual([]);
  });
});

describe('upgrade', () => {
  it('shows the plan, asks, and begins', async () => {
    const asked: string[] = [];
    const confirm = async (question: string) => asked.push(question) > 0;
    const { code, out } = await run('upgrade cluster web --to v1.36.3', { confirm });
    expect([code, asked]).toEqual([0, ['Bring cluster web to v1.36.3?']]);
    expect(out).toContain('Step 1: v1.36.3');
    expect(out).toContain('cluster/web: goes to v1.36.3\nhow far it is: shoto describe cluster web\n');
    expect(patched()).toEqual([{ spec: { release: 'v1.36.3' } }]);
  });

  it('does nothing where the answer is no, or nobody is there to be asked', async () => {
    const no = await run('upgrade cluster web --to v1.36.3', { confirm: async () => false });
    expect([no.code, no.err]).toEqual([0, 'nothing was changed\n']);
    const nobody = await run('upgrade cluster web --to v1.36.3');
    expect([nobody.code, nobody.err]).toEqual([2, 'shoto: nobody is there to be asked: give --yes to begin\n']);
    expect(patched()).toEqual([]);
  });

  it('does not begin while something is in the way, unless it is forced', async () => {
    w.on(`POST ${WEB}/plan`, { body: BLOCKED });
    const { code, err } = await run('upgrade cluster web --to v1.36.3 --yes');
    expect([code, err]).toEqual([
      4,
      'shoto: cluster web is not upgraded: QuotaExceeded: no cores are left: free some\n  DisruptionBudget: shop/cart lets none go\nmend what is in the way, or begin all the same with --force\n',
    ]);
    expect(patched()).toEqual([]);
    expect((await run('upgrade cluster web --to v1.36.3 --yes --force')).code).toBe(0);
    expect(patched()).toHaveLength(1);
  });

  it('moves one pool alone, also back', async () => {
    expect((await run('upgrade cluster web --pool default --to v1.34.9 --yes')).out).toContain(
      'cluster/web: pool default goes to v1.34.9\n',
    );
    expect(patched()).toEqual([{ spec: { nodePools: [{ ...POOL, release: 'v1.34.9' }] } }]);
    expect((await run('upgrade cluster web --pool nope --to v1.34.9 --yes')).code).toBe(3);
  });

  it("lets a pool follow the cluster again that is brought to the cluster's release", async () => {
    w.on(`GET ${WEB}`, { body: at('1', { nodePools: [{ ...POOL, release: 'v1.34.9' }] }) });
    await run('upgrade cluster web --pool default --to v1.35.4 --yes');
    expect(patched()).toEqual([{ spec: { nodePools: [POOL] } }]);
  });

  it('shows live what goes on and what it waits for, until it is done', async () => {
    const step = (state: string, message: string, settled: boolean) => [
      'progress',
      { ...progress(true, message, [['upgrade', state, message]]), generation: 7, settled },
    ];
    w.on(`GET ${WEB}/progress`, {
      events: [
        step('waiting', 'opens at 02:00', false),
        step('running', '1 of 3 machines', false),
        ['progress', { ...progress(true, 'done'), generation: 7, settled: true }],
      ] as [string, unknown][],
    });
    const { code, out } = await run('upgrade cluster web --to v1.36.3 --yes --wait');
    expect(code).toBe(0);
    expect(out.split('\n').slice(-5)).toEqual([
      'cluster/web: goes to v1.36.3',
      '   0.0s upgrade: waiting: opens at 02:00',
      '   0.0s upgrade: running: 1 of 3 machines',
      'cluster/web is as asked for',
      '',
    ]);
  });

  it('needs to be told to what', async () => {
    const { code, err } = await run('upgrade cluster web');
    expect([code, err]).toEqual([2, expect.stringContaining("required option '--to <release>' not specified")]);
  });
});
