import {
  type Addon,
  type AddonBundle,
  AddonBundleKind,
  AddonKind,
  type AddonRegistry,
  AddonRegistryKind,
  type Cluster,
  ClusterKind,
  type EmergencyStop,
  emergencyStopOf,
  FLEET_SWITCH,
  type KubernetesRelease,
  KubernetesReleaseKind,
  type Region,
  RegionKind,
  resourceOf,
  workloadSecretRef,
} from '@shoto/api';
import type { ChartRenderer } from '@shoto/bundle';
import {
  CONFIGMAPS,
  connectionFromSecret,
  type HasMeta,
  type KubeClient,
  Reflector,
  recordEvent,
  WatchedObject,
  type WorkloadPool,
} from '@shoto/kube';
import { type Engine, Feeder, type KeyQueue, type RunContext } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import { keptAddon } from './addon/objects.ts';
import { KindFinder } from './apply/kinds.ts';
import { clientOf, registryClientOf } from './catalogue/client-of.ts';
import { type PollDeps, poll } from './catalogue/poll.ts';
import { readInline } from './content/inline.ts';
import { BlobCache, readOci } from './content/oci.ts';
import { BundleStore, type ReadContent } from './content/store.ts';
import type { Deps } from './deps.ts';
import { observe } from './drift/observe.ts';
import { Memory } from './memory.ts';
import { addonAsks, changed, needsWork, registryAsks } from './needs.ts';
import { reconcile } from './reconcile.ts';

/** A poll of a registry that has much that is new takes a while. */
const POLL_MS = 300_000;

/** What the addon-manager is wired of. Whoever made the client and the pool closes them. */
export interface WireOptions {
  client: KubeClient;
  /** Clients of workload clusters. */
  pool: WorkloadPool;
  engine: Engine;
  systemNamespace: string;
  /** Passes at once, for each region. */
  concurrency: number;
  /** Where contents of bundles are kept by digest; nowhere where absent. */
  cacheDir?: string | undefined;
  /** Renders Helm charts; bundles that are one need it. */
  helm?: ChartRenderer | undefined;
  clock: Clock;
  log: Logger;
}

/** The addon-manager, ready to be started. */
export interface AddonManager {
  /**
   * Starts the engine, fills the caches and feeds it.
   *
   * @param signal - gives up waiting for the engine
   */
  start: (signal?: AbortSignal) => Promise<void>;
  /** Whether all caches are full. */
  synced: () => boolean;
  /** Ends the watches and the engine, also after half a start. */
  close: () => Promise<void>;
}

/** Connects caches, watches of workload clusters, queue and passes. */
export function wire(o: WireOptions): AddonManager {
  const { client, pool, engine, clock, log } = o;
  const onError = (err: unknown) => log.warn({ err }, 'watch of the management cluster');
  const memory = new Memory();
  // Keys of the clusters that are watched, by UID.
  const keys = new Map<string, { key: string; region: string }>();

  const feeder: Feeder<Cluster> = new Feeder<Cluster>({
    engine,
    queue: (_key, c) => queue(c.spec.region),
    shardKey: (c) => c.metadata.uid!,
    needsWork,
    changed,
  });
  const clusters = new Reflector<Cluster>({
    client,
    type: resourceOf(ClusterKind),
    onError,
    onChange: feeder.onChange,
  });
  const feed = (wanted: (c: Cluster) => boolean): void => {
    for (const [key, c] of clusters.entries())
      if (needsWork(c) && wanted(c) && engine.owns(c.metadata.uid!)) void queue(c.spec.region).add(key);
  };
  const releases = new Reflector<KubernetesRelease>({ client, type: resourceOf(KubernetesReleaseKind), onError });
  const regions = new Reflector<Region>({
    client,
    type: resourceOf(RegionKind),
    onError,
    onChange: (name, now, before) => {
      if (now?.spec.addons?.requireSignature !== before?.spec.addons?.requireSignature)
        feed((c) => c.spec.region === name);
    },
  });
  // A bundle that appears may be what a cluster waits for.
  const bundles = new Reflector<AddonBundle>({
    client,
    type: resourceOf(AddonBundleKind),
    onError,
    onChange: (_key, now, before) => {
      if (now && !before) feed((c) => c.spec.addons.some((a) => a.name === now.spec.addon));
    },
  });
  const addons = new Reflector<Addon>({
    client,
    type: resourceOf(AddonKind),
    onError,
    trim: keptAddon,
    indexes: { cluster: (a) => `${a.metadata.namespace}/${a.spec.clusterName}` },
    onChange: (_key, now, before) => {
      const { metadata, spec } = (now ?? before)!;
      if (!addonAsks(now, before)) return;
      const key = `${metadata.namespace}/${spec.clusterName}`;
      const c = clusters.get(key);
      if (c && needsWork(c) && engine.owns(c.metadata.uid!)) void queue(c.spec.region).add(key);
    },
  });
  const fleetSwitch = new WatchedObject<HasMeta & { data?: Record<string, string> }>({
    client,
    type: CONFIGMAPS,
    ref: { namespace: o.systemNamespace, name: FLEET_SWITCH },
    onError,
    onChange: () => feed(() => true),
  });
  const emergencyStop = (): { stop: EmergencyStop } | 'unknown' | undefined => {
    if (!fleetSwitch.isSynced) return 'unknown';
    const stop = emergencyStopOf(fleetSwitch.get());
    return stop && { stop };
  };

  const look = (uid: string): void => {
    const known = keys.get(uid);
    if (known && engine.owns(uid)) void queue(known.region).add(known.key);
  };
  const watches = observe({
    memory,
    clock,
    onNews: look,
    onError: (uid, err) => log.debug({ cluster: keys.get(uid)?.key, err }, 'watch of a workload cluster'),
  });

  const cache = new BlobCache(o.cacheDir);
  const registryFeeder: Feeder<AddonRegistry> = new Feeder<AddonRegistry>({
    engine,
    queue: () => polls,
    changed: registryAsks,
  });
  const registries = new Reflector<AddonRegistry>({
    client,
    type: resourceOf(AddonRegistryKind),
    onError,
    onChange: registryFeeder.onChange,
  });
  const pollDeps: PollDeps = {
    client,
    registry: (name) => registries.get(name),
    bundle: (name) => bundles.get(name),
    bundles: () => bundles.list(),
    clientOf: (registry, signal) => clientOf(client, registry, signal),
    cache,
    wrote: (registry) => registries.note(registry),
    now: () => clock.now(),
  };
  const polls: KeyQueue = engine.queue('registries', {
    concurrency: 2,
    maxRunMs: POLL_MS,
    reconcile: (name: string, ctx: RunContext) => poll(pollDeps, name, ctx.signal),
    onError: (name, error, nextMs) =>
      log.warn({ registry: name, reason: error.reason, err: error.message, nextMs }, 'poll of a registry'),
  });

  const content: ReadContent = async (bundle) => {
    if (!bundle.spec.oci) return await readInline(client, bundle);
    const registry = await registryClientOf(client, registries.get(bundle.spec.oci.registry ?? ''), bundle);
    try {
      return await readOci(registry, cache, bundle);
    } finally {
      await registry.close();
    }
  };
  const deps: Omit<Deps, 'cluster'> = {
    client,
    systemNamespace: o.systemNamespace,
    wrote: (cluster) => clusters.note(cluster),
    wroteAddon: (addon) => addons.note(addon),
    releases: () => releases.list(),
    region: (name) => regions.get(name),
    bundles: () => bundles.list(),
    addonsOf: (c) => addons.byIndex('cluster', `${c.metadata.namespace}/${c.metadata.name}`),
    workload: async (c) => {
      const uid = c.metadata.uid!;
      const missing = new Error('no kubeconfig yet');
      try {
        return await pool.get(uid, async () => {
          const connection = await connectionFromSecret(
            client,
            workloadSecretRef(o.systemNamespace, 'addon-manager', uid),
          );
          if (!connection) throw missing;
          return connection;
        });
      } catch (e) {
        if (e === missing) return undefined;
        throw e;
      }
    },
    emergencyStop,
    store: new BundleStore({ read: content, helm: o.helm }),
    finder: new KindFinder(),
    memory,
    watch: (c, workload, types) => {
      const uid = c.metadata.uid!;
      keys.set(uid, { key: `${c.metadata.namespace}/${c.metadata.name}`, region: c.spec.region });
      watches.watch(uid, workload, types);
    },
    forget: async (uid) => {
      keys.delete(uid);
      memory.forget(uid);
      await watches.forget(uid);
      await pool.evict(uid);
    },
    events: (e) => void recordEvent(client, e, clock.now()),
    now: () => clock.now(),
  };
  const queue = (region: string): KeyQueue =>
    engine.queue(`clusters/${region}`, {
      concurrency: o.concurrency,
      reconcile: (key: string, ctx: RunContext) =>
        reconcile({ ...deps, cluster: (k) => clusters.read(k, ctx.wake?.resourceVersion) }, key, ctx.signal),
      onError: (key, error, nextMs) =>
        log.warn(
          { cluster: key, reason: error.reason, err: error.message, nextMs },
          'pass over the addons of a cluster',
        ),
    });

  const all = [clusters, releases, regions, bundles, addons, registries];
  return {
    async start(signal) {
      await engine.start(signal);
      for (const r of [releases, regions, bundles, addons, fleetSwitch]) r.start();
      await Promise.all([releases.synced, regions.synced, bundles.synced, addons.synced]);
      await feeder.start(clusters);
      await registryFeeder.start(registries);
    },
    synced: () => all.every((r) => r.isSynced),
    async close() {
      feeder.stop();
      registryFeeder.stop();
      await engine.close();
      await Promise.all([watches.close(), fleetSwitch.stop(), ...all.map((r) => r.stop())]);
    },
  };
}
