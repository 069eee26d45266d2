import { type HasMeta, KubeError, NODES, type ObjectMeta, PODS } from '@shoto/kube';
import type { Kube } from '../world.ts';

interface Pod extends HasMeta {
  metadata: ObjectMeta & { namespace?: string };
  status?: { phase?: string };
}
interface Node extends HasMeta {
  spec?: { unschedulable?: boolean; providerID?: string };
  status?: { conditions?: { type: string; status: string; lastTransitionTime?: string }[] };
}

/** A pod that still has to go, after one look. */
export interface Leaving {
  namespace: string;
  name: string;
  /** Why its eviction was refused, in words for a person; absent where it was not. */
  refused?: string;
  /** When it should have ended, RFC 3339; absent while nobody has asked it to. */
  endsAt?: string;
  /** What keeps the object after its containers have ended. */
  finalizers: readonly string[];
}

/** Whether a pod has to go before its node may: not one that belongs to the node itself, nor one that has ended. */
function mustGo(pod: Pod): boolean {
  const { annotations, ownerReferences } = pod.metadata;
  const isMirror = annotations?.['kubernetes.io/config.mirror'] !== undefined;
  const isDaemon = ownerReferences?.some((o) => o.kind === 'DaemonSet' && o.controller) ?? false;
  const hasEnded = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  return !isMirror && !isDaemon && !hasEnded;
}

/** Keeps new pods off a node. @returns since when nobody has heard of its kubelet, RFC 3339, where that is so; undefined when there is no such node */
export async function cordon(
  workload: Kube,
  node: string,
  signal: AbortSignal,
): Promise<{ silentSince: string | undefined } | undefined> {
  const found = await workload.get<Node>(NODES, { name: node }, { signal });
  if (!found) return undefined;
  if (!found.spec?.unschedulable) {
    await workload.mergePatch(NODES, { name: node }, { spec: { unschedulable: true } }, { signal });
  }
  const ready = found.status?.conditions?.find((c) => c.type === 'Ready');
  return { silentSince: ready?.status === 'Unknown' ? ready.lastTransitionTime : undefined };
}

/** Why the API refuses an eviction; undefined where this answer is no refusal. */
function refusal(e: KubeError): string | undefined {
  if (e.status === 429) {
    const budget = e.causes.flatMap((c) => /disruption budget (\S+)/i.exec(c.message)?.[1] ?? [])[0];
    return budget ? `PodDisruptionBudget ${budget}` : 'the API takes no eviction now';
  }
  // Kubernetes answers so, and never otherwise: https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
  return e.status === 500 && /more than one PodDisruptionBudget/.test(e.message)
    ? 'more than one PodDisruptionBudget selects it: only one may'
    : undefined;
}

/**
 * One round of a drain: asks for the eviction of each pod that has to go and is not yet going. Nothing waits here; the next round
 * looks again.
 *
 * @returns the pods that still have to go, in order of their names
 */
export async function drainOnce(workload: Kube, node: string, signal: AbortSignal): Promise<Leaving[]> {
  const pods = (await workload.listAll<Pod>(PODS, { fieldSelector: `spec.nodeName=${node}` }, { signal })).filter(
    mustGo,
  );
  const left: Leaving[] = [];
  for (const pod of pods) {
    const { name, namespace = '', uid, deletionTimestamp, finalizers = [] } = pod.metadata;
    const leaving: Leaving = { namespace, name, finalizers };
    left.push(leaving);
    if (deletionTimestamp) {
      leaving.endsAt = deletionTimestamp;
      continue;
    }
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
      const refused = refusal(e);
      if (refused === undefined) throw e;
      leaving.refused = refused;
    }
  }
  const key = (p: Leaving): string => `${p.namespace}/${p.name}`;
  return left.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Deletes the Node object. Safe to repeat. */
export const deleteNode = (workload: Kube, node: string, signal: AbortSignal): Promise<unknown> =>
  workload.delete(NODES, { name: node }, { signal });

/**
 * Deletes the Node object, but only that of this server: another machine may have the name by now. Safe to repeat.
 *
 * @returns whether there was one
 */
export async function deleteNodeOf(
  workload: Kube,
  node: string,
  providerId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await workload.get<Node>(NODES, { name: node }, { signal });
  if (found?.spec?.providerID !== providerId) return false;
  const { uid } = found.metadata;
  await workload.delete(NODES, { name: node }, { ...(uid ? { uid } : {}), signal });
  return true;
}

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
