import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Addon, type AddonBundle, type Cluster, FINALIZERS, type KubernetesRelease } from '@shoto/api';
import { KubeClient } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import { type ApiServer, createApiServer, type Intercepted } from '@shoto/simulator';
import { parse } from 'yaml';
import { type Deps, reconcile } from '../src/reconcile.ts';
import { KindFinder } from '../src/workload.ts';

/** A simulated API server with its client, and the changing requests that it got. */
interface Side {
  api: ApiServer;
  client: KubeClient;
  /** `PATCH /path`, in order. */
  writes: string[];
  /** What happens to requests from now on. */
  disturb(how: ((r: { method: string; path: string }) => Intercepted) | undefined): void;
  close(): Promise<void>;
}

async function startSide(): Promise<Side> {
  const writes: string[] = [];
  let how: ((r: { method: string; path: string }) => Intercepted) | undefined;
  const api = createApiServer({
    authn: { staticTokens: [{ token: 't', user: 'shoto:addon-manager', groups: ['system:masters'] }] },
    intercept: async (r) => {
      const fault = how?.(r);
      if (r.method !== 'GET' && !fault) writes.push(`${r.method} ${r.path}`);
      return fault;
    },
  });
  const server = createServer((req, res) => void api.handle(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new KubeClient({
    connection: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 't' },
    userAgent: 'shoto-addon-manager',
  });
  return {
    api,
    client,
    writes,
    disturb: (next) => {
      how = next;
    },
    async close() {
      await client.close();
      api.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A management cluster with one Cluster, `web`, and that cluster's own API server. */
export interface World {
  management: Side;
  workload: Side;
  /** One pass of a process that has seen everything; the same process until `restart`. */
  pass(): Promise<Outcome>;
  /** Lets so many seconds pass. */
  later: (seconds: number) => void;
  restart(): void;
  cluster(): Cluster | undefined;
  addons(): Addon[];
  /** `Applied` and `Healthy` of the Cluster, as `status reason: message`. */
  standing(): Record<string, string>;
  publish(name: string, spec?: object, manifests?: string): void;
  /** Sets whether the DaemonSet of the bundle runs. */
  rollOut(available: number): void;
  /** Whether the kubeconfig of addon-manager is there. */
  kubeconfig: boolean;
  close(): Promise<void>;
}

/** The manifests of a bundle: a namespace first, then what lies in it. */
export const MANIFESTS = `# made by nobody
apiVersion: v1
kind: Namespace
metadata: { name: kube-flannel }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: kube-flannel }
data: { net: "{{podCIDR}}", api: "https://{{apiHost}}:{{apiPort}}" }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: flannel, namespace: kube-flannel }
spec:
  selector: { matchLabels: { app: flannel } }
  template:
    metadata: { labels: { app: flannel } }
    spec: { containers: [{ name: flannel, image: "{{imageRepository}}/flannel:1" }] }
`;
export const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

const crds = new URL('../../../crds/', import.meta.url);

/** Starts a world with release v1.35.4 and a Cluster whose control plane is up, that asks for flannel. */
export async function startWorld(
  addons: object[] = [{ name: 'flannel' }],
  finalizers: string[] = [FINALIZERS.addons, FINALIZERS.secrets],
): Promise<World> {
  const [management, workload] = await Promise.all([startSide(), startSide()]);
  const definitions = management.api.resource({
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
  });
  for (const f of readdirSync(crds)) definitions.create(parse(readFileSync(new URL(f, crds), 'utf8')) as never);
  const of = (plural: string) => management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural });
  const core = (plural: string) => management.api.resource({ group: '', version: 'v1', plural });
  for (const name of ['tenant-blue', 'shoto-system'])
    core('namespaces').create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } } as never);
  const kind = (k: string, name: string, spec: object, metadata = {}) =>
    ({ apiVersion: 'shoto.dev/v1alpha1', kind: k, metadata: { name, ...metadata }, spec }) as never;
  of('kubernetesreleases').create(
    kind('KubernetesRelease', 'v1.35.4', { version: 'v1.35.4', images: [{ region: 'one', image: 'i' }] }),
  );
  const place = { namespace: 'tenant-blue', name: 'web' };
  of('clusters').create(
    kind(
      'Cluster',
      'web',
      { region: 'one', release: 'v1.35.4', controlPlane: { count: 1, flavor: 'f' }, addons },
      { namespace: 'tenant-blue', ...(finalizers.length > 0 ? { finalizers } : {}) },
    ),
  );
  of('clusters').patchStatus(place, {
    controlPlane: { initialized: true },
    infrastructure: { endpoint: { internal: '10.8.0.5:6443', external: '127.9.0.1:6443' } },
  });

  const cluster = () => of('clusters').get(place) as unknown as Cluster | undefined;
  const all = () => of('addons').list({ namespace: 'tenant-blue' }) as unknown as Addon[];
  const memory = (): Pick<Deps, 'applied' | 'finder'> => ({ applied: new Map(), finder: new KindFinder() });
  let own = memory();
  let seconds = 0;
  const world: World = {
    management,
    workload,
    kubeconfig: true,
    cluster,
    addons: all,
    pass: () =>
      reconcile(
        {
          client: management.client,
          cluster: async () => asAnswered(cluster()),
          release: (name) => of('kubernetesreleases').get({ name }) as unknown as KubernetesRelease | undefined,
          bundles: () => of('addonbundles').list() as unknown as AddonBundle[],
          addonsOf: (c) => structuredClone(all().filter((a) => a.spec.clusterName === c.metadata.name)),
          workload: async () => (world.kubeconfig ? workload.client : undefined),
          forget: async () => {},
          wrote: () => {},
          now: () => Date.parse('2026-01-01T00:00:00Z') + 1000 * seconds++,
          ...own,
        },
        'tenant-blue/web',
      ),
    later: (s) => {
      seconds += s;
    },
    restart: () => {
      own = memory();
    },
    standing: () =>
      Object.fromEntries(
        (cluster()?.status?.addons?.conditions ?? []).map((c) => [c.type, `${c.status} ${c.reason}: ${c.message}`]),
      ),
    publish(name, spec = {}, manifests = MANIFESTS) {
      core('configmaps').create({
        metadata: { name, namespace: 'shoto-system' },
        data: { 'manifests.yaml': manifests },
      } as never);
      const [addon, version] = [name.slice(0, name.indexOf('-')), name.slice(name.indexOf('-') + 1)];
      of('addonbundles').create(
        kind('AddonBundle', name, {
          addon,
          version,
          kubernetes: '>=1.35 <1.37',
          manifests: { digest: digestOf(MANIFESTS), configMapRef: { namespace: 'shoto-system', name } },
          health: [{ kind: 'DaemonSet', namespace: 'kube-flannel', name: 'flannel' }],
          ...spec,
        }),
      );
    },
    rollOut(available) {
      const sets = workload.api.resource({ group: 'apps', version: 'v1', plural: 'daemonsets' });
      const ref = { namespace: 'kube-flannel', name: 'flannel' };
      sets.patchStatus(ref, {
        observedGeneration: sets.get(ref)!.metadata.generation,
        currentNumberScheduled: 2,
        numberMisscheduled: 0,
        desiredNumberScheduled: 2,
        updatedNumberScheduled: 2,
        numberReady: available,
        numberAvailable: available,
      } as never);
    },
    async close() {
      await Promise.all([management.close(), workload.close()]);
    },
  };
  return world;
}

/** As kube-apiserver answers: the fields of every object in order of their names. */
function asAnswered<T>(value: T): T {
  if (Array.isArray(value)) return value.map(asAnswered) as T;
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([name, field]) => [name, asAnswered(field)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))) as T;
}
