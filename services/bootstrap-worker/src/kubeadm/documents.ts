import type { Cluster, KubernetesRelease, Machine } from '@shoto/api';
import { stringify } from 'yaml';
import { type Mapping, merge, parseOverride } from './merge.ts';
import { hostOf, isKubeletLabel, nodeLabels, providerId } from './node.ts';

const KUBEADM = 'kubeadm.k8s.io/v1beta4';
/** Where a joining machine finds the API server and the CA that vouches for it. */
export const DISCOVERY_PATH = '/etc/shoto/discovery.yaml';
const API_PORT = 6443;

/** What the documents are made from. All of it is known before anything is handed out. */
export interface Inputs {
  cluster: Cluster;
  machine: Machine;
  release: KubernetesRelease;
}

/** What the documents need and the objects do not have yet. */
export class MissingFactError extends Error {}

function endpointOf(cluster: Cluster): { internal: string; external: string } {
  const endpoint = cluster.status?.infrastructure.endpoint;
  if (!endpoint) throw new MissingFactError(`cluster ${cluster.metadata.name} has no API endpoint yet`);
  return endpoint;
}

function serverOf(machine: Machine): { id: string; address: string } {
  const { id, addresses } = machine.status?.server ?? {};
  if (!id || !addresses?.[0])
    throw new MissingFactError(`machine ${machine.metadata.name} has no server with an address yet`);
  return { id, address: addresses[0] };
}

function nodeRegistration(machine: Machine): Mapping {
  const labels = Object.entries(nodeLabels(machine))
    .filter(([key]) => isKubeletLabel(key))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  return {
    name: machine.metadata.name,
    criSocket: 'unix:///run/containerd/containerd.sock',
    imagePullPolicy: 'IfNotPresent',
    kubeletExtraArgs: [
      { name: 'node-labels', value: labels.join(',') },
      { name: 'provider-id', value: providerId(serverOf(machine).id) },
    ],
    // Absent on a control plane means kubeadm's own taint; a worker has none but those asked for.
    ...(machine.spec.taints || machine.spec.role === 'worker' ? { taints: machine.spec.taints ?? [] } : {}),
  };
}

const documents = (list: Mapping[]): string => list.map((d) => stringify(d, { lineWidth: 0 })).join('---\n');

/**
 * What `kubeadm init` reads on the first control-plane machine: Init-, Cluster-, Kubelet- and KubeProxyConfiguration.
 *
 * @param uselessToken - a bootstrap token. kubeadm makes one that lives a day unless it is given one; the phase that makes it also
 *   makes the role bindings that joining needs, so it cannot be skipped. This one lives a minute, in a group without any right.
 * @throws {OverrideError} {@link MissingFactError}
 */
export function initDocuments({ cluster, machine, release }: Inputs, uselessToken: string): string {
  const endpoint = endpointOf(cluster);
  const over = release.spec.overrides;
  const init = merge(
    {
      apiVersion: KUBEADM,
      kind: 'InitConfiguration',
      bootstrapTokens: [
        {
          token: uselessToken,
          ttl: '1m0s',
          description: 'in place of the token that kubeadm makes; opens nothing',
          usages: ['authentication'],
          groups: ['system:bootstrappers:shoto:nobody'],
        },
      ],
      localAPIEndpoint: { advertiseAddress: serverOf(machine).address, bindPort: API_PORT },
      nodeRegistration: nodeRegistration(machine),
    },
    parseOverride('initConfiguration', over.initConfiguration),
  );
  const clusterConfiguration = merge(
    {
      apiVersion: KUBEADM,
      kind: 'ClusterConfiguration',
      clusterName: cluster.metadata.name,
      kubernetesVersion: release.spec.version,
      imageRepository: release.spec.imageRepository,
      controlPlaneEndpoint: endpoint.internal,
      encryptionAlgorithm: 'ECDSA-P256',
      networking: {
        podSubnet: cluster.spec.network.podCIDR,
        serviceSubnet: cluster.spec.network.serviceCIDR,
        dnsDomain: 'cluster.local',
      },
      apiServer: {},
    },
    parseOverride('clusterConfiguration', over.clusterConfiguration),
  );
  // After the merge, so that no override can take away a name by which the API server is reached.
  const apiServer = clusterConfiguration.apiServer as Mapping;
  const asked = Array.isArray(apiServer.certSANs) ? (apiServer.certSANs as string[]) : [];
  apiServer.certSANs = [...new Set([hostOf(endpoint.internal), hostOf(endpoint.external), ...asked])];
  return documents([
    init,
    clusterConfiguration,
    merge(
      { apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', cgroupDriver: 'systemd' },
      parseOverride('kubeletConfiguration', over.kubeletConfiguration),
    ),
    merge(
      { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'iptables' },
      parseOverride('kubeProxyConfiguration', over.kubeProxyConfiguration),
    ),
  ]);
}

/**
 * What `kubeadm join` reads, on a worker or on a further control-plane machine. The API server is found by a file that holds its
 * CA, not by the cluster-info ConfigMap: nothing waits for that to be signed.
 *
 * @param token - the machine's own bootstrap token
 * @throws {OverrideError} {@link MissingFactError}
 */
export function joinDocuments({ machine, release }: Inputs, token: string): string {
  const controlPlane =
    machine.spec.role === 'control-plane'
      ? { controlPlane: { localAPIEndpoint: { advertiseAddress: serverOf(machine).address, bindPort: API_PORT } } }
      : {};
  return documents([
    merge(
      {
        apiVersion: KUBEADM,
        kind: 'JoinConfiguration',
        discovery: { file: { kubeConfigPath: DISCOVERY_PATH }, tlsBootstrapToken: token },
        nodeRegistration: nodeRegistration(machine),
        ...controlPlane,
      },
      parseOverride('joinConfiguration', release.spec.overrides.joinConfiguration),
    ),
  ]);
}
