import type { Cluster, Machine } from '@shoto/api';
import type { Clock } from '@shoto/service';
import { controlPlaneOf, stateCluster } from '../cluster-status.ts';
import { CLUSTER_CONDITIONS } from '../conditions.ts';
import { CLUSTERS, type Kube, uidOf, type World } from '../world.ts';

/** Whether a machine may have been told to make the control plane of a cluster that is not initialised, as far as is known. */
export const mayHaveMade = (machine: Machine, cluster: Cluster): boolean =>
  machine.spec.role === 'control-plane' &&
  machine.status?.bootstrap.keyHash !== undefined &&
  !cluster.metadata.deletionTimestamp &&
  !controlPlaneOf(cluster).initialized;

/**
 * Before a control-plane machine leaves a cluster that is not initialised, as far as is known: settles that it never will be by this machine.
 *
 * The word that a cluster is initialised and this one are both written to the same map by compare-and-swap, the former after a live look that its maker
 * does not leave. So of two that happen together one is second, and sees the first.
 *
 * @returns the Cluster as it is now; where it is initialised after all, the machine must leave as a member of etcd does. Undefined: it is gone
 * @throws {KubeError} `isConflict` when the Cluster changed meanwhile: the pass is repeated
 */
export async function giveUpMaking(
  d: { kube: Kube; world: Pick<World, 'clusters'>; clock: Clock },
  machine: Machine,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<Cluster | undefined> {
  const live = await d.kube.get<Cluster>(CLUSTERS, cluster.metadata, { signal });
  if (live?.metadata.uid !== cluster.metadata.uid || !live) return undefined;
  const { initialized, initMachine } = controlPlaneOf(live);
  if (live.metadata.deletionTimestamp || initialized || initMachine !== uidOf(machine)) return live;
  const message = `${machine.metadata.name}, which was to make the control plane, leaves: another makes it when its server is gone`;
  return stateCluster(d, live, [
    { type: CLUSTER_CONDITIONS.initialized, status: 'False', reason: 'MachineLeaves', message },
  ]);
}
