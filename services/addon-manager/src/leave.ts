import { type Cluster, ClusterKind, FINALIZERS, resourceOf } from '@shoto/api';
import type { Outcome } from '@shoto/reconciler';
import { removeAddon } from './addon/objects.ts';
import type { Deps } from './deps.ts';
import { holds } from './needs.ts';

const CLUSTERS = resourceOf(ClusterKind);

/** On the way out: what the addons made in the cloud would go first; their own objects go with the cluster's machines. */
export async function leave(d: Deps, cluster: Cluster): Promise<Outcome> {
  await d.forget(cluster.metadata.uid!);
  if (!holds(cluster)) return undefined;
  for (const addon of d.addonsOf(cluster)) await removeAddon(d, addon);
  await d.client.removeFinalizer(CLUSTERS, cluster, FINALIZERS.addons);
  return undefined;
}
