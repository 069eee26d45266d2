import { createAuthority } from '@shoto/pki';
import {
  type CollectedFile,
  collect,
  configOf,
  containerOf,
  newestBundles,
  type RenderedBundle,
  versionsWith,
} from '../addons/monitoring.ts';
import { ContainerRoot, type LabServer, MONITORING, startServer } from '../lab/prometheus.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Where the rules are that the sidecar brings. */
export const RULES = '/etc/prometheus/rules';
/** Where its configuration is. */
export const CONFIG = '/etc/prometheus/config';

/** A root with what a pod of Prometheus finds: its ConfigMap and its ServiceAccount. */
export async function rootOf({ objects }: RenderedBundle): Promise<ContainerRoot> {
  const root = await ContainerRoot.make(['/prometheus', CONFIG, RULES, ACCOUNT]);
  for (const [key, text] of Object.entries(configOf(objects, 'prometheus')))
    await root.write(`${CONFIG}/${key}`, root.move(text));
  await root.write(`${ACCOUNT}/token`, 'token');
  await root.write(`${ACCOUNT}/ca.crt`, (await createAuthority('cluster')).certificate);
  return root;
}

/** The Prometheus that ships, with the rules of all bundles that a cluster gets. No cluster is around it: it finds nothing to scrape. */
export interface ShippedPrometheus {
  server: LabServer;
  root: ContainerRoot;
  rules: CollectedFile[];
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/** Starts it on loopback, as its StatefulSet says but for paths and the address. */
export async function startShippedPrometheus(values: Record<string, unknown>): Promise<ShippedPrometheus> {
  const bundle = (await versionsWith('prometheus', values)).at(-1)!;
  const root = await rootOf(bundle);
  const sidecar = containerOf(bundle.objects, 'rules');
  const rules = (await newestBundles()).flatMap(({ objects }) => collect(sidecar, objects));
  for (const { name, text } of rules) await root.write(`${RULES}/${name}`, text);
  const args = containerOf(bundle.objects, 'prometheus').args!.map((arg) => root.move(arg));
  try {
    const server = await startServer({
      program: MONITORING.prometheus,
      args: (address) => [...args, `--web.listen-address=${address}`],
      ready: '/-/ready',
      logFile: root.path('log'),
    });
    const stop = async (): Promise<void> => {
      await server.stop();
      await root.remove();
    };
    return { server, root, rules, stop };
  } catch (error) {
    await root.remove();
    throw error;
  }
}
