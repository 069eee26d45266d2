import { FINALIZERS, type Machine } from '@shoto/api';
import { NODES, PODS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import type { DepartedNodes } from '../src/departed.ts';
import { hasExpired, machineChanged, machineNeedsWork, reconcileMachine } from '../src/reconcile-machine.ts';
import { MACHINES } from '../src/world.ts';
import { aCluster, aMachine, START } from './builders.ts';
import { error } from './fake-kube.ts';
import { never, scenario } from './scenario.ts';

type Scenario = Awaited<ReturnType<typeof scenario>>;
const cluster = aCluster({ controlPlane: { initialized: true } });
const joinedAt = new Date(START).toISOString();
const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const worker = (o: Parameters<typeof aMachine>[1] = {}): Machine =>
  aMachine(cluster, { name: 'web-w-1', role: 'worker', bootstrap: { joinedAt }, metadata: going, ...o });
const run = (s: Scenario, m: Machine) => reconcileMachine(s.machineDeps, s.key(m), { signal: never });
const isHeld = (s: Scenario, m: Machine): boolean =>
  s.machineNow(m).metadata.finalizers?.includes(FINALIZERS.node) ?? false;

const drained = (s: Scenario, m: Machine) =>
  s.machineNow(m).status?.bootstrap.conditions?.find((c) => c.type === 'Drained');
/** The worker's node, whose kubelet was last heard of then. */
const silentNode = (since: number) => ({
  metadata: { name: 'web-w-1' },
  status: {
    conditions: [
      { type: 'Ready', status: 'Unknown', lastTransitionTime: `${new Date(since).toISOString().slice(0, 19)}Z` },
    ],
  },
});

/** A pod on the worker. */
const pod = (name: string, metadata: object = {}, more: object = {}) => ({
  metadata: { name, namespace: 'default', ...metadata },
  spec: { nodeName: 'web-w-1' },
  ...more,
});

describe('a worker that leaves a living cluster', () => {
  it("is cordoned and drained, a look at a time, then its Node goes, then our finalizer; the provisioner's stays", async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, { metadata: { name: 'web-w-1' } });
    w.put(PODS, pod('web-1'));
    w.put(
      PODS,
      pod('flannel', {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'f', uid: 'f', controller: true }],
      }),
    );
    w.put(PODS, pod('mirror', { annotations: { 'kubernetes.io/config.mirror': 'x' } }));
    w.put(PODS, pod('job', {}, { status: { phase: 'Succeeded' } }));

    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.now(NODES, { name: 'web-w-1' })).toMatchObject({ spec: { unschedulable: true } });
    expect(w.raws).toEqual(['POST /api/v1/namespaces/default/pods/web-1/eviction']);
    w.put(PODS, pod('web-1', going)); // on its way
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.raws).toHaveLength(1);
    expect(isHeld(s, m)).toBe(true);

    w.drop(PODS, { namespace: 'default', name: 'web-1' });
    expect(await run(s, m)).toBeUndefined();
    expect(w.now(NODES, { name: 'web-w-1' })).toBeUndefined();
    expect(s.machineNow(m).metadata.finalizers).toEqual([FINALIZERS.server]);
    expect(s.kube.writes).toEqual(['finalizer machines tenant-a/web-w-1']);
  });

  it('waits for a PodDisruptionBudget, and says whose pod it is, once', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, { metadata: { name: 'web-w-1' } });
    w.put(PODS, pod('db-0'));
    w.onRaw = () => ({
      status: 429,
      body: "Cannot evict pod as it would violate the pod's disruption budget.",
      causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget db-pdb needs 2 healthy pods and has 2' }],
    });
    for (let i = 0; i < 2; i++)
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'DrainBlocked' });
    expect(s.machineNow(m).status?.bootstrap.conditions).toContainEqual(
      expect.objectContaining({
        type: 'Drained',
        status: 'False',
        reason: 'DrainBlocked',
        message: expect.stringContaining('default/db-0 (PodDisruptionBudget db-pdb)'),
      }),
    );
    expect(s.kube.writes).toEqual(['status machines tenant-a/web-w-1']);
    expect(isHeld(s, m)).toBe(true);
  });

  it('says of a pod that two budgets select that no budget may be waited for', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, { metadata: { name: 'web-w-1' } });
    w.put(PODS, pod('db-0'));
    w.onRaw = () => ({
      status: 500,
      body: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    });
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'DrainBlocked' });
    expect(drained(s, m)?.message).toContain('default/db-0 (more than one PodDisruptionBudget');
    w.onRaw = () => ({ status: 500, body: 'etcd is away' });
    await expect(run(s, m)).rejects.toMatchObject({ status: 500 });
  });

  it('and is silent waits quietly for five minutes, then says once which pods and what to do', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, silentNode(s.clock.now()));
    for (const n of [1, 2, 3, 4]) w.put(PODS, pod(`web-${n}`, { deletionTimestamp: going.deletionTimestamp }));
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(s.kube.writes).toEqual([]);
    await s.clock.advance(5 * 60_000);
    for (let i = 0; i < 3; i++) {
      await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'NodeSilent' });
      await s.clock.advance(60_000);
    }
    expect(drained(s, m)).toMatchObject({ status: 'False', reason: 'NodeSilent' });
    const said = drained(s, m)?.message;
    expect(said).toContain('silent since 2026-01-01T00:01:00Z');
    expect(said).toContain('default/web-1, default/web-2, default/web-3 and 1 more');
    expect(said).toContain('openstack server delete server-of-web-w-1');
    expect(said).toContain('kubectl delete pod -n default web-1 --force --grace-period=0');
    expect(s.kube.writes).toEqual(['status machines tenant-a/web-w-1']);
    expect(s.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'NodeSilent' }));
    expect(isHeld(s, m)).toBe(true);

    // The way out that the message tells: the server is deleted in the cloud, the provisioner says so.
    const now = s.machineNow(m);
    s.kube.put(MACHINES, { ...now, status: { ...now.status, server: { ...now.status?.server, state: 'Gone' } } });
    expect(await run(s, m)).toBeUndefined();
    expect(w.all(NODES)).toEqual([]);
    expect(isHeld(s, m)).toBe(false);
  });

  it('and was silent is drained on when it answers again, and no longer says that it is silent', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, silentNode(s.clock.now() - 6 * 60_000));
    w.put(PODS, pod('web-1', { deletionTimestamp: new Date(s.clock.now()).toISOString() }));
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'NodeSilent' });
    w.put(NODES, { metadata: { name: 'web-w-1' } });
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(drained(s, m)).toMatchObject({ status: 'False', reason: 'Draining' });
    await run(s, m);
    expect(s.kube.writes).toHaveLength(2);
  });

  it('names pods that were told to end and do not, and what holds them', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, { metadata: { name: 'web-w-1' } });
    const deletionTimestamp = new Date(s.clock.now()).toISOString();
    w.put(PODS, pod('held', { deletionTimestamp, finalizers: ['example.com/backup'] }));
    w.put(PODS, pod('stuck', { deletionTimestamp }));
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    await s.clock.advance(5 * 60_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DrainBlocked' });
    expect(drained(s, m)?.message).toContain(
      `default/held (finalizers example.com/backup), default/stuck (since ${deletionTimestamp})`,
    );
  });

  it('says words that are too long for a condition once, too', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, silentNode(START));
    await s.clock.advance(5 * 60_000);
    for (const n of [1, 2, 3]) w.put(PODS, pod(`${'long-name-'.repeat(25)}${n}`, going));
    for (let i = 0; i < 2; i++) await expect(run(s, m)).rejects.toMatchObject({ reason: 'NodeSilent' });
    expect(drained(s, m)?.message).toHaveLength(1024);
    expect(s.kube.writes).toHaveLength(1);
  });

  it('waits, and says so, while the API of the cluster does not answer', async () => {
    const m = worker();
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.workload(cluster).down = error(0, 'Unreachable');
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'ControlPlaneUnreachable' });
    expect(isHeld(s, m)).toBe(true);
  });

  it('whose server is gone is not drained; only its Node goes', async () => {
    const m = worker({ server: { state: 'Gone' } });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    w.put(NODES, { metadata: { name: 'web-w-1' } });
    w.put(PODS, pod('web-1'));
    await run(s, m);
    expect(w.raws).toEqual([]);
    expect(w.all(NODES)).toEqual([]);
    expect(isHeld(s, m)).toBe(false);
  });
});

describe('a node that came back before its server was gone', () => {
  const OURS = 'openstack:///server-of-web-w-1';
  /** The Machine has just gone; its node, of this server, is there again. */
  const departed = async (o: { providerID?: string; cluster?: typeof cluster; machine?: Machine } = {}) => {
    const m = o.machine ?? worker({ metadata: { ...going, finalizers: [FINALIZERS.server] } });
    const s = await scenario({ clusters: [o.cluster ?? cluster], machines: [m] });
    s.workload(cluster).put(NODES, { metadata: { name: 'web-w-1' }, spec: { providerID: o.providerID ?? OURS } });
    s.kube.drop(MACHINES, m.metadata);
    return { s, m, isDue: (s.departed satisfies DepartedNodes).note(m) };
  };
  const nodes = (s: Scenario) => s.workload(cluster).all(NODES).length;

  it('is deleted again when the Machine is gone, once', async () => {
    const { s, m, isDue } = await departed();
    expect(isDue).toBe(true);
    await run(s, m);
    expect(nodes(s)).toBe(0);
    await run(s, m);
    expect(s.workload(cluster).writes).toEqual(['delete nodes web-w-1']);
  });

  it('is tried again while the API of the cluster does not answer', async () => {
    const { s, m } = await departed();
    s.workload(cluster).down = error(0, 'Unreachable');
    await expect(run(s, m)).rejects.toMatchObject({ status: 0 });
    s.workload(cluster).down = undefined;
    await run(s, m);
    expect(nodes(s)).toBe(0);
  });

  it('stays where it is of another server', async () => {
    const { s, m } = await departed({ providerID: 'openstack:///another' });
    await run(s, m);
    expect(nodes(s)).toBe(1);
  });

  it.each<[string, Parameters<typeof departed>[0]]>([
    ['its cluster goes too', { cluster: aCluster({ controlPlane: { initialized: true }, metadata: going }) }],
    ['it never joined', { machine: worker({ bootstrap: {} }) }],
  ])('is not looked for where %s', async (_, o) => {
    const { s, m, isDue } = await departed(o);
    expect(isDue).toBe(false);
    await run(s, m);
    expect(nodes(s)).toBe(1);
  });

  it('is waited for by a replica whose own watch still shows the Machine', async () => {
    const m = worker({ metadata: { ...going, finalizers: [FINALIZERS.server] } });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    expect(await run(s, m)).toEqual({ requeueAfterMs: 5000 });
  });
});

describe('a machine is let go at once', () => {
  it.each<[string, Parameters<typeof scenario>[0]['clusters'], Machine]>([
    [
      'when its cluster is being deleted',
      [aCluster({ controlPlane: { initialized: true }, metadata: going })],
      worker(),
    ],
    ['when its cluster is gone', [], worker()],
    ['when another cluster has that name now', [aCluster({ metadata: { uid: 'another' } })], worker()],
    ['when its node never joined', [cluster], worker({ bootstrap: {} })],
    [
      'when the control plane never came up',
      [aCluster()],
      aMachine(cluster, { metadata: going, bootstrap: { joinedAt } }),
    ],
  ])('%s', async (_, clusters, m) => {
    const s = await scenario({ clusters, machines: [m] });
    s.workload(cluster).down = error(0, 'Unreachable');
    expect(await run(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });
});

it('a control-plane machine of a living cluster is not let go: its etcd member would be left behind', async () => {
  const m = aMachine(cluster, { metadata: going, bootstrap: { joinedAt } });
  const s = await scenario({ clusters: [cluster], machines: [m] });
  await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting' });
  expect(isHeld(s, m)).toBe(true);
});

it('labels that a kubelet may not set are set once the node is there', async () => {
  const m = worker({ metadata: {}, spec: { labels: { tier: 'web', 'node-role.kubernetes.io/web': '' } } });
  const s = await scenario({ clusters: [cluster], machines: [m] });
  expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
  s.workload(cluster).put(NODES, { metadata: { name: 'web-w-1' } });
  expect(await run(s, m)).toBeUndefined();
  expect(s.workload(cluster).now(NODES, { name: 'web-w-1' })).toMatchObject({
    metadata: { labels: { 'node-role.kubernetes.io/web': '' } },
  });
  expect(machineNeedsWork(m)).toBe(true);
  expect(machineNeedsWork(worker({ metadata: {} }))).toBe(false);
});

it('a machine that never checked in is told of after fifteen minutes, once', async () => {
  const m = worker({ metadata: {}, bootstrap: {} });
  const s = await scenario({ clusters: [cluster], machines: [m] });
  expect(hasExpired(m, s.clock.now())).toBe(false);
  await s.clock.advance(14 * 60_000);
  expect(hasExpired(m, s.clock.now())).toBe(true);
  await run(s, m);
  expect(s.machineNow(m).status?.bootstrap.conditions).toEqual([
    expect.objectContaining({ type: 'Joined', status: 'False', reason: 'TicketExpired' }),
  ]);
  expect(hasExpired(s.machineNow(m), s.clock.now())).toBe(false);
  await run(s, m);
  expect(s.kube.writes).toEqual(['status machines tenant-a/web-w-1']);
});

it('a machine wakes us when it goes or its server does, not when it is healthy', () => {
  const now = worker();
  expect(machineChanged(now, worker({ metadata: {} }))).toBe(true);
  expect(machineChanged(now, now)).toBe(false);
  expect(machineChanged(worker({ server: { state: 'Gone' } }), now)).toBe(true);
  expect(machineChanged(undefined, now)).toBe(false);
  expect(machineChanged(worker({ metadata: {}, server: { state: 'Stopped' } }), worker({ metadata: {} }))).toBe(false);
  expect(MACHINES.plural).toBe('machines');
});
