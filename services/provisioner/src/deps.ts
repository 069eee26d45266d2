import type { AddonBundle, Cluster, EmergencyStop, KubernetesRelease, Machine } from '@shoto/api';
import type { EventRecord, KubeClient } from '@shoto/kube';
import type { Clock, Logger } from '@shoto/service';
import type { Memory } from './memory.ts';
import type { Reservations } from './quota/reservations.ts';
import type { RegionRuntime } from './region/runtime.ts';
import type { View } from './view.ts';

/** What of the Kubernetes client passes use. */
type Kube = Pick<KubeClient, 'get' | 'create' | 'delete' | 'jsonPatch' | 'patchStatusMap' | 'removeFinalizer'>;

/** Asks for passes. */
interface Wake {
  cluster(key: string): void;
  /** @param machine - any Machine of that key, for its region */
  machine(key: string, machine: Machine): void;
}

/** Times that tests scale down, in milliseconds. */
export interface Times {
  /** After a lost answer a server is asked for again only after this. */
  unsureMs: number;
  /** First pause after a server could not be had; doubled up to `retryMaxMs`. */
  retryMs: number;
  retryMaxMs: number;
  /** A pass that waits for news that should wake it looks by itself after this. */
  lookAgainMs: number;
  /** While machines are on their way out, what they held of the tenant's quota is given back this often. */
  releaseMs: number;
  /** Counts of a Cluster are gathered for this long before they are written. */
  gatherMs: number;
  /** What a person has to mend is looked at again after this. */
  recheckMs: number;
  /** So old may an answer about quotas be that is only advice: a fleet that is changed at once asks its cloud once. */
  adviceMs: number;
}

export const TIMES: Times = {
  unsureMs: 180_000,
  retryMs: 5_000,
  retryMaxMs: 60_000,
  lookAgainMs: 60_000,
  releaseMs: 30_000,
  gatherMs: 2_000,
  recheckMs: 300_000,
  adviceMs: 3_000,
};

/** What passes work with. Made in main.ts. */
export interface Deps {
  kube: Kube;
  clusters: View<Cluster>;
  /** With the index `cluster`: `namespace/name` of the Cluster. */
  machines: View<Machine>;
  release: (name: string) => KubernetesRelease | undefined;
  releaseNames: () => string[];
  /** All that there are, on offer or not. */
  releases: () => KubernetesRelease[];
  /** All that are published. */
  bundles: () => AddonBundle[];
  /**
   * The emergency stop of the fleet; undefined: it is off. While it is on, and until it is known (`unknown`), nothing is done that destroys:
   * no Machine and no server is deleted, no order carried out.
   */
  emergencyStop: () => { stop: EmergencyStop } | 'unknown' | undefined;
  /** The region, ready for work. @throws {ReconcileError} that says why it is not */
  region: (name: string) => RegionRuntime;
  /** Whether there is a Region of that name at all. */
  hasRegion: (name: string) => boolean;
  /** User-data of a Machine, from the bootstrap-worker. @throws {WaitingError} while the cluster's PKI is not there */
  userData: (machine: { namespace: string; name: string }, signal: AbortSignal) => Promise<string>;
  /**
   * How many pods would have to move if these machines went, by name, from the bootstrap-worker. A machine that it cannot tell of is left out.
   *
   * @throws {WaitingError} with the bootstrap-worker's reason while it cannot say
   * @throws {RetryableError} `BootstrapWorkerUnavailable`
   */
  disturbance: (
    cluster: { namespace: string; name: string },
    machines: string[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, number>>;
  /** Records an Event. Never throws. */
  events: (e: EventRecord) => Promise<void>;
  /** What clusters hold of their tenants' quotas. */
  quota: Pick<Reservations, 'ask' | 'room'>;
  memory: Memory;
  wake: Wake;
  clock: Clock;
  log: Logger;
  /** Where the system's own objects lie; Secrets lie in namespaces that begin with its name. */
  systemNamespace: string;
  /** UID of this installation. */
  installation: string;
  times: Times;
}

/** Key of the Cluster of a Machine. */
export const clusterKeyOf = (m: Machine): string => `${m.metadata.namespace}/${m.spec.cluster.name}`;

/** The Machines of a Cluster, by name: this Cluster's, not those of an earlier one of its name. */
export function machinesOf(d: Pick<Deps, 'machines'>, cluster: Cluster): Machine[] {
  const key = `${cluster.metadata.namespace}/${cluster.metadata.name}`;
  return d.machines
    .byIndex('cluster', key, (m) => clusterKeyOf(m) === key)
    .filter((m) => m.spec.cluster.uid === cluster.metadata.uid);
}
