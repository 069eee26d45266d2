import type { NodeFault } from './faults.ts';

/** A server as the machine behind it sees it, at power-on. */
export interface PoweredServer {
  id: string;
  name: string;
  /** Decoded user data; empty if none was given. */
  userData: string;
  metadata: Record<string, string>;
  flavor: { vcpus: number; ramMiB: number; diskGiB: number };
  imageId: string;
  image: { id: string; name: string; properties: Record<string, string> };
  zone: string;
  ports: PoweredPort[];
}

/** A port of a powered server. */
export interface PoweredPort {
  id: string;
  mac: string;
  address: string;
  subnetCidr: string;
  networkId: string;
  /** The floating address that leads here now, if one does. */
  floatingIp?: () => string | undefined;
}

/** What stands behind Nova: makes machines run. */
export interface Hypervisor {
  powerOn(server: PoweredServer): void;
  powerOff(serverId: string, how: 'soft' | 'hard'): void;
  reboot(serverId: string, how: 'soft' | 'hard'): void;
  /** The machine and its local disk are gone. */
  destroy(serverId: string): void;
  /** Lines of the serial console, oldest first. */
  consoleLog(serverId: string): string[];
}

/** Where a floating IP leads now; `portId` null when nowhere (or it was released). */
export interface FloatingIpEvent {
  address: string;
  portId: string | null;
  fixedAddress: string | null;
}

/** A load balancer's whole tree after a change. */
export interface LoadBalancerEvent {
  id: string;
  vipPortId: string;
  vipAddress: string;
  listeners: { port: number; pool?: { members: { address: string; port: number; adminStateUp: boolean }[] } }[];
  deleted: boolean;
}

/** A machine is to fail. */
export interface NodeFaultEvent extends NodeFault {
  serverId: string;
}

/** What the OpenStack half tells the machines. */
export interface NetworkEvents {
  onFloatingIp(listener: (e: FloatingIpEvent) => void): void;
  onLoadBalancer(listener: (e: LoadBalancerEvent) => void): void;
  onNodeFault(listener: (e: NodeFaultEvent) => void): void;
}

/** {@link NetworkEvents} with the sending side. */
export class EventHub implements NetworkEvents {
  #floatingIp: ((e: FloatingIpEvent) => void)[] = [];
  #loadBalancer: ((e: LoadBalancerEvent) => void)[] = [];
  #nodeFault: ((e: NodeFaultEvent) => void)[] = [];

  onFloatingIp(listener: (e: FloatingIpEvent) => void): void {
    this.#floatingIp.push(listener);
  }
  onLoadBalancer(listener: (e: LoadBalancerEvent) => void): void {
    this.#loadBalancer.push(listener);
  }
  onNodeFault(listener: (e: NodeFaultEvent) => void): void {
    this.#nodeFault.push(listener);
  }
  floatingIp(e: FloatingIpEvent): void {
    for (const listener of this.#floatingIp) listener(e);
  }
  loadBalancer(e: LoadBalancerEvent): void {
    for (const listener of this.#loadBalancer) listener(e);
  }
  nodeFault(e: NodeFaultEvent): void {
    for (const listener of this.#nodeFault) listener(e);
  }
}

/** A hypervisor with nothing in it: servers are only entries, as with Nova's fake driver. */
export const nullHypervisor: Hypervisor = {
  powerOn() {},
  powerOff() {},
  reboot() {},
  destroy() {},
  consoleLog: () => [],
};
