import { bootstrapObjects } from './registry/builtin-types.ts';
import { type Core, newUid } from './server-core.ts';
import { type KubeObject, rfc3339 } from './types.ts';

const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
let posted: ReturnType<typeof bootstrapObjects> | undefined;

/** Puts what every cluster starts with into an empty store: namespaces, default RBAC policy, priority classes, flow control, the service `kubernetes`. */
export function bootstrap(core: Core): void {
  const { store } = core;
  if (store.get('namespaces', '', 'default')) return;
  const creationTimestamp = rfc3339(core.clock.now());
  const born = () => ({ uid: newUid(core.random), creationTimestamp });
  for (const name of namespaces) {
    store.put('namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels: { 'kubernetes.io/metadata.name': name }, ...born() },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    });
  }
  // The rules and specs are shared by all servers of the process; only the metadata is each one's own.
  posted ??= bootstrapObjects();
  for (const object of posted) {
    const served = core.registry.findKind(object.apiVersion, object.kind);
    if (!served) continue;
    const metadata = { ...object.metadata, ...born(), ...(served.type.strategy.generation ? { generation: 1 } : {}) };
    store.put(served.type.table, { ...object, metadata } as KubeObject);
  }
  const [network = '10.96.0.0'] = core.serviceCidr.split('/');
  const clusterIP = network.replace(/\d+$/, (last) => String(Number(last) + 1));
  store.put('services', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
      ...born(),
    },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      internalTrafficPolicy: 'Cluster',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
    },
    status: { loadBalancer: {} },
  });
}
