import { readFile } from 'node:fs/promises';
import { connectionFromKubeconfig, countRequests, KubeClient, WorkloadPool } from '@shoto/kube';
import { Engine } from '@shoto/reconciler';
import { runService, startOpsServer, systemClock } from '@shoto/service';
import { readConfig } from './config.ts';
import { wire } from './wire.ts';

const NAME = 'bootstrap-worker';
const USER_AGENT = 'shoto-bootstrap-worker/0.1.0';

await runService({
  name: NAME,
  main: async ({ env, log, metrics, onShutdown, signal }) => {
    const config = readConfig(env);
    const [ca = '', certificate = '', key = ''] = await Promise.all(
      [config.SHOTO_INTERNAL_CA_FILE, config.SHOTO_INTERNAL_CERT_FILE, config.SHOTO_INTERNAL_KEY_FILE].map((f) =>
        readFile(f, 'utf8'),
      ),
    );
    const kube = new KubeClient({
      connection: connectionFromKubeconfig(config.SHOTO_KUBECONFIG ? { file: config.SHOTO_KUBECONFIG } : {}),
      userAgent: USER_AGENT,
      onRequest: countRequests(metrics, 'management'),
    });
    onShutdown(() => kube.close());
    const countWorkload = countRequests(metrics, 'workload');
    const pool = new WorkloadPool({ userAgent: USER_AGENT, onRequest: (_uid, e) => countWorkload(e) });
    onShutdown(() => pool.close());
    const engine = new Engine({ redis: { url: config.SHOTO_REDIS_URL }, service: NAME, log, metrics });
    const worker = wire({
      kube,
      pool,
      engine,
      systemNamespace: config.SHOTO_SYSTEM_NAMESPACE,
      concurrency: config.SHOTO_BOOTSTRAP_CONCURRENCY,
      checkIn: {
        ...config.SHOTO_CHECKIN_ADDRESS,
        rate: config.SHOTO_CHECKIN_RATE,
        burst: config.SHOTO_CHECKIN_BURST,
      },
      internal: { ...config.SHOTO_BOOTSTRAP_ADDRESS, ca, certificate, key },
      metrics,
      clock: systemClock,
      log,
    });
    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () => [
        ...engine.problems(),
        ...(worker.synced()
          ? []
          : [{ part: 'kubernetes', message: 'the objects of the management API are not read yet' }]),
        ...(worker.listens() ? [] : [{ part: 'servers', message: 'the check-in server does not listen yet' }]),
      ],
    });
    onShutdown(() => ops.close());
    onShutdown(() => worker.close());
    const { url, internalUrl } = await worker.start(signal);
    log.info({ url, internalUrl, opsUrl: ops.url }, 'ready');
  },
});
