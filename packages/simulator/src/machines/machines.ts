import type { Clock } from '../core/clock.ts';
import type { Hypervisor, NetworkEvents, PoweredServer } from '../core/hypervisor.ts';
import type { Latency } from '../core/latency.ts';
import type { Random } from '../core/random.ts';
import { type ClusterSeed, type ClusterWorld, SimulatedCluster } from './cluster/cluster.ts';
import { Listeners } from './cluster/listeners.ts';
import { clusterId } from './cluster/pki.ts';
import { Routes } from './cluster/routes.ts';
import { Machine, type MachineWorld } from './machine.ts';

/** What simulated machines run on. */
export interface MachinesOptions {
  clock: Clock;
  latency: Latency;
  random: Random;
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
    this.#world = {
      clock: o.clock,
      latency: o.latency,
      clusters: {
        get: (id) => this.#clusters.get(id),
        make: (seed) => this.#make({ ...o, say }, seed),
      },
      onChange: (machine) => this.#routes.changed(machine),
    };
  }

  /** Follows floating IPs, load balancers and ordered failures. */
  follow(events: NetworkEvents): void {
    events.onFloatingIp((e) => this.#routes.floatingIp(e));
    events.onLoadBalancer((e) => this.#routes.loadBalancer(e));
    events.onNodeFault((e) => this.#machines.get(e.serverId)?.fail(e.fault));
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
    // With its last control-plane machine the cluster's data is gone for good.
    if (machine.membership?.role !== 'control-plane' || !cluster) return;
    const left = [...cluster.members.keys()].some((id) => this.#machines.has(id));
    if (!left) this.#forget(cluster);
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
