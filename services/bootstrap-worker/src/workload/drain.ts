import { type HasMeta, KubeError, type ObjectMeta, PODS } from '@shoto/kube';
import type { Kube } from '../world.ts';

/** What of a Pod is read here. */
export interface Pod extends HasMeta {
  metadata: ObjectMeta & { namespace?: string };
  spec?: {
    nodeName?: string;
    volumes?: { name: string; persistentVolumeClaim?: { claimName: string }; ephemeral?: object }[];
  };
  status?: { phase?: string };
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
export function mustGo(pod: Pod): boolean {
  const { annotations, ownerReferences } = pod.metadata;
  const isMirror = annotations?.['kubernetes.io/config.mirror'] !== undefined;
  const isDaemon = ownerReferences?.some((o) => o.kind === 'DaemonSet' && o.controller) ?? false;
  return !isMirror && !isDaemon && !hasEnded(pod);
}

/** Whether its containers run no more. */
export const hasEnded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

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

/** All pods on a node. */
export const podsOn = (workload: Kube, node: string, signal: AbortSignal): Promise<Pod[]> =>
  workload.listAll<Pod>(PODS, { fieldSelector: `spec.nodeName=${node}` }, { signal });

/**
 * One round of a drain: asks for the eviction of each pod that has to go and is not yet going, with the pod's own grace. Nothing waits
 * here; the next round looks again.
 *
 * @param pods - all pods of the node
 * @returns the pods that still have to go, in order of their names
 */
export async function drainOnce(workload: Kube, pods: readonly Pod[], signal: AbortSignal): Promise<Leaving[]> {
  const left: Leaving[] = [];
  for (const pod of pods.filter(mustGo)) {
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
  return left.sort((a, b) => (podKey(a) < podKey(b) ? -1 : 1));
}

/** `namespace/name`. */
export const podKey = (p: Pick<Leaving, 'namespace' | 'name'>): string => `${p.namespace}/${p.name}`;

/** Some names in one line, the rest as a number. */
export function names(all: readonly string[]): string {
  const more = all.length - 3;
  return `${all.slice(0, 3).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
