import { type HasMeta, KubeError, NODES, type ObjectMeta, PODS } from '@shoto/kube';
import type { Kube } from '../world.ts';

interface Pod extends HasMeta {
  metadata: ObjectMeta & { namespace?: string };
  status?: { phase?: string };
}
interface Node extends HasMeta {
  spec?: { unschedulable?: boolean };
}

/** How a drain stands after one look. */
export interface DrainState {
  /** Pods that still have to go. */
  left: number;
  /** Pods that a PodDisruptionBudget holds, `namespace/name`, sorted; at most five of them. */
  blocked: string[];
}

/** Whether a pod has to go before its node may: not one that belongs to the node itself, nor one that has ended. */
function mustGo(pod: Pod): boolean {
  const { annotations, ownerReferences } = pod.metadata;
  const isMirror = annotations?.['kubernetes.io/config.mirror'] !== undefined;
  const isDaemon = ownerReferences?.some((o) => o.kind === 'DaemonSet' && o.controller) ?? false;
  const hasEnded = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  return !isMirror && !isDaemon && !hasEnded;
}

/** Keeps new pods off a node. @returns false when there is no such node */
export async function cordon(workload: Kube, node: string, signal: AbortSignal): Promise<boolean> {
  const found = await workload.get<Node>(NODES, { name: node }, { signal });
  if (!found) return false;
  if (!found.spec?.unschedulable) {
    await workload.mergePatch(NODES, { name: node }, { spec: { unschedulable: true } }, { signal });
  }
  return true;
}

/**
 * One round of a drain: asks for the eviction of each pod that has to go and is not yet going. Nothing waits here; the next round
 * looks again.
 */
export async function drainOnce(workload: Kube, node: string, signal: AbortSignal): Promise<DrainState> {
  const pods = (await workload.listAll<Pod>(PODS, { fieldSelector: `spec.nodeName=${node}` }, { signal })).filter(
    mustGo,
  );
  const blocked: string[] = [];
  for (const pod of pods) {
    if (pod.metadata.deletionTimestamp) continue;
    const { name, namespace, uid } = pod.metadata;
    try {
      await workload.raw(
        'POST',
        `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
        {
          apiVersion: 'policy/v1',
          kind: 'Eviction',
          metadata: { name, namespace },
          deleteOptions: { preconditions: { uid } },
        },
        { signal },
      );
    } catch (e) {
      if (!(e instanceof KubeError)) throw e;
      if (e.isNotFound || e.isConflict) continue; // gone, or another pod has its name now
      if (e.status !== 429) throw e;
      blocked.push(`${namespace}/${name}`);
    }
  }
  return { left: pods.length, blocked: blocked.sort().slice(0, 5) };
}

/** Deletes the Node object. Safe to repeat. */
export const deleteNode = (workload: Kube, node: string, signal: AbortSignal): Promise<unknown> =>
  workload.delete(NODES, { name: node }, { signal });

/** Sets the labels that a kubelet may not set on its own node. @returns false when there is no such node yet */
export async function labelNode(
  workload: Kube,
  node: string,
  labels: Record<string, string>,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await workload.get<Node>(NODES, { name: node }, { signal });
  if (!found) return false;
  const missing = Object.entries(labels).filter(([k, v]) => found.metadata.labels?.[k] !== v);
  if (missing.length > 0) {
    await workload.mergePatch(NODES, { name: node }, { metadata: { labels: Object.fromEntries(missing) } }, { signal });
  }
  return true;
}
