import { type HasMeta, NODES } from '@shoto/kube';
import type { Kube } from '../world.ts';

/** A taint of a Node. */
export interface NodeTaint {
  key: string;
  value?: string | undefined;
  effect: string;
}

/** What of a Node is read here. */
export interface Node extends HasMeta {
  spec?: { unschedulable?: boolean; providerID?: string; taints?: NodeTaint[] };
  status?: { conditions?: { type: string; status: string; lastTransitionTime?: string }[] };
}

/** Load balancers send nothing to a node that has this label. */
export const NO_BALANCER = 'node.kubernetes.io/exclude-from-external-load-balancers';
/** On a Node: since when its pods are being moved, RFC 3339. Kept here, since it costs no write of its own. */
export const DRAIN_BEGAN = 'shoto.dev/drain-began';
/** On a Node that is kept for study: so that nothing is put there again. */
export const KEPT_TAINT: NodeTaint = { key: 'shoto.dev/kept', effect: 'NoSchedule' };

const isKept = (t: NodeTaint): boolean => t.key === KEPT_TAINT.key && t.effect === KEPT_TAINT.effect;
/** A list is replaced as a whole, so it must be the one that was read. */
const guarded = (node: Node): { resourceVersion?: string } =>
  node.metadata.resourceVersion ? { resourceVersion: node.metadata.resourceVersion } : {};

/** A node that takes no new pods any more. */
export interface Cordoned {
  /** Since when, milliseconds since the epoch. */
  beganAt: number;
  /** It has just begun: load balancers need a moment until they send nothing any more. */
  isNew: boolean;
  /** Since when nobody has heard of its kubelet, RFC 3339, where that is so. */
  silentSince: string | undefined;
}

/**
 * Keeps new pods off a node, and tells load balancers to send nothing to it. Safe to repeat.
 *
 * @param o.keep - it stays, marked by a taint
 * @param o.now - milliseconds since the epoch
 * @returns undefined when there is no such node
 */
export async function cordon(
  workload: Kube,
  name: string,
  o: { keep: boolean; now: number },
  signal: AbortSignal,
): Promise<Cordoned | undefined> {
  const node = await workload.get<Node>(NODES, { name }, { signal });
  if (!node) return undefined;
  const { annotations = {}, labels = {} } = node.metadata;
  const before = Date.parse(annotations[DRAIN_BEGAN] ?? '');
  const isNew = Number.isNaN(before);
  const needsTaint = o.keep && !node.spec?.taints?.some(isKept);
  if (isNew || needsTaint || !node.spec?.unschedulable || labels[NO_BALANCER] === undefined) {
    const patch = {
      metadata: {
        ...(needsTaint ? guarded(node) : {}),
        labels: { [NO_BALANCER]: labels[NO_BALANCER] ?? '' },
        ...(isNew ? { annotations: { [DRAIN_BEGAN]: new Date(o.now).toISOString() } } : {}),
      },
      spec: {
        unschedulable: true,
        ...(needsTaint ? { taints: [...(node.spec?.taints ?? []), KEPT_TAINT] } : {}),
      },
    };
    await workload.mergePatch(NODES, { name }, patch, { signal });
  }
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  return {
    beganAt: isNew ? o.now : before,
    isNew,
    silentSince: ready?.status === 'Unknown' ? ready.lastTransitionTime : undefined,
  };
}

/** Brings a node back into service: the other way round than {@link cordon}. Only one that we took out. Safe to repeat. */
export async function uncordon(workload: Kube, name: string, signal: AbortSignal): Promise<void> {
  const node = await workload.get<Node>(NODES, { name }, { signal });
  if (!node) return;
  const wasOurs = node.metadata.annotations?.[DRAIN_BEGAN] !== undefined;
  const taints = node.spec?.taints?.filter((t) => !isKept(t));
  const hasTaint = taints !== undefined && taints.length !== node.spec?.taints?.length;
  if (!wasOurs && !hasTaint) return;
  await workload.mergePatch(
    NODES,
    { name },
    {
      metadata: { ...guarded(node), labels: { [NO_BALANCER]: null }, annotations: { [DRAIN_BEGAN]: null } },
      spec: { unschedulable: null, ...(hasTaint ? { taints: taints.length > 0 ? taints : null } : {}) },
    },
    { signal },
  );
}

/** Deletes the Node object. Safe to repeat. */
export const deleteNode = (workload: Kube, name: string, signal: AbortSignal): Promise<unknown> =>
  workload.delete(NODES, { name }, { signal });

/**
 * Deletes the Node object, but only that of this server: another machine may have the name by now. Safe to repeat.
 *
 * @returns whether there was one
 */
export async function deleteNodeOf(
  workload: Kube,
  name: string,
  providerId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await workload.get<Node>(NODES, { name }, { signal });
  if (found?.spec?.providerID !== providerId) return false;
  const { uid } = found.metadata;
  await workload.delete(NODES, { name }, { ...(uid ? { uid } : {}), signal });
  return true;
}
