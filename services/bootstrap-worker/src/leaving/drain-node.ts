import type { Machine } from '@shoto/api';
import { drainOnce, type Leaving, mustGo, type Pod, podsOn } from '../workload/drain.ts';
import { type Held, heldBy, SILENT_LOST_MS } from '../workload/held.ts';
import { cordon } from '../workload/node.ts';
import type { Kube } from '../world.ts';

/** Between two rounds; also what load balancers have to see that they shall send nothing to a node, before its first pod is ended. */
export const ROUND_MS = 2_000;

/** How a drain stands after one round. */
export type Round =
  /** The node is not there. */
  | { state: 'none' }
  /** It takes its time. `isNew`: it has just begun. */
  | { state: 'going'; isNew: boolean; pods: number }
  | { state: 'held'; held: Held }
  /** Nobody has heard of its kubelet for so long that nobody will end its pods: it goes as a lost one does. */
  | { state: 'lost'; left: readonly Leaving[]; since: string }
  /** The pods are out, or it was given up: then `left` are still there. `staying`: all pods on the node. */
  | { state: 'out'; left: readonly Leaving[]; staying: readonly Pod[] };

/**
 * One round of a drain: cordon, and, once load balancers had time to see that, evictions.
 *
 * @param o.keep - the node stays, for study
 * @param o.isMemberGone - its etcd member is out, so its kubelet may be deaf: pods that were told to end are waited for no longer than their grace
 * @param o.now - milliseconds since the epoch
 */
export async function drainRound(
  workload: Kube,
  machine: Machine,
  o: { keep: boolean; isMemberGone: boolean; now: number },
  signal: AbortSignal,
): Promise<Round> {
  const node = machine.metadata.name;
  const cordoned = await cordon(workload, node, o, signal);
  if (!cordoned) return { state: 'none' };
  const { beganAt, isNew, silentSince } = cordoned;
  const staying = await podsOn(workload, node, signal);
  if (o.now - beganAt < ROUND_MS) return { state: 'going', isNew, pods: staying.filter(mustGo).length };
  const isOver = (p: Leaving): boolean => p.endsAt !== undefined && Date.parse(p.endsAt) <= o.now;
  const left = (await drainOnce(workload, staying, signal)).filter((p) => !(o.isMemberGone && isOver(p)));
  const timeoutSeconds = machine.spec.nodeDrainTimeoutSeconds ?? 0;
  const isLate = timeoutSeconds > 0 && o.now >= beganAt + timeoutSeconds * 1000;
  if (left.length === 0 || isLate) return { state: 'out', left, staying };
  const serverId = machine.status?.server.id;
  if (!o.keep && silentSince !== undefined && o.now - Date.parse(silentSince) >= SILENT_LOST_MS)
    return { state: 'lost', left, since: silentSince };
  const held = heldBy(left, { node, serverId, silentSince, beganAt, timeoutSeconds, now: o.now });
  return held ? { state: 'held', held } : { state: 'going', isNew, pods: left.length };
}
