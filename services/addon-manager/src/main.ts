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
import {
  connectionFromKubeconfig,
  connectionFromSecret,
  countRequests,
  KubeClient,
  Reflector,
  WorkloadPool,
} from '@shoto/kube';
import { Engine, Feeder, type KeyQueue, type RunContext } from '@shoto/reconciler';
import { loadConfig, runService, startOpsServer, systemClock } from '@shoto/service';
import { configSchema } from './config.ts';
import { changed, needsWork } from './needs.ts';
import { type Deps, reconcile } from './reconcile.ts';
import { KindFinder } from './workload.ts';

const NAME = 'addon-manager';

await runService({
  name: NAME,
  main: async ({ env, log, metrics, onShutdown, signal }) => {
    const config = loadConfig(configSchema, env, { service: NAME });
    const client = new KubeClient({
      connection: await connectionFromKubeconfig(config.SHOTO_KUBECONFIG ? { file: config.SHOTO_KUBECONFIG } : {}),
      userAgent: `shoto-${NAME}`,
      onRequest: countRequests(metrics, 'management'),
    });
    onShutdown(() => client.close());
    const countWorkload = countRequests(metrics, 'workload');
    const pool = new WorkloadPool({ userAgent: `shoto-${NAME}`, onRequest: (_uid, e) => countWorkload(e) });
    onShutdown(() => pool.close());
    const engine = new Engine({ redis: { url: config.SHOTO_REDIS_URL }, service: NAME, log, metrics });
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
              workloadSecretRef(config.SHOTO_SYSTEM_NAMESPACE, NAME, uid),
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
      now: () => systemClock.now(),
    };
    const queue = (region: string): KeyQueue =>
      engine.queue(`clusters/${region}`, {
        concurrency: config.SHOTO_CONCURRENCY,
        reconcile: (key: string, ctx: RunContext) =>
          reconcile({ ...deps, cluster: (k) => clusters.read(k, ctx.wake?.resourceVersion) }, key, ctx.signal),
        onError: (key, error, nextMs) =>
          log.warn(
            { cluster: key, reason: error.reason, err: error.message, nextMs },
            'pass over the addons of a cluster',
          ),
      });

    const all = [clusters, releases, bundles, addons];
    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () => [
        ...engine.problems(),
        ...(all.every((r) => r.isSynced)
          ? []
          : [{ part: 'management cluster', message: 'its objects are not read yet' }]),
      ],
    });
    onShutdown(() => ops.close());
    await engine.start(signal);
    for (const r of [releases, bundles, addons]) r.start();
    onShutdown(() => Promise.all(all.map((r) => r.stop())).then(() => undefined));
    onShutdown(() => engine.close());
    onShutdown(() => feeder.stop());
    await Promise.all([releases.synced, bundles.synced, addons.synced]);
    await feeder.start(clusters);
    log.info({ ops: ops.url }, 'ready');
  },
});
