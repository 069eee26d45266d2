import type { Addon, AddonBundle, Cluster, EmergencyStop, KubernetesRelease, Region } from '@shoto/api';
import type { EventRecord, KubeClient, ResourceType } from '@shoto/kube';
import type { KindFinder } from './apply/kinds.ts';
import type { BundleStore } from './content/store.ts';
import type { Memory } from './memory.ts';

/** What a pass needs. */
export interface Deps {
  client: KubeClient;
  systemNamespace: string;
  /** The Cluster as the cache, or a live read, has it. */
  cluster: (key: string) => Promise<Cluster | undefined>;
  /** Told what a write gave, so that the next pass sees it. */
  wrote: (cluster: Cluster) => void;
  wroteAddon: (addon: Addon) => void;
  releases: () => KubernetesRelease[];
  region: (name: string) => Region | undefined;
  bundles: () => AddonBundle[];
  addonsOf: (cluster: Cluster) => Addon[];
  /** Our client in the cluster; undefined while its kubeconfig is not there. */
  workload: (cluster: Cluster) => Promise<KubeClient | undefined>;
  /** The emergency stop of the fleet; `unknown` until it was looked at. */
  emergencyStop: () => { stop: EmergencyStop } | 'unknown' | undefined;
  /** Contents of bundles, and what was rendered of them. */
  store: BundleStore;
  finder: KindFinder;
  memory: Memory;
  /** Watches these kinds of a cluster for what others do to our objects. */
  watch: (cluster: Cluster, workload: KubeClient, types: readonly ResourceType[]) => void;
  /** The cluster is on its way out: client, watches and memory of it are given up. */
  forget: (clusterUid: string) => Promise<void>;
  events: (e: EventRecord) => void;
  /** Milliseconds since the epoch. */
  now: () => number;
}
