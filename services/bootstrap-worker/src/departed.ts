import type { Machine } from '@shoto/api';
import { keyOf } from '@shoto/kube';
import type { Clock, Logger } from '@shoto/service';
import { providerId } from './kubeadm/node.ts';
import type { WorkloadAccess } from './workload/access.ts';
import { deleteNodeOf } from './workload/drain.ts';
import { clusterOf, type World } from './world.ts';

/** After this the news of a Machine that is gone has been worked on, or never will be. */
const KEPT_MS = 600_000;

/**
 * Machines that are gone from a living cluster, and their Nodes. A Node is deleted before its server is; a kubelet that starts again in
 * between registers it once more. Now that the server is gone nobody can, so what is there is deleted for good.
 *
 * Kept in memory only: each replica sees the Machines go, and whoever restarts at that very moment leaves at worst a Node that is not ready.
 */
export class DepartedNodes {
  readonly #world: Pick<World, 'clusters'>;
  readonly #access: WorkloadAccess;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #gone = new Map<string, { machine: Machine; at: number }>();

  constructor(o: { world: Pick<World, 'clusters'>; access: WorkloadAccess; clock: Clock; log: Logger }) {
    this.#world = o.world;
    this.#access = o.access;
    this.#clock = o.clock;
    this.#log = o.log;
  }

  /** A Machine is gone. @returns whether its cluster lives and may have its Node, so that a pass over its key is due */
  note(machine: Machine): boolean {
    const now = this.#clock.now();
    for (const [old, { at }] of this.#gone) {
      if (now - at <= KEPT_MS) break; // in order of time
      this.#gone.delete(old);
    }
    if (!machine.status?.bootstrap.joinedAt || !machine.status.server.id || !this.#livingCluster(machine)) return false;
    this.#gone.set(keyOf(machine), { machine, at: now });
    return true;
  }

  /**
   * Deletes the Node of a Machine that is gone, where it is back. Safe to repeat.
   * @throws {KubeError} when the cluster's API does not do it
   */
  async leave(key: string, signal: AbortSignal): Promise<void> {
    const machine = this.#gone.get(key)?.machine;
    if (!machine) return;
    const cluster = this.#livingCluster(machine);
    const serverId = machine.status?.server.id;
    const { name } = machine.metadata;
    if (cluster && serverId) {
      const workload = await this.#access.client(cluster);
      if (await deleteNodeOf(workload, name, providerId(serverId), signal))
        this.#log.info({ cluster: keyOf(cluster), machine: name }, 'a node that had come back is deleted');
    }
    this.#gone.delete(key);
  }

  #livingCluster(machine: Machine) {
    const cluster = clusterOf(this.#world, machine);
    return cluster?.status?.controlPlane.initialized && !cluster.metadata.deletionTimestamp ? cluster : undefined;
  }
}
