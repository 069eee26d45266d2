import { FINALIZERS } from '@shoto/api';
import { NODES, PODS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { MACHINES } from '../src/world.ts';
import { aCluster, START } from './builders.ts';
import { error } from './fake-kube.ts';
import {
  cluster,
  cordoned,
  going,
  isHeld,
  nodeNow,
  nodeOf,
  ofDaemonSet,
  pod,
  reasons,
  refusedBy,
  run,
  said,
  silent,
  worker,
} from './machine-world.ts';
import { scenario } from './scenario.ts';

/** A leaving worker with these pods on its node. */
async function leaving(pods: ReturnType<typeof pod>[], o: { spec?: object; node?: object; clusterSpec?: object } = {}) {
  const m = worker({ spec: o.spec ?? {} });
  const c = aCluster({ controlPlane: { initialized: true }, spec: o.clusterSpec ?? {} });
  const s = await scenario({ clusters: [c], machines: [m] });
  const w = s.workload(cluster);
  w.put(NODES, nodeOf(m, o.node));
  for (const p of pods) w.put(PODS, p);
  return { m, s, w };
}

describe('a worker that leaves a living cluster', () => {
  it("is cordoned and taken from load balancers, then drained, then its Node goes, then our finalizer; the provisioner's stays", async () => {
    const { m, s, w } = await leaving([
      pod('web-1'),
      pod('flannel', ofDaemonSet),
      pod('mirror', { annotations: { 'kubernetes.io/config.mirror': 'x' } }),
      pod('job', {}, { status: { phase: 'Succeeded' } }),
    ]);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(nodeNow(s, m)).toMatchObject({
      metadata: {
        labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
        annotations: { 'shoto.dev/drain-began': '2026-01-01T00:01:00.000Z' },
      },
      spec: { unschedulable: true },
    });
    expect(w.raws).toEqual([]); // load balancers have to see it first
    await s.clock.advance(2_000);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.raws).toEqual(['POST /api/v1/namespaces/default/pods/web-1/eviction']);
    w.put(PODS, pod('web-1', going)); // on its way
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.raws).toHaveLength(1);
    expect(isHeld(s, m)).toBe(true);

    w.drop(PODS, { namespace: 'default', name: 'web-1' });
    expect(await run(s, m)).toBeUndefined();
    expect(nodeNow(s, m)).toBeUndefined();
    expect(s.machineNow(m).metadata.finalizers).toEqual([FINALIZERS.server]);
    expect(s.kube.writes).toEqual(['finalizer machines tenant-a/web-w-1']);
    expect(w.writes).toEqual(['patch nodes web-w-1', 'delete nodes web-w-1']);
    expect(reasons(s)).toEqual(['Draining', 'NodeRemoved']);
  });

  it('waits for a PodDisruptionBudget, and says once whose pod it is, since when, and what to do', async () => {
    const { m, s, w } = await leaving([pod('db-0')]);
    w.onRaw = refusedBy('db-pdb');
    await cordoned(s, m);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 }); // no news for ten seconds: so a drain goes
    await s.clock.advance(8_000);
    for (let i = 0; i < 2; i++)
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'DrainBlocked' });
    expect(said(s, m)).toMatchObject({
      status: 'False',
      reason: 'DrainBlocked',
      message:
        'pods may not be evicted: default/db-0 (PodDisruptionBudget db-pdb); asked since 2026-01-01T00:01:00Z and on until it is allowed, without end: let other replicas become ready, or loosen the PodDisruptionBudget',
    });
    await s.clock.advance(3_600_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DrainBlocked' });
    expect(s.kube.writes).toEqual(['status machines tenant-a/web-w-1']);
    expect(reasons(s)).toEqual(['Draining', 'DrainBlocked']);
    expect(isHeld(s, m)).toBe(true);
  });

  it('says of a pod that two budgets select that no budget may be waited for', async () => {
    const { m, s, w } = await leaving([pod('db-0')]);
    w.onRaw = () => ({
      status: 500,
      body: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    });
    await cordoned(s, m);
    await s.clock.advance(10_000);
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'DrainBlocked' });
    expect(said(s, m)?.message).toContain('default/db-0 (more than one PodDisruptionBudget');
    w.onRaw = () => ({ status: 500, body: 'etcd is away' });
    await expect(run(s, m)).rejects.toMatchObject({ status: 500 });
  });

  it('is given up after its drain time-out, and it is told what was left', async () => {
    const { m, s, w } = await leaving([pod('db-0'), pod('db-1')], { spec: { nodeDrainTimeoutSeconds: 600 } });
    w.onRaw = refusedBy('db-pdb');
    await cordoned(s, m);
    await s.clock.advance(590_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DrainBlocked' });
    expect(said(s, m)?.message).toContain('the drain is given up at 2026-01-01T00:11:00Z');
    await s.clock.advance(8_000);
    await run(s, m);
    expect(isHeld(s, m)).toBe(false);
    expect(said(s, m)).toMatchObject({ status: 'False', reason: 'DrainTimedOut' });
    expect(s.events).toContainEqual(
      expect.objectContaining({
        type: 'Warning',
        reason: 'DrainTimedOut',
        message:
          'the drain is given up after 600 s (nodeDrainTimeoutSeconds); left on the node: default/db-0, default/db-1',
      }),
    );
    expect(nodeNow(s, m)).toBeUndefined();
  });

  it('counts the time from the first round of its drain, not from what held it before', async () => {
    const { m, s, w } = await leaving([pod('db-0')], { spec: { nodeDrainTimeoutSeconds: 60 } });
    w.onRaw = refusedBy('db-pdb');
    s.fleet.stop = { reason: 'storm', by: 'jane', since: '' };
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'EmergencyStop' });
    await s.clock.advance(3_600_000);
    s.fleet.stop = undefined;
    await cordoned(s, m);
    expect(said(s, m)).toMatchObject({ reason: 'Draining' });
    await s.clock.advance(56_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DrainBlocked' });
    expect(isHeld(s, m)).toBe(true);
  });

  it('and is silent counts as lost after ten minutes: its Node stays until its server is gone', async () => {
    const { m, s } = await leaving([pod('web-1', going)], { node: { status: silent(START + 60_000) } });
    await cordoned(s, m);
    await s.clock.advance(6 * 60_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'NodeSilent' });
    expect(said(s, m)?.message).toContain('or counts as lost at 2026-01-01T00:11:00Z');
    await s.clock.advance(5 * 60_000);
    await run(s, m);
    expect(isHeld(s, m)).toBe(false);
    expect(s.events).toContainEqual(
      expect.objectContaining({
        reason: 'DrainTimedOut',
        message: 'its node has been silent since 2026-01-01T00:01:00Z and counts as lost; left on it: default/web-1',
      }),
    );
    expect(nodeNow(s, m)).toBeDefined();
  });

  it('and is silent waits quietly for five minutes, then says once which pods and what to do', async () => {
    const { m, s, w } = await leaving(
      [1, 2, 3, 4].map((n) => pod(`web-${n}`, going)),
      { node: { status: silent(START + 60_000) } },
    );
    await cordoned(s, m);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(s.kube.writes).toEqual([]);
    await s.clock.advance(5 * 60_000);
    for (let i = 0; i < 3; i++) {
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'NodeSilent' });
      await s.clock.advance(60_000);
    }
    expect(said(s, m)).toMatchObject({ status: 'False', reason: 'NodeSilent' });
    const message = said(s, m)?.message;
    expect(message).toContain('silent since 2026-01-01T00:01:00Z');
    expect(message).toContain('default/web-1, default/web-2, default/web-3 and 1 more');
    expect(message).toContain('openstack server delete server-of-web-w-1');
    expect(message).toContain('kubectl delete pod -n default web-1 --force --grace-period=0');
    expect(s.kube.writes).toEqual(['status machines tenant-a/web-w-1']);
    expect(s.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'NodeSilent' }));
    expect(isHeld(s, m)).toBe(true);

    // The way out that the message tells: the server is deleted in the cloud, the provisioner says so.
    const now = s.machineNow(m);
    s.kube.put(MACHINES, { ...now, status: { ...now.status, server: { ...now.status?.server, state: 'Gone' } } });
    expect(await run(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
    expect(w.writes).toEqual(['patch nodes web-w-1']); // the Node goes once the Machine is gone
  });

  it('and was silent is drained on when it answers again, and no longer says that it is silent', async () => {
    const { m, s, w } = await leaving([pod('web-1', { deletionTimestamp: new Date(START + 62_000).toISOString() })], {
      node: { status: silent(START - 6 * 60_000) },
    });
    await cordoned(s, m);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'NodeSilent' });
    w.put(NODES, { ...nodeOf(m), ...nodeNow(s, m), status: {} } as never);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(said(s, m)).toMatchObject({ status: 'False', reason: 'Draining' });
    await run(s, m);
    expect(s.kube.writes).toHaveLength(2);
  });

  it('names pods that were told to end and do not, and what holds them', async () => {
    const deletionTimestamp = new Date(START + 60_000).toISOString();
    const { m, s } = await leaving([
      pod('held', { deletionTimestamp, finalizers: ['example.com/backup'] }),
      pod('stuck', { deletionTimestamp }),
    ]);
    await cordoned(s, m);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    await s.clock.advance(5 * 60_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DrainBlocked' });
    expect(said(s, m)?.message).toContain(
      `default/held (finalizers example.com/backup, since ${deletionTimestamp}), default/stuck (since ${deletionTimestamp})`,
    );
  });

  it('says words that are too long for a condition once, too', async () => {
    const { m, s } = await leaving(
      [1, 2, 3].map((n) => pod(`${'long-name-'.repeat(25)}${n}`, going)),
      { node: { status: silent(START - 5 * 60_000) } },
    );
    await cordoned(s, m);
    for (let i = 0; i < 2; i++) await expect(run(s, m)).rejects.toMatchObject({ reason: 'NodeSilent' });
    expect(said(s, m)?.message).toHaveLength(1024);
    expect(s.kube.writes).toHaveLength(1);
  });

  it('waits, and says so, while the API of the cluster does not answer', async () => {
    const { m, s, w } = await leaving([]);
    w.down = error(0, 'Unreachable');
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'ControlPlaneUnreachable' });
    expect(isHeld(s, m)).toBe(true);
  });

  it('waits while its cluster is paused, and touches nothing', async () => {
    const { m, s, w } = await leaving([pod('web-1')], { clusterSpec: { paused: true } });
    for (let i = 0; i < 2; i++)
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'ClusterPaused' });
    expect(said(s, m)).toMatchObject({ status: 'False', reason: 'ClusterPaused' });
    expect([w.writes, w.raws, s.kube.writes.length]).toEqual([[], [], 1]);
  });
});

describe('under the emergency stop of the fleet a leaving worker', () => {
  it('keeps its pods and its Node, and says why', async () => {
    const { m, s, w } = await leaving([pod('web-1')]);
    s.fleet.stop = { reason: 'bad image', by: 'jane', since: '2026-01-01T00:00:00Z' };
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'EmergencyStop' });
    expect(said(s, m)?.message).toContain('jane: bad image');
    expect([w.writes, w.raws]).toEqual([[], []]);
    expect(isHeld(s, m)).toBe(true);
  });

  it('waits without a word while it is not known whether the stop is on', async () => {
    const { m, s, w } = await leaving([pod('web-1')]);
    s.fleet.stop = 'unknown';
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'EmergencyStop', afterMs: 1000 });
    expect([w.writes, s.kube.writes]).toEqual([[], []]);
  });

  it('goes on where it was when the stop ends', async () => {
    const { m, s, w } = await leaving([pod('web-1', going)]);
    await cordoned(s, m);
    s.fleet.stop = { reason: 'bad image', by: 'jane', since: '' };
    w.drop(PODS, { namespace: 'default', name: 'web-1' });
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'EmergencyStop' });
    expect(nodeNow(s, m)).toBeDefined();
    s.fleet.stop = undefined;
    await run(s, m);
    expect(nodeNow(s, m)).toBeUndefined();
  });
});
