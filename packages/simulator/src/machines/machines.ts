import { ApiFaults } from '../core/api-faults.ts';
import type { Clock } from '../core/clock.ts';
import type { Hypervisor, NetworkEvents, PoweredServer } from '../core/hypervisor.ts';
import type { Latency } from '../core/latency.ts';
import type { Random } from '../core/random.ts';
import type { DeprecatedApi } from '../kubernetes/index.ts';
import { type ClusterSeed, type ClusterWorld, SimulatedCluster } from './cluster/cluster.ts';
import { type Cut, Listeners } from './cluster/listeners.ts';
import { clusterId } from './cluster/pki.ts';
import { Routes } from './cluster/routes.ts';
import { Machine, type MachineWorld } from './machine.ts';

/** What simulated machines run on. */
export interface MachinesOptions {
  clock: Clock;
  latency: Latency;
  random: Random;
  /** Ordered failures of the API servers of clusters; none where it is left out. */
  apiFaults?: ApiFaults;
  /** The network that a port of the cloud is in. */
  networkOf: (portId: string) => string | undefined;
  /** Told of what cannot be done, such as an address that cannot be listened on. */
  say?: (what: string) => void;
}

/** All simulated machines of a cloud and the clusters that they make: what stands behind Nova. */
export class Machines implements Hypervisor {
  readonly #machines = new Map<string, Machine>();
  readonly #clusters = new Map<string, SimulatedCluster>();
  readonly #listeners: Listeners;
  readonly #routes: Routes;
  readonly #world: MachineWorld;

  constructor(o: MachinesOptions) {
    const say = o.say ?? (() => {});
    this.#listeners = new Listeners(say);
    this.#routes = new Routes(this.#listeners, o.networkOf);
    const world: ClusterWorld = {
      clock: o.clock,
      latency: o.latency,
      random: o.random,
      apiFaults: o.apiFaults ?? new ApiFaults(o.clock, o.random.fork('api faults')),
      addressesOf: (cluster) => this.#listeners.addressesOf(cluster),
      onServing: (cluster) => {
        for (const id of cluster.members.keys()) {
          const machine = this.#machines.get(id);
          if (machine) this.#routes.changed(machine);
        }
      },
      say,
    };
    this.#world = {
      clock: o.clock,
      latency: o.latency,
      clusters: {
        get: (id) => this.#clusters.get(id),
        make: (seed) => this.#make(world, seed),
      },
      onChange: (machine) => this.#routes.changed(machine),
    };
  }

  /** Follows floating IPs, load balancers and ordered failures. */
  follow(events: NetworkEvents): void {
    events.onFloatingIp((e) => this.#routes.floatingIp(e));
    events.onLoadBalancer((e) => this.#routes.loadBalancer(e));
    events.onNodeFault((e) => this.#machines.get(e.serverId)?.fail(e));
  }

  /** How much there is, for the admin API and benchmarks. */
  counts(): { machines: number; clusters: number; listeners: number } {
    return { machines: this.#machines.size, clusters: this.#clusters.size, listeners: this.#listeners.count };
  }

  powerOn(server: PoweredServer): void {
    let machine = this.#machines.get(server.id);
    if (!machine) {
      machine = new Machine(server, this.#world);
      this.#machines.set(server.id, machine);
    } else {
      this.#routes.gone(machine);
      machine.update(server);
    }
    machine.powerOn();
  }

  powerOff(serverId: string, how: 'soft' | 'hard'): void {
    this.#machines.get(serverId)?.powerOff(how);
  }

  reboot(serverId: string, how: 'soft' | 'hard'): void {
    this.#machines.get(serverId)?.reboot(how);
  }

  destroy(serverId: string): void {
    const machine = this.#machines.get(serverId);
    if (!machine) return;
    this.#machines.delete(serverId);
    machine.powerOff('hard');
    this.#routes.gone(machine);
    const cluster = machine.membership?.cluster;
    if (machine.membership?.role !== 'control-plane' || !cluster) return;
    cluster.memberGone(serverId);
    // With its last control-plane machine the cluster's data is gone for good.
    if (cluster.members.size === 0) this.#forget(cluster);
  }

  /** Cuts the way from outside to an address that leads to clusters' APIs, or opens it again. Machines still reach each other. */
  cut(address: string, how: Cut | undefined): void {
    this.#listeners.cut(address, how);
  }

  /**
   * Lets the API servers of the clusters of this name say that somebody asked for deprecated APIs.
   *
   * @param machine - name of the one whose API server alone was asked; without it all say so
   * @returns how many clusters there are that have it
   */
  noteDeprecated(clusterName: string, apis: readonly DeprecatedApi[], machine?: string): number {
    const has = (c: SimulatedCluster): boolean =>
      machine === undefined || [...this.#machines.values()].some((m) => m.name === machine && m.cluster() === c);
    const clusters = [...this.#clusters.values()].filter((c) => c.name === clusterName && has(c));
    for (const cluster of clusters) for (const api of apis) cluster.server.noteDeprecated(api, machine);
    return clusters.length;
  }

  /** Outside addresses of the clusters of this name. */
  addressesOf(clusterName: string): string[] {
    return [...this.#clusters.values()]
      .filter((c) => c.name === clusterName)
      .flatMap((c) => this.#listeners.addressesOf(c));
  }

  consoleLog(serverId: string): string[] {
    return this.#machines.get(serverId)?.console.lines() ?? [];
  }

  /** Switches everything off. */
  close(): void {
    for (const machine of this.#machines.values()) machine.powerOff('hard');
    this.#machines.clear();
    for (const cluster of this.#clusters.values()) cluster.close();
    this.#clusters.clear();
    this.#listeners.close();
  }

  #make(world: ClusterWorld, seed: ClusterSeed): SimulatedCluster {
    const before = this.#clusters.get(clusterId(seed.ca.certificate));
    // Two behind one endpoint: on real machines a client would see now the one, now the other.
    if (before?.up) world.say(`${before.name}: a second control plane is made, while the first one serves`);
    if (before) this.#forget(before);
    const cluster = new SimulatedCluster(world, seed);
    this.#clusters.set(cluster.id, cluster);
    return cluster;
  }

  #forget(cluster: SimulatedCluster): void {
    if (this.#clusters.get(cluster.id) === cluster) this.#clusters.delete(cluster.id);
    cluster.close();
  }
}
