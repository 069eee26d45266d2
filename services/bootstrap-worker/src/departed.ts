import type { Machine } from '@shoto/api';
import { keyOf } from '@shoto/kube';
import { WaitingError } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import type { FleetStop } from './fleet.ts';
import { providerId } from './kubeadm/node.ts';
import type { WorkloadAccess } from './workload/access.ts';
import { deleteNodeOf } from './workload/node.ts';
import { clusterOf, type World } from './world.ts';

/** After this the news of a Machine that is gone has been worked on, or never will be here: the sweep of Nodes does it. */
const KEPT_MS = 600_000;
const STOPPED_AGAIN_MS = 15_000;

/** What {@link DepartedNodes} needs. */
export interface DepartedDeps {
  world: Pick<World, 'clusters'>;
  access: WorkloadAccess;
  emergencyStop: () => FleetStop;
  clock: Clock;
  log: Logger;
}

/**
 * Machines that are gone from a living cluster, and their Nodes. A lost machine's Node is there still, so that nobody ends its pods twice while
 * its server may run. Another's was deleted before its server; a kubelet that started again in between registered it once more. Now that the server is
 * gone nobody can, so what is there is deleted for good: Kubernetes ends its pods and lets its volumes go.
 *
 * Kept in memory only, since each replica sees the Machines go. What a restart at that very moment leaves is found by `sweepNodes`.
 */
export class DepartedNodes {
  readonly #d: DepartedDeps;
  readonly #gone = new Map<string, { machine: Machine; at: number }>();

  constructor(d: DepartedDeps) {
    this.#d = d;
  }

  /** A Machine is gone. @returns whether its cluster lives and may have its Node, so that a pass over its key is due */
  note(machine: Machine): boolean {
    const now = this.#d.clock.now();
    for (const [old, { at }] of this.#gone) {
      if (now - at <= KEPT_MS) break; // in order of time
      this.#gone.delete(old);
    }
    if (!machine.status?.bootstrap.joinedAt || !machine.status.server.id || !this.#livingCluster(machine)) return false;
    this.#gone.set(keyOf(machine), { machine, at: now });
    return true;
  }

  /**
   * Deletes the Node of a Machine that is gone, where there is one. Safe to repeat.
   * @throws {KubeError} when the cluster's API does not do it {@link WaitingError} under the emergency stop
   */
  async leave(key: string, signal: AbortSignal): Promise<void> {
    const machine = this.#gone.get(key)?.machine;
    if (!machine) return;
    const cluster = this.#livingCluster(machine);
    const serverId = machine.status?.server.id;
    const { name } = machine.metadata;
    if (cluster && serverId) {
      if (this.#d.emergencyStop())
        throw new WaitingError('EmergencyStop', 'the node of a machine that is gone stays for now', STOPPED_AGAIN_MS);
      if (cluster.spec.paused) return; // the sweep finds it when the cluster goes on
      const workload = await this.#d.access.client(cluster);
      if (await deleteNodeOf(workload, name, providerId(serverId), signal))
        this.#d.log.info({ cluster: keyOf(cluster), machine: name }, 'the node of a machine that is gone is deleted');
    }
    this.#gone.delete(key);
  }

  #livingCluster(machine: Machine) {
    const cluster = clusterOf(this.#d.world, machine);
    return cluster?.status?.controlPlane.initialized && !cluster.metadata.deletionTimestamp ? cluster : undefined;
  }
}
