import { createHash } from 'node:crypto';
import type { KubeadmImages } from './images.ts';
import type { Manifest } from './objects.ts';

const LINUX = { 'kubernetes.io/os': 'linux' };
const CONTROL_PLANE_TAINT = { effect: 'NoSchedule', key: 'node-role.kubernetes.io/control-plane' };

/** kube-proxy's DaemonSet, as kubeadm makes it. */
export const kubeProxyDaemonSet = (image: string): Manifest => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'kube-proxy', namespace: 'kube-system', labels: { 'k8s-app': 'kube-proxy' } },
  spec: {
    revisionHistoryLimit: 10,
    selector: { matchLabels: { 'k8s-app': 'kube-proxy' } },
    template: {
      metadata: { labels: { 'k8s-app': 'kube-proxy' } },
      spec: {
        containers: [
          {
            name: 'kube-proxy',
            image,
            imagePullPolicy: 'IfNotPresent',
            command: [
              '/usr/local/bin/kube-proxy',
              '--config=/var/lib/kube-proxy/config.conf',
              '--hostname-override=$(NODE_NAME)',
            ],
            env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
            securityContext: { privileged: true },
            volumeMounts: [
              { mountPath: '/var/lib/kube-proxy', name: 'kube-proxy' },
              { mountPath: '/run/xtables.lock', name: 'xtables-lock' },
              { mountPath: '/lib/modules', name: 'lib-modules', readOnly: true },
            ],
          },
        ],
        hostNetwork: true,
        nodeSelector: LINUX,
        priorityClassName: 'system-node-critical',
        serviceAccountName: 'kube-proxy',
        tolerations: [{ operator: 'Exists' }],
        volumes: [
          { configMap: { name: 'kube-proxy' }, name: 'kube-proxy' },
          { hostPath: { path: '/run/xtables.lock', type: 'FileOrCreate' }, name: 'xtables-lock' },
          { hostPath: { path: '/lib/modules' }, name: 'lib-modules' },
        ],
      },
    },
    updateStrategy: { type: 'RollingUpdate' },
  },
});

/** CoreDNS: Deployment and Service, as kubeadm makes them. */
export function coreDns(image: string, clusterIP: string): Manifest[] {
  const labels = { 'k8s-app': 'kube-dns' };
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'coredns', namespace: 'kube-system', labels },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        strategy: { rollingUpdate: { maxUnavailable: 1 }, type: 'RollingUpdate' },
        template: {
          metadata: { labels },
          spec: {
            containers: [
              {
                name: 'coredns',
                image,
                imagePullPolicy: 'IfNotPresent',
                args: ['-conf', '/etc/coredns/Corefile'],
                ports: [
                  { containerPort: 53, name: 'dns', protocol: 'UDP' },
                  { containerPort: 53, name: 'dns-tcp', protocol: 'TCP' },
                  { containerPort: 9153, name: 'metrics', protocol: 'TCP' },
                ],
                readinessProbe: { httpGet: { path: '/ready', port: 8181 } },
                resources: { limits: { memory: '170Mi' }, requests: { cpu: '100m', memory: '70Mi' } },
                volumeMounts: [{ mountPath: '/etc/coredns', name: 'config-volume', readOnly: true }],
              },
            ],
            dnsPolicy: 'Default',
            nodeSelector: LINUX,
            priorityClassName: 'system-cluster-critical',
            serviceAccountName: 'coredns',
            tolerations: [{ key: 'CriticalAddonsOnly', operator: 'Exists' }, CONTROL_PLANE_TAINT],
            volumes: [
              { configMap: { items: [{ key: 'Corefile', path: 'Corefile' }], name: 'coredns' }, name: 'config-volume' },
            ],
          },
        },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'kube-dns',
        namespace: 'kube-system',
        labels: { ...labels, 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'CoreDNS' },
        annotations: { 'prometheus.io/port': '9153', 'prometheus.io/scrape': 'true' },
      },
      spec: {
        clusterIP,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
          { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
          { name: 'metrics', port: 9153, protocol: 'TCP', targetPort: 9153 },
        ],
        selector: labels,
      },
    },
  ];
}

/** What a control-plane machine runs by itself. */
export const STATIC_PODS = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;

/** What a control-plane machine's static pods are made from. */
export interface StaticPodFacts {
  nodeName: string;
  address: string;
  images: KubeadmImages;
  /** Of the control plane. */
  version: string;
}

const ETCD_DIRECTORY = '/etc/kubernetes/pki/etcd';

/** Command, annotations and volumes of etcd's pod: who asks it needs to know where it listens and which certificates are there. */
const etcdParts = (f: StaticPodFacts) => ({
  annotations: { 'kubeadm.kubernetes.io/etcd.advertise-client-urls': `https://${f.address}:2379` },
  command: [
    'etcd',
    `--advertise-client-urls=https://${f.address}:2379`,
    `--cert-file=${ETCD_DIRECTORY}/server.crt`,
    '--client-cert-auth=true',
    '--data-dir=/var/lib/etcd',
    `--initial-advertise-peer-urls=https://${f.address}:2380`,
    `--key-file=${ETCD_DIRECTORY}/server.key`,
    `--listen-client-urls=https://127.0.0.1:2379,https://${f.address}:2379`,
    `--listen-peer-urls=https://${f.address}:2380`,
    `--name=${f.nodeName}`,
    `--peer-cert-file=${ETCD_DIRECTORY}/peer.crt`,
    '--peer-client-cert-auth=true',
    `--peer-key-file=${ETCD_DIRECTORY}/peer.key`,
    `--peer-trusted-ca-file=${ETCD_DIRECTORY}/ca.crt`,
    `--trusted-ca-file=${ETCD_DIRECTORY}/ca.crt`,
  ],
  mounts: [
    { mountPath: '/var/lib/etcd', name: 'etcd-data' },
    { mountPath: ETCD_DIRECTORY, name: 'etcd-certs' },
  ],
  volumes: [
    { hostPath: { path: ETCD_DIRECTORY, type: 'DirectoryOrCreate' }, name: 'etcd-certs' },
    { hostPath: { path: '/var/lib/etcd', type: 'DirectoryOrCreate' }, name: 'etcd-data' },
  ],
});

const others = (
  component: string,
  f: StaticPodFacts,
): Omit<ReturnType<typeof etcdParts>, 'annotations'> & { annotations: object } => ({
  annotations:
    component === 'kube-apiserver'
      ? { 'kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint': `${f.address}:6443` }
      : {},
  command: [component],
  mounts: [],
  volumes: [],
});

/** The mirror pod by which a kubelet shows a static pod. */
export function mirrorPod(component: (typeof STATIC_PODS)[number], f: StaticPodFacts): Manifest {
  const hash = createHash('md5').update(`${component}/${f.version}/${f.address}`).digest('hex');
  const { annotations, command, mounts, volumes } = component === 'etcd' ? etcdParts(f) : others(component, f);
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${component}-${f.nodeName}`,
      namespace: 'kube-system',
      labels: { component, tier: 'control-plane' },
      annotations: {
        ...annotations,
        'kubernetes.io/config.hash': hash,
        'kubernetes.io/config.mirror': hash,
        'kubernetes.io/config.source': 'file',
      },
    },
    spec: {
      nodeName: f.nodeName,
      hostNetwork: true,
      priorityClassName: 'system-node-critical',
      containers: [
        {
          name: component,
          image: component === 'etcd' ? f.images.etcd : f.images.of(component),
          imagePullPolicy: 'IfNotPresent',
          command,
          resources: { requests: { cpu: component === 'kube-apiserver' ? '250m' : '100m' } },
          ...(mounts.length > 0 ? { volumeMounts: mounts } : {}),
        },
      ],
      ...(volumes.length > 0 ? { volumes } : {}),
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      tolerations: [{ effect: 'NoExecute', operator: 'Exists' }],
    },
  };
}
