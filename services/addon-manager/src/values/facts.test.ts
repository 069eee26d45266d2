import type { Cluster, KubernetesRelease } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { dnsIpOf, factsOf } from './facts.ts';

const cluster = (endpoint?: string) =>
  ({
    metadata: { name: 'web', namespace: 'tenant-blue', uid: 'u1' },
    spec: {
      region: 'one',
      network: { podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/12', nodeCIDR: '10.8.0.0/16' },
    },
    status: { infrastructure: endpoint ? { endpoint: { internal: endpoint } } : {} },
  }) as unknown as Cluster;
const release = { spec: { version: 'v1.35.4', imageRepository: 'registry.k8s.io' } } as KubernetesRelease;

describe('facts of a cluster', () => {
  it('are texts', () => {
    expect(factsOf(cluster('10.8.0.5:6443'), release)).toEqual({
      clusterName: 'web',
      clusterUid: 'u1',
      tenant: 'blue',
      region: 'one',
      kubernetesVersion: 'v1.35.4',
      podCIDR: '10.244.0.0/16',
      serviceCIDR: '10.96.0.0/12',
      nodeCIDR: '10.8.0.0/16',
      dnsIP: '10.96.0.10',
      apiHost: '10.8.0.5',
      apiPort: '6443',
      imageRepository: 'registry.k8s.io',
    });
  });

  it('wait for the endpoint', () => expect(() => factsOf(cluster(), release)).toThrow('endpoint is not known yet'));

  it.each([
    ['10.96.0.0/12', '10.96.0.10'],
    ['192.168.1.248/29', '192.168.2.2'],
  ])('name the DNS of %s: %s', (cidr, ip) => expect(dnsIpOf(cidr)).toBe(ip));
});
