import { helmTemplate } from '@shoto/bundle';
import { connectionFromKubeconfig, countRequests, KubeClient, WorkloadPool } from '@shoto/kube';
import { Engine } from '@shoto/reconciler';
import { loadConfig, runService, startOpsServer, systemClock } from '@shoto/service';
import { configSchema } from './config.ts';
import { wire } from './wire.ts';

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
    const manager = wire({
      client,
      pool,
      engine,
      systemNamespace: config.SHOTO_SYSTEM_NAMESPACE,
      concurrency: config.SHOTO_CONCURRENCY,
      cacheDir: config.SHOTO_BUNDLE_CACHE_DIR,
      helm: helmTemplate(),
      clock: systemClock,
      log,
    });
    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () => [
        ...engine.problems(),
        ...(manager.synced() ? [] : [{ part: 'management cluster', message: 'its objects are not read yet' }]),
      ],
    });
    onShutdown(() => ops.close());
    onShutdown(() => manager.close());
    await manager.start(signal);
    log.info({ ops: ops.url }, 'ready');
  },
});
