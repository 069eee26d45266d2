import type { OpenStackConfig } from '../config.ts';
import type { ApiFaults } from '../core/api-faults.ts';
import type { Clock } from '../core/clock.ts';
import type { Faults } from '../core/faults.ts';
import type { EventHub, Hypervisor } from '../core/hypervisor.ts';
import type { Latency } from '../core/latency.ts';
import type { Call } from '../core/message.ts';
import type { Random } from '../core/random.ts';
import type { RequestCounter } from '../core/requests.ts';
import type { Service } from '../core/service.ts';
import type { RegistryFaults } from '../registry/faults.ts';
import type { ComputeState } from './compute/state.ts';
import type { IdentityState, Token } from './identity/state.ts';
import type { ImageState } from './image/state.ts';
import type { LoadBalancerState } from './loadbalancer/state.ts';
import type { NetworkState } from './network/state.ts';
import type { QuotaBook } from './quotas.ts';
import type { VolumeState } from './volume/state.ts';

/** Who calls, by their token. */
export interface Auth {
  token: Token;
  userId: string;
  /** Empty for a token without a project. */
  projectId: string;
  isAdmin: boolean;
}

/** One OpenStack service of ours. */
export type OpenStackService = Service<Auth>;

/** What the admin API steers beside OpenStack. */
export interface KubernetesControl {
  faults: ApiFaults;
  /** What runs in the machines; undefined where servers are only entries. */
  machines?: {
    /** Outside addresses of the clusters of a name. */
    addressesOf(clusterName: string): string[];
    cut(address: string, how: 'refuse' | 'hang' | undefined): void;
    noteDeprecated(
      clusterName: string,
      apis: readonly {
        group: string;
        version: string;
        resource: string;
        subresource: string;
        removedRelease: string;
      }[],
      machine?: string,
    ): number;
  };
}

/** The whole simulated cloud: its state and what it runs on. */
export interface Cloud {
  config: OpenStackConfig;
  clock: Clock;
  /** Ids, MAC addresses, secrets. */
  ids: Random;
  latency: Latency;
  faults: Faults;
  requests: RequestCounter;
  hypervisor: Hypervisor;
  events: EventHub;
  /** Ordered failures of Kubernetes APIs, and of the way to them. */
  kubernetes: KubernetesControl;
  /** Ordered failures of the registry. */
  registryFaults: RegistryFaults;
  quotas: QuotaBook;
  /** Base URL in the catalog, without a slash at the end. */
  base: string;
  identity: IdentityState;
  network: NetworkState;
  compute: ComputeState;
  image: ImageState;
  volume: VolumeState;
  loadBalancer: LoadBalancerState;
}

/** `2026-11-21T02:00:36Z` */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** `2026-11-21T02:00:36.000000`, as services without zone write it. */
export function isoMicros(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000`;
}

/** Background work that takes as long as the operation does. */
export function background(cloud: Cloud, operation: string, fn: () => void, about?: () => string): void {
  cloud.clock.setTimeout(fn, cloud.latency.sample(operation, about));
}

/** The value of the first header line of that name. */
export function header(call: Call, name: string): string | undefined {
  const value = call.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
