import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AddonBundleKind,
  type Cluster,
  ClusterKind,
  crdOf,
  FINALIZERS,
  FLEET_SWITCH,
  KINDS,
  KubernetesReleaseKind,
  type Machine,
  MachineKind,
  type Region,
  RegionKind,
  resourceOf,
} from '@shoto/api';
import { CONFIGMAPS, CRDS, KubeClient, type KubeObject, NAMESPACES, SECRETS } from '@shoto/kube';
import { createLogger, systemClock } from '@shoto/service';
import { until } from '@shoto/service/testing';
import { cloudFromText, createClient, type OpenStack } from 'openstack-client-ts';
import type { BootstrapClient } from '../bootstrap-client.ts';
import { TIMES, type Times } from '../deps.ts';
import { type Provisioner, wire } from '../wire.ts';
import { LocalEngine } from './local-engine.ts';
import {
  checkOpenStackConfig,
  createApiServer,
  createOpenStackSimulator,
  type OpenStackSimulator,
} from './simulators.ts';

export const CLUSTERS = resourceOf(ClusterKind);
export const MACHINES = resourceOf(MachineKind);
export const REGIONS = resourceOf(RegionKind);
const NAMESPACE = 'tenant-a';

/** Times that let a story end in a second or two. */
const QUICK: Times = {
  ...TIMES,
  unsureMs: 400,
  retryMs: 50,
  retryMaxMs: 100,
  gatherMs: 50,
  lookAgainMs: 300,
  releaseMs: 300,
  recheckMs: 200,
  adviceMs: 0,
};

/** A whole world around the provisioner: a simulated cloud, a simulated Kubernetes API, both over HTTP. */
export interface World {
  cloud: OpenStackSimulator;
  kube: KubeClient;
  engine: LocalEngine;
  /** Writes to the Kubernetes API by the provisioner: method and path. */
  writes: { method: string; path: string }[];
  provisioner: Provisioner;
  /** Answers of the bootstrap-worker; undefined: not ready yet. */
  userData: { text: string | undefined };
  /** Pods that would have to move if a machine went, by the machine's name, as the bootstrap-worker tells. */
  pods: Map<string, number>;
  /** Ends the provisioner without a goodbye and starts one that remembers nothing. */
  restart: () => Promise<void>;
  createCluster: (o?: ClusterOptions) => Promise<Cluster>;
  cluster: () => Promise<Cluster | undefined>;
  machines: () => Promise<Machine[]>;
  region: () => Promise<Region | undefined>;
  /** Waits until the Cluster is as wanted. */
  untilCluster: (what: string, is: (c: Cluster) => boolean) => Promise<Cluster>;
  untilMachines: (what: string, is: (ms: Machine[]) => boolean) => Promise<Machine[]>;
  /** Plays the other services' part in a deletion: takes their finalizers off. */
  letGo: () => Promise<void>;
  /** Publishes a bundle of an addon. */
  publish: (addon: string, credentials?: 'openstack') => Promise<void>;
  /** Pulls the emergency stop of the fleet, or lets go of it. */
  emergencyStop: (isOn: boolean) => Promise<void>;
  /** Says what self-healing says of a Machine. */
  health: (machine: Machine, map: object) => Promise<Machine>;
  /** All objects of the management cluster, as a backup has them. Needs `durable`. */
  backup: () => string;
  /** Ends the provisioner, puts a backup in place of the management cluster, and starts a provisioner that remembers nothing. */
  restore: (backup: string) => Promise<void>;
  /** Calls to the cloud, by method and path. */
  calls: (method: string, path?: RegExp) => number;
  /** Changes quotas of the project. */
  setQuota: (area: 'compute' | 'network' | 'loadBalancer', quota: Record<string, number>) => void;
  /** What the project holds, by kind. */
  leftovers: () => Promise<Record<string, number>>;
  /** The cloud as the project's user. */
  user: OpenStack;
  /** The cloud as its administrator, who is of another project. */
  admin: OpenStack;
  close: () => Promise<void>;
}

/** What a test may ask of a Cluster. */
export interface ClusterOptions {
  workers?: number;
  controlPlanes?: number;
  flavor?: string;
  release?: string;
  region?: string;
  zones?: string[];
  addons?: { name: string }[];
  /** Of the workers. */
  rootVolume?: { sizeGiB: number };
}

/** Starts a world. */
export async function startWorld(
  o: {
    cloud?: object;
    endpoint?: 'LoadBalancer' | 'FloatingIP' | 'MachineAddress';
    password?: string;
    times?: Partial<Times>;
    cloudDown?: boolean;
    region?: object;
    /** The management cluster is kept in a file, so that it can be backed up. */
    durable?: boolean;
  } = {},
): Promise<World> {
  const cloud = createOpenStackSimulator({ config: checkOpenStackConfig(o.cloud ?? {}) });
  const { url } = await cloud.listen();
  const directory = o.durable ? mkdtempSync(join(tmpdir(), 'shoto-world-')) : undefined;
  const makeApi = () =>
    createApiServer({
      authn: { staticTokens: [{ token: 'admin', user: 'admin', groups: ['system:masters'] }] },
      ...(directory ? { directory } : {}),
    });
  let api = makeApi();
  const http = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const writes: World['writes'] = [];
  const client = (count: boolean) =>
    new KubeClient({
      connection: { server, token: 'admin' },
      userAgent: count ? 'shoto-provisioner' : 'test',
      ...(count
        ? {
            onRequest: ({ method, path }: { method: string; path: string }) =>
              void (method === 'GET' || writes.push({ method, path })),
          }
        : {}),
    });
  const kube = client(false);
  const own = client(true);
  for (const kind of KINDS) await kube.create<KubeObject>(CRDS, crdOf(kind) as unknown as KubeObject);
  for (const name of [NAMESPACE, 'shoto-system', 'shoto-system-addon-credentials'])
    await kube.create<KubeObject>(NAMESPACES, { metadata: { name } });
  const authUrl = o.cloudDown ? 'http://127.0.0.1:9/identity/v3' : `${url}/identity/v3`;
  await kube.create<KubeObject>(SECRETS, credentials(authUrl, o.password ?? 'shoto'));
  await until(() => kube.list(REGIONS).then(() => true), { what: 'the kinds are served' });
  await kube.create<KubeObject>(REGIONS, {
    metadata: { name: 'r1' },
    spec: {
      openstack: { credentialsSecretRef: { namespace: 'shoto-system', name: 'r1' } },
      externalNetwork: 'public',
      apiEndpoint: { type: o.endpoint ?? 'LoadBalancer' },
      checkIn: { url: 'https://127.0.0.1:1' },
      pollSeconds: 1,
      rateLimit: { requestsPerSecond: 1000, burst: 1000 },
      ...o.region,
    },
  });
  await kube.create<KubeObject>(resourceOf(KubernetesReleaseKind), {
    metadata: { name: 'v1.35.4' },
    spec: { version: 'v1.35.4', images: [{ region: 'r1', image: 'node-v1.35.4' }] },
  });
  const userData: World['userData'] = { text: '#cloud-config' };
  const pods: World['pods'] = new Map();
  const bootstrap: Pick<BootstrapClient, 'userData' | 'disturbance'> = {
    userData: async () => {
      const { WaitingError } = await import('@shoto/reconciler');
      if (userData.text === undefined) throw new WaitingError('PKINotReady', 'not yet', 20);
      return userData.text;
    },
    disturbance: async (_, machines) => new Map([...pods].filter(([name]) => machines.includes(name))),
  };
  const make = (): [LocalEngine, Provisioner] => {
    const engine = new LocalEngine();
    return [
      engine,
      wire({
        kube: own,
        engine: engine.engine,
        bootstrap,
        installation: 'test-installation',
        systemNamespace: 'shoto-system',
        concurrency: 10,
        callTimeoutMs: 700,
        times: { ...QUICK, ...o.times },
        pollTimes: { eagerMs: 20, idleMs: 100, overlapMs: 120_000, fullMs: 1_800_000 },
        clock: systemClock,
        log: createLogger({ service: 'provisioner', level: process.env.SHOTO_LOG_LEVEL ?? 'silent' }),
      }),
    ];
  };
  let [engine, provisioner] = make();
  await provisioner.start();

  const user = createClient(cloudFromText(clouds(`${url}/identity/v3`, 'shoto')));
  const admin = createClient(cloudFromText(clouds(`${url}/identity/v3`, 'admin', 'admin')));
  const ref = { namespace: NAMESPACE, name: 'web' };
  const machines = () => kube.listAll<Machine>(MACHINES, { namespace: NAMESPACE });
  const world: World = {
    cloud,
    kube,
    get engine() {
      return engine;
    },
    get provisioner() {
      return provisioner;
    },
    writes,
    userData,
    pods,
    async restart() {
      await provisioner.close();
      [engine, provisioner] = make();
      await provisioner.start();
    },
    createCluster: (c = {}) =>
      kube.create<Cluster>(CLUSTERS, {
        metadata: { ...ref, finalizers: [FINALIZERS.infrastructure] },
        spec: {
          region: c.region ?? 'r1',
          release: c.release ?? 'v1.35.4',
          ...(c.addons ? { addons: c.addons } : {}),
          controlPlane: {
            count: c.controlPlanes ?? 1,
            flavor: c.flavor ?? 'm1.medium',
            ...(c.zones ? { zones: c.zones } : {}),
          },
          nodePools: [
            {
              name: 'workers',
              count: c.workers ?? 2,
              flavor: 'm1.small',
              ...(c.rootVolume ? { rootVolume: c.rootVolume } : {}),
            },
          ],
        },
      } as unknown as Cluster),
    cluster: () => kube.get<Cluster>(CLUSTERS, ref),
    machines,
    region: () => kube.get<Region>(REGIONS, { name: 'r1' }),
    untilCluster: (what, is) =>
      until(
        async () => {
          const c = await kube.get<Cluster>(CLUSTERS, ref);
          return c && is(c) ? c : undefined;
        },
        { what, timeoutMs: 15_000, everyMs: 20 },
      ),
    untilMachines: (what, is) =>
      until(
        async () => {
          const ms = await machines();
          return is(ms) ? ms : undefined;
        },
        { what, timeoutMs: 15_000, everyMs: 20 },
      ),
    async letGo() {
      for (const m of await machines())
        if (m.metadata.deletionTimestamp && m.metadata.finalizers?.includes(FINALIZERS.node))
          await kube.removeFinalizer<Machine>(MACHINES, m, FINALIZERS.node);
    },
    async publish(addon, credentials) {
      await kube.create<KubeObject>(resourceOf(AddonBundleKind), {
        metadata: { name: `${addon}-1.0.0` },
        spec: {
          addon,
          version: '1.0.0',
          kubernetes: '>=1.35 <1.37',
          manifests: { digest: `sha256:${'0'.repeat(64)}`, configMapRef: { namespace: 'shoto-system', name: addon } },
          ...(credentials ? { credentials: [credentials] } : {}),
        },
      });
    },
    async emergencyStop(isOn) {
      const at = { namespace: 'shoto-system', name: FLEET_SWITCH };
      if (isOn) await kube.create<KubeObject>(CONFIGMAPS, { metadata: at, data: { reason: 'a test', by: 'tester' } });
      else await kube.delete(CONFIGMAPS, at);
    },
    health: (machine, map) => kube.patchStatusMap<Machine>(MACHINES, machine, 'health', map),
    backup: () => readFileSync(objectsFile(directory), 'utf8'),
    async restore(backup) {
      await provisioner.close();
      api.close();
      http.closeAllConnections();
      writeFileSync(objectsFile(directory), backup);
      api = makeApi();
      await until(() => kube.list(REGIONS).then(() => true), { what: 'the backup is served' });
      [engine, provisioner] = make();
      await provisioner.start();
    },
    calls: (method, path = /./) =>
      cloud.state.requests
        .list()
        .filter((r) => r.method === method && path.test(r.path))
        .reduce((n, r) => n + r.count, 0),
    setQuota(area, quota) {
      const project = [...cloud.state.identity.projects.by('name', 'shoto')][0]?.id ?? '';
      cloud.state.quotas.set(area, project, quota);
    },
    leftovers: () => leftovers(user),
    user,
    admin,
    async close() {
      await provisioner.close();
      await Promise.all([kube.close(), own.close(), user.close(), admin.close()]);
      api.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await cloud.close();
      if (directory) rmSync(directory, { recursive: true });
    },
  };
  return world;
}

function objectsFile(directory: string | undefined): string {
  if (!directory) throw new Error('a backup needs a durable world');
  return join(directory, 'objects.jsonl');
}

const clouds = (authUrl: string, password: string, name = 'shoto'): string =>
  JSON.stringify({
    clouds: {
      openstack: {
        auth: {
          auth_url: authUrl,
          username: name,
          password,
          project_name: name,
          user_domain_name: 'Default',
          project_domain_name: 'Default',
        },
        region_name: 'RegionOne',
      },
    },
  });

/** The Secret of region r1. */
export const credentials = (authUrl: string, password: string): KubeObject => ({
  metadata: { name: 'r1', namespace: 'shoto-system' },
  data: { 'clouds.yaml': Buffer.from(clouds(authUrl, password)).toString('base64') },
});

/** Counts what the project holds, as its user sees it. The default security group is the cloud's. */
async function leftovers(c: OpenStack): Promise<Record<string, number>> {
  const groups = await c.network.securityGroups.list().all();
  const counts: Record<string, number> = {
    servers: (await c.compute.servers.list().all()).length,
    serverGroups: (await c.compute.serverGroups.list().all()).length,
    ports: (await c.network.ports.list().all()).length,
    networks: (await c.network.networks.list().all()).filter((n) => !n['router:external']).length,
    routers: (await c.network.routers.list().all()).length,
    floatingIps: (await c.network.floatingIps.list().all()).length,
    securityGroups: groups.filter((g) => g.name !== 'default').length,
    loadBalancers: (await c.loadBalancer.loadBalancers.list().all()).length,
    volumes: (await c.blockStorage.volumes.list().all()).length,
    applicationCredentials: (await c.identity.applicationCredentials.list()).length,
  };
  return Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
}
