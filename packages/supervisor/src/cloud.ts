import { stringify } from 'yaml';
import type { Seed } from './seed.ts';

/** The cloud that a system works on, and what its catalogue offers there. */
export interface Cloud {
  /** clouds.yaml of whom the provisioner is in the cloud. */
  cloudsYaml: string;
  /** Name of the cloud in it. */
  cloud: string;
  externalNetwork: string;
  apiEndpoint: 'LoadBalancer' | 'FloatingIP' | 'MachineAddress';
  /** Network that all machines are put on; `MachineAddress` needs one. */
  sharedNetwork?: string;
  /** Address on which bootstrap-worker listens for machines, as machines reach it. */
  checkInHost: string;
  flavors: { controlPlane: string; worker: string };
  zones: string[];
  /** The first is the default of new clusters. */
  releases: {
    name: string;
    version: string;
    image: string;
    imageRepository?: string;
    overrides?: Record<string, string>;
    artifacts?: { name: string; url: string; sha256: string; path: string; mode?: string }[];
  }[];
  nameservers?: string[];
  pollSeconds?: number;
}

/** Name of the one Region that a supervised system has. */
export const REGION = 'one';
/** Name of the one Tenant that a supervised system has. */
export const TENANT = 'demo';

/** clouds.yaml of a simulated OpenStack, with an ordinary user and an administrator. */
export function simulatedClouds(url: string): string {
  const of = (user: string) => ({
    auth: {
      auth_url: `${url}/identity/v3`,
      username: user,
      password: user,
      project_name: user,
      user_domain_name: 'Default',
      project_domain_name: 'Default',
    },
    region_name: 'RegionOne',
    identity_api_version: '3',
  });
  return stringify({ clouds: { shoto: of('shoto'), 'shoto-admin': of('admin') } });
}

/** What a cluster of the template `standard` has; their bundles are in deploy/addons. */
const STANDARD_ADDONS = [
  'flannel',
  'metrics-server',
  'prometheus',
  'kube-state-metrics',
  'node-exporter',
  'grafana',
  'node-problem-detector',
  'openstack-cloud-controller-manager',
  'snapshot-controller',
  'cinder-csi',
  'traefik',
  'cert-manager',
];

/** The simulated cloud. */
export const simulatedCloud = (url: string): Cloud => ({
  cloudsYaml: simulatedClouds(url),
  cloud: 'shoto',
  externalNetwork: 'public',
  apiEndpoint: 'LoadBalancer',
  checkInHost: '127.0.0.1',
  flavors: { controlPlane: 'm1.medium', worker: 'm1.small' },
  zones: ['az1', 'az2', 'az3'],
  // The first is what new clusters get; the others are there to be upgraded to.
  releases: ['v1.35.4', 'v1.36.3', 'v1.37.0'].map((v) => ({ name: v, version: v, image: `node-${v}` })),
  pollSeconds: 1,
});

/** Region, releases, template and tenant for a cloud. */
export function catalogue(cloud: Cloud, checkInPort: number): Seed[] {
  const kind = (name: string, k: string, spec: object): Seed => ({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: k,
    metadata: { name },
    spec,
  });
  const secret = { namespace: 'shoto-regions', name: `region-${REGION}` };
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: secret, stringData: { 'clouds.yaml': cloud.cloudsYaml } },
    kind(REGION, 'Region', {
      displayName: 'Region One',
      openstack: { credentialsSecretRef: secret, cloud: cloud.cloud },
      externalNetwork: cloud.externalNetwork,
      apiEndpoint: { type: cloud.apiEndpoint },
      ...(cloud.sharedNetwork ? { sharedNetwork: cloud.sharedNetwork } : {}),
      checkIn: { url: `https://${cloud.checkInHost}:${checkInPort}` },
      zones: cloud.zones,
      rateLimit: { requestsPerSecond: 200, burst: 400 },
      ...(cloud.nameservers ? { nameservers: cloud.nameservers } : {}),
      ...(cloud.pollSeconds ? { pollSeconds: cloud.pollSeconds } : {}),
    }),
    ...cloud.releases.map((r) =>
      kind(r.name, 'KubernetesRelease', {
        version: r.version,
        images: [{ region: REGION, image: r.image }],
        ...(r.imageRepository ? { imageRepository: r.imageRepository } : {}),
        ...(r.overrides ? { overrides: r.overrides } : {}),
        ...(r.artifacts ? { artifacts: r.artifacts } : {}),
      }),
    ),
    kind('default', 'ClusterTemplate', {
      description: 'One control plane, two workers, flannel',
      region: REGION,
      release: cloud.releases[0]!.name,
      controlPlane: { count: 1, flavor: cloud.flavors.controlPlane },
      nodePools: [{ name: 'default', count: 2, flavor: cloud.flavors.worker }],
      nodePoolDefaults: { flavor: cloud.flavors.worker, count: 2 },
      addons: [{ name: 'flannel' }],
    }),
    kind('standard', 'ClusterTemplate', {
      description:
        'Three control planes, three workers, and what a team expects: volumes, load balancers, metrics, dashboards, alerts, ingress, certificates',
      region: REGION,
      release: cloud.releases[0]!.name,
      controlPlane: { count: 3, flavor: cloud.flavors.controlPlane },
      nodePools: [{ name: 'default', count: 3, flavor: cloud.flavors.worker }],
      nodePoolDefaults: { flavor: cloud.flavors.worker, count: 3 },
      addons: STANDARD_ADDONS.map((name) => ({ name })),
    }),
    kind(TENANT, 'Tenant', { displayName: 'Demo team' }),
  ];
}

/** The webhook by which kubectl users get the same verdict as users of the REST API. */
export const admissionWebhook = (port: number, ca: string): Seed => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingWebhookConfiguration',
  metadata: { name: 'shoto' },
  webhooks: [
    {
      name: 'clusters.shoto.dev',
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      timeoutSeconds: 5,
      failurePolicy: 'Fail',
      clientConfig: {
        url: `https://127.0.0.1:${port}/admission/clusters`,
        caBundle: Buffer.from(ca).toString('base64'),
      },
      rules: [
        {
          apiGroups: ['shoto.dev'],
          apiVersions: ['v1alpha1'],
          operations: ['CREATE', 'UPDATE'],
          resources: ['clusters'],
          scope: 'Namespaced',
        },
      ],
      // Services write Clusters too, metadata only: finalizers must be removable while cluster-api is away.
      matchConditions: [{ name: 'spec-changes', expression: 'oldObject == null || object.spec != oldObject.spec' }],
    },
  ],
});
