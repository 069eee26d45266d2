import { timestamp } from '@shoto/api';
import { type HasMeta, PERSISTENT_VOLUMES, PODS, type ResourceType } from '@shoto/kube';
import type { Kube } from '../world.ts';
import { hasEnded, names, type Pod } from './drain.ts';

const VOLUME_ATTACHMENTS: ResourceType = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'volumeattachments',
  kind: 'VolumeAttachment',
  namespaced: false,
};

interface VolumeAttachment extends HasMeta {
  spec: { nodeName: string; source: { persistentVolumeName?: string } };
}
interface PersistentVolume extends HasMeta {
  spec?: { csi?: { driver?: string }; claimRef?: { namespace?: string; name?: string } };
}

/** A volume that is still attached to a node. */
export interface Attached {
  /** The PersistentVolume. */
  volume: string;
  driver: string;
  /** `namespace/name` of its claim. */
  claim?: string;
}

/** A volume that does not come off does not come off by itself within the next seconds either. */
const PATIENCE_MS = 60_000;

/** The claims that a pod uses, `namespace/name`. */
export const claimsOf = (pod: Pod): string[] =>
  (pod.spec?.volumes ?? []).flatMap((v) => {
    const claim = v.persistentVolumeClaim?.claimName ?? (v.ephemeral ? `${pod.metadata.name}-${v.name}` : undefined);
    return claim === undefined ? [] : [`${pod.metadata.namespace}/${claim}`];
  });

/**
 * Volumes of CSI drivers that are attached to a node and shall come off. Not those that pods still use which stay there to the end (of
 * DaemonSets, or that a drain left behind): they never would.
 *
 * @param staying - the pods on the node
 */
export async function attachedTo(
  workload: Kube,
  node: string,
  staying: readonly Pod[],
  signal: AbortSignal,
): Promise<Attached[]> {
  const all = await workload.listAll<VolumeAttachment>(VOLUME_ATTACHMENTS, {}, { signal });
  const volumes = new Set(
    all.flatMap((a) => (a.spec.nodeName === node ? (a.spec.source.persistentVolumeName ?? []) : [])),
  );
  const inUse = new Set(staying.filter((p) => !hasEnded(p)).flatMap(claimsOf));
  const attached: Attached[] = [];
  for (const name of [...volumes].sort()) {
    const { csi, claimRef } =
      (await workload.get<PersistentVolume>(PERSISTENT_VOLUMES, { name }, { signal }))?.spec ?? {};
    const claim = claimRef?.name === undefined ? undefined : `${claimRef.namespace}/${claimRef.name}`;
    if (csi && !(claim !== undefined && inUse.has(claim)))
      attached.push({ volume: name, driver: csi.driver ?? 'unknown', ...(claim === undefined ? {} : { claim }) });
  }
  return attached;
}

/** Pods that wait for these volumes elsewhere, by claim. For people only: two volumes are looked up at most. */
export async function waitingFor(
  workload: Kube,
  attached: readonly Attached[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { claim } of attached.slice(0, 2)) {
    if (claim === undefined) continue;
    const namespace = claim.slice(0, claim.indexOf('/'));
    const pods = await workload.listAll<Pod>(PODS, { namespace }, { signal });
    const pod = pods.find((p) => !hasEnded(p) && claimsOf(p).includes(claim));
    if (pod) found.set(claim, `${namespace}/${pod.metadata.name}`);
  }
  return found;
}

/** How the volumes of a leaving node stand. The same words as long as the same is the matter. */
export interface VolumesHeld {
  reason: 'Detaching' | 'DetachBlocked';
  message: string;
}

/**
 * What is said of volumes that are not off yet.
 *
 * @param o.since - since when they are waited for, milliseconds since the epoch
 * @param o.timeoutSeconds - after which they are given up; 0 = never
 * @param o.pods - who waits for them, by claim
 */
export function volumesHeld(
  attached: readonly Attached[],
  o: { since: number; timeoutSeconds: number; now: number; pods: ReadonlyMap<string, string> },
): VolumesHeld {
  if (o.now - o.since < PATIENCE_MS)
    return { reason: 'Detaching', message: 'its pods are out; its volumes are being detached' };
  const told = attached.map((a) => {
    const pod = a.claim === undefined ? undefined : o.pods.get(a.claim);
    return `${a.volume} (${a.claim === undefined ? '' : `claim ${a.claim}, `}${pod ? `pod ${pod} waits for it, ` : ''}driver ${a.driver})`;
  });
  const drivers = [...new Set(attached.map((a) => a.driver))].sort();
  const end =
    o.timeoutSeconds > 0
      ? `they are given up at ${timestamp(o.since + o.timeoutSeconds * 1000)}`
      : 'waited for without end';
  return {
    reason: 'DetachBlocked',
    message: `volumes are still attached since ${timestamp(o.since)}: ${names(told)}; ${end}. It is the driver's move: look at the VolumeAttachments (kubectl get volumeattachments) and at the controller of ${names(drivers)}`,
  };
}
