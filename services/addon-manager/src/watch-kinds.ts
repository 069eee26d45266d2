import type { Cluster } from '@shoto/api';
import type { KubeClient, ResourceType } from '@shoto/kube';
import type { Item } from './apply/inventory.ts';
import type { Deps } from './deps.ts';

/** Watches the kinds that a cluster's addons have, once they are settled: all but Secrets, which we may not list, and those of addons that nobody minds. */
export async function watchKinds(
  d: Deps,
  cluster: Cluster,
  workload: KubeClient,
  version: string | undefined,
): Promise<void> {
  if (version === undefined) return;
  const { inventories } = d.memory.of(cluster.metadata.uid!);
  const minded = cluster.spec.addons.filter((a) => a.drift !== 'Ignore' && !a.paused).map((a) => a.name);
  const kinds = new Map<string, Item>();
  for (const name of minded) {
    const inventory = inventories?.get(name);
    if (!inventory?.settled) continue;
    for (const i of inventory.items)
      if (!(i.kind === 'Secret' && i.apiVersion === 'v1')) kinds.set(`${i.apiVersion} ${i.kind}`, i);
  }
  const types: ResourceType[] = [];
  for (const item of kinds.values()) {
    const type = await d.finder.find(workload, version, item);
    if (type) types.push(type);
  }
  d.watch(cluster, workload, types);
}
