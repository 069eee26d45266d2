import {
  type Addon,
  type AddonBundle,
  AddonBundleKind,
  AddonKind,
  type Cluster,
  ClusterKind,
  type KubernetesRelease,
  KubernetesReleaseKind,
  resourceOf,
  workloadSecretRef,
} from '@shoto/api';
import { connectionFromSecret, type KubeClient, Reflector, type WorkloadPool } from '@shoto/kube';
import { type Engine, Feeder, type KeyQueue, type RunContext } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import { changed, needsWork } from './needs.ts';
import { type Deps, reconcile } from './reconcile.ts';
import { KindFinder } from './workload.ts';

/** What the addon-manager is wired of. Whoever made the client and the pool closes them. */
export interface WireOptions {
  client: KubeClient;
  /** Clients of workload clusters. */
  pool: WorkloadPool;
  engine: Engine;
  systemNamespace: string;
  /** Passes at once, for each region. */
  concurrency: number;
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

/** Connects caches, queue and passes. */
export function wire(o: WireOptions): AddonManager {
  const { client, pool, engine, clock, log } = o;
  const onError = (err: unknown) => log.warn({ err }, 'watch of the management cluster');

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
  const releases = new Reflector<KubernetesRelease>({ client, type: resourceOf(KubernetesReleaseKind), onError });
  // A bundle that appears may be what a cluster waits for.
  const bundles = new Reflector<AddonBundle>({
    client,
    type: resourceOf(AddonBundleKind),
    onError,
    onChange: (_key, now, before) => {
      if (!now || before) return;
      for (const [key, c] of clusters.entries())
        if (needsWork(c) && engine.owns(c.metadata.uid!)) void queue(c.spec.region).add(key);
    },
  });
  const addons = new Reflector<Addon>({
    client,
    type: resourceOf(AddonKind),
    onError,
    indexes: { cluster: (a) => `${a.metadata.namespace}/${a.spec.clusterName}` },
  });

  const deps: Omit<Deps, 'cluster'> = {
    client,
    wrote: (cluster) => clusters.note(cluster),
    release: (name) => releases.get(name),
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
    forget: (uid) => pool.evict(uid),
    finder: new KindFinder(),
    applied: new Map(),
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

  const all = [clusters, releases, bundles, addons];
  return {
    async start(signal) {
      await engine.start(signal);
      for (const r of [releases, bundles, addons]) r.start();
      await Promise.all([releases.synced, bundles.synced, addons.synced]);
      await feeder.start(clusters);
    },
    synced: () => all.every((r) => r.isSynced),
    async close() {
      feeder.stop();
      await engine.close();
      await Promise.all(all.map((r) => r.stop()));
    },
  };
}
