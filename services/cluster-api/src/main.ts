import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connectionFromKubeconfig, countRequests, KubeClient } from '@shoto/kube';
import { loadConfig, runService, startOpsServer, systemClock } from '@shoto/service';
import { createApp } from './app.ts';
import { tokenFile } from './auth/token-file.ts';
import { createBootstrapClient } from './bootstrap-client.ts';
import { configSchema } from './config.ts';
import { createProvisionerClient } from './provisioner-client.ts';
import { createStore } from './store.ts';
import { ensureNamespace } from './tenants.ts';
import { createWebhook } from './webhook.ts';

const NAME = 'cluster-api';

await runService({
  name: NAME,
  main: async ({ env, log, metrics, onShutdown }) => {
    const config = loadConfig(configSchema, env, { service: NAME });
    const client = new KubeClient({
      connection: await connectionFromKubeconfig(config.SHOTO_KUBECONFIG ? { file: config.SHOTO_KUBECONFIG } : {}),
      userAgent: `shoto-${NAME}`,
      onRequest: countRequests(metrics, 'management'),
    });
    onShutdown(() => client.close());
    const store = createStore(client, {
      onError: (err) => log.warn({ err }, 'watch of the management cluster'),
      onTenant: (t) =>
        void ensureNamespace(client, t).catch((err: unknown) =>
          log.warn({ err, tenant: t.metadata.name }, 'namespace of a tenant'),
        ),
    });
    store.start();
    onShutdown(() => store.stop());
    const auth = tokenFile(
      config.SHOTO_TOKENS_FILE,
      () => systemClock.now(),
      (err) => log.error({ err }, 'the file of tokens cannot be read: the tokens stay as they were'),
    );
    await auth.load();
    const internal = {
      caFile: config.SHOTO_INTERNAL_CA_FILE,
      certFile: config.SHOTO_INTERNAL_CERT_FILE,
      keyFile: config.SHOTO_INTERNAL_KEY_FILE,
    };
    const bootstrap = createBootstrapClient({ url: config.SHOTO_BOOTSTRAP_URL, ...internal });
    onShutdown(() => bootstrap.close());
    const provisioner = config.SHOTO_PROVISIONER_URL
      ? createProvisionerClient({ url: config.SHOTO_PROVISIONER_URL, ...internal })
      : undefined;
    if (provisioner) onShutdown(() => provisioner.close());
    const deps = {
      client,
      store,
      now: () => systemClock.now(),
      systemNamespace: config.SHOTO_SYSTEM_NAMESPACE,
      provisioner,
    };
    const tls = config.SHOTO_API_TLS_CERT_FILE
      ? {
          cert: readFileSync(config.SHOTO_API_TLS_CERT_FILE, 'utf8'),
          key: readFileSync(config.SHOTO_API_TLS_KEY_FILE, 'utf8'),
        }
      : undefined;
    const app = await createApp({ deps, auth, bootstrap, log, tls, metrics });
    const url = await app.listen({ host: config.SHOTO_API_ADDRESS.host, port: config.SHOTO_API_ADDRESS.port });
    onShutdown(() => app.close());
    if (config.SHOTO_WEBHOOK_ADDRESS) {
      const { host, port } = config.SHOTO_WEBHOOK_ADDRESS;
      const webhook = createWebhook(deps, {
        cert: readFileSync(internal.certFile, 'utf8'),
        key: readFileSync(internal.keyFile, 'utf8'),
        log,
      });
      await new Promise<void>((resolve, reject) => webhook.once('error', reject).listen(port, host, () => resolve()));
      onShutdown(() => new Promise<void>((resolve) => webhook.close(() => resolve()).closeAllConnections()));
      log.info({ port: (webhook.address() as AddressInfo).port }, 'admission webhook listens');
    }
    const ops = await startOpsServer({
      ...config.SHOTO_OPS_ADDRESS,
      metrics,
      ready: async () =>
        store.synced() ? [] : [{ part: 'management cluster', message: 'its objects are not read yet' }],
    });
    onShutdown(() => ops.close());
    log.info({ url, ops: ops.url }, 'ready');
  },
});
