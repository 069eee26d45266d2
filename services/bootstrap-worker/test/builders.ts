import { API_VERSION, type Cluster, FINALIZERS, type KubernetesRelease, type Machine, type Region } from '@shoto/api';

/** The namespace of every object in these tests. */
export const NS = 'tenant-a';
export const START = Date.UTC(2026, 0, 1);

const uuid = (text: string): string =>
  `${text.padEnd(8, '0').slice(0, 8)}-0000-4000-8000-000000000000`.replace(/[^0-9a-f-]/g, 'a');

/** A Cluster whose endpoint is there and whose control plane is not. */
export function aCluster(
  o: { name?: string; controlPlane?: object; endpoint?: boolean; spec?: object; metadata?: object } = {},
): Cluster {
  const name = o.name ?? 'web';
  return {
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: {
      name,
      namespace: NS,
      uid: uuid(name),
      generation: 1,
      finalizers: [FINALIZERS.addons, FINALIZERS.infrastructure, FINALIZERS.secrets],
      ...o.metadata,
    },
    spec: {
      region: 'north',
      release: 'v1.35.4',
      network: { podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12', nodeCIDR: '10.8.0.0/16' },
      controlPlane: {
        count: 1,
        flavor: 'm1.medium',
        serverGroupPolicy: 'soft-anti-affinity',
        nodeDrainTimeoutSeconds: 0,
        nodeVolumeDetachTimeoutSeconds: 0,
      },
      nodePools: [],
      addons: [],
      paused: false,
      healing: { enabled: true },
      ...o.spec,
    },
    status: {
      infrastructure: {
        revision: 0,
        ...(o.endpoint === false ? {} : { endpoint: { internal: '10.8.0.5:6443', external: '203.0.113.7:6443' } }),
      },
      controlPlane: { revision: 0, ...o.controlPlane },
      addons: { revision: 0 },
      health: { revision: 0 },
    },
  };
}

/** A Machine whose server became ACTIVE at {@link START}. */
export function aMachine(
  cluster: Cluster,
  o: {
    name?: string;
    role?: Machine['spec']['role'];
    server?: object;
    bootstrap?: object;
    health?: object;
    spec?: object;
    metadata?: object;
  } = {},
): Machine {
  const name = o.name ?? `${cluster.metadata.name}-cp-1`;
  const role = o.role ?? 'control-plane';
  return {
    apiVersion: API_VERSION,
    kind: 'Machine',
    metadata: {
      name,
      namespace: NS,
      uid: `${uuid(cluster.metadata.name)}-${name}`,
      finalizers: [FINALIZERS.server, FINALIZERS.node],
      ...o.metadata,
    },
    spec: {
      cluster: { name: cluster.metadata.name, uid: cluster.metadata.uid ?? '' },
      role,
      pool: role === 'worker' ? 'default' : 'control-plane',
      region: 'north',
      release: 'v1.35.4',
      image: 'image-1',
      flavor: 'flavor-1',
      ...o.spec,
    },
    status: {
      server: {
        revision: 1,
        state: 'Active',
        id: `server-of-${name}`,
        addresses: ['10.8.0.21'],
        zone: 'nova',
        activeAt: new Date(START).toISOString(),
        ...o.server,
      },
      bootstrap: { revision: 0, ...o.bootstrap },
      health: { revision: 0, ...o.health },
    },
  };
}

export const aRelease = (spec: object = {}): KubernetesRelease => ({
  apiVersion: API_VERSION,
  kind: 'KubernetesRelease',
  metadata: { name: 'v1.35.4' },
  spec: {
    version: 'v1.35.4',
    images: [{ region: 'north', image: 'node-v1.35.4' }],
    imageRepository: 'registry.k8s.io',
    artifacts: [],
    overrides: {},
    support: { withdrawn: false },
    upgradableFrom: [],
    ...spec,
  },
});

export const aRegion = (url = 'https://127.0.0.1:9443'): Region => ({
  apiVersion: API_VERSION,
  kind: 'Region',
  metadata: { name: 'north' },
  spec: {
    openstack: { credentialsSecretRef: { namespace: 'shoto-system', name: 'cloud' }, cloud: 'openstack' },
    externalNetwork: 'public',
    apiEndpoint: { type: 'LoadBalancer' },
    checkIn: { url },
    zones: [],
    flavors: [],
    nameservers: [],
    rateLimit: { requestsPerSecond: 20, burst: 40 },
    pollSeconds: 5,
    limits: {},
  },
});
