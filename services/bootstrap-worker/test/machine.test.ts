import type { Machine } from '@shoto/api';
import { NODES, PODS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { clusterMovesMachines, hasExpired, machineChanged, machineNeedsWork } from '../src/reconcile-machine.ts';
import { aCluster, aMachine } from './builders.ts';
import { error } from './fake-kube.ts';
import { cluster, going, isHeld, joinedAt, nodeNow, nodeOf, pod, run, worker } from './machine-world.ts';
import { scenario } from './scenario.ts';

/** With what self-healing says of it. */
const health = (m: Machine, more: object): Machine => ({
  ...m,
  status: { ...(m.status as NonNullable<Machine['status']>), health: { revision: 1, ...more } },
});
const replace = { number: 3, action: 'Replace', at: '2026-01-01T00:00:00Z', reason: 'NodeSilent' };
const forced = { ...going, annotations: { 'shoto.dev/force': 'jane' } };

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
    ['when its server is gone', [cluster], worker({ server: { state: 'Gone' } })],
    ['when its server is being deleted', [cluster], worker({ server: { state: 'Deleting' } })],
    [
      'when its node is silent and another takes its place',
      [cluster],
      health(worker(), { unreachable: true, order: replace }),
    ],
    ['when a person forces it', [cluster], worker({ metadata: forced })],
    [
      'when a person forces a control-plane machine',
      [cluster],
      aMachine(cluster, { metadata: forced, bootstrap: { joinedAt } }),
    ],
  ])('%s', async (_, clusters, m) => {
    const s = await scenario({ clusters, machines: [m] });
    s.workload(cluster).down = error(0, 'Unreachable');
    expect(await run(s, m)).toBeUndefined();
    expect(isHeld(s, m)).toBe(false);
  });

  it.each<[string, object]>([
    ['a silent node that nobody gave up', { unreachable: true }],
    ['a node that answers, though another takes its place', { unreachable: false, order: replace }],
    ['a silent node that is to be rebooted', { unreachable: true, order: { ...replace, action: 'Reboot' } }],
  ])('but not %s: that one is drained', async (_, said) => {
    const m = health(worker(), said);
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.workload(cluster).put(NODES, nodeOf(m));
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(isHeld(s, m)).toBe(true);
  });

  it.each<[string, Machine]>([
    ['forced', worker({ metadata: forced })],
    ['lost', worker({ server: { state: 'Gone' } })],
  ])('but not under the emergency stop, even where it is %s', async (_, m) => {
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.fleet.stop = { reason: 'storm', by: 'jane', since: '' };
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'EmergencyStop' });
    expect(isHeld(s, m)).toBe(true);
  });

  it('without a drain, and its Node stays until its server is gone: only then nobody runs its pods', async () => {
    const m = worker({ server: { state: 'Deleting' } });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.workload(cluster).put(NODES, nodeOf(m));
    s.workload(cluster).put(PODS, pod('web-1'));
    await run(s, m);
    expect(s.workload(cluster).raws).toEqual([]);
    expect(nodeNow(s, m)).toBeDefined();
  });
});

it('a machine that never checked in is told of after fifteen minutes, once', async () => {
  const m = worker({ metadata: {}, bootstrap: {} });
  const s = await scenario({ clusters: [cluster], machines: [m] });
  expect(hasExpired(m, s.clock.now())).toBe(false);
  await s.clock.advance(14 * 60_000);
  expect(hasExpired(m, s.clock.now())).toBe(true);
  // Its node is Ready: it has joined, though a restored management cluster does not know it.
  expect(hasExpired({ ...m, status: { ...m.status!, health: { revision: 1, ready: true } } }, s.clock.now())).toBe(
    false,
  );
  await run(s, m);
  expect(s.machineNow(m).status?.bootstrap.conditions).toEqual([
    expect.objectContaining({ type: 'Joined', status: 'False', reason: 'TicketExpired' }),
  ]);
  expect(hasExpired(s.machineNow(m), s.clock.now())).toBe(false);
  await run(s, m);
  expect(s.kube.writes).toEqual(['status machines tenant-a/web-w-1']);
});

describe('a machine', () => {
  const alive = (o: Parameters<typeof worker>[0] = {}) => worker({ metadata: {}, ...o });
  const gone = worker();
  const member = {
    type: 'MemberRemoved',
    status: 'True',
    reason: 'Removed',
    message: '',
    lastTransitionTime: joinedAt,
  };
  const kept = { annotations: { 'shoto.dev/keep-until': '2026-01-02T00:00:00Z' } };

  it.each<[string, Machine | undefined, Machine]>([
    ['it goes', gone, alive()],
    ['it goes, and its server does', worker({ server: { state: 'Gone' } }), gone],
    ['it goes, and is forced', worker({ metadata: forced }), gone],
    ['it goes, and is given up as lost', health(gone, { unreachable: true, order: replace }), gone],
    ['it goes, and its member is out', worker({ bootstrap: { joinedAt, conditions: [member] } }), gone],
    ['it goes, and its drain gets a time-out', worker({ spec: { nodeDrainTimeoutSeconds: 60 } }), gone],
    ['its labels change', alive({ spec: { labels: { a: 'b' } } }), alive()],
    ['its last label is taken away', alive(), alive({ spec: { labels: { a: 'b' } } })],
    ['its taints change', alive({ spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }), alive()],
    [
      'it joins and has labels',
      alive({ spec: { labels: { a: 'b' } } }),
      alive({ bootstrap: {}, spec: { labels: { a: 'b' } } }),
    ],
    ['it is to be kept', alive({ metadata: kept }), alive()],
    ['it is kept no longer', alive(), alive({ metadata: kept })],
  ])('wakes us when %s', (_, now, before) => {
    expect(machineChanged(now, before)).toBe(true);
  });

  it.each<[string, Machine | undefined, Machine]>([
    ['nothing changed', gone, gone],
    ['it is gone', undefined, gone],
    ['its node is out', worker({ metadata: { ...going, finalizers: [] } }), gone],
    ['its server stops', alive({ server: { state: 'Stopped' } }), alive()],
    ['it joins and has nothing that we set', alive(), alive({ bootstrap: {} })],
    ['it has not joined yet', alive({ bootstrap: {}, spec: { labels: { a: 'b' } } }), alive({ bootstrap: {} })],
  ])('does not when %s', (_, now, before) => {
    expect(machineChanged(now, before)).toBe(false);
  });

  it('that is new to us needs a pass where it goes, is kept, or has labels that only we may set', () => {
    expect(machineNeedsWork(gone)).toBe(true);
    expect(machineNeedsWork(alive({ metadata: kept }))).toBe(true);
    expect(machineNeedsWork(alive({ spec: { labels: { 'node-role.kubernetes.io/web': '' } } }))).toBe(true);
    expect(machineNeedsWork(alive({ spec: { labels: { tier: 'web' } } }))).toBe(false);
    expect(machineNeedsWork(alive())).toBe(false);
  });

  it('is woken when its cluster goes on after a pause, or goes', () => {
    const paused = aCluster({ spec: { paused: true } });
    expect(clusterMovesMachines(aCluster(), paused)).toBe(true);
    expect(clusterMovesMachines(aCluster({ metadata: going }), aCluster())).toBe(true);
    expect(clusterMovesMachines(paused, aCluster())).toBe(false);
    expect(clusterMovesMachines(undefined, aCluster())).toBe(false);
  });
});
