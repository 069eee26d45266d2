import { adminMount } from '../admin/service.ts';
import type { OpenStackConfig } from '../config.ts';
import { ApiFaults } from '../core/api-faults.ts';
import { SimulatorClock } from '../core/clock.ts';
import { Faults } from '../core/faults.ts';
import { Gateway } from '../core/http.ts';
import { EventHub, type Hypervisor, type NetworkEvents, nullHypervisor } from '../core/hypervisor.ts';
import { Latency } from '../core/latency.ts';
import { Random } from '../core/random.ts';
import { RequestCounter } from '../core/requests.ts';
import { RegistryFaults } from '../registry/faults.ts';
import type { Auth, Cloud } from './cloud.ts';
import { computeService } from './compute/service.ts';
import { ComputeState } from './compute/state.ts';
import { identityService } from './identity/service.ts';
import { IdentityState } from './identity/state.ts';
import { imageService } from './image/service.ts';
import { ImageState } from './image/state.ts';
import { loadBalancerService } from './loadbalancer/service.ts';
import { LoadBalancerState } from './loadbalancer/state.ts';
import { networkService } from './network/service.ts';
import { NetworkState } from './network/state.ts';
import { placementService } from './placement/service.ts';
import { QuotaBook } from './quotas.ts';
import { seed } from './seed.ts';
import { volumeService } from './volume/service.ts';
import { VolumeState } from './volume/state.ts';

/** What a simulated OpenStack runs on; all but the configuration may be left out. */
export interface OpenStackSimulatorOptions {
  config: OpenStackConfig;
  clock?: SimulatorClock;
  random?: Random;
  hypervisor?: Hypervisor;
  /** Ordered failures of Kubernetes APIs, where the admin API is to steer them. */
  apiFaults?: ApiFaults;
  /** Ordered failures of the registry, where the admin API is to steer them. */
  registryFaults?: RegistryFaults;
}

/** A simulated OpenStack behind one HTTP port. */
export interface OpenStackSimulator {
  /** Listens where the configuration says; `url` is the base, so `${url}/identity/v3` is Keystone. */
  listen(): Promise<{ url: string }>;
  close(): Promise<void>;
  /** The cloud's whole state, for wiring and tests. */
  readonly state: Cloud;
  readonly events: NetworkEvents;
}

/** Makes a simulated OpenStack. Nothing listens before `listen()`. */
export function createOpenStackSimulator(options: OpenStackSimulatorOptions): OpenStackSimulator {
  const { config } = options;
  const random = options.random ?? new Random(config.seed);
  const clock = options.clock ?? new SimulatorClock(config.clock);
  const events = new EventHub();
  const requestIds = random.fork('request ids');
  const cloud: Cloud = {
    config,
    clock,
    ids: random.fork('ids'),
    latency: new Latency(config.latency, random.fork('latency')),
    faults: new Faults(config.faults, random.fork('faults')),
    requests: new RequestCounter(),
    hypervisor: options.hypervisor ?? nullHypervisor,
    events,
    kubernetes: { faults: options.apiFaults ?? new ApiFaults(clock, random.fork('api faults')) },
    registryFaults: options.registryFaults ?? new RegistryFaults(clock, random.fork('registry faults')),
    quotas: new QuotaBook(),
    base: '',
    identity: new IdentityState(),
    network: new NetworkState(),
    compute: new ComputeState(),
    image: new ImageState(),
    volume: new VolumeState(),
    loadBalancer: new LoadBalancerState(),
  };
  const gateway = new Gateway<Auth>({
    clock,
    latency: cloud.latency,
    faults: cloud.faults,
    requests: cloud.requests,
    newRequestId: () => `req-${requestIds.uuid()}`,
  });
  const identity = identityService(cloud);
  gateway.setRoot(identity);
  for (const service of [
    identity,
    networkService(cloud),
    computeService(cloud),
    imageService(cloud),
    volumeService(cloud),
    loadBalancerService(cloud),
    placementService(cloud),
  ])
    gateway.add(service);
  gateway.mount(adminMount(cloud, clock));
  return {
    state: cloud,
    events,
    async listen() {
      const { url } = await gateway.listen(config.listen.address, config.listen.port);
      cloud.base = url;
      seed(cloud);
      return { url };
    },
    async close() {
      // A clock that was given belongs to the giver.
      if (!options.clock) clock.close();
      await gateway.close();
    },
  };
}
