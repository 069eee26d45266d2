import type { Cluster, Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { reconcileCluster } from '../src/reconcile-cluster.ts';
import { MACHINES } from '../src/world.ts';
import { aCluster, aMachine, START } from './builders.ts';
import { FakeEtcd } from './fake-etcd.ts';
import { error } from './fake-kube.ts';
import { never, scenario } from './scenario.ts';

const KEY = 'tenant-a/web';
const JOINED = { joinedAt: new Date(START - 3_600_000).toISOString(), keyHash: 'k' };
const said = (type: string, reason: string) => ({ type, status: 'False', reason, message: '', lastTransitionTime: '' });

type Options = Parameters<typeof aMachine>[1];
const name = (i: number): string => `web-cp-${i}`;
const aMember = (cluster: Cluster, i: number, o: Options = {}): Machine =>
  aMachine(cluster, {
    name: name(i),
    ...o,
    bootstrap: { ...JOINED, ...o?.bootstrap },
    server: { addresses: [`10.8.0.2${i}`], ...o?.server },
  });
/** A machine that is being deleted, drained, and out of the endpoint. */
const leaves = (cluster: Cluster, i: number, o: Options = {}): Machine =>
  aMember(cluster, i, {
    metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' },
    bootstrap: { conditions: [said('Drained', 'WaitingForMember')] },
    server: { conditions: [said('InEndpoint', 'Removed')] },
    ...o,
  });

/** A cluster that is up, its control-plane machines, and an etcd in which each of them is a member. */
async function up(make: (c: Cluster) => Machine[], o: Parameters<typeof aCluster>[0] = {}) {
  const cluster = aCluster({
    ...o,
    controlPlane: { initialized: true, configRelease: 'v1.35.4', addonsRelease: 'v1.35.4', ...o.controlPlane },
  });
  const machines = make(cluster);
  const s = await scenario({ clusters: [cluster], machines });
  const etcd = new FakeEtcd().serve(s.workload(cluster));
  for (const m of machines) etcd.add(m);
  const run = () => reconcileCluster(s.clusterDeps, KEY, { signal: never });
  const etcdHealthy = () =>
    s.clusterNow(cluster).status?.controlPlane.conditions?.find((c) => c.type === 'EtcdHealthy');
  const memberRemoved = (i: number) =>
    s.kube
      .now<Machine>(MACHINES, { namespace: 'tenant-a', name: name(i) })
      ?.status?.bootstrap.conditions?.find((c) => c.type === 'MemberRemoved');
  return { s, cluster, etcd, run, etcdHealthy, memberRemoved };
}

describe('a control-plane machine that leaves', () => {
  it('leaves etcd first: the leadership moves, the member goes, and that is said on the machine', async () => {
    const { etcd, run, memberRemoved } = await up((c) => [leaves(c, 1), aMember(c, 2), aMember(c, 3)]);
    expect(await run()).toEqual({ requeueAfterMs: 200 });
    expect(etcd.deeds).toEqual(['lead web-cp-2']);
    expect(memberRemoved(1)).toMatchObject({ status: 'False', reason: 'MovingLeader' });
    await run();
    expect(etcd.deeds).toEqual(['lead web-cp-2', 'remove web-cp-1']);
    expect(memberRemoved(1)).toMatchObject({ status: 'True', reason: 'Removed' });
    expect(etcd.names).toEqual(['web-cp-2', 'web-cp-3']);
  });

  it('is looked for once more, and then etcd is not asked again', async () => {
    const { s, cluster, run } = await up((c) => [aMember(c, 1), leaves(c, 2)]);
    await run();
    await run();
    const asked = s.workload(cluster).execs.length;
    s.kube.writes.length = 0;
    expect(await run()).toBeUndefined();
    expect(s.workload(cluster).execs).toHaveLength(asked);
    expect(s.kube.writes).toEqual([]);
  });

  it('and was about to join is looked at until it is gone: kubeadm makes it a member all the same', async () => {
    const joining = { bootstrap: { joinedAt: undefined } };
    const { s, cluster, etcd, run, memberRemoved } = await up((c) => [aMember(c, 1), leaves(c, 2, joining)], {
      controlPlane: { joinMachine: aMember(aCluster(), 2).metadata.uid! },
    });
    etcd.members.pop(); // it is none yet
    expect(await run()).toEqual({ requeueAfterMs: 1000 });
    expect(memberRemoved(2)).toMatchObject({ status: 'True', reason: 'Removed' });
    etcd.add('', { address: '10.8.0.22', up: false, learner: true });
    await run();
    expect(etcd.names).toEqual(['web-cp-1']);

    etcd.add('', { address: '10.8.0.22', up: false, learner: true }); // at the last moment
    s.kube.drop(MACHINES, { namespace: 'tenant-a', name: name(2) });
    await run();
    expect(etcd.names).toEqual(['web-cp-1']);
    await run();
    expect(s.clusterNow(cluster).status?.controlPlane.joinMachine).toBeUndefined();
    const asked = s.workload(cluster).execs.length;
    expect(await run()).toBeUndefined();
    expect(s.workload(cluster).execs).toHaveLength(asked);
  });

  it('is no longer a member when a pass was cut short after the deed: that is only said', async () => {
    const { s, etcd, run, memberRemoved } = await up((c) => [aMember(c, 1), leaves(c, 2)]);
    s.kube.beforePatch = () => {
      if (etcd.deeds.length > 0) throw new Error('killed');
    };
    await expect(run()).rejects.toThrow('killed');
    expect(memberRemoved(2)).toMatchObject({ status: 'False', reason: 'Removing' });
    s.kube.beforePatch = undefined;
    await run();
    expect(memberRemoved(2)).toMatchObject({ status: 'True' });
    expect(etcd.deeds).toEqual(['remove web-cp-2']);
  });

  it('goes through its peers when its server is gone', async () => {
    const { s, cluster, etcd, run, memberRemoved, etcdHealthy } = await up((c) => [
      leaves(c, 1, { server: { addresses: ['10.8.0.21'], state: 'Gone' }, bootstrap: {} }),
      aMember(c, 2),
      aMember(c, 3),
    ]);
    (etcd.member(name(1)) as { up: boolean }).up = false;
    await run();
    expect(etcd.names).toEqual(['web-cp-2', 'web-cp-3']);
    expect(memberRemoved(1)).toMatchObject({ status: 'True' });
    expect(etcdHealthy()).toMatchObject({ status: 'True', message: '2 of 2 members of etcd answer' });
    expect(s.workload(cluster).execs.every((e) => e.startsWith('etcd-web-cp-2 '))).toBe(true);
  });

  it('stays a member while it serves: not drained, or still behind the endpoint', async () => {
    for (const o of [{ server: {} }, { bootstrap: {} }]) {
      const { etcd, run, s, cluster } = await up((c) => [aMember(c, 1), aMember(c, 2), leaves(c, 3, o)]);
      await run();
      expect(etcd.deeds).toEqual([]);
      expect(s.workload(cluster).execs).toEqual([]);
    }
  });

  it('waits, and says so, where the rest would have no majority; goes on when it has', async () => {
    const { s, etcd, run, etcdHealthy, memberRemoved } = await up((c) => [aMember(c, 1), leaves(c, 2), aMember(c, 3)]);
    const sick = etcd.member(name(3)) as { up: boolean };
    sick.up = false;
    expect(await run()).toEqual({ requeueAfterMs: 5_000 });
    expect(etcd.deeds).toEqual([]);
    expect(memberRemoved(2)).toMatchObject({ status: 'False', reason: 'QuorumAtRisk' });
    expect(etcdHealthy()).toMatchObject({ status: 'False', reason: 'QuorumAtRisk' });
    s.kube.writes.length = 0;
    await run();
    expect(s.kube.writes).toEqual([]); // said once
    sick.up = true;
    await run();
    expect(etcd.deeds).toEqual(['remove web-cp-2']);
    await run();
    expect(etcdHealthy()).toMatchObject({ status: 'True', reason: 'Healthy' });
  });

  it('waits while another is being healed, though that answers still, and also if that was ordered at the last moment', async () => {
    const order = { number: 1, action: 'Reboot', at: new Date(START).toISOString(), reason: 'NodeSilent' } as const;
    const { s, etcd, run, memberRemoved } = await up((c) => [aMember(c, 1), leaves(c, 2), aMember(c, 3)]);
    s.kube.beforePatch = () => {
      const m = s.kube.now<Machine>(MACHINES, { namespace: 'tenant-a', name: name(3) }) as Machine;
      if (!m.status?.health.order)
        s.kube.put(MACHINES, { ...m, status: { ...m.status, health: { revision: 1, order } } } as Machine);
    };
    expect(await run()).toEqual({ requeueAfterMs: 5_000 });
    expect(etcd.deeds).toEqual([]);
    expect(memberRemoved(2)).toMatchObject({ status: 'False', reason: 'QuorumAtRisk' });
    await run();
    expect(etcd.deeds).toEqual([]);
    const m = s.kube.now<Machine>(MACHINES, { namespace: 'tenant-a', name: name(3) }) as Machine;
    s.kube.put(MACHINES, { ...m, status: { ...m.status, server: { ...m.status!.server, handled: 1 } } } as Machine);
    await run();
    expect(etcd.deeds).toEqual(['remove web-cp-2']);
  });

  it('stays the last member', async () => {
    const { etcd, run, memberRemoved } = await up((c) => [leaves(c, 1)]);
    await run();
    expect(etcd.deeds).toEqual([]);
    expect(memberRemoved(1)).toMatchObject({ status: 'False', reason: 'LastMember' });
  });

  it('keeps its member while the emergency stop is on, or nobody knows whether it is', async () => {
    const { s, etcd, run, memberRemoved } = await up((c) => [aMember(c, 1), leaves(c, 2)]);
    s.fleet.stop = 'unknown';
    expect(await run()).toEqual({ requeueAfterMs: 1_000 });
    expect(memberRemoved(2)).toBeUndefined();
    s.fleet.stop = { reason: 'bad image', by: 'anna', since: '' };
    await run();
    expect(memberRemoved(2)).toMatchObject({
      status: 'False',
      reason: 'EmergencyStop',
      message: expect.stringContaining('bad image'),
    });
    expect(etcd.deeds).toEqual([]);
    s.fleet.stop = undefined;
    await run();
    expect(etcd.deeds).toEqual(['remove web-cp-2']);
  });

  it('takes nothing out when the whole cluster goes, or is paused', async () => {
    for (const o of [{ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }, { spec: { paused: true } }]) {
      const { s, cluster, etcd, run } = await up((c) => [aMember(c, 1), leaves(c, 2)], o);
      await run();
      expect(etcd.deeds).toEqual([]);
      expect(s.workload(cluster).execs).toEqual([]);
    }
  });
});

describe('a member that belongs to no machine', () => {
  it('is removed when it is dead and a machine is to join, by a list of machines that is live', async () => {
    const { s, etcd, run } = await up(
      (c) => [aMember(c, 1), aMember(c, 2), aMember(c, 3, { bootstrap: { joinedAt: undefined } })],
      {
        controlPlane: { joinMachine: aMember(aCluster(), 3).metadata.uid },
      },
    );
    const late = aMember(aCluster(), 4);
    s.machineCache.lag(); // the watch has not told of the fourth machine
    s.kube.put(MACHINES, late);
    etcd.add(late, { up: false });
    await run();
    expect(etcd.deeds).toEqual([]);
    etcd.add('forgotten', { up: false });
    etcd.add('', { up: false, learner: true, address: '10.8.0.77' });
    await run();
    await run();
    expect(etcd.deeds.sort()).toEqual(['remove 10.8.0.77', 'remove forgotten']);
  });

  it('is left alone when it lives, and told', async () => {
    const { etcd, run, etcdHealthy } = await up((c) => [aMember(c, 1), leaves(c, 2), aMember(c, 3)]);
    etcd.add('strange');
    await run();
    await run();
    expect(etcd.deeds).toEqual(['remove web-cp-2']);
    expect(etcdHealthy()).toMatchObject({
      status: 'False',
      reason: 'MemberUnknown',
      message: expect.stringContaining('strange'),
    });
  });
});

describe('an etcd without a majority', () => {
  it('is left as it is, and the runbook named', async () => {
    const { etcd, run, etcdHealthy, memberRemoved } = await up((c) => [aMember(c, 1), leaves(c, 2), aMember(c, 3)]);
    for (const i of [2, 3]) (etcd.member(name(i)) as { up: boolean }).up = false;
    await run();
    expect(etcd.deeds).toEqual([]);
    for (const c of [etcdHealthy(), memberRemoved(2)])
      expect(c).toMatchObject({
        reason: 'QuorumLost',
        message: expect.stringContaining('docs/runbooks/etcd-quorum-lost.md'),
      });
  });

  it('is told from API servers that wait for it in vain: at first as silence, after a minute as lost', async () => {
    const { s, cluster, etcd, run, etcdHealthy } = await up((c) => [aMember(c, 1), aMember(c, 2), aMember(c, 3)]);
    const workload = s.workload(cluster);
    const { onRaw } = workload;
    workload.onRaw = () => ({ status: 500, body: 'etcd failed' });
    expect(await run()).toEqual({ requeueAfterMs: 10_000 });
    expect(etcdHealthy()).toMatchObject({ status: 'False', reason: 'NoAnswer' });
    await s.clock.advance(61_000);
    await run();
    expect(etcdHealthy()).toMatchObject({ status: 'False', reason: 'QuorumLost' });
    s.kube.writes.length = 0;
    await run();
    expect(s.kube.writes).toEqual([]);
    workload.onRaw = onRaw; // a person has mended it
    await run();
    expect(etcdHealthy()).toMatchObject({ status: 'True', reason: 'Healthy' });
    expect(etcd.deeds).toEqual([]);
  });

  it('is not guessed from here when the API does not answer at all', async () => {
    const { s, cluster, run, etcdHealthy } = await up((c) => [aMember(c, 1), aMember(c, 2)]);
    s.workload(cluster).down = error(0, 'Unreachable');
    await run();
    expect(etcdHealthy()).toBeUndefined();
  });
});

it('a cluster where nothing leaves or joins is not asked for its etcd', async () => {
  const { s, cluster, run } = await up((c) => [aMember(c, 1), aMember(c, 2), aMember(c, 3)]);
  await run();
  expect(s.workload(cluster).execs).toEqual([]);
});
