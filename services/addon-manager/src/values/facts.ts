import { type Cluster, type KubernetesRelease, parseCidr, tenantNamespace } from '@shoto/api';
import type { JsonObject } from '@shoto/bundle';
import { WaitingError } from '@shoto/reconciler';

/** The address of the cluster's DNS, as kubeadm gives it: the tenth of the Services' network. */
export function dnsIpOf(serviceCIDR: string): string {
  const [base] = serviceCIDR.split('/');
  const tenth = base!.split('.').reduce((n, part) => n * 256 + Number(part), 0) + 10;
  return [24, 16, 8, 0].map((shift) => Math.floor(tenth / 2 ** shift) % 256).join('.');
}

/**
 * What of a cluster its addons may ask for, as `facts.x`; those of its cloud come beside them. All are texts: they stand in arguments and
 * environment variables.
 *
 * @throws {WaitingError} while its endpoint is not known
 */
export function factsOf(cluster: Cluster, release: KubernetesRelease): JsonObject {
  const endpoint = cluster.status?.infrastructure?.endpoint?.internal;
  if (!endpoint) throw new WaitingError('EndpointMissing', 'the API endpoint is not known yet', 1000);
  const colon = endpoint.lastIndexOf(':');
  const { namespace = '', name, uid = '' } = cluster.metadata;
  const { podCIDR, serviceCIDR, nodeCIDR } = cluster.spec.network;
  const prefix = tenantNamespace('');
  return {
    clusterName: name,
    clusterUid: uid,
    tenant: namespace.startsWith(prefix) ? namespace.slice(prefix.length) : namespace,
    region: cluster.spec.region,
    kubernetesVersion: release.spec.version,
    podCIDR,
    serviceCIDR,
    nodeCIDR,
    ...(parseCidr(serviceCIDR) ? { dnsIP: dnsIpOf(serviceCIDR) } : {}),
    apiHost: endpoint.slice(0, colon),
    apiPort: endpoint.slice(colon + 1),
    imageRepository: release.spec.imageRepository,
  };
}
