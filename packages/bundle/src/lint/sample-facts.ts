import type { JsonObject } from '../json.ts';

/** Facts of a cluster that is none, for authors: what addon-manager fills in, with addresses that are for examples. */
export function sampleFacts(credentials: readonly string[] = []): JsonObject {
  return {
    clusterName: 'sample',
    clusterUid: '00000000-0000-4000-8000-000000000001',
    tenant: 'sample',
    region: 'one',
    podCIDR: '10.244.0.0/16',
    serviceCIDR: '10.96.0.0/12',
    nodeCIDR: '10.8.0.0/16',
    dnsIP: '10.96.0.10',
    apiHost: '10.8.0.5',
    apiPort: '6443',
    imageRepository: 'registry.example.com/kubernetes',
    ...(credentials.includes('openstack')
      ? {
          openstack: {
            authUrl: 'https://cloud.example.com:5000/v3',
            region: 'RegionOne',
            applicationCredentialId: '00000000000040008000000000000002',
            applicationCredentialSecret: 'sample',
            caBundle: '',
            networkId: '00000000-0000-4000-8000-000000000003',
            subnetId: '00000000-0000-4000-8000-000000000004',
            externalNetworkId: '00000000-0000-4000-8000-000000000005',
          },
        }
      : {}),
  };
}
