import { stringify } from 'yaml';
import type { KubeObject } from '../../kubernetes/index.ts';
import { type ClusterConfiguration, goDuration, type InitConfiguration } from './config.ts';

const RBAC = 'rbac.authorization.k8s.io';
const JOINERS = 'system:bootstrappers:kubeadm:default-node-token';

/** Anything that the API server takes. */
export type Manifest = Pick<KubeObject, 'metadata'> & { apiVersion: string; kind: string; [field: string]: unknown };

const group = (name: string): Record<string, string> => ({ apiGroup: RBAC, kind: 'Group', name });

const clusterBinding = (name: string, role: string, subjects: Record<string, string>[]): Manifest => ({
  apiVersion: `${RBAC}/v1`,
  kind: 'ClusterRoleBinding',
  metadata: { name },
  roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
  subjects,
});

const role = (namespace: string, name: string, configMap: string): Manifest => ({
  apiVersion: `${RBAC}/v1`,
  kind: 'Role',
  metadata: { name, namespace },
  rules: [{ apiGroups: [''], resources: ['configmaps'], resourceNames: [configMap], verbs: ['get'] }],
});

const binding = (namespace: string, name: string, subjects: Record<string, string>[]): Manifest => ({
  apiVersion: `${RBAC}/v1`,
  kind: 'RoleBinding',
  metadata: { name, namespace },
  roleRef: { apiGroup: RBAC, kind: 'Role', name },
  subjects,
});

const account = (name: string): Manifest => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name, namespace: 'kube-system' },
});

const systemAccount = (name: string): Record<string, string> => ({
  kind: 'ServiceAccount',
  name,
  namespace: 'kube-system',
});

/** Roles and bindings that kubeadm makes; the same for every cluster, so one copy serves all. */
export const rbacObjects: readonly Manifest[] = [
  clusterBinding('kubeadm:cluster-admins', 'cluster-admin', [group('kubeadm:cluster-admins')]),
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'kubeadm:get-nodes' },
    rules: [{ apiGroups: [''], resources: ['nodes'], verbs: ['get'] }],
  },
  clusterBinding('kubeadm:get-nodes', 'kubeadm:get-nodes', [group(JOINERS)]),
  clusterBinding('kubeadm:kubelet-bootstrap', 'system:node-bootstrapper', [group(JOINERS)]),
  clusterBinding(
    'kubeadm:node-autoapprove-bootstrap',
    'system:certificates.k8s.io:certificatesigningrequests:nodeclient',
    [group(JOINERS)],
  ),
  clusterBinding(
    'kubeadm:node-autoapprove-certificate-rotation',
    'system:certificates.k8s.io:certificatesigningrequests:selfnodeclient',
    [group('system:nodes')],
  ),
  clusterBinding('kubeadm:node-proxier', 'system:node-proxier', [systemAccount('kube-proxy')]),
  role('kube-public', 'kubeadm:bootstrap-signer-clusterinfo', 'cluster-info'),
  binding('kube-public', 'kubeadm:bootstrap-signer-clusterinfo', [
    { apiGroup: RBAC, kind: 'User', name: 'system:anonymous' },
  ]),
  role('kube-system', 'kubeadm:nodes-kubeadm-config', 'kubeadm-config'),
  binding('kube-system', 'kubeadm:nodes-kubeadm-config', [group('system:nodes'), group(JOINERS)]),
  role('kube-system', 'kubeadm:kubelet-config', 'kubelet-config'),
  binding('kube-system', 'kubeadm:kubelet-config', [group('system:nodes'), group(JOINERS)]),
  role('kube-system', 'kube-proxy', 'kube-proxy'),
  binding('kube-system', 'kube-proxy', [group(JOINERS)]),
  account('kube-proxy'),
  account('coredns'),
  {
    apiVersion: `${RBAC}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'system:coredns' },
    rules: [
      { apiGroups: [''], resources: ['endpoints', 'services', 'pods', 'namespaces'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
    ],
  },
  clusterBinding('system:coredns', 'system:coredns', [systemAccount('coredns')]),
];

const configMap = (namespace: string, name: string, data: Record<string, string>): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});

const yaml = (value: unknown): string => stringify(value, { lineWidth: 0 });

/** ConfigMaps that `kubeadm init` uploads. */
export function configMaps(o: {
  cluster: ClusterConfiguration;
  kubelet: Record<string, unknown>;
  kubeProxy: Record<string, unknown>;
  ca: string;
  endpoint: string;
  dns: string;
}): Manifest[] {
  const kubeconfig = yaml({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: '',
        cluster: {
          'certificate-authority-data': Buffer.from(o.ca).toString('base64'),
          server: `https://${o.endpoint}`,
        },
      },
    ],
    contexts: null,
    'current-context': '',
    preferences: {},
    users: null,
  });
  const { dnsDomain } = o.cluster.networking;
  return [
    configMap('kube-system', 'kubeadm-config', { ClusterConfiguration: yaml(o.cluster) }),
    configMap('kube-system', 'kubelet-config', {
      kubelet: yaml({ ...o.kubelet, clusterDNS: [o.dns], clusterDomain: dnsDomain }),
    }),
    configMap('kube-system', 'kube-proxy', {
      'config.conf': yaml({ ...o.kubeProxy, clusterCIDR: o.cluster.networking.podSubnet }),
      'kubeconfig.conf': yaml({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [
          {
            name: 'default',
            cluster: {
              'certificate-authority': '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
              server: `https://${o.endpoint}`,
            },
          },
        ],
      }),
    }),
    configMap('kube-public', 'cluster-info', { kubeconfig }),
    configMap('kube-system', 'coredns', {
      Corefile: `.:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n    kubernetes ${dnsDomain} in-addr.arpa ip6.arpa {\n       pods insecure\n       fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }\n    prometheus :9153\n    forward . /etc/resolv.conf {\n       max_concurrent 1000\n    }\n    cache 30\n    loop\n    reload\n    loadbalance\n}\n`,
    }),
  ];
}

/** Secrets of the bootstrap tokens that were asked for. */
export const tokenSecrets = (init: InitConfiguration, nowMs: number): Manifest[] =>
  init.bootstrapTokens.map(({ token, ttl, description, usages, groups }) => {
    const [id = '', secret = ''] = token.split('.');
    const expires = goDuration(ttl) === 0 ? undefined : new Date(nowMs + goDuration(ttl)).toISOString();
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: `bootstrap-token-${id}`, namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: {
        'token-id': id,
        'token-secret': secret,
        ...(description ? { description } : {}),
        ...(expires ? { expiration: expires } : {}),
        ...Object.fromEntries(usages.map((u) => [`usage-bootstrap-${u}`, 'true'])),
        ...(groups.length > 0 ? { 'auth-extra-groups': groups.join(',') } : {}),
      },
    };
  });
