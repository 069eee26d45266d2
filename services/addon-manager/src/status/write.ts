import { type Addon, type Cluster, ClusterKind, resourceOf } from '@shoto/api';
import { ADDONS } from '../addon/objects.ts';
import type { Deps } from '../deps.ts';
import type { Seen } from '../pass.ts';
import { addonStatus, saysAddon } from './addon-status.ts';
import { clusterStatus, saysCluster } from './cluster-status.ts';

const CLUSTERS = resourceOf(ClusterKind);

/** Writes how the addons stand on each Addon and on the Cluster, where they do not say so already. */
export async function writeStandings(d: Deps, cluster: Cluster, seen: Seen, leaving: readonly string[]): Promise<void> {
  const now = d.now();
  for (const s of seen.standings) {
    const addon = seen.addons.get(s.name);
    if (!addon) continue;
    const next = addonStatus(addon.status?.manager, s, now);
    if (!saysAddon(addon, next)) d.wroteAddon(await d.client.patchStatusMap<Addon>(ADDONS, addon, 'manager', next));
  }
  const { standings, blocked, planSettled, next } = seen;
  const { generation } = cluster.metadata;
  const status = clusterStatus(
    cluster.status?.addons,
    { standings, blocked, planSettled, next, leaving, generation },
    now,
  );
  if (!saysCluster(cluster, status))
    d.wrote(await d.client.patchStatusMap<Cluster>(CLUSTERS, cluster, 'addons', status));
}
