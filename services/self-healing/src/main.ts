import { connectionFromKubeconfig, countRequests, KubeClient } from '@shoto/kube';
import { Engine } from '@shoto/reconciler';
import { loadConfig, runService, startOpsServer, systemClock } from '@shoto/service';
import { configSchema, settingsOf } from './config.ts';
import { wire } from './wire.ts';

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
    const healing = wire({
      client,
      engine,
      systemNamespace: config.SHOTO_SYSTEM_NAMESPACE,
      concurrency: config.SHOTO_CONCURRENCY,
      settings: settingsOf(config),
      metrics,
      clock: systemClock,
      log,
    });
    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () => [
        ...engine.problems(),
        ...(healing.synced() ? [] : [{ part: 'management cluster', message: 'its objects are not read yet' }]),
      ],
    });
    onShutdown(() => ops.close());
    onShutdown(() => healing.close());
    await healing.start(signal);
    log.info({ ops: ops.url }, 'ready');
  },
});
