import type { KubernetesRelease } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine, aRelease } from '../../test/builders.ts';
import { OverrideError } from '../kubeadm/merge.ts';
import {
  ConfigError,
  clusterConfigurationFor,
  configReleaseOf,
  documentOf,
  kubeletConfigurationFor,
  newestJoined,
} from './kubeadm-config.ts';

const release = (overrides: object = {}): KubernetesRelease =>
  aRelease({ version: 'v1.36.3', imageRepository: 'registry.example.org', overrides });
const joined = { bootstrap: { joinedAt: '2026-01-01T00:00:00Z' } };

describe("kubeadm's configuration for another release", () => {
  it('has its version and images, and everything else as it was', () => {
    const before = {
      kubernetesVersion: 'v1.35.4',
      imageRepository: 'old',
      etcd: { local: { dataDir: '/d' } },
      dns: {},
    };
    expect(clusterConfigurationFor(before, release())).toEqual({
      ...before,
      kubernetesVersion: 'v1.36.3',
      imageRepository: 'registry.example.org',
    });
  });

  it('is the same when it is made twice', () => {
    const r = release({ clusterConfiguration: 'apiServer: {certSANs: [a], extraArgs: [{name: v, value: "2"}]}' });
    const once = clusterConfigurationFor({ apiServer: { certSANs: ['b'] }, networking: { podSubnet: 'x' } }, r);
    expect(clusterConfigurationFor(once, r)).toEqual(once);
    expect(once.apiServer).toEqual({ certSANs: ['b', 'a'], extraArgs: [{ name: 'v', value: '2' }] });
  });

  it('takes what a release takes away from the kubelet', () => {
    expect(kubeletConfigurationFor({ a: 1, b: 2 }, release({ kubeletConfiguration: 'b: null\nc: 3' }))).toEqual({
      a: 1,
      c: 3,
    });
    expect(() => kubeletConfigurationFor({}, release({ kubeletConfiguration: '- no' }))).toThrow(OverrideError);
  });

  it.each([undefined, '', '- a list', 'a: [unclosed'])('says where the document cannot be read: %j', (text) => {
    const data: Record<string, string> = text === undefined ? {} : { kubelet: text };
    const map = { metadata: { name: 'kubelet-config' }, data };
    expect(() => documentOf(map, 'kubelet')).toThrow(ConfigError);
    expect(() => documentOf(map, 'kubelet')).toThrow(/ConfigMap kube-system\/kubelet-config has no readable kubelet/);
  });
});

describe('the release of a control plane', () => {
  const cluster = aCluster();
  const cp = (name: string, version: string, o: object = joined) =>
    aMachine(cluster, { name, spec: { release: version }, ...o });

  it('is the newest that a machine has joined with, or that was said once', () => {
    expect(newestJoined(cluster, [])).toBeUndefined();
    expect(newestJoined(cluster, [cp('a', 'v1.35.4'), cp('b', 'v1.36.3'), cp('c', 'v1.36.1')])).toBe('v1.36.3');
    expect(newestJoined(cluster, [cp('a', 'v1.35.4'), cp('b', 'v1.36.3', {})])).toBe('v1.35.4');
    expect(
      newestJoined(cluster, [aMachine(cluster, { role: 'worker', spec: { release: 'v1.36.3' }, ...joined })]),
    ).toBeUndefined();
    const known = { ...cluster, status: { ...cluster.status, infrastructure: { revision: 1, release: 'v1.36.3' } } };
    expect(newestJoined(known as typeof cluster, [cp('a', 'v1.35.4')])).toBe('v1.36.3');
  });

  it('is what its configuration is for where none was ever written', () => {
    expect(configReleaseOf(cluster, [cp('a', 'v1.35.4')])).toBe('v1.35.4');
    expect(configReleaseOf(aCluster({ controlPlane: { configRelease: 'v1.36.3' } }), [cp('a', 'v1.35.4')])).toBe(
      'v1.36.3',
    );
  });
});
