import type { HasMeta } from '@shoto/kube';

interface NodeCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason?: string;
  message?: string;
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
  ready: boolean;
  /** CamelCase. */
  reason: string;
  message: string;
}

/** Keeps of a Node only what {@link judgeNode} reads: heartbeats then change nothing. */
export function trimNode(node: NodeView): NodeView {
  const { name, uid, resourceVersion } = node.metadata;
  return {
    metadata: { name, ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) },
    status: {
      conditions: (node.status?.conditions ?? [])
        .filter((c) => c.type === 'Ready' || c.type === 'NetworkUnavailable')
        .map(({ type, status, reason, message }) => ({
          type,
          status,
          ...(reason ? { reason } : {}),
          ...(message && status !== 'True' ? { message } : {}),
        })),
    },
  };
}

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
    return { ready: false, reason: 'NodeSilent', message: 'the kubelet has stopped reporting' };
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
  return { ready: true, reason: 'NodeReady', message: 'node and pod network work' };
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
