import type { FloatingIpEvent, LoadBalancerEvent } from '../../core/hypervisor.ts';
import type { SimulatedCluster } from './cluster.ts';
import type { Front, Listeners, Place, Served } from './listeners.ts';

const API_PORT = 6443;

/** A machine's place in a tenant's network. */
interface Plug {
  portId: string;
  networkId: string;
  address: string;
}

/** A control-plane machine as the network sees it. */
export interface Backend extends Front {
  plugs: Plug[];
  /** The cluster that answers on its port 6443 now; undefined while nothing listens there. */
  cluster(): SimulatedCluster | undefined;
}

const isLoopback = (address: string): boolean => address.startsWith('127.');
const at = (networkId: string, address: string): string => `${networkId} ${address}`;

/**
 * Knows which loopback address leads to which cluster: by floating IP and load balancer to its members, by floating IP to a machine, or
 * straight to an address of a machine or load balancer on a routable network. Everything else refuses connections, for nobody listens.
 */
export class Routes {
  readonly #listeners: Listeners;
  readonly #networkOf: (portId: string) => string | undefined;
  readonly #backends = new Map<string, Backend>();
  readonly #byPort = new Map<string, Backend>();
  readonly #floating = new Map<string, { portId: string }>();
  readonly #floatingOf = new Map<string, Set<string>>();
  readonly #balancers = new Map<string, LoadBalancerEvent & { networkId: string }>();
  /** Balancers by VIP port, and by network. */
  readonly #balancerOf = new Map<string, string>();
  readonly #balancersIn = new Map<string, Set<string>>();
  /** Ports that are served at an address, so that those which nothing leads to any more are closed. */
  readonly #served = new Map<string, Set<number>>();

  /** @param networkOf - network of a port of the cloud */
  constructor(listeners: Listeners, networkOf: (portId: string) => string | undefined) {
    this.#listeners = listeners;
    this.#networkOf = networkOf;
  }

  floatingIp(e: FloatingIpEvent): void {
    const before = this.#floating.get(e.address);
    if (before) {
      this.#floating.delete(e.address);
      const others = this.#floatingOf.get(before.portId);
      others?.delete(e.address);
      if (others?.size === 0) this.#floatingOf.delete(before.portId);
    }
    if (e.portId !== null) {
      this.#floating.set(e.address, { portId: e.portId });
      const known = this.#floatingOf.get(e.portId) ?? new Set();
      this.#floatingOf.set(e.portId, known.add(e.address));
    }
    this.#refresh(e.address);
  }

  loadBalancer(e: LoadBalancerEvent): void {
    const before = this.#balancers.get(e.id);
    const networkId = before?.networkId ?? this.#networkOf(e.vipPortId) ?? '';
    if (e.deleted) {
      this.#balancers.delete(e.id);
      this.#balancerOf.delete(e.vipPortId);
      this.#balancersIn.get(networkId)?.delete(e.id);
      if (this.#balancersIn.get(networkId)?.size === 0) this.#balancersIn.delete(networkId);
    } else {
      this.#balancers.set(e.id, { ...e, networkId });
      this.#balancerOf.set(e.vipPortId, e.id);
      this.#balancersIn.set(networkId, (this.#balancersIn.get(networkId) ?? new Set()).add(e.id));
    }
    for (const address of this.#addressesOf(e.vipPortId, e.vipAddress)) this.#refresh(address);
  }

  /** A control-plane machine is there, or has changed. */
  changed(b: Backend): void {
    for (const plug of b.plugs) {
      this.#backends.set(at(plug.networkId, plug.address), b);
      this.#byPort.set(plug.portId, b);
    }
    this.#refreshAround(b);
  }

  /** It is gone for good. */
  gone(b: Backend): void {
    for (const plug of b.plugs) {
      if (this.#backends.get(at(plug.networkId, plug.address)) === b)
        this.#backends.delete(at(plug.networkId, plug.address));
      if (this.#byPort.get(plug.portId) === b) this.#byPort.delete(plug.portId);
    }
    this.#refreshAround(b);
  }

  #refreshAround(b: Backend): void {
    const addresses = new Set<string>();
    for (const plug of b.plugs) {
      for (const a of this.#addressesOf(plug.portId, plug.address)) addresses.add(a);
      for (const id of this.#balancersIn.get(plug.networkId) ?? []) {
        const lb = this.#balancers.get(id);
        if (lb) for (const a of this.#addressesOf(lb.vipPortId, lb.vipAddress)) addresses.add(a);
      }
    }
    for (const address of addresses) this.#refresh(address);
  }

  /** Loopback addresses that lead to a port of the cloud. */
  #addressesOf(portId: string, own: string): string[] {
    return [...(this.#floatingOf.get(portId) ?? []), ...(isLoopback(own) ? [own] : [])];
  }

  #refresh(address: string): void {
    const wanted = this.#targets(address);
    const served = this.#served.get(address) ?? new Set<number>();
    for (const port of new Set([...served, ...wanted.keys()])) {
      const place: Place = { address, port };
      this.#listeners.set(place, wanted.get(port));
    }
    if (wanted.size > 0) this.#served.set(address, new Set(wanted.keys()));
    else this.#served.delete(address);
  }

  /** What answers at an address, by port. */
  #targets(address: string): Map<number, Served> {
    const targets = new Map<number, Served>();
    const add = (port: number, backend: Backend | undefined): void => {
      const cluster = backend?.cluster();
      if (!backend || !cluster) return;
      const known = targets.get(port);
      if (known?.cluster === cluster) known.fronts.push(backend);
      else targets.set(port, { cluster, fronts: [backend] });
    };
    const portId = this.#floating.get(address)?.portId;
    // An address that no floating IP has may be that of a port on a routable network.
    const balancerId = portId === undefined ? this.#vipAt(address) : this.#balancerOf.get(portId);
    const balancer = balancerId === undefined ? undefined : this.#balancers.get(balancerId);
    add(API_PORT, portId === undefined ? this.#direct(address) : this.#byPort.get(portId));
    for (const listener of balancer?.listeners ?? []) {
      for (const member of listener.pool?.members ?? []) {
        if (!member.adminStateUp || member.port !== API_PORT) continue;
        add(listener.port, this.#backends.get(at(balancer?.networkId ?? '', member.address)));
      }
    }
    return targets;
  }

  #vipAt(address: string): string | undefined {
    for (const lb of this.#balancers.values()) if (lb.vipAddress === address) return lb.id;
    return undefined;
  }

  #direct(address: string): Backend | undefined {
    for (const b of this.#byPort.values()) if (b.plugs.some((p) => p.address === address)) return b;
    return undefined;
  }
}
