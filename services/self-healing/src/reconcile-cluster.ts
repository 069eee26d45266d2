import { type Cluster, ClusterKind, resourceOf, withCondition } from '@shoto/api';
import type { KubeClient } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import type { NodeWatches } from './watches.ts';

const CLUSTERS = resourceOf(ClusterKind);
/** How soon a pass that fell to a replica without this cluster's watch is asked for again. */
const OTHERS_MS = 500;

/** What a pass over a Cluster needs. */
export interface ClusterPassDeps {
  client: KubeClient;
  /** The Cluster as the cache, or a live read, has it. */
  read: (key: string) => Promise<Cluster | undefined>;
  /** Told what a write gave, so that the next pass sees it. */
  wrote: (cluster: Cluster) => void;
  watches: NodeWatches;
  /** UID of a Cluster that is gone, by its key. */
  goneUid: (key: string) => string | undefined;
  /** Whether this replica is the one that watches a cluster. */
  owns: (clusterUid: string) => boolean;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** One pass over a Cluster: is it watched, can it be reached, and does its status say so? */
export async function reconcileCluster(d: ClusterPassDeps, key: string): Promise<Outcome> {
  const cluster = await d.read(key);
  if (!cluster || cluster.metadata.deletionTimestamp) {
    const uid = cluster?.metadata.uid ?? d.goneUid(key);
    if (uid) await d.watches.forget(uid);
    return undefined;
  }
  if (!cluster.status?.controlPlane?.initialized) return undefined;
  if (!d.owns(cluster.metadata.uid!)) return { requeueAfterMs: OTHERS_MS };
  if (!(await d.watches.ensure(cluster))) return { requeueAfterMs: 500 };
  const state = d.watches.state(cluster.metadata.uid!);
  if (!state.synced && !state.error) return undefined;
  await writeReachable(d, cluster, state.error);
  return undefined;
}

async function writeReachable(d: ClusterPassDeps, cluster: Cluster, error: string | undefined): Promise<void> {
  const before = cluster.status?.health;
  const known = before?.conditions?.find((c) => c.type === 'Reachable');
  // A first failure while the API server comes up is the regular course and worth no write.
  if (error && !known) return;
  if (known?.status === (error ? 'False' : 'True')) return;
  const conditions = withCondition(
    before?.conditions,
    error
      ? {
          type: 'Reachable',
          status: 'False',
          reason: 'Unreachable',
          message: 'its API server does not answer us; nothing is done to its machines meanwhile',
        }
      : { type: 'Reachable', status: 'True', reason: 'Watching', message: 'its nodes are watched' },
    d.now(),
  );
  d.wrote(await d.client.patchStatusMap<Cluster>(CLUSTERS, cluster, 'health', { ...before, conditions }));
}
