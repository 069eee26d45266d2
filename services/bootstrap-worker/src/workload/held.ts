import type { Leaving } from './drain.ts';

/** Why a drain does not get on, and what to do. The same words as long as the same is the matter. */
export interface Held {
  reason: 'DrainBlocked' | 'NodeSilent';
  message: string;
}

/** A node that is silent for this long, or a pod that is this late, does not come right within the next seconds. */
const PATIENCE_MS = 300_000;

const names = (pods: readonly string[]): string => {
  const more = pods.length - 3;
  return `${pods.slice(0, 3).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};
const key = (p: Leaving): string => `${p.namespace}/${p.name}`;

/**
 * What holds a drain up; undefined while it only takes its time.
 *
 * @param o.silentSince - when the node's kubelet was last heard of, RFC 3339, where it is silent
 * @param o.now - milliseconds since the epoch
 */
export function heldBy(
  pods: readonly Leaving[],
  o: { node: string; serverId: string | undefined; silentSince: string | undefined; now: number },
): Held | undefined {
  const isLate = (time: string | undefined): boolean => time !== undefined && o.now - Date.parse(time) >= PATIENCE_MS;
  const [first] = pods;
  if (!first) return undefined;
  if (isLate(o.silentSince))
    return {
      reason: 'NodeSilent',
      message: `node ${o.node} has been silent since ${o.silentSince}, so nobody ends its pods: ${names(pods.map(key))}. It goes on by itself when the node answers again. If its server is dead, delete it in the cloud (openstack server delete ${o.serverId ?? o.node}): the node is then removed without waiting. Or, where they surely run no more, end the pods by force: kubectl delete pod -n ${first.namespace} ${first.name} --force --grace-period=0`,
    };
  const refused = pods.filter((p) => p.refused);
  if (refused.length > 0)
    return {
      reason: 'DrainBlocked',
      message: `pods may not be evicted: ${names(refused.map((p) => `${key(p)} (${p.refused})`))}; tried again until it is allowed: let other replicas become ready, or loosen the PodDisruptionBudget`,
    };
  const late = pods.filter((p) => isLate(p.endsAt));
  if (late.length > 0)
    return {
      reason: 'DrainBlocked',
      message: `pods were told to end and do not: ${names(late.map((p) => `${key(p)} (${p.finalizers.length > 0 ? `finalizers ${p.finalizers.join(', ')}` : `since ${p.endsAt}`})`))}; look at them with kubectl describe pod: a finalizer is for its owner to take off, else the kubelet cannot end the pod`,
    };
  return undefined;
}
