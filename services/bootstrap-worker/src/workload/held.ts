import { timestamp } from '@shoto/api';
import { type Leaving, names, podKey } from './drain.ts';

/** Why a drain does not get on, and what to do. The same words as long as the same is the matter. */
export interface Held {
  reason: 'DrainBlocked' | 'NodeSilent';
  message: string;
}

/** A node that is silent for this long, or a pod that is this late, does not come right within the next seconds. */
const PATIENCE_MS = 300_000;
/** A leaving node that is silent for this long counts as lost. Its server is deleted before its Node, so nothing of it runs on. */
export const SILENT_LOST_MS = 600_000;
/** A budget that refuses for a shorter time only waits for a replica elsewhere: that is how a drain goes. */
const REFUSED_MS = 10_000;

/**
 * What holds a drain up; undefined while it only takes its time.
 *
 * @param o.silentSince - when the node's kubelet was last heard of, RFC 3339, where it is silent
 * @param o.beganAt - when the drain began, milliseconds since the epoch
 * @param o.timeoutSeconds - after which it is given up; 0 = never
 * @param o.now - milliseconds since the epoch
 */
export function heldBy(
  pods: readonly Leaving[],
  o: {
    node: string;
    serverId: string | undefined;
    silentSince: string | undefined;
    beganAt: number;
    timeoutSeconds: number;
    now: number;
  },
): Held | undefined {
  const isLate = (time: string | undefined): boolean => time !== undefined && o.now - Date.parse(time) >= PATIENCE_MS;
  const [first] = pods;
  if (!first) return undefined;
  const end =
    o.timeoutSeconds > 0 ? `the drain is given up at ${timestamp(o.beganAt + o.timeoutSeconds * 1000)}` : undefined;
  const giveUp = end ? `; ${end}` : '';
  if (isLate(o.silentSince))
    return {
      reason: 'NodeSilent',
      message: `node ${o.node} has been silent since ${o.silentSince}, so nobody ends its pods: ${names(pods.map(podKey))}. It goes on by itself when the node answers again, or counts as lost at ${timestamp(Date.parse(o.silentSince ?? '') + SILENT_LOST_MS)}${giveUp}. If its server is dead, delete it in the cloud (openstack server delete ${o.serverId ?? o.node}): the node is then removed without waiting. Or, where they surely run no more, end the pods by force: kubectl delete pod -n ${first.namespace} ${first.name} --force --grace-period=0`,
    };
  const refused = pods.filter((p) => p.refused);
  if (refused.length > 0 && o.now - o.beganAt >= REFUSED_MS)
    return {
      reason: 'DrainBlocked',
      message: `pods may not be evicted: ${names(refused.map((p) => `${podKey(p)} (${p.refused})`))}; asked since ${timestamp(o.beganAt)} and on until it is allowed${end ? '' : ', without end'}: let other replicas become ready, or loosen the PodDisruptionBudget${giveUp}`,
    };
  const late = pods.filter((p) => isLate(p.endsAt));
  if (late.length > 0)
    return {
      reason: 'DrainBlocked',
      message: `pods were told to end and do not: ${names(late.map((p) => `${podKey(p)} (${p.finalizers.length > 0 ? `finalizers ${p.finalizers.join(', ')}, ` : ''}since ${p.endsAt})`))}; look at them with kubectl describe pod: a finalizer is for its owner to take off, else the kubelet cannot end the pod${giveUp}`,
    };
  return undefined;
}
