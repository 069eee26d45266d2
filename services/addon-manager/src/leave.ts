import { type Cluster, ClusterKind, FINALIZERS, resourceOf } from '@shoto/api';
import type { Outcome } from '@shoto/reconciler';
import { removeAddon } from './addon/objects.ts';
import type { Deps } from './deps.ts';
import { leaveCloud } from './leave-cloud.ts';
import { holds } from './needs.ts';

const CLUSTERS = resourceOf(ClusterKind);

/** On the way out: what the cluster made in its cloud goes first; the objects of addons go with the cluster's machines. */
export async function leave(d: Deps, known: Cluster, signal?: AbortSignal): Promise<Outcome> {
  let cluster = known;
  if (holds(cluster)) {
    const left = await leaveCloud(d, cluster, signal);
    if ('againMs' in left) return { requeueAfterMs: left.againMs };
    cluster = left.cluster;
  }
  await d.forget(cluster.metadata.uid!);
  if (!holds(cluster)) return undefined;
  for (const addon of d.addonsOf(cluster)) await removeAddon(d, addon);
  await d.client.removeFinalizer(CLUSTERS, cluster, FINALIZERS.addons);
  return undefined;
}
