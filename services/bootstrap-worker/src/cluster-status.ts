import { type Cluster, findCondition, withCondition } from '@shoto/api';
import type { Clock } from '@shoto/service';
import { CLUSTERS, type Kube, type World } from './world.ts';

/** This service's map of a Cluster. */
export type ControlPlane = NonNullable<Cluster['status']>['controlPlane'];
/** One condition as it is stated. */
export type Statement = Parameters<typeof withCondition>[1];
/** States conditions of one Cluster, and changes fields of our map. @returns the Cluster as it is now */
export type SayCluster = (said: readonly Statement[], change?: Partial<ControlPlane>) => Promise<Cluster>;

/** What a Cluster without any status has in this service's map. */
export const controlPlaneOf = (c: Cluster): ControlPlane => c.status?.controlPlane ?? { revision: 0 };

/** Writes our map if the conditions or the change say anything new. @throws {KubeError} `isConflict` when another was quicker */
export async function stateCluster(
  d: { kube: Kube; world: Pick<World, 'clusters'>; clock: Clock },
  cluster: Cluster,
  said: readonly Statement[],
  change: Partial<ControlPlane> = {},
): Promise<Cluster> {
  const before = controlPlaneOf(cluster);
  const news = said.filter((c) => {
    const stated = findCondition(before.conditions, c.type);
    return stated?.status !== c.status || stated.reason !== c.reason || stated.message !== c.message.slice(0, 1024);
  });
  const isNew = news.length > 0 || Object.entries(change).some(([k, v]) => before[k as keyof ControlPlane] !== v);
  if (!isNew) return cluster;
  const conditions = news.reduce((list, c) => withCondition(list, c, d.clock.now()), before.conditions ?? []);
  return d.world.clusters.note(
    await d.kube.patchStatusMap(CLUSTERS, cluster, 'controlPlane', { ...before, ...change, conditions }),
  );
}
