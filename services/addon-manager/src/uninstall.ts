import type { Cluster } from '@shoto/api';
import type { KubeClient } from '@shoto/kube';
import { removeAddon } from './addon/objects.ts';
import { removeInventory } from './apply/inventory.ts';
import { prune, toPrune } from './apply/prune.ts';
import type { Deps } from './deps.ts';
import type { Seen } from './pass.ts';

/**
 * Removes addons that the Cluster no longer asks for: what they have, as far as it may be pruned, then what is remembered of them.
 *
 * @returns names of those that cannot go yet
 */
export async function uninstall(
  d: Deps,
  cluster: Cluster,
  workload: KubeClient,
  seen: Seen,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const memory = d.memory.of(cluster.metadata.uid!);
  const wanted = new Set(cluster.spec.addons.map((a) => a.name));
  const objects = d.addonsOf(cluster).filter((a) => !wanted.has(a.spec.addon));
  const names = [...new Set([...(memory.inventories?.keys() ?? []), ...objects.map((a) => a.spec.addon)])].filter(
    (n) => !wanted.has(n),
  );
  if (names.length === 0) return [];
  const stopped = seen.hold !== undefined && !seen.hold.updatesOnly;
  if (stopped || seen.version === undefined) return names;
  for (const addon of names) {
    const inventory = memory.inventories?.get(addon);
    if (inventory) {
      const others = [...memory.inventories!].filter(([n]) => n !== addon).map(([, inv]) => inv);
      const goes = toPrune(inventory.items, new Set(), inventory.never, others);
      await prune({ client: workload, finder: d.finder, version: seen.version, addon, signal }, goes);
      await removeInventory(workload, addon);
      memory.inventories?.delete(addon);
    }
    memory.applied.delete(addon);
    memory.latePods.delete(addon);
    memory.dirty.delete(addon);
    memory.slowPassAt.delete(addon);
    memory.health.delete(addon);
    for (const a of objects) if (a.spec.addon === addon) await removeAddon(d, a);
  }
  return [];
}
