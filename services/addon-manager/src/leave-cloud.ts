import { API_VERSION, type Cluster, ClusterKind, resourceOf } from '@shoto/api';
import {
  type EventRecord,
  type HasMeta,
  type KubeClient,
  KubeError,
  keyOf,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  type ResourceType,
  SERVICES,
  STATEFULSETS,
} from '@shoto/kube';

const CLUSTERS = resourceOf(ClusterKind);
/** So long a cluster has to let go of what it made in its cloud. After that the provisioner removes what is provably the cluster's. */
const LIMIT_MS = 180_000;
/** How soon it is looked again. */
const AGAIN_MS = 2_000;
const UNREACHED_MS = 5_000;
const NAMED_AT_MOST = 20;
/** On volumes that a driver made for a claim; those that a person made are that person's. */
const PROVISIONED = 'pv.kubernetes.io/provisioned-by';
const REASONS = { Done: '', TimedOut: 'LeavingTimedOut', Unreachable: 'LeavingUnreachable' } as const;

/** What it works with. */
export interface CloudLeaveDeps {
  /** The management cluster. */
  client: Pick<KubeClient, 'patchStatusMap'>;
  /** Our client in the cluster; undefined while its kubeconfig is not there. */
  workload: (cluster: Cluster) => Promise<KubeClient | undefined>;
  /** While there is one, or it is not known, nothing is removed. */
  emergencyStop: () => unknown;
  /** Told what a write gave. */
  wrote: (cluster: Cluster) => void;
  /** Records an Event. Never throws. */
  events: (e: EventRecord) => unknown;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** Look again after so long, or go on: with the Cluster as it is stored now. */
export type CloudLeave = { againMs: number } | { cluster: Cluster };

/**
 * A Cluster that is on its way out lets go of what it made in its cloud: Services of type LoadBalancer, and claims whose volume has the reclaim policy Delete
 * (with the pods that use them, and the StatefulSets that would ask for them again). Its own controllers remove load balancers and volumes then, and
 * are waited for, three minutes at most. Volumes that are to be retained stay, and are named. How it ended is stored under `status.addons.leaving`: the
 * provisioner goes by it.
 */
export async function leaveCloud(d: CloudLeaveDeps, cluster: Cluster, signal?: AbortSignal): Promise<CloudLeave> {
  const { addons, controlPlane, infrastructure } = cluster.status ?? {};
  if (addons?.leaving || !controlPlane?.initialized) return { cluster };
  if (d.emergencyStop()) return { againMs: UNREACHED_MS };
  const isLate = d.now() - Date.parse(cluster.metadata.deletionTimestamp ?? '') > LIMIT_MS;
  const mayHaveMade = infrastructure?.addonCredentials !== undefined;
  const left = await look(d, cluster, signal);
  if (typeof left === 'string') {
    // What was never given a credential has made nothing that is ours to remove.
    if (!mayHaveMade) return { cluster };
    if (!isLate) return { againMs: UNREACHED_MS };
    return { cluster: await end(d, cluster, 'Unreachable', undefined, `it does not answer (${left})`) };
  }
  if (left.names.length > 0 && !isLate) return { againMs: AGAIN_MS };
  if (left.names.length > 0)
    return { cluster: await end(d, cluster, 'TimedOut', left, `${listOf(left.names)} did not go in time`) };
  if (!mayHaveMade && left.retained.length === 0) return { cluster };
  return { cluster: await end(d, cluster, 'Done', left, '') };
}

/** What is left; or why the cluster cannot be asked. */
async function look(d: CloudLeaveDeps, cluster: Cluster, signal: AbortSignal | undefined): Promise<Left | string> {
  try {
    const workload = await d.workload(cluster);
    return workload ? await letGo(workload, signal) : 'its kubeconfig is not there';
  } catch (e) {
    if (e instanceof KubeError) return e.message;
    throw e;
  }
}

/** What of a cluster is still there. */
interface Left {
  /** Kind and name of what is on its way. */
  names: string[];
  /** Volumes that stay. */
  retained: { id: string; claim: string }[];
}

interface Service extends HasMeta {
  spec?: { type?: string };
}
interface Volume extends HasMeta {
  spec?: {
    persistentVolumeReclaimPolicy?: string;
    claimRef?: { namespace?: string; name?: string; uid?: string };
    csi?: { volumeHandle?: string };
  };
}
interface Pod extends HasMeta {
  spec?: { volumes?: { persistentVolumeClaim?: { claimName?: string } }[] };
}
interface StatefulSet extends HasMeta {
  spec?: { volumeClaimTemplates?: unknown[] };
}

/** Asks for the removal of what is not on its way yet. Safe to repeat. */
async function letGo(workload: KubeClient, signal: AbortSignal | undefined): Promise<Left> {
  const o = signal ? { signal } : {};
  const [services, volumes] = await Promise.all([
    workload.listAll<Service>(SERVICES, {}, o),
    workload.listAll<Volume>(PERSISTENT_VOLUMES, {}, o),
  ]);
  const balanced = services.filter((s) => s.spec?.type === 'LoadBalancer');
  const made = volumes.filter((v) => v.metadata.annotations?.[PROVISIONED] !== undefined);
  const deletable = made.filter((v) => v.spec?.persistentVolumeReclaimPolicy === 'Delete');
  await removeAll(workload, SERVICES, balanced, o);
  const claims = deletable.flatMap((v) => {
    const { namespace, name, uid } = v.spec?.claimRef ?? {};
    return namespace && name && uid ? [{ metadata: { namespace, name, uid } }] : [];
  });
  if (claims.length > 0) await releaseClaims(workload, claims, o);
  return {
    names: [
      ...balanced.map((s) => `Service ${keyOf(s)}`),
      ...deletable.map((v) => `volume of claim ${v.spec?.claimRef?.namespace}/${v.spec?.claimRef?.name}`),
    ].sort(),
    retained: made
      .filter((v) => !deletable.includes(v))
      .map((v) => ({
        id: v.spec?.csi?.volumeHandle ?? v.metadata.name,
        claim: `${v.spec?.claimRef?.namespace}/${v.spec?.claimRef?.name}`,
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

/** A claim goes when no pod uses it; a pod that comes again cannot use it, since it is on its way out. */
async function releaseClaims(
  workload: KubeClient,
  claims: readonly HasMeta[],
  o: { signal?: AbortSignal },
): Promise<void> {
  const keys = new Set(claims.map((c) => keyOf(c)));
  const namespaces = [...new Set(claims.map((c) => c.metadata.namespace as string))];
  for (const namespace of namespaces) {
    const sets = await workload.listAll<StatefulSet>(STATEFULSETS, { namespace }, o);
    await removeAll(
      workload,
      STATEFULSETS,
      sets.filter((s) => s.spec?.volumeClaimTemplates?.length),
      o,
    );
  }
  await removeAll(workload, PERSISTENT_VOLUME_CLAIMS, claims, o);
  for (const namespace of namespaces) {
    const pods = await workload.listAll<Pod>(PODS, { namespace }, o);
    const users = pods.filter((p) =>
      p.spec?.volumes?.some((v) => keys.has(`${namespace}/${v.persistentVolumeClaim?.claimName}`)),
    );
    await removeAll(workload, PODS, users, o);
  }
}

/** Only this very object: another one of its name is somebody's who came later. */
async function removeAll(
  workload: KubeClient,
  type: ResourceType,
  objects: readonly HasMeta[],
  o: { signal?: AbortSignal },
): Promise<void> {
  for (const { metadata } of objects) {
    if (metadata.deletionTimestamp) continue;
    try {
      await workload.delete(type, metadata, { ...o, uid: metadata.uid as string, propagationPolicy: 'Background' });
    } catch (e) {
      if (!(e instanceof KubeError && e.isConflict)) throw e;
    }
  }
}

/** Most that the status has room for; with more, nobody knows which stay, and all do. */
const RETAINED_MAX = 256;

async function end(
  d: CloudLeaveDeps,
  cluster: Cluster,
  state: keyof typeof REASONS,
  left: Left | undefined,
  problem: string,
): Promise<Cluster> {
  const retained = left?.retained ?? [];
  const known = state === 'Unreachable' || retained.length <= RETAINED_MAX;
  const ids = retained.slice(0, RETAINED_MAX).map((v) => v.id);
  const { revision: _, ...before } = cluster.status?.addons ?? { revision: 0 };
  const stored = await d.client.patchStatusMap<Cluster>(CLUSTERS, cluster, 'addons', {
    ...before,
    leaving: { state: known ? state : 'Unreachable', ...(ids.length > 0 ? { retained: [...new Set(ids)] } : {}) },
  });
  d.wrote(stored);
  if (problem)
    tell(
      d,
      cluster,
      'Warning',
      REASONS[state],
      `the cluster is deleted all the same: ${problem}; the provisioner removes what is provably its own`,
    );
  if (retained.length > 0) {
    const named = retained.map((v) => `${v.id} (claim ${v.claim})`);
    tell(
      d,
      cluster,
      'Normal',
      'VolumesRetained',
      `volumes stay, since their reclaim policy is Retain: ${listOf(named)}`,
    );
  }
  return stored;
}

const listOf = (names: readonly string[]): string => {
  const more = names.length - NAMED_AT_MOST;
  return `${names.slice(0, NAMED_AT_MOST).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
};

function tell(
  d: CloudLeaveDeps,
  { metadata }: Cluster,
  type: EventRecord['type'],
  reason: string,
  message: string,
): void {
  d.events({
    type,
    reason,
    message,
    action: 'LeaveCloud',
    regarding: {
      apiVersion: API_VERSION,
      kind: 'Cluster',
      namespace: metadata.namespace as string,
      name: metadata.name,
      uid: metadata.uid as string,
    },
    reportingController: 'shoto.dev/addon-manager',
  });
}
