import { FINALIZERS, type Machine } from '@shoto/api';
import { NODES } from '@shoto/kube';
import { reconcileMachine } from '../src/reconcile-machine.ts';
import { aCluster, aMachine, START } from './builders.ts';
import { never, type scenario } from './scenario.ts';

/** What tests of a Machine's pass share. */
export type Scenario = Awaited<ReturnType<typeof scenario>>;
export const cluster = aCluster({ controlPlane: { initialized: true } });
export const joinedAt = new Date(START).toISOString();
export const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };

/** A worker that has joined and is being deleted. */
export const worker = (o: Parameters<typeof aMachine>[1] = {}): Machine =>
  aMachine(cluster, { name: 'web-w-1', role: 'worker', bootstrap: { joinedAt }, metadata: going, ...o });
export const run = (s: Scenario, m: Machine) => reconcileMachine(s.machineDeps, s.key(m), { signal: never });
export const isHeld = (s: Scenario, m: Machine): boolean =>
  s.machineNow(m).metadata.finalizers?.includes(FINALIZERS.node) ?? false;
/** The condition of that type. */
export const said = (s: Scenario, m: Machine, type = 'Drained') =>
  s.machineNow(m).status?.bootstrap.conditions?.find((c) => c.type === type);
export const reasons = (s: Scenario): string[] => s.events.map((e) => e.reason);

/** Runs the pass that cordons, and lets load balancers have their time. */
export async function cordoned(s: Scenario, m: Machine): Promise<void> {
  await run(s, m);
  await s.clock.advance(2_000);
}

export const nodeOf = (m: Machine, o: { metadata?: object; spec?: object; status?: object } = {}) => ({
  metadata: { name: m.metadata.name, ...o.metadata },
  spec: { providerID: `openstack:///${m.status?.server.id}`, ...o.spec },
  ...(o.status ? { status: o.status } : {}),
});
export const nodeNow = (s: Scenario, m: Machine) =>
  s.workload(cluster).now<{
    metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
    spec?: { unschedulable?: boolean; taints?: { key: string; value?: string; effect: string }[] };
  }>(NODES, { name: m.metadata.name });

/** A node whose kubelet was last heard of then. */
export const silent = (since: number) => ({
  conditions: [
    { type: 'Ready', status: 'Unknown', lastTransitionTime: `${new Date(since).toISOString().slice(0, 19)}Z` },
  ],
});

/** A pod on a node; the worker's unless another is named. */
export const pod = (
  name: string,
  metadata: object = {},
  more: { node?: string; spec?: object; status?: object } = {},
) => ({
  metadata: { name, namespace: 'default', ...metadata },
  spec: { nodeName: more.node ?? 'web-w-1', ...more.spec },
  ...(more.status ? { status: more.status } : {}),
});
/** Belongs to a DaemonSet. */
export const ofDaemonSet = {
  ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'f', uid: 'f', controller: true }],
};
/** The refusal of a PodDisruptionBudget. */
export const refusedBy = (budget: string) => () => ({
  status: 429,
  body: "Cannot evict pod as it would violate the pod's disruption budget.",
  causes: [{ reason: 'DisruptionBudget', message: `The disruption budget ${budget} needs 2 healthy pods and has 2` }],
});
