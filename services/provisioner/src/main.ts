import { readFileSync } from 'node:fs';
import { connectionFromKubeconfig, countRequests, KubeClient, NAMESPACES } from '@shoto/kube';
import { Engine } from '@shoto/reconciler';
import { loadConfig, runService, startOpsServer, systemClock } from '@shoto/service';
import { bootstrapClient } from './bootstrap-client.ts';
import { configSchema } from './config.ts';
import { TIMES } from './deps.ts';
import { internalDeps } from './internal/plan.ts';
import { startInternalServer } from './internal/server.ts';
import { POLL_TIMES } from './region/server-poller.ts';
import { startSweeper } from './sweeper.ts';
import { wire } from './wire.ts';

const NAME = 'provisioner';

await runService({
  name: NAME,
  main: async ({ env, log, metrics, onShutdown, signal }) => {
    const config = loadConfig(configSchema, env, { service: NAME });
    const kube = new KubeClient({
      connection: await connectionFromKubeconfig(config.SHOTO_KUBECONFIG ? { file: config.SHOTO_KUBECONFIG } : {}),
      userAgent: `shoto-${NAME}`,
      onRequest: countRequests(metrics, 'management'),
    });
    onShutdown(() => kube.close());
    const engine = new Engine({ redis: { url: config.SHOTO_REDIS_URL }, service: NAME, log, metrics });
    let provisioner: ReturnType<typeof wire> | undefined;
    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () => [
        ...engine.problems(),
        ...(provisioner?.synced() ? [] : [{ part: 'management cluster', message: 'its objects are not read yet' }]),
      ],
    });
    onShutdown(() => ops.close());

    const installation = config.SHOTO_INSTALLATION || (await installationOf(kube, log, signal));
    if (!installation) return; // stopped while waiting
    const tls = {
      ca: readFileSync(config.SHOTO_INTERNAL_CA_FILE, 'utf8'),
      cert: readFileSync(config.SHOTO_INTERNAL_CERT_FILE, 'utf8'),
      key: readFileSync(config.SHOTO_INTERNAL_KEY_FILE, 'utf8'),
    };
    const bootstrap = bootstrapClient({ url: config.SHOTO_BOOTSTRAP_URL, tls });
    onShutdown(() => bootstrap.close());
    await engine.start(signal);
    const made = wire({
      kube,
      engine,
      bootstrap,
      installation,
      systemNamespace: config.SHOTO_SYSTEM_NAMESPACE,
      concurrency: config.SHOTO_CONCURRENCY,
      times: TIMES,
      pollTimes: { ...POLL_TIMES, idleMs: config.SHOTO_POLL_IDLE_MS },
      clock: systemClock,
      log,
    });
    provisioner = made;
    onShutdown(() => made.close());
    if (config.SHOTO_SWEEP_MINUTES > 0)
      onShutdown(
        startSweeper({
          regions: made.regions,
          clusters: made.clusters,
          machines: made.machines,
          installation,
          owns: (name) => engine.owns(name),
          clock: systemClock,
          log,
          metrics,
          everyMs: config.SHOTO_SWEEP_MINUTES * 60_000,
        }),
      );
    await made.start();
    if (config.SHOTO_PROVISIONER_ADDRESS) {
      const internal = await startInternalServer({
        ...config.SHOTO_PROVISIONER_ADDRESS,
        own: { certificate: tls.cert, key: tls.key },
        ca: tls.ca,
        ...internalDeps(made.deps, (name) => made.regions.get(name)),
      });
      onShutdown(() => internal.close());
      log.info({ url: internal.url }, 'answers cluster-api');
    }
    log.info({ ops: ops.url, installation }, 'ready');
  },
});

/** The UID of the namespace kube-system tells one management cluster from another, for ever. Waits until the API server answers. */
async function installationOf(
  kube: KubeClient,
  log: { warn: (fields: object, message: string) => void },
  signal: AbortSignal,
): Promise<string | undefined> {
  while (!signal.aborted) {
    try {
      const namespace = await kube.get<{ metadata: { name: string; uid?: string } }>(NAMESPACES, {
        name: 'kube-system',
      });
      if (namespace?.metadata.uid) return namespace.metadata.uid;
      log.warn({}, 'the management cluster has no namespace kube-system: set SHOTO_INSTALLATION');
    } catch (err) {
      log.warn({ err }, 'the management cluster cannot be reached yet');
    }
    await systemClock.sleep(2_000, signal);
  }
  return undefined;
}
