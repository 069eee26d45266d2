/** A CNI as far as it counts: a DaemonSet that writes to /etc/cni/net.d, with its service account. */
export const cni = [
  {
    path: '/api/v1/namespaces/kube-flannel',
    object: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-flannel' } },
  },
  {
    path: '/api/v1/namespaces/kube-flannel/serviceaccounts/flannel',
    object: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'flannel', namespace: 'kube-flannel' } },
  },
  {
    path: '/apis/apps/v1/namespaces/kube-flannel/daemonsets/kube-flannel-ds',
    object: {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'kube-flannel-ds', namespace: 'kube-flannel' },
      spec: {
        selector: { matchLabels: { app: 'flannel' } },
        template: {
          metadata: { labels: { app: 'flannel' } },
          spec: {
            hostNetwork: true,
            serviceAccountName: 'flannel',
            tolerations: [{ operator: 'Exists', effect: 'NoSchedule' }],
            containers: [{ name: 'kube-flannel', image: 'flannel:v0.28.4' }],
            volumes: [{ name: 'cni', hostPath: { path: '/etc/cni/net.d' } }],
          },
        },
      },
    },
  },
];

/** A Deployment of `replicas` pods of one image. */
export const deployment = (name: string, replicas: number, image = 'nginx:1', spec: object = {}) => ({
  path: `/apis/apps/v1/namespaces/default/deployments/${name}`,
  object: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { containers: [{ name: 'main', image }], ...spec },
      },
    },
  },
});
