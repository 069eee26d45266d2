import type { HasMeta } from '@shoto/kube';

interface NodeCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

/** A Node of a workload cluster, as far as its health goes. */
export interface NodeView extends HasMeta {
  status?: { conditions?: NodeCondition[] };
}

/** A Pod of a workload cluster, as far as a node's plumbing goes. */
export interface PodView extends HasMeta {
  spec?: { hostNetwork?: boolean };
  status?: { conditions?: { type: string; status: string }[] };
}

/** What is told of a machine's node. */
export interface Verdict {
  /** The node is Ready, and its pod network works. */
  ready: boolean;
  /** CamelCase. */
  reason: string;
  message: string;
}

/**
 * What a node that reports may complain of, the worst first: conditions of the kubelet and of the node-problem-detector. A node that has one of
 * them as True is sick although it is Ready. Others (the detector's temporary events, conditions of one's own) are left to people.
 */
export const NODE_PROBLEMS = [
  'ReadonlyFilesystem',
  'KernelDeadlock',
  'ContainerRuntimeUnhealthy',
  'KubeletUnhealthy',
  'FrequentKubeletRestart',
  'FrequentContainerdRestart',
  'DiskPressure',
  'MemoryPressure',
  'PIDPressure',
] as const;
/** One of {@link NODE_PROBLEMS}. */
export type NodeProblem = (typeof NODE_PROBLEMS)[number];

const KEPT: ReadonlySet<string> = new Set(['Ready', 'NetworkUnavailable', ...NODE_PROBLEMS]);

/** Keeps of a Node only what {@link judgeNode} reads: heartbeats then change nothing. */
export function trimNode(node: NodeView): NodeView {
  const { name, uid, resourceVersion } = node.metadata;
  return {
    metadata: { name, ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) },
    status: {
      conditions: (node.status?.conditions ?? [])
        .filter((c) => KEPT.has(c.type))
        .map((c) => {
          const { type, status, reason, message, lastTransitionTime } = c;
          // What is as it should be has no words that anybody reads.
          if (isGood(c)) return { type, status };
          return {
            type,
            status,
            ...(reason ? { reason } : {}),
            ...(message ? { message } : {}),
            ...(lastTransitionTime ? { lastTransitionTime } : {}),
          };
        }),
    },
  };
}

const isGood = ({ type, status }: NodeCondition): boolean => status === (type === 'Ready' ? 'True' : 'False');

/** Since when a node says something, in its own cluster's words: for people only, since its clock is not ours. */
const saidSince = (c: NodeCondition): string =>
  c.lastTransitionTime ? ` (since ${c.lastTransitionTime} by its cluster's clock)` : '';

/** Whether two sights of a Node say the same. */
export const sameNode = (a: NodeView, b: NodeView): boolean =>
  a.metadata.uid === b.metadata.uid && JSON.stringify(a.status) === JSON.stringify(b.status);

/**
 * Ready alone does not say that the pod network works: a CNI may write its file, and the kubelet be content with it, half a
 * minute before a pod can start. CNIs that route (flannel, Calico, Cilium) say so by NetworkUnavailable=False.
 */
export function judgeNode(node: NodeView | undefined): Verdict {
  if (!node) return { ready: false, reason: 'NodeMissing', message: 'the node is not in its cluster' };
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  if (!ready) return { ready: false, reason: 'NodeStarting', message: 'the kubelet has not reported yet' };
  if (ready.status === 'Unknown')
    return { ready: false, reason: 'NodeSilent', message: `the kubelet has stopped reporting${saidSince(ready)}` };
  if (ready.status !== 'True')
    return {
      ready: false,
      reason: 'NodeNotReady',
      message: ready.message ?? ready.reason ?? 'the kubelet says that it is not ready',
    };
  const network = node.status?.conditions?.find((c) => c.type === 'NetworkUnavailable');
  if (!network)
    return { ready: false, reason: 'PodNetworkStarting', message: 'the pod network has not reported on this node yet' };
  if (network.status !== 'False')
    return {
      ready: false,
      reason: 'PodNetworkUnavailable',
      message: network.message ?? 'the pod network does not work on this node',
    };
  return problemOf(node) ?? { ready: true, reason: 'NodeReady', message: 'node and pod network work' };
}

/** What a Ready node complains of: the worst of it. It still serves, so it stays ready. */
function problemOf(node: NodeView): Verdict | undefined {
  for (const type of NODE_PROBLEMS) {
    const c = node.status?.conditions?.find((x) => x.type === type && x.status === 'True');
    if (c) return { ready: true, reason: type, message: `${c.message ?? c.reason ?? type}${saidSince(c)}` };
  }
  return undefined;
}

/**
 * The node's plumbing: pods of DaemonSets on the host's network (kube-proxy, the CNI's agent). While one of them is not Ready,
 * Services or pods on this node do not work, whatever the node says.
 */
export function judgePlumbing(pods: PodView[]): Verdict | undefined {
  const late = pods
    .filter((p) => p.spec?.hostNetwork && p.metadata.ownerReferences?.some((o) => o.kind === 'DaemonSet'))
    .filter(
      (p) =>
        !p.metadata.deletionTimestamp && !p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
    )
    .map((p) => p.metadata.name)
    .sort();
  return late.length === 0
    ? undefined
    : { ready: false, reason: 'PodNetworkStarting', message: `not ready on this node: ${late.join(', ')}` };
}
