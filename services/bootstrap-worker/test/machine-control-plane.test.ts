import type { Machine } from '@shoto/api';
import { type KubeError, NODES, PODS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { CLUSTERS, MACHINES } from '../src/world.ts';
import { aCluster, aMachine } from './builders.ts';
import {
  cluster,
  cordoned,
  going,
  isHeld,
  joinedAt,
  nodeNow,
  nodeOf,
  pod,
  refusedBy,
  run,
  type Scenario,
  said,
  silent,
} from './machine-world.ts';
import { scenario } from './scenario.ts';

const cp = (o: Parameters<typeof aMachine>[1] = {}): Machine =>
  aMachine(cluster, { metadata: going, bootstrap: { joinedAt }, ...o });
const coreDns = (metadata: object = {}) =>
  pod('coredns', { namespace: 'kube-system', ...metadata }, { node: 'web-cp-1' });
const memberRemoved = {
  type: 'MemberRemoved',
  status: 'True',
  reason: 'Removed',
  message: '',
  lastTransitionTime: '2026-01-01T00:01:00Z',
};

async function leaving(m = cp()) {
  const s = await scenario({ clusters: [cluster], machines: [m] });
  const w = s.workload(cluster);
  w.put(NODES, nodeOf(m));
  return { m, s, w };
}

/** The pass over the Cluster has taken the member out. */
function removeMember(s: Scenario, m: Machine): void {
  const now = s.machineNow(m);
  const { conditions = [], ...rest } = now.status?.bootstrap ?? { revision: 0 };
  s.kube.put(MACHINES, {
    ...now,
    status: { ...now.status, bootstrap: { ...rest, conditions: [...conditions, memberRemoved] } },
  });
}

describe('a control-plane machine that leaves a living cluster', () => {
  it('is drained first, then waits for its etcd member to be out, and wakes who does that; then its Node goes', async () => {
    const { m, s, w } = await leaving();
    w.put(PODS, coreDns());
    await cordoned(s, m);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.raws).toEqual(['POST /api/v1/namespaces/kube-system/pods/coredns/eviction']);
    expect(s.woken).toEqual([]);
    w.drop(PODS, { namespace: 'kube-system', name: 'coredns' });
    for (let i = 0; i < 2; i++)
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'WaitingForMember' });
    expect(said(s, m)).toMatchObject({ status: 'False', reason: 'WaitingForMember' });
    expect(s.woken).toEqual(['tenant-a/web', 'tenant-a/web']);
    expect(s.kube.writes).toHaveLength(1);
    expect(nodeNow(s, m)).toBeDefined();

    removeMember(s, m);
    expect(await run(s, m)).toBeUndefined();
    expect(nodeNow(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });

  it('and is lost is not drained, but its member goes before it does', async () => {
    const { m, s, w } = await leaving(cp({ server: { state: 'Gone' } }));
    w.put(PODS, coreDns());
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'WaitingForMember' });
    expect([w.raws, w.writes]).toEqual([[], []]);
    removeMember(s, m);
    expect(await run(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });

  it('whose member is out already waits for its pods no longer than their own grace: its kubelet may be deaf', async () => {
    const { m, s, w } = await leaving(cp({ bootstrap: { joinedAt, conditions: [memberRemoved] } }));
    w.put(PODS, coreDns());
    await cordoned(s, m);
    await run(s, m);
    w.put(PODS, coreDns({ deletionTimestamp: new Date(s.clock.now() + 30_000).toISOString() }));
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    await s.clock.advance(30_000);
    expect(await run(s, m)).toBeUndefined();
    expect(nodeNow(s, m)).toBeUndefined();
  });

  it('and is silent does not let its pods hold its member: a dead one stands in the way of the next that joins', async () => {
    const { m, s, w } = await leaving();
    w.put(NODES, nodeOf(m, { status: silent(s.clock.now() - 300_000) }));
    w.put(PODS, coreDns({ deletionTimestamp: new Date(s.clock.now() + 30_000).toISOString() }));
    await cordoned(s, m);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'WaitingForMember' });
    removeMember(s, m);
    await s.clock.advance(30_000);
    expect(await run(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });

  it('says once that its drain was given up, also while it waits for its member', async () => {
    const { m, s, w } = await leaving(cp({ spec: { nodeDrainTimeoutSeconds: 60 } }));
    w.put(PODS, coreDns());
    w.onRaw = refusedBy('coredns');
    await cordoned(s, m);
    await s.clock.advance(60_000);
    for (let i = 0; i < 3; i++) await expect(run(s, m)).rejects.toMatchObject({ reason: 'WaitingForMember' });
    expect(s.events.filter((e) => e.reason === 'DrainTimedOut')).toHaveLength(1);
    expect(s.kube.writes).toHaveLength(2);
  });
});

describe('a control-plane machine that leaves a cluster which is not up', () => {
  const young = (controlPlane: object = {}) => aCluster({ controlPlane: { initialized: undefined, ...controlPlane } });
  const keyed = (cluster = young()) =>
    aMachine(cluster, { metadata: going, bootstrap: { joinedAt: undefined, keyHash: 'k' } });

  it('goes at once; that it does not make the control plane any more is said before', async () => {
    const m = keyed();
    const cluster = young({ initMachine: m.metadata.uid });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    await run(s, m);
    expect(s.clusterNow(cluster).status?.controlPlane.conditions).toMatchObject([
      { type: 'Initialized', status: 'False', reason: 'MachineLeaves' },
    ]);
    expect(isHeld(s, m)).toBe(false);
  });

  it('stays a member where the cluster came up meanwhile, though the cache does not show it', async () => {
    const m = keyed();
    const cluster = young({ initMachine: m.metadata.uid });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.clusterCache.lag();
    const up = young({ initMachine: m.metadata.uid, initialized: true, revision: 9 });
    s.kube.put(CLUSTERS, { ...s.clusterNow(cluster), status: up.status } as typeof cluster);
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'WaitingForMember' });
    expect(isHeld(s, m)).toBe(true);
  });

  it('does not go where somebody changed the Cluster at that moment: the pass is repeated', async () => {
    const m = keyed();
    const cluster = young({ initMachine: m.metadata.uid });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.kube.beforePatch = () => {
      s.kube.beforePatch = undefined;
      s.kube.put(CLUSTERS, {
        ...s.clusterNow(cluster),
        status: young({ initMachine: m.metadata.uid, initialized: true, revision: 9 }).status,
      } as typeof cluster);
    };
    await expect(run(s, m)).rejects.toSatisfy((e: KubeError) => e.isConflict);
    expect(isHeld(s, m)).toBe(true);
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'WaitingForMember' });
  });
});
