import type { Machine } from '@shoto/api';
import { DEPLOYMENTS, type HasMeta, type KubeClient, PODS, Reflector, type ResourceType, SERVICES } from '@shoto/kube';
import { until } from '../poll.ts';
import { PATIENCE_MS } from './cattle.ts';

const type = (group: string, plural: string, kind: string): ResourceType => ({
  group,
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});
const BUDGETS = type('policy', 'poddisruptionbudgets', 'PodDisruptionBudget');
const SLICES = type('discovery.k8s.io', 'endpointslices', 'EndpointSlice');

/** Where a control-plane machine has etcd's client certificate. */
const PKI = '/etc/kubernetes/pki/etcd';
const CERTIFICATES = [
  `--cacert=${PKI}/ca.crt`,
  `--cert=${PKI}/healthcheck-client.crt`,
  `--key=${PKI}/healthcheck-client.key`,
];

/** Names of the members of a cluster's etcd, all of which answer, as etcd itself tells. @throws Error where one does not answer */
export async function etcdMembers(client: KubeClient, controlPlanes: Machine[]): Promise<string[]> {
  const pod = { namespace: 'kube-system', name: `etcd-${controlPlanes[0]!.metadata.name}` };
  const ask = async (...args: string[]) => {
    const command = ['etcdctl', '--endpoints=https://127.0.0.1:2379', ...CERTIFICATES, '-w', 'json', ...args];
    const { exitCode, stdout, stderr } = await client.exec(pod, 'etcd', command);
    if (exitCode !== 0) throw new Error(`${command.join(' ')} in ${pod.name} ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as unknown;
  };
  await ask('endpoint', 'health', '--cluster');
  const { members } = (await ask('member', 'list')) as { members: { name: string }[] };
  return members.map((m) => m.name).sort();
}

interface Slice extends HasMeta {
  endpoints?: { conditions: { ready?: boolean } }[];
}
interface Pod extends HasMeta {
  spec: { nodeName?: string };
}

/** A workload of two replicas behind a Service with a PodDisruptionBudget, whose ready endpoints are counted from its first moment on. */
export class Workload {
  readonly name: string;
  readonly #client: KubeClient;
  readonly #slices: Reflector<Slice>;
  /** How many endpoints were ready after each change, since both were for the first time. */
  readonly ready: number[] = [];

  private constructor(client: KubeClient, name: string) {
    this.name = name;
    this.#client = client;
    this.#slices = new Reflector<Slice>({
      client,
      type: SLICES,
      namespace: 'default',
      labelSelector: `kubernetes.io/service-name=${name}`,
      onChange: () => {
        const ready = this.#slices
          .list()
          .flatMap((s) => s.endpoints ?? [])
          .filter((e) => e.conditions.ready).length;
        if (ready === 2 || this.ready.length > 0) this.ready.push(ready);
      },
    });
  }

  /** Deploys it, and waits until both pods serve. */
  static async deploy(client: KubeClient, name: string): Promise<Workload> {
    const selector = { matchLabels: { app: name } };
    const metadata = { name, namespace: 'default' };
    await client.create(DEPLOYMENTS, {
      metadata,
      spec: {
        replicas: 2,
        selector,
        template: {
          metadata: { labels: { app: name } },
          spec: { containers: [{ name: 'web', image: 'registry.example/web:1', ports: [{ containerPort: 8080 }] }] },
        },
      },
    } as HasMeta);
    await client.create(SERVICES, {
      metadata,
      spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
    } as HasMeta);
    await client.create(BUDGETS, { metadata, spec: { minAvailable: 1, selector } } as HasMeta);
    const workload = new Workload(client, name);
    workload.#slices.start();
    await until('two ready endpoints', async () => workload.ready.length > 0, PATIENCE_MS);
    return workload;
  }

  /** UIDs of its pods. */
  async pods(): Promise<string[]> {
    const query = { namespace: 'default', labelSelector: `app=${this.name}` };
    return (await this.#client.listAll<Pod>(PODS, query)).map((p) => p.metadata.uid!);
  }

  end(): Promise<void> {
    return this.#slices.stop();
  }
}
