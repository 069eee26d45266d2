import type { KubernetesRelease, Machine } from '@shoto/api';
import { KubernetesReleaseKind, resourceOf } from '@shoto/api';
import { CONFIGMAPS, DAEMONSETS, DEPLOYMENTS, type HasMeta } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { reconcileCluster } from '../src/reconcile-cluster.ts';
import { aCluster, aMachine, aRelease, START } from './builders.ts';
import { never, scenario } from './scenario.ts';

const NEW = 'v1.36.3';
const IMAGES = {
  release: NEW,
  coreDNS: 'registry.k8s.io/coredns/coredns:v1.14.0',
  kubeProxy: `registry.k8s.io/kube-proxy:${NEW}`,
};
const PROXY = { namespace: 'kube-system', name: 'kube-proxy' };
const DNS = { namespace: 'kube-system', name: 'coredns' };

interface Workload extends HasMeta {
  spec: {
    template: {
      metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
      spec: { containers: { name: string; image: string }[] };
    };
  };
}
const workloadObject = (ref: typeof PROXY, ...containers: [string, string][]): Workload => ({
  metadata: { ...ref },
  spec: {
    template: {
      metadata: { labels: { app: ref.name } },
      spec: { containers: containers.map(([name, image]) => ({ name, image })) },
    },
  },
});

/** A cluster whose one machine has come to the new release, with kubeadm's addons as `kubeadm init` of the old one made them. */
async function upgraded(o: { controlPlane?: object; overrides?: object } = {}) {
  const cluster = aCluster({
    controlPlane: {
      initialized: true,
      configRelease: NEW,
      addonsRelease: 'v1.35.4',
      images: [IMAGES],
      ...o.controlPlane,
    },
  });
  const m = aMachine(cluster, { spec: { release: NEW }, bootstrap: { joinedAt: new Date(START).toISOString() } });
  const status = { ...(m.status as NonNullable<Machine['status']>), health: { revision: 1, ready: true } };
  const s = await scenario({ clusters: [cluster], machines: [{ ...m, status }] });
  const release = aRelease({ version: NEW, overrides: o.overrides ?? {} });
  s.kube.put(resourceOf(KubernetesReleaseKind), {
    ...release,
    metadata: { ...release.metadata, name: NEW },
  } as KubernetesRelease);
  const workload = s.workload(cluster);
  workload.put(DAEMONSETS, workloadObject(PROXY, ['kube-proxy', 'registry.k8s.io/kube-proxy:v1.35.4']));
  workload.put(
    DEPLOYMENTS,
    workloadObject(DNS, ['sidecar', 'x'], ['coredns', 'registry.k8s.io/coredns/coredns:v1.13.1']),
  );
  const config = {
    'config.conf': 'mode: iptables\nconntrack: {maxPerCore: 0, min: 0}\n',
    'kubeconfig.conf': 'kind: Config\n',
  };
  workload.put(CONFIGMAPS, { metadata: { ...PROXY }, data: config } as HasMeta);
  const run = () => reconcileCluster(s.clusterDeps, 'tenant-a/web', { signal: never });
  const controlPlane = () => s.clusterNow(cluster).status?.controlPlane;
  const follow = () => controlPlane()?.conditions?.find((c) => c.type === 'AddonsFollow');
  const proxy = () => workload.now<Workload>(DAEMONSETS, PROXY)?.spec.template;
  const dns = () => workload.now<Workload>(DEPLOYMENTS, DNS)?.spec.template;
  const written = () => workload.writes.filter((w) => /daemonsets|deployments|configmaps/.test(w));
  return { s, cluster, workload, run, controlPlane, follow, proxy, dns, written };
}

describe("kubeadm's own addons", () => {
  it('follow once every machine runs the release: their images, and nothing else of them', async () => {
    const u = await upgraded();
    await u.run();
    expect(u.proxy()?.spec.containers).toEqual([{ name: 'kube-proxy', image: IMAGES.kubeProxy }]);
    expect(u.proxy()?.metadata).toEqual({ labels: { app: 'kube-proxy' } });
    expect(u.dns()?.spec.containers).toEqual([
      { name: 'sidecar', image: 'x' },
      { name: 'coredns', image: IMAGES.coreDNS },
    ]);
    expect(u.controlPlane()?.addonsRelease).toBe(NEW);
    expect(u.follow()).toMatchObject({ status: 'True', reason: 'Followed' });
    expect(u.written()).toEqual(['patch daemonsets kube-system/kube-proxy', 'patch deployments kube-system/coredns']);
    u.s.kube.writes.length = 0;
    await u.run();
    expect(u.written()).toHaveLength(2);
    expect(u.s.kube.writes).toEqual([]);
  });

  it('are finished by the next pass when one was cut short, without being started again', async () => {
    const u = await upgraded();
    const dns = u.workload.now<Workload>(DEPLOYMENTS, DNS) as Workload;
    u.workload.drop(DEPLOYMENTS, DNS);
    await u.run();
    expect(u.follow()).toMatchObject({
      status: 'False',
      reason: 'AddonMissing',
      message: expect.stringContaining('kube-system/coredns is missing'),
    });
    expect(u.controlPlane()?.addonsRelease).toBe('v1.35.4');
    u.workload.put(DEPLOYMENTS, dns);
    await u.run();
    expect(u.written()).toEqual(['patch daemonsets kube-system/kube-proxy', 'patch deployments kube-system/coredns']);
    expect(u.follow()).toMatchObject({ status: 'True' });
  });

  it("take over what the release says of kube-proxy's configuration, and are started with it", async () => {
    const u = await upgraded({ overrides: { kubeProxyConfiguration: 'mode: nftables' } });
    await u.run();
    const data = u.workload.now<HasMeta & { data: Record<string, string> }>(CONFIGMAPS, PROXY)?.data;
    expect(parse(data?.['config.conf'] ?? '')).toEqual({ mode: 'nftables', conntrack: { maxPerCore: 0, min: 0 } });
    expect(data?.['kubeconfig.conf']).toBe('kind: Config\n');
    expect(u.proxy()?.metadata?.annotations).toEqual({ 'shoto.dev/config': expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(u.written()[0]).toBe('patch configmaps kube-system/kube-proxy');
  });

  it('wait, and that is said, while nobody has told their images', async () => {
    const u = await upgraded({ controlPlane: { images: [] } });
    expect(await u.run()).toEqual({ requeueAfterMs: 60_000 });
    expect(u.follow()).toMatchObject({
      status: 'False',
      reason: 'ImageUnknown',
      message: expect.stringContaining(NEW),
    });
    expect(u.written()).toEqual([]);
  });

  it('are left to others where the release says that kubeadm does not install them', async () => {
    const u = await upgraded({ overrides: { initConfiguration: 'skipPhases: [addon/kube-proxy]' } });
    u.workload.drop(DAEMONSETS, PROXY);
    await u.run();
    expect(u.controlPlane()?.addonsRelease).toBe(NEW);
    expect(u.written()).toEqual(['patch deployments kube-system/coredns']);
  });

  it('of a cluster from before are what it was made with', async () => {
    const u = await upgraded({
      controlPlane: { configRelease: undefined, addonsRelease: undefined, images: undefined },
    });
    await u.run();
    expect(u.controlPlane()).toMatchObject({ configRelease: NEW, addonsRelease: NEW });
    expect(u.written()).toEqual([]);
    expect(u.follow()).toBeUndefined();
  });
});
