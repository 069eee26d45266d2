import { type Addon, type Cluster, ClusterKind, type Condition, findCondition, resourceOf } from '@shoto/api';
import { tellOf } from '../addon/events.ts';
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
    if (saysAddon(addon, next)) continue;
    d.wroteAddon(await d.client.patchStatusMap<Addon>(ADDONS, addon, 'manager', next));
    tellTurn(d, addon, next.conditions);
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

/** An Event where an addon that ran is not well any more, and where it is well again. */
function tellTurn(d: Deps, addon: Addon, conditions: readonly Condition[] | undefined): void {
  const before = findCondition(addon.status?.manager?.conditions, 'Healthy');
  const now = findCondition(conditions, 'Healthy');
  const ails = (c: Condition | undefined) => c?.status === 'False' && c.reason === 'Unhealthy';
  if (ails(now) && !ails(before))
    tellOf(d, addon, { type: 'Warning', reason: 'Unhealthy', message: now!.message, action: 'LookAtHealth' });
  else if (ails(before) && now?.status === 'True')
    tellOf(d, addon, { type: 'Normal', reason: 'HealthyAgain', message: now.message, action: 'LookAtHealth' });
}
