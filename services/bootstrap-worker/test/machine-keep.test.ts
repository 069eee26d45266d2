import type { Machine } from '@shoto/api';
import { NODES, PODS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { machineNeedsWork } from '../src/reconcile-machine.ts';
import { MACHINES } from '../src/world.ts';
import {
  cluster,
  going,
  nodeNow,
  nodeOf,
  pod,
  reasons,
  refusedBy,
  run,
  type Scenario,
  said,
  worker,
} from './machine-world.ts';
import { scenario } from './scenario.ts';

const MARK = { 'shoto.dev/keep-until': '2026-01-02T00:00:00Z', 'shoto.dev/keep-reason': 'kernel panic, by jane' };
const NO_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

async function kept(annotations: Record<string, string> = MARK) {
  const m = worker({ metadata: { annotations } });
  const s = await scenario({ clusters: [cluster], machines: [m] });
  const w = s.workload(cluster);
  w.put(NODES, nodeOf(m, { spec: { taints: [{ key: 'theirs', effect: 'NoSchedule' }] } }));
  return { m, s, w };
}
const unmark = (s: Scenario, m: Machine): void => {
  const now = s.machineNow(m);
  s.kube.put(MACHINES, { ...now, metadata: { ...now.metadata, annotations: {} } });
};

describe('a worker that is kept for study', () => {
  it('is cordoned, marked and drained; its Node and its server stay', async () => {
    const { m, s, w } = await kept();
    w.put(PODS, pod('web-1'));
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(said(s, m)).toMatchObject({ status: 'False', reason: 'Draining' });
    expect(nodeNow(s, m)).toMatchObject({
      metadata: { labels: { [NO_LABEL]: '' } },
      spec: {
        unschedulable: true,
        taints: [
          { key: 'theirs', effect: 'NoSchedule' },
          { key: 'shoto.dev/kept', effect: 'NoSchedule' },
        ],
      },
    });
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.raws).toEqual([]); // another pass may come early; load balancers still have their time
    await s.clock.advance(2_000);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    expect(w.raws).toEqual(['POST /api/v1/namespaces/default/pods/web-1/eviction']);
    w.drop(PODS, { namespace: 'default', name: 'web-1' });
    expect(await run(s, m)).toBeUndefined();
    expect(said(s, m)).toMatchObject({
      status: 'True',
      reason: 'Kept',
      message: 'it is out of service and kept for study until 2026-01-02T00:00:00Z (kernel panic, by jane)',
    });
    expect(reasons(s)).toEqual(['Kept']);
    await run(s, m);
    expect(s.kube.writes).toHaveLength(2);
    expect(nodeNow(s, m)).toBeDefined();
  });

  it('says what holds its drain', async () => {
    const { m, s, w } = await kept();
    w.put(PODS, pod('web-1'));
    w.onRaw = refusedBy('web');
    await run(s, m);
    await s.clock.advance(10_000);
    await expect(run(s, m)).rejects.toMatchObject({ reason: 'DrainBlocked' });
  });

  it('comes back into service when a person takes the mark away, even in the middle of the drain', async () => {
    const { m, s, w } = await kept();
    w.put(PODS, pod('web-1'));
    await run(s, m);
    unmark(s, m);
    expect(machineNeedsWork(s.machineNow(m))).toBe(true);
    expect(await run(s, m)).toBeUndefined();
    const node = nodeNow(s, m);
    expect(node?.spec).toEqual({
      providerID: 'openstack:///server-of-web-w-1',
      taints: [{ key: 'theirs', effect: 'NoSchedule' }],
    });
    expect(node?.metadata.labels).toEqual({});
    expect(node?.metadata.annotations).toEqual({});
    expect(said(s, m)).toBeUndefined();
    expect(reasons(s)).toEqual(['BackInService']);
    expect(machineNeedsWork(s.machineNow(m))).toBe(false);
    await run(s, m);
    expect(s.kube.writes).toHaveLength(2);
  });

  it('stays as it is when its time is over: the provisioner deletes it', async () => {
    const { m, s, w } = await kept({ ...MARK, 'shoto.dev/keep-until': '2026-01-01T00:00:30Z' });
    expect(await run(s, m)).toBeUndefined();
    expect([w.writes, s.kube.writes]).toEqual([[], []]);
  });

  it('keeps its pods under the emergency stop, and says why', async () => {
    const { m, s, w } = await kept();
    s.fleet.stop = { reason: 'storm', by: 'jane', since: '' };
    expect(await run(s, m)).toEqual({ requeueAfterMs: 15_000 });
    expect(said(s, m)).toMatchObject({ reason: 'EmergencyStop' });
    expect(w.writes).toEqual([]);
    s.fleet.stop = undefined;
    await run(s, m);
    expect(said(s, m)).toMatchObject({ reason: 'Draining' });
  });

  it('is left alone when it has no Node', async () => {
    const { m, s, w } = await kept();
    w.drop(NODES, { name: 'web-w-1' });
    await run(s, m);
    expect(said(s, m)).toMatchObject({ status: 'True', reason: 'Kept' });
  });
});

describe('labels and taints of a Machine', () => {
  const spec = {
    labels: { tier: 'web', 'node-role.kubernetes.io/web': '' },
    taints: [{ key: 'dedicated', value: 'web', effect: 'NoSchedule' }],
  };
  const change = (s: Scenario, m: Machine, more: object): void => {
    const now = s.machineNow(m);
    s.kube.put(MACHINES, { ...now, spec: { ...now.spec, ...more } } as Machine);
  };

  it('reach the Node when it is there, change in place, and go again; what others set stays', async () => {
    const m = worker({ metadata: {}, spec });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    const w = s.workload(cluster);
    expect(await run(s, m)).toEqual({ requeueAfterMs: 2000 });
    w.put(
      NODES,
      nodeOf(m, {
        metadata: { labels: { theirs: 'yes', tier: 'web' } },
        spec: { taints: [{ key: 'theirs', effect: 'NoExecute' }] },
      }),
    );
    expect(await run(s, m)).toBeUndefined();
    expect(nodeNow(s, m)).toMatchObject({
      metadata: { labels: { theirs: 'yes', tier: 'web', 'node-role.kubernetes.io/web': '' } },
      spec: { taints: [{ key: 'theirs', effect: 'NoExecute' }, spec.taints[0]] },
    });
    await run(s, m);
    expect(w.writes).toHaveLength(1);

    change(s, m, { labels: { tier: 'db' }, taints: [] });
    await run(s, m);
    expect(nodeNow(s, m)?.metadata.labels).toEqual({ theirs: 'yes', tier: 'db' });
    expect(nodeNow(s, m)?.spec?.taints).toEqual([{ key: 'theirs', effect: 'NoExecute' }]);

    change(s, m, { labels: {} });
    await run(s, m);
    expect(nodeNow(s, m)?.metadata).toMatchObject({ labels: { theirs: 'yes' }, annotations: {} });
    expect(w.writes).toHaveLength(3);
    expect(s.kube.writes).toEqual([]);
  });

  it('cost no write where a Machine has none', async () => {
    const m = worker({ metadata: {} });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.workload(cluster).put(NODES, nodeOf(m, { metadata: { labels: { theirs: 'yes' } } }));
    await run(s, m);
    expect(s.workload(cluster).writes).toEqual([]);
  });

  it('wait when the taint would end pods and the fleet is stopped', async () => {
    const m = worker({ metadata: {}, spec: { taints: [{ key: 'out', effect: 'NoExecute' }] } });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.workload(cluster).put(NODES, nodeOf(m));
    s.fleet.stop = { reason: 'storm', by: 'jane', since: '' };
    expect(await run(s, m)).toEqual({ requeueAfterMs: 15_000 });
    s.fleet.stop = undefined;
    await run(s, m);
    expect(nodeNow(s, m)?.spec?.taints).toEqual([{ key: 'out', effect: 'NoExecute' }]);
  });

  it('are not looked at while the machine leaves', async () => {
    const m = worker({ spec, metadata: going });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    s.workload(cluster).put(NODES, nodeOf(m));
    await run(s, m);
    expect(nodeNow(s, m)?.metadata.labels).not.toHaveProperty('tier');
  });
});
