/**
 * Good and bad objects, with the field that is to blame. The parser and a real kube-apiserver give the same verdict on
 * each: one test asks the parser, another (in e2e) asks an API server.
 */
export interface Verdict {
  title: string;
  kind: string;
  object: Record<string, unknown>;
  /** The object as it is stored, where an update is asked about. */
  before?: Record<string, unknown>;
  /** The field to blame; absent where the object is good. */
  blames?: string;
}

type Spec = Record<string, unknown>;

/** A good Cluster, with parts of its spec replaced. */
export const aCluster = (spec: Spec = {}, name = 'web'): Record<string, unknown> => ({
  apiVersion: 'shoto.dev/v1alpha1',
  kind: 'Cluster',
  metadata: { name, namespace: 'tenant-blue' },
  spec: {
    region: 'one',
    release: 'v1.35.4',
    controlPlane: { count: 1, flavor: 'm1.medium' },
    nodePools: [{ name: 'default', count: 2, flavor: 'm1.small' }],
    addons: [{ name: 'flannel' }],
    ...spec,
  },
});

const pool = (fields: Spec = {}): Spec => ({ name: 'default', count: 2, flavor: 'm1.small', ...fields });
const good = (title: string, object: Record<string, unknown>, before?: Record<string, unknown>): Verdict => ({
  title,
  kind: object.kind as string,
  object,
  ...(before ? { before } : {}),
});
const bad = (
  blames: string,
  title: string,
  object: Record<string, unknown>,
  before?: Record<string, unknown>,
): Verdict => ({
  ...good(title, object, before),
  blames,
});
const other = (kind: string, name: string, spec: Spec, namespace?: string): Record<string, unknown> => ({
  apiVersion: 'shoto.dev/v1alpha1',
  kind,
  metadata: { name, ...(namespace ? { namespace } : {}) },
  spec,
});

const region = (spec: Spec = {}) =>
  other('Region', 'one', {
    openstack: { credentialsSecretRef: { namespace: 'shoto-system', name: 'region-one' } },
    externalNetwork: 'public',
    checkIn: { url: 'https://172.24.4.1:9443' },
    ...spec,
  });
const release = (spec: Spec = {}, name = 'v1.35.4') =>
  other('KubernetesRelease', name, { version: 'v1.35.4', images: [{ region: 'one', image: 'node-v1.35.4' }], ...spec });
const machine = (spec: Spec = {}) =>
  other(
    'Machine',
    'web-default-abcde',
    {
      cluster: { name: 'web', uid: '0f0e' },
      role: 'worker',
      pool: 'default',
      region: 'one',
      release: 'v1.35.4',
      image: 'img-1',
      flavor: 'flv-1',
      ...spec,
    },
    'tenant-blue',
  );
const bundle = (spec: Spec = {}) =>
  other('AddonBundle', 'flannel-0.28.4', {
    addon: 'flannel',
    version: '0.28.4',
    kubernetes: '>=1.35 <1.37',
    provides: ['cni'],
    manifests: {
      digest: `sha256:${'0'.repeat(64)}`,
      configMapRef: { namespace: 'shoto-system', name: 'flannel-0.28.4' },
    },
    ...spec,
  });

const ociBundle = (spec: Spec = {}) => {
  const o = bundle({ oci: { repository: 'registry.example:5000/addons/flannel', digest: `sha256:${'1'.repeat(64)}` } });
  const { manifests: _, ...rest } = o.spec as Spec;
  return { ...o, spec: { ...rest, ...spec } };
};
const registry = (spec: Spec = {}) => other('AddonRegistry', 'main', { url: 'oci://registry.example/addons', ...spec });
const KEY = '-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n';

export const verdicts: Verdict[] = [
  good('a cluster', aCluster()),
  good('a cluster without pools', aCluster({ nodePools: [] })),
  good('a pool of 0', aCluster({ nodePools: [pool({ count: 0 })] })),
  good('three control planes', aCluster({ controlPlane: { count: 3, flavor: 'm1.medium' } })),
  good('a pool on an older release', aCluster({ nodePools: [pool({ release: 'v1.34.9' })] })),
  good('a release with a revision', aCluster({ release: 'v1.35.4-2' })),
  good(
    'networks side by side',
    aCluster({ network: { podCIDR: '10.0.0.0/17', serviceCIDR: '10.0.128.0/17', nodeCIDR: '10.1.0.0/24' } }),
  ),
  bad('metadata.name', 'a name of 33 characters', aCluster({}, 'a'.repeat(33))),
  bad('metadata.name', 'a name in capitals', aCluster({}, 'Web')),
  bad('metadata.name', 'a name with a dot', aCluster({}, 'web.blue')),
  bad('metadata.name', 'a name with a dash at its end', aCluster({}, 'web-')),
  bad('spec.controlPlane.count', 'two control planes', aCluster({ controlPlane: { count: 2, flavor: 'm1.medium' } })),
  bad('spec.controlPlane.count', 'no control plane', aCluster({ controlPlane: { count: 0, flavor: 'm1.medium' } })),
  bad('spec.controlPlane.count', 'seven control planes', aCluster({ controlPlane: { count: 7, flavor: 'm1.medium' } })),
  bad('spec.controlPlane.flavor', 'a control plane without a flavor', aCluster({ controlPlane: { count: 1 } })),
  bad('spec.nodePools[0].count', '-1 workers', aCluster({ nodePools: [pool({ count: -1 })] })),
  bad('spec.nodePools[0].count', '100,000 workers', aCluster({ nodePools: [pool({ count: 100_000 })] })),
  bad('spec.nodePools[0].count', 'half a worker', aCluster({ nodePools: [pool({ count: 1.5 })] })),
  bad('spec.nodePools[0].flavor', 'a pool without a flavor', aCluster({ nodePools: [{ name: 'default', count: 1 }] })),
  bad('spec.nodePools[1]', 'two pools of one name', aCluster({ nodePools: [pool(), pool()] })),
  bad('spec.nodePools', 'a pool named control-plane', aCluster({ nodePools: [pool({ name: 'control-plane' })] })),
  bad('spec.nodePools[0].name', 'a pool with a long name', aCluster({ nodePools: [pool({ name: 'p'.repeat(21) })] })),
  bad('spec.nodePools', 'a pool newer than the cluster', aCluster({ nodePools: [pool({ release: 'v1.35.5' })] })),
  bad('spec.nodePools', 'a pool four minors older', aCluster({ nodePools: [pool({ release: 'v1.31.0' })] })),
  bad(
    'spec.nodePools[0].serverGroupPolicy',
    'an unknown policy',
    aCluster({ nodePools: [pool({ serverGroupPolicy: 'any' })] }),
  ),
  bad('spec.release', 'a release that is no version', aCluster({ release: 'latest' })),
  bad('spec.region', 'no region', aCluster({ region: undefined })),
  bad('spec.network.podCIDR', 'pods that are no network', aCluster({ network: { podCIDR: '10.0.0.0' } })),
  bad('spec.network.podCIDR', 'pods within Services', aCluster({ network: { podCIDR: '10.96.1.0/24' } })),
  bad(
    'spec.network.podCIDR',
    'machines around pods',
    aCluster({ network: { podCIDR: '10.244.0.0/16', nodeCIDR: '10.0.0.0/8', serviceCIDR: '172.20.0.0/16' } }),
  ),
  bad('spec.network.serviceCIDR', 'Services on machines', aCluster({ network: { serviceCIDR: '10.8.128.0/20' } })),
  good('more workers', aCluster({ nodePools: [pool({ count: 9 })] }), aCluster()),
  good('one more pool', aCluster({ nodePools: [pool(), pool({ name: 'big' })] }), aCluster()),
  good('pause', aCluster({ paused: true }), aCluster()),
  bad('spec.release', 'an older release', aCluster({ release: 'v1.34.9' }), aCluster()),
  good('a newer release', aCluster({ release: 'v1.36.3' }), aCluster()),
  good('a pool back on an older release', aCluster({ nodePools: [pool({ release: 'v1.34.9' })] }), aCluster()),
  bad('spec.region', 'another region', aCluster({ region: 'two' }), aCluster()),
  bad('spec.network', 'other networks', aCluster({ network: { podCIDR: '10.250.0.0/16' } }), aCluster()),
  good(
    'another flavor of the control plane, and three of them',
    aCluster({ controlPlane: { count: 3, flavor: 'm1.large' } }),
    aCluster(),
  ),
  bad(
    'spec.controlPlane.serverGroupPolicy',
    'another server group policy of the control plane',
    aCluster({ controlPlane: { count: 1, flavor: 'm1.medium', serverGroupPolicy: 'anti-affinity' } }),
    aCluster(),
  ),
  good(
    'another flavor, volume, label and taint of a pool',
    aCluster({
      nodePools: [
        pool({
          flavor: 'm1.large',
          rootVolume: { sizeGiB: 20 },
          labels: { a: 'b' },
          taints: [{ key: 'k', effect: 'NoSchedule' }],
        }),
      ],
    }),
    aCluster(),
  ),
  bad(
    'spec.nodePools[0]',
    'another server group policy of a pool',
    aCluster({ nodePools: [pool({ serverGroupPolicy: 'anti-affinity' })] }),
    aCluster(),
  ),
  good('surge and unavailable as shares', aCluster({ nodePools: [pool({ maxSurge: '25%', maxUnavailable: '10%' })] })),
  good('no surge, one unavailable', aCluster({ nodePools: [pool({ maxSurge: 0, maxUnavailable: 1 })] })),
  bad('spec.nodePools[0]', 'no surge and none unavailable', aCluster({ nodePools: [pool({ maxSurge: 0 })] })),
  bad(
    'spec.nodePools[0]',
    'no surge and none unavailable, as shares',
    aCluster({ nodePools: [pool({ maxSurge: '0%', maxUnavailable: '0%' })] }),
  ),
  bad('spec.nodePools[0].maxSurge', 'a surge of -1', aCluster({ nodePools: [pool({ maxSurge: -1 })] })),
  bad('spec.nodePools[0].maxSurge', 'a surge that is no share', aCluster({ nodePools: [pool({ maxSurge: 'one' })] })),
  good(
    'a maintenance window',
    aCluster({ maintenanceWindow: { timeZone: 'Asia/Tokyo', days: ['Sat'], start: '02:00', durationMinutes: 240 } }),
  ),
  bad(
    'spec.maintenanceWindow.timeZone',
    'a maintenance window in a time zone that does not exist',
    aCluster({ maintenanceWindow: { timeZone: 'Mars/Olympus', start: '02:00' } }),
  ),
  bad(
    'spec.maintenanceWindow.start',
    'a maintenance window at 25 o’clock',
    aCluster({ maintenanceWindow: { start: '25:00' } }),
  ),
  bad(
    'spec.maintenanceWindow.days',
    'a maintenance window on no day',
    aCluster({ maintenanceWindow: { start: '02:00', days: [] } }),
  ),
  good('a region', region()),
  good('a region of machine addresses', region({ apiEndpoint: { type: 'MachineAddress' }, sharedNetwork: 'lan' })),
  bad(
    'spec.apiEndpoint.type',
    'machine addresses without a network',
    region({ apiEndpoint: { type: 'MachineAddress' } }),
  ),
  bad('spec.checkIn.url', 'a check-in URL without TLS', region({ checkIn: { url: 'http://172.24.4.1:9443' } })),
  bad('spec.externalNetwork', 'no external network', region({ externalNetwork: undefined })),
  good('a release', release()),
  good('a second revision of a release', release({}, 'v1.35.4-2')),
  good('a release withdrawn', release({ support: { withdrawn: true } }), release()),
  bad('spec.version', 'a release of another name', release({}, 'v1.36.0')),
  bad('spec.images', 'a release without images', release({ images: [] })),
  bad('spec.images', 'another image for a release', release({ images: [{ region: 'one', image: 'new' }] }), release()),
  bad(
    'spec.artifacts[0].sha256',
    'an artifact without a real digest',
    release({ artifacts: [{ name: 'kubeadm', url: 'https://a/b', sha256: 'abc', path: '/usr/bin/kubeadm' }] }),
  ),
  good('a template', other('ClusterTemplate', 'default', { controlPlane: { count: 1 } })),
  bad(
    'spec.controlPlane.count',
    'a template with two control planes',
    other('ClusterTemplate', 'default', { controlPlane: { count: 2 } }),
  ),
  good(
    'a template with a window, healing and time-outs',
    other('ClusterTemplate', 'default', {
      controlPlane: { nodeDrainTimeoutSeconds: 600 },
      nodePoolDefaults: { nodeVolumeDetachTimeoutSeconds: 0 },
      maintenanceWindow: { timeZone: 'Asia/Tokyo', start: '02:00' },
      healing: { enabled: false },
    }),
  ),
  bad(
    'spec.maintenanceWindow.timeZone',
    'a template with a time zone that does not exist',
    other('ClusterTemplate', 'default', { maintenanceWindow: { timeZone: 'Asia/Nowhere', start: '02:00' } }),
  ),
  bad(
    'spec.nodePoolDefaults.nodeDrainTimeoutSeconds',
    'a template with a drain of less than nothing',
    other('ClusterTemplate', 'default', { nodePoolDefaults: { nodeDrainTimeoutSeconds: -1 } }),
  ),
  good('a tenant', other('Tenant', 'blue', {})),
  bad('metadata.name', 'a tenant with a long name', other('Tenant', 't'.repeat(41), {})),
  good('a machine', machine()),
  bad('spec.role', 'a machine without a known role', machine({ role: 'etcd' })),
  bad('spec.flavor', 'a machine edited', machine({ flavor: 'flv-2' }), machine()),
  good('labels and taints of a machine changed', machine({ labels: { a: 'b' } }), machine()),
  good('a bundle', bundle()),
  bad('spec.kubernetes', 'a bundle for no range', bundle({ kubernetes: 'all' })),
  bad(
    'spec.manifests.digest',
    'a bundle without a digest',
    bundle({ manifests: { digest: 'sha256:0', configMapRef: { namespace: 'a', name: 'b' } } }),
  ),
  bad('spec', 'a bundle edited', bundle({ kubernetes: '>=1.35' }), bundle()),
  good('a bundle in a registry', ociBundle()),
  good(
    'a bundle of a channel, with what it depends on and how its health is seen',
    ociBundle({
      channel: 'edge',
      dependsOn: [{ name: 'snapshot-controller', version: '>=8.0.0' }],
      credentials: ['openstack'],
      signedBy: `sha256:${'2'.repeat(64)}`,
      health: [
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          namespace: 'a',
          name: 'b',
          cel: "object.data.ready == 'yes'",
          message: 'not ready',
        },
        { kind: 'CustomResourceDefinition', name: 'a.b.c' },
      ],
    }),
  ),
  good('a bundle that stays as it is', ociBundle(), ociBundle()),
  bad('spec', 'a bundle that lies nowhere', ociBundle({ oci: undefined })),
  bad(
    'spec',
    'a bundle that lies in two places',
    bundle({ oci: { repository: 'r.example/a', digest: `sha256:${'1'.repeat(64)}` } }),
  ),
  bad(
    'spec.oci.repository',
    'a bundle in no repository',
    ociBundle({ oci: { repository: 'https://r/a', digest: `sha256:${'1'.repeat(64)}` } }),
  ),
  bad('spec.channel', 'a bundle of an unknown channel', ociBundle({ channel: 'beta' })),
  bad(
    'spec.dependsOn[1]',
    'a bundle that depends on one addon twice',
    ociBundle({ dependsOn: [{ name: 'a' }, { name: 'a' }] }),
  ),
  good('a registry', registry()),
  good(
    'a registry with keys',
    registry({ publicKeys: [KEY], requireSignature: true, addons: ['flannel'], intervalSeconds: 60 }),
  ),
  good('a registry that takes unsigned bundles', registry({ requireSignature: false })),
  bad('spec.url', 'a registry that is no registry', registry({ url: 'https://registry.example/addons' })),
  bad('spec.intervalSeconds', 'a registry that is asked each second', registry({ intervalSeconds: 1 })),
  bad('spec.publicKeys', 'signatures without a key', registry({ requireSignature: true })),
  good(
    'addons with values, Secrets, channel and drift policy',
    aCluster({
      addons: [
        {
          name: 'grafana',
          channel: 'candidate',
          values: { replicas: 2, nested: { anything: ['goes', 1, null, { deep: true }] } },
          valuesFrom: [{ secretName: 'grafana', key: 'values.yaml' }],
          drift: 'Report',
          paused: true,
        },
      ],
    }),
  ),
  bad(
    'spec.addons[0].values',
    'values that are no mapping',
    aCluster({ addons: [{ name: 'grafana', values: 'replicas: 2' }] }),
  ),
  bad('spec.addons[0].drift', 'an unknown drift policy', aCluster({ addons: [{ name: 'grafana', drift: 'Fight' }] })),
  bad('spec.addons[0].channel', 'an unknown channel', aCluster({ addons: [{ name: 'grafana', channel: 'nightly' }] })),
  bad(
    'spec.addons[0].valuesFrom[0].key',
    'a Secret without a key',
    aCluster({ addons: [{ name: 'grafana', valuesFrom: [{ secretName: 'grafana' }] }] }),
  ),
  good(
    'a template with addons and their values',
    other('ClusterTemplate', 'default', { addons: [{ name: 'grafana', values: { a: { b: 1 } } }] }),
  ),
  good('a region that takes signed bundles only', region({ addons: { requireSignature: true } })),
  good('an addon', other('Addon', 'web-flannel', { clusterName: 'web', addon: 'flannel' }, 'tenant-blue')),
  bad(
    'spec',
    'an addon moved',
    other('Addon', 'web-flannel', { clusterName: 'api', addon: 'flannel' }, 'tenant-blue'),
    other('Addon', 'web-flannel', { clusterName: 'web', addon: 'flannel' }, 'tenant-blue'),
  ),
];
