import { type Cluster, ClusterKind, type Machine, MachineKind, resourceOf } from '@shoto/api';
import { connectionFromKubeconfig, countRequests, KubeClient, Reflector } from '@shoto/kube';
import { Engine, Feeder, type KeyQueue, type RunContext } from '@shoto/reconciler';
import { loadConfig, runService, startOpsServer, systemClock } from '@shoto/service';
import { configSchema } from './config.ts';
import { clusterChanged, clusterNeedsWork, machineChanged, machineNeedsWork } from './needs.ts';
import { reconcileCluster } from './reconcile-cluster.ts';
import { reconcileMachine } from './reconcile-machine.ts';
import { NodeWatches } from './watches.ts';

const NAME = 'self-healing';

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
    const engine = new Engine({ redis: { url: config.SHOTO_REDIS_URL }, service: NAME, log, metrics });
    const now = () => systemClock.now();
    const onError = (err: unknown) => log.warn({ err }, 'watch of the management cluster');

    const watches: NodeWatches = new NodeWatches({
      client,
      systemNamespace: config.SHOTO_SYSTEM_NAMESPACE,
      log,
      onNode: (namespace, machine) => {
        const m = machines.get(`${namespace}/${machine}`);
        if (m) void machineQueue(m.spec.region).add(`${namespace}/${machine}`);
      },
      onCluster: (namespace, cluster) => {
        const c = clusters.get(`${namespace}/${cluster}`);
        if (!c) return;
        void clusterQueue(c.spec.region).add(`${namespace}/${cluster}`);
        for (const m of machines.byIndex('cluster', c.metadata.uid!))
          if (machineNeedsWork(m)) void machineQueue(m.spec.region).add(`${namespace}/${m.metadata.name}`);
      },
    });
    onShutdown(() => watches.close());

    // UIDs of Clusters that are gone, until their watch is ended.
    const gone = new Map<string, string>();
    const clusterFeeder: Feeder<Cluster> = new Feeder<Cluster>({
      engine,
      queue: (_key, c) => clusterQueue(c.spec.region),
      shardKey: (c) => c.metadata.uid!,
      needsWork: clusterNeedsWork,
      changed: clusterChanged,
    });
    const clusters = new Reflector<Cluster>({
      client,
      type: resourceOf(ClusterKind),
      onError,
      onChange: (key, after, before) => {
        if (!after && before?.metadata.uid) gone.set(key, before.metadata.uid);
        clusterFeeder.onChange(key, after, before);
      },
    });
    const machineFeeder: Feeder<Machine> = new Feeder<Machine>({
      engine,
      queue: (_key, m) => machineQueue(m.spec.region),
      shardKey: (m) => m.spec.cluster.uid,
      needsWork: machineNeedsWork,
      changed: machineChanged,
    });
    const machines = new Reflector<Machine>({
      client,
      type: resourceOf(MachineKind),
      indexes: { cluster: (m) => m.spec.cluster.uid },
      onError,
      onChange: machineFeeder.onChange,
    });

    const clusterQueue = (region: string): KeyQueue =>
      engine.queue(`clusters/${region}`, {
        concurrency: config.SHOTO_CONCURRENCY,
        reconcile: async (key: string, ctx: RunContext) => {
          const outcome = await reconcileCluster(
            {
              client,
              watches,
              now,
              wrote: (c) => clusters.note(c),
              read: (k) => clusters.read(k, ctx.wake?.resourceVersion),
              goneUid: (k) => gone.get(k),
            },
            key,
          );
          gone.delete(key);
          return outcome;
        },
        onError: (key, error, nextMs) =>
          log.warn({ cluster: key, reason: error.reason, err: error.message, nextMs }, 'pass over a cluster'),
      });
    const machineQueue = (region: string): KeyQueue =>
      engine.queue(`machines/${region}`, {
        concurrency: config.SHOTO_CONCURRENCY,
        reconcile: (key: string, ctx: RunContext) =>
          reconcileMachine(
            {
              client,
              watches,
              now,
              wrote: (m) => machines.note(m),
              read: (k) => machines.read(k, ctx.wake?.resourceVersion),
            },
            key,
          ),
        onError: (key, error, nextMs) =>
          log.warn({ machine: key, reason: error.reason, err: error.message, nextMs }, 'pass over a machine'),
      });

    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () => [
        ...engine.problems(),
        ...(clusters.isSynced && machines.isSynced
          ? []
          : [{ part: 'management cluster', message: 'its objects are not read yet' }]),
      ],
    });
    onShutdown(() => ops.close());
    await engine.start(signal);
    // A watch belongs to whoever owns the cluster's share of the work.
    engine.onShareChanged(() => {
      for (const uid of watches.uids()) if (!engine.owns(uid)) void watches.forget(uid);
    });
    onShutdown(() => Promise.all([clusters.stop(), machines.stop()]).then(() => undefined));
    onShutdown(() => engine.close());
    onShutdown(() => {
      clusterFeeder.stop();
      machineFeeder.stop();
    });
    await machineFeeder.start(machines);
    await clusterFeeder.start(clusters);
    log.info({ ops: ops.url }, 'ready');
  },
});
