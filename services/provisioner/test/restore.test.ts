import { type Cluster, FINALIZERS, findCondition, isTrue, type Machine } from '@shoto/api';
import { until } from '@shoto/service/testing';
import { afterEach, expect, it } from 'vitest';
import { findOrphans } from '../src/region/sweep.ts';
import { CLUSTERS, MACHINES, startWorld, type World } from '../src/testing/world.ts';

let world: World;
afterEach(() => world.close());

const NAMESPACE = 'tenant-a';
const workersOf = (ms: Machine[]) => ms.filter((m) => m.spec.role === 'worker');
const stateOf = (m: Machine | undefined) => m?.status?.server.state;
const allActive = (n: number) => (ms: Machine[]) => ms.length === n && ms.every((m) => stateOf(m) === 'Active');
const named = (ms: Machine[], name: string): Machine | undefined => ms.find((m) => m.metadata.name === name);
const servers = () => world.user.compute.servers.list().all();
const scale = (count: number) =>
  world.kube.jsonPatch(CLUSTERS, { namespace: NAMESPACE, name: 'web' }, [
    { op: 'replace', path: '/spec/nodePools/0/count', value: count },
  ]);

/** Plays the other services: each machine joins and is ready, and the control plane serves. */
async function allReady(): Promise<void> {
  for (const m of await world.machines()) {
    if (m.metadata.deletionTimestamp || m.status?.health.ready) continue;
    const joined = await world.kube.patchStatusMap<Machine>(MACHINES, m, 'bootstrap', {
      joinedAt: '2026-01-01T00:00:30Z',
    });
    await world.health(joined, { ready: true });
  }
  const cluster = (await world.cluster()) as Cluster;
  if (!cluster.status?.controlPlane.initialized)
    await world.kube.patchStatusMap<Cluster>(CLUSTERS, cluster, 'controlPlane', {
      initialized: true,
      configRelease: 'v1.35.4',
      addonsRelease: 'v1.35.4',
    });
}

/** The machine goes, and the bootstrap-worker lets go of its node. */
async function gone(m: Machine): Promise<void> {
  if (!m.metadata.deletionTimestamp) await world.kube.delete(MACHINES, { namespace: NAMESPACE, name: m.metadata.name });
  await until(
    async () => {
      await world.letGo();
      return (await world.machines()).every((x) => x.metadata.uid !== m.metadata.uid);
    },
    { what: `${m.metadata.name} is gone`, timeoutMs: 15_000, everyMs: 50 },
  );
}

it('deletes nothing after a restore into a world that went on, and adopts or reports each difference', async () => {
  world = await startWorld({
    durable: true,
    cloud: { latency: { operations: { 'nova.server.boot': { medianMs: 600, spread: 0 } } } },
  });
  await world.createCluster({ workers: 2 });
  await world.untilMachines('three servers run', allActive(3));
  await allReady();
  const [kept, doomed] = workersOf(await world.machines()) as [Machine, Machine];

  // The backup falls between "the server is asked for" and "it runs": this Machine says nothing of its server yet.
  await scale(3);
  await until(async () => (await servers()).length === 4, { what: 'a fourth server is asked for' });
  const backup = world.backup();
  const early = workersOf(await world.machines()).find(
    (m) => m.metadata.name !== kept.metadata.name && m.metadata.name !== doomed.metadata.name,
  ) as Machine;
  expect(early.status?.server.id).toBeUndefined();

  // The world goes on: it grows, one machine is replaced, ...
  await world.untilMachines('four servers run', allActive(4));
  await allReady();
  await scale(4);
  await world.untilMachines('five servers run', allActive(5));
  await allReady();
  await gone(doomed);
  await world.untilMachines('another has come in its place', allActive(5));
  const wentOn = await world.machines();
  const unclaimed = workersOf(wentOn).filter((m) => ![kept, early].some((x) => x.metadata.uid === m.metadata.uid));
  expect(unclaimed).toHaveLength(2);
  const before = (await servers()).map((s) => s.id).sort();
  const deletes = world.calls('DELETE');

  await world.restore(backup);

  const adopted = await world.untilMachines('the machine of the fourth server takes it', (ms) => {
    return stateOf(named(ms, early.metadata.name)) === 'Active';
  });
  const again = named(adopted, early.metadata.name) as Machine;
  expect(again.metadata.uid).toBe(early.metadata.uid);
  expect(again.status?.server.id).toBe(named(wentOn, early.metadata.name)?.status?.server.id);
  const reported = await world.untilMachines('the machine without a server says so', (ms) => {
    return stateOf(named(ms, doomed.metadata.name)) === 'Gone';
  });
  const dead = named(reported, doomed.metadata.name) as Machine;
  expect(dead.metadata.uid).toBe(doomed.metadata.uid);
  expect(findCondition(dead.status?.server.conditions, 'ServerReady')).toMatchObject({
    status: 'False',
    reason: 'ServerGone',
  });

  // A machine is made in the place of the dead one, under a name that no server has.
  const isNew = (m: Machine) => ![kept, doomed, early].some((x) => x.metadata.uid === m.metadata.uid);
  await allReady();
  const replaced = await world.untilMachines('another is made in its place', (ms) =>
    workersOf(ms).some((m) => isNew(m) && stateOf(m) === 'Active'),
  );
  const fresh = workersOf(replaced).filter(isNew);
  expect(fresh).toHaveLength(1);
  expect(unclaimed.map((m) => m.metadata.name)).not.toContain(fresh[0]?.metadata.name);
  expect(world.calls('DELETE')).toBe(deletes);

  // What is provably dead goes; all that ran before the restore still runs.
  await allReady();
  await gone(named(await world.machines(), doomed.metadata.name) ?? dead);
  await world.untilMachines('all that are asked for run', allActive(4));
  const after = (await servers()).map((s) => s.id).sort();
  expect(after).toEqual([...before, fresh[0]?.status?.server.id].sort());
  expect(workersOf(await world.machines()).every((m) => m.metadata.finalizers?.includes(FINALIZERS.server))).toBe(true);

  // The sweep names what nobody claims, and leaves it.
  const [region] = world.provisioner.regions.running();
  const uids = new Set((await world.machines()).map((m) => m.metadata.uid));
  const orphans = await findOrphans(
    region!,
    'test-installation',
    { hasCluster: () => true, hasMachine: (uid) => uids.has(uid) },
    Date.now() + 3_600_000,
  );
  const ids = unclaimed.flatMap((m) => [m.status?.server.id, m.status?.server.portId]);
  expect(orphans.map((o) => o.id).sort()).toEqual(ids.sort());
  expect((await servers()).map((s) => s.id).sort()).toEqual(after);
  await world.untilCluster('the cluster is as asked for', (c) =>
    isTrue(c.status?.infrastructure.conditions, 'MachinesReady'),
  );
});
