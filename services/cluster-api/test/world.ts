import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeClient } from '@shoto/kube';
import { createLogger, createMetrics, type Registry } from '@shoto/service';
import { until } from '@shoto/service/testing';
import { type ApiServer, createApiServer, type Intercepted } from '@shoto/simulator';
import { parse } from 'yaml';
import { createApp } from '../src/app.ts';
import { tokenFile } from '../src/auth/token-file.ts';
import type { BootstrapClient } from '../src/bootstrap-client.ts';
import type { ProvisionerClient } from '../src/provisioner-client.ts';
import { createStore, type Store } from '../src/store.ts';
import { ensureNamespace } from '../src/tenants.ts';
import { type Files, temporaryFiles } from './files.ts';

/** An answer of the REST API. */
export interface Answer {
  status: number;
  headers: Headers;
  /** Parsed JSON; tests know its shape. */
  body: Body;
}
export interface Body {
  [field: string]: unknown;
  metadata: { name: string; labels?: Record<string, string>; [field: string]: unknown };
  spec: Record<string, unknown>;
  items: Body[];
  detail: string;
  reason: string;
  errors: { field: string; message: string; reason?: string }[];
}

/** Options of one call. */
export interface Call {
  body?: unknown;
  token?: string;
  headers?: Record<string, string>;
}

/** cluster-api on a free port, with a simulated management cluster that has our CRDs and a catalogue. */
export interface World {
  base: string;
  api: ApiServer;
  client: KubeClient;
  store: Store;
  metrics: Registry;
  tokens: Files;
  /** Every line of the log. */
  logs: string[];
  /** Milliseconds that are added to the time that cluster-api sees. */
  later(ms: number): void;
  /** What happens to requests to the management cluster, from now on. */
  disturb(how: ((r: { method: string; path: string }) => Intercepted) | undefined): void;
  /** Changing requests that the management cluster got, `POST /path`. */
  writes: string[];
  call(method: string, path: string, o?: Call): Promise<Answer>;
  close(): Promise<void>;
}

/** Paths of one tenant. */
export const CLUSTERS = '/v1/tenants/blue/clusters';
/** Tokens of the file that every world begins with. */
export const TOKENS = `# token,user,groups,expiry
blue-token,ann,tenant:blue,
green-token,bob,tenant:green|tenant:ghost,
admin-token,root,shoto:admins,
old-token,eve,tenant:blue,2020-01-01T00:00:00Z
`;

const kind = (k: string, name: string, spec: object) => ({
  apiVersion: 'shoto.dev/v1alpha1',
  kind: k,
  metadata: { name },
  spec,
});
/** Spec of a Region. */
export const regionSpec = (name: string, more: object = {}) => ({
  openstack: { credentialsSecretRef: { namespace: 'shoto-regions', name: `region-${name}` } },
  externalNetwork: 'public',
  apiEndpoint: { type: 'LoadBalancer' },
  checkIn: { url: 'https://127.0.0.1:9443' },
  ...more,
});
const region = (name: string, more: object = {}) => kind('Region', name, regionSpec(name, more));
const release = (name: string, regions: string[], more: object = {}) =>
  kind('KubernetesRelease', name, {
    version: name.split('-')[0],
    images: regions.map((r) => ({ region: r, image: `node-${name}` })),
    ...more,
  });
const CATALOGUE: [plural: string, object: object][] = [
  ['regions', region('one')],
  ['regions', region('two', { flavors: ['small', 'large'], zones: ['az1', 'az2'] })],
  ['regions', region('edge', { apiEndpoint: { type: 'FloatingIP' } })],
  ...['v1.35.4', 'v1.35.4-2', 'v1.35.5', 'v1.34.9', 'v1.31.0', 'v1.36.3'].map((name): [string, object] => [
    'kubernetesreleases',
    release(name, name === 'v1.35.4' ? ['one', 'two', 'edge'] : ['one']),
  ]),
  ['kubernetesreleases', release('v1.33.1', ['one'], { support: { withdrawn: true } })],
  ['kubernetesreleases', release('v1.33.2', ['one'], { support: { until: '2025-01-01T00:00:00Z' } })],
  ['tenants', kind('Tenant', 'blue', {})],
  ['tenants', kind('Tenant', 'green', {})],
];

const crds = new URL('../../../crds/', import.meta.url);
const ofShoto = (plural: string) => ({ group: 'shoto.dev', version: 'v1alpha1', plural });

/** Adds an object to the catalogue, or replaces its spec, and waits until cluster-api has seen it. */
export async function publish(w: World, plural: string, k: string, name: string, spec: object): Promise<void> {
  const there = w.api.resource(ofShoto(plural));
  const before = there.get({ name });
  const now = before
    ? there.update({ name }, (o) => Object.assign(o, { spec }))
    : there.create(kind(k, name, spec) as never);
  const lists = {
    clustertemplates: w.store.templates,
    kubernetesreleases: w.store.releases,
    regions: w.store.regions,
    tenants: w.store.tenants,
  };
  const seen = lists[plural as keyof typeof lists];
  await until(() =>
    seen().some((o) => o.metadata.name === name && o.metadata.resourceVersion === now.metadata.resourceVersion),
  );
}

/** A fake of the bootstrap-worker; tests that ask for kubeconfigs bring their own. */
const noBootstrap: BootstrapClient = {
  kubeconfig: () => Promise.reject(new Error('nobody should ask for a kubeconfig here')),
  steps: async () => [],
  upgradeChecks: () => Promise.reject(new Error('nobody should ask for upgrade checks here')),
  close: async () => {},
};

/** Starts a world; `close` ends it. */
export async function startWorld(
  o: { bootstrap?: BootstrapClient; provisioner?: ProvisionerClient; unsynced?: boolean } = {},
): Promise<World> {
  let how: ((r: { method: string; path: string }) => Intercepted) | undefined;
  const writes: string[] = [];
  const api = createApiServer({
    authn: { staticTokens: [{ token: 'cluster-api', user: 'shoto:cluster-api', groups: ['system:masters'] }] },
    intercept: async (r) => {
      if (r.method !== 'GET') writes.push(`${r.method} ${r.path}`);
      return how?.(r);
    },
  });
  const definitions = api.resource({
    group: 'apiextensions.k8s.io',
    version: 'v1',
    plural: 'customresourcedefinitions',
  });
  for (const f of readdirSync(crds)) definitions.create(parse(readFileSync(new URL(f, crds), 'utf8')) as never);
  for (const [plural, object] of CATALOGUE) api.resource(ofShoto(plural)).create(object as never);
  const management = createServer((req, res) => void api.handle(req, res));
  await new Promise<void>((resolve) => management.listen(0, '127.0.0.1', resolve));

  const logs: string[] = [];
  const log = createLogger({
    service: 'cluster-api',
    level: 'trace',
    destination: { write: (l) => void logs.push(l) },
  });
  const metrics = createMetrics('cluster-api');
  const client = new KubeClient({
    connection: { server: `http://127.0.0.1:${(management.address() as AddressInfo).port}`, token: 'cluster-api' },
    userAgent: 'shoto-cluster-api',
    requestTimeoutMs: 2000,
  });
  const store = createStore(client, {
    onError: (err) => log.warn({ err }, 'watch'),
    onTenant: (t) => void ensureNamespace(client, t).catch((err: unknown) => log.warn({ err }, 'namespace')),
  });
  if (!o.unsynced) store.start();
  const tokens = await temporaryFiles();
  const file = await tokens.write('tokens.csv', TOKENS);
  let shift = 0;
  const now = () => Date.now() + shift;
  const app = await createApp({
    deps: { client, store, now, systemNamespace: 'shoto-system', provisioner: o.provisioner },
    auth: tokenFile(file, now, (err) => log.error({ err }, 'tokens')),
    bootstrap: o.bootstrap ?? noBootstrap,
    log,
    metrics,
  });
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  const namespaces = api.resource({ group: '', version: 'v1', plural: 'namespaces' });
  if (!o.unsynced)
    await until(() => store.synced() && ['blue', 'green'].every((t) => namespaces.get({ name: `tenant-${t}` })));
  return {
    base,
    api,
    client,
    store,
    metrics,
    tokens,
    logs,
    writes,
    later: (ms) => {
      shift += ms;
    },
    disturb: (next) => {
      how = next;
    },
    async call(method, path, { body, token = 'blue-token', headers } = {}) {
      const answer = await fetch(`${base}${path}`, {
        method,
        headers: {
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: (text ? JSON.parse(text) : {}) as Body };
    },
    async close() {
      await app.close();
      await store.stop();
      await client.close();
      api.close();
      management.closeAllConnections();
      await new Promise((resolve) => management.close(resolve));
      await tokens.remove();
    },
  };
}

/** A body that makes a good cluster in region one. */
export const aBody = (name = 'web', spec: object = {}) => ({
  metadata: { name },
  spec: {
    region: 'one',
    release: 'v1.35.4',
    controlPlane: { count: 1, flavor: 'm1.medium' },
    nodePools: [{ name: 'default', count: 2, flavor: 'm1.small' }],
    addons: [{ name: 'flannel' }],
    ...spec,
  },
});

/** Makes a cluster, and waits until cluster-api remembers it. */
export async function makeCluster(w: World, name: string, spec: object = {}): Promise<Body> {
  const { status, body } = await w.call('POST', CLUSTERS, { body: aBody(name, spec) });
  if (status !== 201) throw new Error(`cluster ${name} was not made: ${body.detail}`);
  await until(() => w.store.cluster('tenant-blue', name));
  return body;
}

/** A service writes a cluster's status. */
export const writeStatus = (w: World, name: string, status: object) =>
  w.api.resource(ofShoto('clusters')).patchStatus({ namespace: 'tenant-blue', name }, status as never);

/** The provisioner makes a machine of a cluster. */
export async function makeMachine(w: World, cluster: Body, name: string, spec: object = {}, metadata: object = {}) {
  const made = w.api.resource(ofShoto('machines')).create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Machine',
    metadata: {
      name,
      namespace: 'tenant-blue',
      labels: { 'shoto.dev/cluster': cluster.metadata.name },
      finalizers: ['shoto.dev/server', 'shoto.dev/node'],
      ...metadata,
    },
    spec: {
      cluster: { name: cluster.metadata.name, uid: cluster.metadata.uid },
      role: 'worker',
      pool: 'default',
      region: 'one',
      release: 'v1.35.4',
      image: 'i',
      flavor: 'f',
      ...spec,
    },
  } as never);
  await until(() => w.store.machinesOf(cluster as never).some((m) => m.metadata.name === name));
  return made;
}
