import {
  type Addon,
  type AddonBundle,
  AddonBundleKind,
  AddonKind,
  type AddonRegistry,
  AddonRegistryKind,
  type Cluster,
  ClusterKind,
  type ClusterTemplate,
  ClusterTemplateKind,
  type KubernetesRelease,
  KubernetesReleaseKind,
  type Machine,
  MachineKind,
  type Region,
  RegionKind,
  resourceOf,
  type Tenant,
  TenantKind,
} from '@shoto/api';
import { type HasMeta, type KubeClient, Reflector } from '@shoto/kube';
import type { Catalogue } from './references.ts';

/** Addresses of the kinds that cluster-api reads and writes. */
export const TYPES = {
  addons: resourceOf(AddonKind),
  addonBundles: resourceOf(AddonBundleKind),
  addonRegistries: resourceOf(AddonRegistryKind),
  clusters: resourceOf(ClusterKind),
  machines: resourceOf(MachineKind),
  regions: resourceOf(RegionKind),
  releases: resourceOf(KubernetesReleaseKind),
  templates: resourceOf(ClusterTemplateKind),
  tenants: resourceOf(TenantKind),
};

/** What cluster-api keeps in memory: the catalogue, and clusters and machines for progress. */
export interface Store extends Catalogue {
  addonRegistries(): AddonRegistry[];
  addonsOf(cluster: { metadata: { namespace?: string | undefined; name: string } }): Addon[];
  template(name: string): ClusterTemplate | undefined;
  templates(): ClusterTemplate[];
  tenant(name: string): Tenant | undefined;
  tenants(): Tenant[];
  cluster(namespace: string, name: string): Cluster | undefined;
  /** Every cluster of a namespace. */
  clusters(namespace: string): Cluster[];
  /** Every cluster of a region. */
  clustersIn(region: string): Cluster[];
  machinesOf(cluster: { metadata: { uid?: string } }): Machine[];
  /** Calls back on each change of a cluster or of one of its machines, until the returned function is called. */
  onClusterChange(namespace: string, name: string, fn: () => void): () => void;
  /** Whether every list was read once. */
  synced(): boolean;
  start(): void;
  stop(): Promise<void>;
}

/** A store over the management cluster. */
export function createStore(
  client: KubeClient,
  o: { onError: (e: unknown) => void; onTenant: (t: Tenant) => void },
): Store {
  const listeners = new Map<string, Set<() => void>>();
  const tell = (key: string): void => {
    for (const fn of listeners.get(key) ?? []) fn();
  };
  const reflect = <T extends HasMeta>(
    type: (typeof TYPES)[keyof typeof TYPES],
    onChange?: (now: T | undefined, before: T | undefined) => void,
  ) =>
    new Reflector<T>({
      client,
      type,
      onError: o.onError,
      ...(onChange ? { onChange: (_key, now, before) => onChange(now, before) } : {}),
    });
  const regions = reflect<Region>(TYPES.regions);
  const releases = reflect<KubernetesRelease>(TYPES.releases);
  const templates = reflect<ClusterTemplate>(TYPES.templates);
  const tenants = reflect<Tenant>(TYPES.tenants, (now, before) => {
    const { uid, generation } = before?.metadata ?? {};
    // What others write into its status is no news of it.
    if (now && (uid !== now.metadata.uid || generation !== now.metadata.generation)) o.onTenant(now);
  });
  const clusters = new Reflector<Cluster>({
    client,
    type: TYPES.clusters,
    onError: o.onError,
    indexes: { region: (c) => c.spec.region, namespace: (c) => c.metadata.namespace },
    onChange: (_key, now, before) => {
      const c = now ?? before;
      if (c) tell(`${c.metadata.namespace}/${c.metadata.name}`);
    },
  });
  const machines = new Reflector<Machine>({
    client,
    type: TYPES.machines,
    onError: o.onError,
    indexes: { cluster: (m) => m.spec.cluster.uid },
    onChange: (_key, now, before) => {
      const m = now ?? before;
      if (m) tell(`${m.metadata.namespace}/${m.spec.cluster.name}`);
    },
  });
  const addonBundles = reflect<AddonBundle>(TYPES.addonBundles);
  const addonRegistries = reflect<AddonRegistry>(TYPES.addonRegistries);
  const addons = new Reflector<Addon>({
    client,
    type: TYPES.addons,
    onError: o.onError,
    indexes: { cluster: (a) => `${a.metadata.namespace}/${a.spec.clusterName}` },
  });
  const all = [regions, releases, templates, tenants, clusters, machines, addonBundles, addonRegistries, addons];
  return {
    addonBundles: () => addonBundles.list(),
    addonRegistries: () => addonRegistries.list(),
    addonsOf: (c) => addons.byIndex('cluster', `${c.metadata.namespace}/${c.metadata.name}`),
    region: (name) => regions.get(name),
    regions: () => regions.list(),
    release: (name) => releases.get(name),
    releases: () => releases.list(),
    template: (name) => templates.get(name),
    templates: () => templates.list(),
    tenant: (name) => tenants.get(name),
    tenants: () => tenants.list(),
    cluster: (namespace, name) => clusters.get(`${namespace}/${name}`),
    clusters: (namespace) => clusters.byIndex('namespace', namespace),
    clustersIn: (region) => clusters.byIndex('region', region),
    machinesOf: (c) => machines.byIndex('cluster', c.metadata.uid ?? ''),
    onClusterChange(namespace, name, fn) {
      const key = `${namespace}/${name}`;
      const set = listeners.get(key) ?? new Set();
      listeners.set(key, set);
      set.add(fn);
      return () => {
        set.delete(fn);
        if (set.size === 0) listeners.delete(key);
      };
    },
    synced: () => all.every((r) => r.isSynced),
    start: () => {
      for (const r of all) r.start();
    },
    stop: async () => {
      await Promise.all(all.map((r) => r.stop()));
    },
  };
}
