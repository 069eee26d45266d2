import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  type Cluster,
  ClusterKind,
  type ClusterSpecInput,
  FINALIZERS,
  type Machine,
  MachineKind,
  resourceOf,
  TenantKind,
} from '@shoto/api';
import { KubeClient, NAMESPACES } from '@shoto/kube';
import { createAuthority, issue, type KeyedCertificate } from '@shoto/pki';
import { simulatedClouds } from '@shoto/supervisor';
import { catalogue, simulatedCloud } from '../../packages/supervisor/src/cloud.ts';
import { freeLoopbackSlice, freePorts } from '../../packages/supervisor/src/ports.ts';
import { applySeeds, bundles, documents, documentsIn } from '../../packages/supervisor/src/seed.ts';
import { ROOT } from '../../packages/supervisor/src/system.ts';
import { installLives } from './life.ts';
import { SERVICES, type ServiceName, Services } from './services.ts';
import {
  type ApiServer,
  checkOpenStackConfig,
  createApiServer,
  createOpenStackSimulator,
  type Intercepted,
  Machines,
  type OpenStackSimulator,
  Random,
  SimulatorClock,
} from './simulators.ts';
import { VirtualTime } from './virtual-time.ts';

export const CLUSTERS = resourceOf(ClusterKind);
export const MACHINES = resourceOf(MachineKind);
export const TENANTS = resourceOf(TenantKind);
export const NAMESPACE = 'tenant-demo';
/** Of the tenant: in nobody's way, and spent all the same. */
const QUOTA = { machines: 40 };
export const RELEASES = ['v1.34.6', 'v1.35.4', 'v1.36.2'] as const;

/** Latencies: everything takes a moment, so that steps are caught half-way. */
const LATENCY = {
  operations: {
    'nova.server.boot': { medianMs: 4000, spread: 0.3 },
    'nova.server.destroy': { medianMs: 2000, spread: 0.3 },
    'nova.server.stop': { medianMs: 2500, spread: 0.3 },
    'nova.server.start': { medianMs: 1200, spread: 0.3 },
    'nova.server.reboot': { medianMs: 2500, spread: 0.3 },
    'octavia.loadbalancer.provision': { medianMs: 3000, spread: 0.3 },
    'octavia.loadbalancer.update': { medianMs: 400, spread: 0.3 },
    'octavia.loadbalancer.destroy': { medianMs: 2000, spread: 0.3 },
    'machine.boot': { medianMs: 10_000, spread: 0.2 },
    'machine.kubeadm.init': { medianMs: 12_000, spread: 0.2 },
    'machine.kubeadm.join': { medianMs: 3000, spread: 0.2 },
    'machine.kubeadm.join-control-plane': { medianMs: 15_000, spread: 0.2 },
    'machine.cni': { medianMs: 3000, spread: 0.2 },
  },
};

/** What is done to a request to the management cluster's API by a service before it is dealt with. */
export type ManagementFault = (request: {
  method: string;
  path: string;
  user: string;
}) => Promise<Intercepted> | Intercepted;

/** Told of a request. */
export type ManagementListener = (request: { method: string; path: string; user: string }) => void;

/** A whole installation in this process on virtual time: cloud, management cluster, workload clusters and services. */
export interface World {
  time: VirtualTime;
  cloud: OpenStackSimulator;
  machines: Machines;
  management: ApiServer;
  services: Services;
  /** The administrator's client. */
  kube: KubeClient;
  /** Passes that ended, by service and queue, with what they threw. */
  passes: { service: ServiceName; queue: string; key: string; reason: string | undefined; at: number }[];
  /** What is done to requests of services to the management API. */
  faults: { management: ManagementFault | undefined };
  /** Told of each request of a service to the management API before it is dealt with. */
  onManagement: ManagementListener[];
  /** What the simulator said of itself that should not happen. */
  said: string[];
  createCluster: (name: string, spec: Partial<ClusterSpecInput>) => Promise<Cluster>;
  cluster: (name: string) => Promise<Cluster | undefined>;
  machinesOf: (cluster: string) => Promise<Machine[]>;
  close: () => Promise<void>;
}

/** What is the same for every world of this process: it takes a while to make. */
let pki: Promise<{ ca: KeyedCertificate; own: Map<string, KeyedCertificate> }> | undefined;

async function makePki(): Promise<{ ca: KeyedCertificate; own: Map<string, KeyedCertificate> }> {
  const ca = await createAuthority('shoto internal');
  const own = new Map<string, KeyedCertificate>();
  for (const name of SERVICES)
    own.set(
      name,
      await issue(ca, {
        commonName: name,
        usages: ['client', 'server'],
        dnsNames: ['localhost'],
        ipAddresses: ['127.0.0.1'],
        seconds: 365 * 24 * 3600,
      }),
    );
  return { ca, own };
}

/**
 * Makes a world and starts its services.
 *
 * @param seed - of all chance in it
 */
export async function startWorld(o: { seed: number; openstack?: Record<string, unknown> }): Promise<World> {
  installLives();
  const time = new VirtualTime();
  const slice = await freeLoopbackSlice();
  const [checkIn, internal] = await freePorts(2);
  time.install(o.seed);
  pki ??= makePki();
  const { ca, own } = await pki;
  const said: string[] = [];
  const faults: World['faults'] = { management: undefined };
  const onManagement: ManagementListener[] = [];

  const clock = new SimulatorClock();
  const random = new Random(o.seed);
  const cloud = createOpenStackSimulator({
    config: checkOpenStackConfig({
      seed: o.seed,
      latency: LATENCY,
      externalNetwork: { name: 'public', cidr: slice },
      images: RELEASES.map((version) => ({
        name: `node-${version}`,
        properties: { kubernetes_version: version, containerd_version: '2.1.4', os_distro: 'debian', os_version: '12' },
        minDiskGiB: 10,
        minRamMiB: 1024,
      })),
      quotas: {
        projects: { shoto: { compute: { instances: 200, cores: 800, ram: 2_000_000, server_group_members: 100 } } },
      },
      ...o.openstack,
    }),
    clock,
    random,
  });
  const machines = new Machines({
    clock,
    latency: cloud.state.latency,
    random: random.fork('machines'),
    networkOf: (portId) => cloud.state.network.ports.get(portId)?.network_id,
    say: (what) => said.push(what),
  });
  cloud.state.hypervisor = machines;
  machines.follow(cloud.events);
  const { url: cloudUrl } = await cloud.listen();

  const management = createApiServer({
    name: 'management',
    authn: {
      staticTokens: [
        { token: 'admin', user: 'admin', groups: ['system:masters'] },
        ...SERVICES.map((name) => ({ token: name, user: `shoto:${name}` })),
      ],
    },
    intercept: async ({ method, path, user }) => {
      if (!user?.name.startsWith('shoto:')) return undefined;
      const request = { method, path, user: user.name };
      const fault = await faults.management?.(request);
      if (fault === undefined) for (const listener of onManagement) listener(request);
      return fault;
    },
  });
  const front = createServer((request, response) => void management.handle(request, response));
  front.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
  const managementUrl = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;

  const kube = new KubeClient({ connection: { server: managementUrl, token: 'admin' }, userAgent: 'model' });
  await seedManagement(managementUrl, cloudUrl, checkIn!);
  const system = await kube.get<{ metadata: { name: string; uid?: string } }>(NAMESPACES, { name: 'kube-system' });

  const passes: World['passes'] = [];
  const services = new Services({
    managementUrl,
    installation: system?.metadata.uid ?? '',
    systemNamespace: 'shoto-system',
    ports: { checkIn: checkIn!, internal: internal! },
    internal: {
      ca: ca.certificate,
      of: (name) => ({ certificate: own.get(name)!.certificate, key: own.get(name)!.key }),
    },
    onPass: (service, { queue, key, error }) =>
      passes.push({ service, queue, key, reason: error?.reason, at: time.elapsed }),
    ...(process.env.SHOTO_LOG_LEVEL ? { logLevel: process.env.SHOTO_LOG_LEVEL } : {}),
  });
  services.startAll();
  await time.advance(5_000);

  return {
    time,
    cloud,
    machines,
    management,
    services,
    kube,
    passes,
    faults,
    onManagement,
    said,
    createCluster: (name, spec) =>
      kube.create<Cluster>(CLUSTERS, {
        metadata: {
          name,
          namespace: NAMESPACE,
          finalizers: [FINALIZERS.infrastructure, FINALIZERS.secrets, FINALIZERS.addons],
        },
        spec: {
          region: 'one',
          release: 'v1.35.4',
          controlPlane: { count: 1, flavor: 'm1.medium' },
          nodePools: [{ name: 'default', count: 2, flavor: 'm1.small' }],
          addons: [{ name: 'flannel' }],
          ...spec,
        },
      } as unknown as Cluster),
    cluster: (name) => kube.get<Cluster>(CLUSTERS, { namespace: NAMESPACE, name }),
    machinesOf: async (cluster) =>
      (await kube.listAll<Machine>(MACHINES, { namespace: NAMESPACE })).filter((m) => m.spec.cluster.name === cluster),
    async close() {
      services.close();
      await kube.close();
      machines.close();
      management.close();
      await closeServer(front);
      await cloud.close();
      clock.close();
      time.uninstall();
    },
  };
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/** CRDs, roles, catalogue and bundles, as the supervisor applies them. */
async function seedManagement(server: string, cloudUrl: string, checkInPort: number): Promise<void> {
  const cloud = {
    ...simulatedCloud(cloudUrl),
    cloudsYaml: simulatedClouds(cloudUrl),
    releases: RELEASES.map((version) => ({ name: version, version, image: `node-${version}` })),
  };
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'm', cluster: { server } }],
    users: [{ name: 'admin', user: { token: 'admin' } }],
    contexts: [{ name: 'm', context: { cluster: 'm', user: 'admin' } }],
    'current-context': 'm',
  });
  await applySeeds(kubeconfig, [
    ...(await documentsIn(join(ROOT, 'crds'))),
    ...(await documents(join(ROOT, 'deploy/namespaces.yaml'))),
    ...(await documents(join(ROOT, 'deploy/rbac.yaml'))),
    ...catalogue(cloud, checkInPort).map((o) =>
      o.kind === 'Tenant' ? { ...o, spec: { ...(o.spec as object), quota: QUOTA } } : o,
    ),
    ...(await bundles(join(ROOT, 'deploy/addons'), 'shoto-system', ['flannel'])),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
  ]);
}
