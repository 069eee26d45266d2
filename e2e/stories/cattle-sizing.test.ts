import type { HasMeta } from '@shoto/kube';
import { NODES } from '@shoto/kube';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { startWorld } from '../world.ts';
import { boots, Cattle, names, PATIENCE_MS, perZone, TEST_MS, uids } from './cattle.ts';
import { etcdMembers } from './workload.ts';

/** The zones of the simulated region; a real one has what it has. */
const ZONES = ['az1', 'az2', 'az3'];

let cattle: Cattle;
let before: Holdings;

/** Changes a cluster by a command, and waits until it is carried out, which is told where machines boot. */
const change = (...args: string[]) => cattle.shoto(...args, ...(boots ? ['--timeout', '5m'] : ['--no-wait']));

beforeAll(async () => {
  cattle = new Cattle(await startWorld());
  before = await holdings(cattle.world.cloud);
  await cattle.shoto(
    'create',
    'cluster',
    'web',
    '--pool',
    'default=1',
    ...(boots ? ['--timeout', '5m'] : ['--no-wait']),
  );
  await cattle.settled('web', 'default', 1);
}, TEST_MS);
afterAll(() => cattle?.end());

describe('a pool', () => {
  it('grows from 1 to 3 and shrinks to 1: who stays, stays who it was', { timeout: TEST_MS }, async () => {
    const [first] = await cattle.settled('web', 'default', 1);
    expect(await change('scale', 'web', '--pool', 'default=3')).toContain('cluster/web: default 3');
    const three = await cattle.settled('web', 'default', 3);
    expect(uids(three)).toContain(first!.metadata.uid);
    if (boots) expect(perZone(three, ZONES)).toEqual([1, 1, 1]);

    const plan = await cattle.shoto('scale', 'web', '--pool', 'default=1', '--dry-run');
    const going = names(three).filter((n) => plan.includes(n));
    expect(going).toHaveLength(2);
    expect(plan).toContain('nothing was changed (dry run)');
    expect(uids(await cattle.machines('web', 'default'))).toEqual(uids(three));

    await change('scale', 'web', '--pool', 'default=1');
    const [last] = await cattle.settled('web', 'default', 1);
    expect(uids(three)).toContain(last!.metadata.uid);
    await cattle.oneToOne();
  });

  it('is added, with zones that are filled evenly', { timeout: TEST_MS }, async () => {
    await change('create', 'pool', 'web', 'batch', '--flavor', 'm1.small', '--count', '4');
    const four = await cattle.settled('web', 'batch', 4);
    if (boots) expect(perZone(four, ZONES)).toEqual([1, 1, 2]);
    await change('scale', 'web', '--pool', 'batch=2');
    const two = await cattle.settled('web', 'batch', 2);
    if (boots) expect(perZone(two, ZONES)).toEqual([0, 1, 1]);
    expect(uids(four)).toEqual(expect.arrayContaining(uids(two)));
  });

  it('gets labels in place: the same machines, and their nodes have them', { timeout: TEST_MS }, async () => {
    const two = await cattle.settled('web', 'batch', 2);
    await change('set', 'pool', 'web', 'batch', '--label', 'tier=night', '--taint', 'dedicated=batch:NoSchedule');
    const now = await cattle.settled('web', 'batch', 2, (m) => m.spec.labels?.tier === 'night');
    expect(uids(now)).toEqual(uids(two));
    if (!boots) return;
    const workload = await cattle.workload('web');
    await until(
      'labels and taints on its nodes, and on no other',
      async () => {
        const nodes = await workload.listAll<HasMeta & { spec: { taints?: { key: string }[] } }>(NODES);
        const labelled = nodes.filter((n) => n.metadata.labels?.tier === 'night');
        const tainted = nodes.filter((n) => n.spec.taints?.some((t) => t.key === 'dedicated'));
        return [labelled, tainted].every((ns) => `${ns.map((n) => n.metadata.name).sort()}` === `${names(two)}`);
      },
      PATIENCE_MS,
    );
  });

  it('gets another flavor by other machines', { timeout: TEST_MS }, async () => {
    const two = await cattle.settled('web', 'batch', 2);
    const { flavor } = two[0]!.spec;
    const plan = await cattle.shoto('set', 'pool', 'web', 'batch', '--flavor', 'm1.medium', '--dry-run');
    for (const name of names(two)) expect(plan).toContain(name);
    await change('set', 'pool', 'web', 'batch', '--flavor', 'm1.medium');
    const now = await cattle.settled('web', 'batch', 2, (m) => m.spec.flavor !== flavor);
    expect(uids(now).filter((uid) => uids(two).includes(uid))).toEqual([]);
    const server = await cattle.world.cloud.compute.servers.get(now[0]!.status!.server.id!);
    expect(server.flavor).toMatchObject({ original_name: 'm1.medium' });
  });

  it('is taken away with its machines, and the others stay', { timeout: TEST_MS }, async () => {
    const others = [...(await cattle.machines('web', 'default')), ...(await cattle.machines('web', 'control-plane'))];
    await change('delete', 'pool', 'web', 'batch');
    await cattle.settled('web', 'batch', 0);
    expect(uids(await cattle.machines('web'))).toEqual(uids(others));
    await cattle.oneToOne();
  });
});

describe('the control plane', () => {
  // A second control-plane machine joins a first one that runs.
  it.runIf(boots)(
    'grows from 1 to 3 to 5 and shrinks to 3, spread over the zones, etcd with it',
    { timeout: TEST_MS },
    async () => {
      const [first] = await cattle.settled('web', 'control-plane', 1);
      await change('scale', 'web', '--control-plane', '3');
      const three = await cattle.settled('web', 'control-plane', 3);
      expect(uids(three)).toContain(first!.metadata.uid);
      expect(perZone(three, ZONES)).toEqual([1, 1, 1]);
      await change('scale', 'web', '--control-plane', '5');
      const five = await cattle.settled('web', 'control-plane', 5);
      expect(uids(five)).toEqual(expect.arrayContaining(uids(three)));
      expect(perZone(five, ZONES)).toEqual([1, 2, 2]);
      await change('scale', 'web', '--control-plane', '3');
      const left = await cattle.settled('web', 'control-plane', 3);
      expect(uids(five)).toEqual(expect.arrayContaining(uids(left)));
      expect(perZone(left, ZONES)).toEqual([1, 1, 1]);
      expect(await etcdMembers(await cattle.workload('web'), left)).toEqual(names(left));
      await cattle.oneToOne();
    },
  );

  it('is not made even, and no pool is made less than nothing', async () => {
    for (const [args, field] of [
      [['--control-plane', '2'], 'spec.controlPlane.count'],
      [['--pool', 'default=-1'], 'spec.nodePools[0].count'],
    ] as const) {
      const { code, stderr } = await cattle.world.shoto('scale', 'web', ...args, '--no-wait');
      expect(stderr).toContain(field);
      expect(code).toBe(4);
    }
  });
});

it('leaves nothing when it goes', { timeout: TEST_MS }, async () => {
  await cattle.shoto('delete', 'cluster', 'web', '--timeout', '5m');
  await until(
    'nothing left in the cloud',
    async () => {
      const rest = difference(before, await holdings(cattle.world.cloud));
      return rest.length === 0 ? true : Promise.reject(new Error(rest.join(', ')));
    },
    PATIENCE_MS,
  );
});
