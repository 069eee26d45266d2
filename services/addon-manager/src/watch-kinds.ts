import type { Cluster } from '@shoto/api';
import type { KubeClient, ResourceType } from '@shoto/kube';
import { type Item, idOf } from './apply/inventory.ts';
import type { Deps } from './deps.ts';

/**
 * Watches the kinds that a cluster's addons have, once they are settled: all but Secrets, which we may not list. Of addons whose changes nobody minds, or that
 * are paused, only those that tell of their health.
 */
export async function watchKinds(
  d: Deps,
  cluster: Cluster,
  workload: KubeClient,
  version: string | undefined,
): Promise<void> {
  if (version === undefined) return;
  const { inventories, health } = d.memory.of(cluster.metadata.uid!);
  const kinds = new Map<string, Item>();
  for (const { name, drift, paused } of cluster.spec.addons) {
    const inventory = inventories?.get(name);
    if (!inventory?.settled) continue;
    const isMinded = drift !== 'Ignore' && !paused;
    for (const i of inventory.items)
      if (!(i.kind === 'Secret' && i.apiVersion === 'v1') && (isMinded || health.get(name)?.checks.has(idOf(i))))
        kinds.set(`${i.apiVersion} ${i.kind}`, i);
  }
  const types: ResourceType[] = [];
  for (const item of kinds.values()) {
    const type = await d.finder.find(workload, version, item);
    if (type) types.push(type);
  }
  d.watch(cluster, workload, types);
}
