import { type Cluster, type KubernetesRelease, KubernetesReleaseKind, type Machine, resourceOf } from '@shoto/api';
import { CLUSTERROLEBINDINGS, CONFIGMAPS, type HasMeta } from '@shoto/kube';
import { until } from '@shoto/service/testing';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { MACHINES } from '../src/world.ts';
import { aCluster, aMachine, aRelease, START } from './builders.ts';
import { ask, installs, other, report, serve } from './check-in-harness.ts';
import { FakeEtcd } from './fake-etcd.ts';
import { scenario } from './scenario.ts';

const LONG_AGO = new Date(START - 3_600_000).toISOString();
const RELEASES = resourceOf(KubernetesReleaseKind);
const newer = (spec: object = {}): KubernetesRelease => {
  const r = aRelease({ version: 'v1.36.3', ...spec });
  return { ...r, metadata: { ...r.metadata, name: 'v1.36.3' } };
};

interface ConfigMap extends HasMeta {
  data: Record<string, string>;
}
const CLUSTER_CONFIGURATION = {
  apiServer: { certSANs: ['10.8.0.5', '203.0.113.7'] },
  apiVersion: 'kubeadm.k8s.io/v1beta4',
  clusterName: 'web',
  controlPlaneEndpoint: '10.8.0.5:6443',
  imageRepository: 'registry.k8s.io',
  kind: 'ClusterConfiguration',
  kubernetesVersion: 'v1.35.4',
  networking: { podSubnet: '10.244.0.0/16' },
};

/** A cluster that is up with one machine, and machines that want to join. */
async function up(o: { joiners?: Parameters<typeof aMachine>[1][]; controlPlane?: object } = {}) {
  const cluster = aCluster({ controlPlane: { initialized: true, configRelease: 'v1.35.4', ...o.controlPlane } });
  const first = aMachine(cluster, { server: { addresses: ['10.8.0.20'] }, bootstrap: { joinedAt: LONG_AGO } });
  const joiners = (o.joiners ?? [{}]).map((j, i) => aMachine(cluster, { name: `web-cp-${i + 2}`, ...j }));
  const s = await scenario({ clusters: [cluster], machines: [first, ...joiners] });
  s.kube.put(RELEASES, newer());
  const workload = s.workload(cluster);
  const etcd = new FakeEtcd().serve(workload);
  etcd.add(first);
  const put = (name: string, key: string, value: object): void => {
    workload.put(CONFIGMAPS, {
      metadata: { namespace: 'kube-system', name },
      data: { [key]: stringify(value) },
    } as HasMeta);
  };
  put('kubeadm-config', 'ClusterConfiguration', CLUSTER_CONFIGURATION);
  put('kubelet-config', 'kubelet', { apiVersion: 'kubelet.config.k8s.io/v1beta1', cgroupDriver: 'systemd' });
  const config = (name: string, key: string): Record<string, unknown> =>
    parse(workload.now<ConfigMap>(CONFIGMAPS, { namespace: 'kube-system', name })?.data[key] ?? '');
  return { s, cluster, first, joiners, workload, etcd, config, url: await serve(s) };
}
const release = (c: Cluster): string | undefined => c.status?.controlPlane.configRelease;

describe('a further control-plane machine', () => {
  it('gets no plan while a member of etcd is dead, the cluster is sent for it, and then it goes on by itself', async () => {
    const { s, url, etcd, joiners } = await up();
    etcd.add('old-a');
    const dead = etcd.add('old-b', { up: false });
    const waiting = ask(s, url, joiners[0] as Machine);
    await until(() => s.clock.pending > 0, { what: 'it waits' });
    expect(new Set(s.woken)).toEqual(new Set(['tenant-a/web']));
    etcd.members.splice(etcd.members.indexOf(dead), 1);
    etcd.members.splice(1, 1);
    await s.clock.advance(3_000);
    expect(installs(await waiting)).toMatchObject({ init: false, imageRepository: 'registry.k8s.io' });
  });

  it('is told why it waits, in the end', async () => {
    const { s, url, etcd, joiners } = await up();
    etcd.add('old-b', { up: false });
    etcd.add('old-a');
    const waiting = ask(s, url, joiners[0] as Machine);
    for (let i = 0; i < 7; i++) {
      await until(() => s.clock.pending > 0, { what: 'it waits' });
      await s.clock.advance(3_000);
    }
    expect((await waiting).body).toMatchObject({
      action: 'wait',
      reason: 'EtcdNotHealthy',
      message: 'etcd member old-b belongs to no machine and does not answer; it is being removed',
    });
  });

  it('waits when nobody can be asked', async () => {
    const { s, url, etcd, joiners } = await up();
    etcd.members.length = 0;
    const waiting = ask(s, url, joiners[0] as Machine);
    await until(() => s.clock.pending > 0, { what: 'it waits' });
    await s.clock.advance(20_000);
    expect((await waiting).body).toMatchObject({
      reason: 'EtcdNotHealthy',
      message: expect.stringContaining('web-cp-1'),
    });
  });

  it.each<[string, object]>([
    ['whose server is gone', { server: { state: 'Gone' } }],
    [
      'that is to be replaced',
      { health: { revision: 1, order: { number: 1, action: 'Replace', at: LONG_AGO, reason: 'NeverJoined' } } },
    ],
    ['that is being deleted', { metadata: { deletionTimestamp: LONG_AGO } }],
  ])('gets the turn of one %s', async (_, change) => {
    const { s, url, cluster, joiners } = await up({ joiners: [{}, {}] });
    const [holder, next] = joiners as [Machine, Machine];
    installs(await ask(s, url, holder));
    const waiting = ask(s, url, next, { key: other });
    await until(() => s.clock.pending > 0, { what: 'it waits for its turn' });
    const now = s.machineNow(holder);
    const { server = {}, metadata = {}, health } = change as { server?: object; metadata?: object; health?: object };
    const status = now.status as NonNullable<Machine['status']>;
    s.kube.put(MACHINES, {
      ...now,
      metadata: { ...now.metadata, ...metadata },
      status: { ...status, server: { ...status.server, ...server }, ...(health ? { health } : {}) },
    } as Machine);
    expect(installs(await waiting).init).toBe(false);
    expect(s.clusterNow(cluster).status?.controlPlane.joinMachine).toBe(next.metadata.uid);
  });

  it('that has joined keeps what it says of images on the Cluster', async () => {
    const { s, url, cluster, joiners } = await up();
    installs(await ask(s, url, joiners[0] as Machine));
    const images = { coreDNS: 'registry/coredns:v1.13', kubeProxy: 'registry/kube-proxy:v1.35.4' };
    expect((await report(url, { step: 'joined', state: 'done', images })).status).toBe(204);
    expect(s.clusterNow(cluster).status?.controlPlane.images).toEqual([{ release: 'v1.35.4', ...images }]);
  });
});

describe('a control-plane machine of a newer release', () => {
  const NEW = { spec: { release: 'v1.36.3' } };

  it("finds kubeadm's configuration written for its release, with what the cluster was made with kept", async () => {
    const { s, url, cluster, config, workload, joiners } = await up({ joiners: [NEW] });
    s.kube.put(
      RELEASES,
      newer({
        imageRepository: 'mirror.example.org/k8s',
        overrides: {
          clusterConfiguration:
            'controlPlaneEndpoint: other:1\nnetworking: {podSubnet: 1.2.3.0/24}\napiServer: {certSANs: [api.example.org], extraArgs: [{name: v, value: "2"}]}',
          kubeletConfiguration: 'maxPods: 200',
        },
      }),
    );
    installs(await ask(s, url, joiners[0] as Machine));
    expect(config('kubeadm-config', 'ClusterConfiguration')).toEqual({
      ...CLUSTER_CONFIGURATION,
      kubernetesVersion: 'v1.36.3',
      imageRepository: 'mirror.example.org/k8s',
      apiServer: {
        certSANs: ['10.8.0.5', '203.0.113.7', 'api.example.org'],
        extraArgs: [{ name: 'v', value: '2' }],
      },
    });
    expect(config('kubelet-config', 'kubelet')).toMatchObject({ cgroupDriver: 'systemd', maxPods: 200 });
    expect(release(s.clusterNow(cluster))).toBe('v1.36.3');
    // From 1.36 on an API server may enter kubelets by this binding only, and a join does not make it.
    await expect(
      workload.get(CLUSTERROLEBINDINGS, { name: 'kubeadm:apiserver-kubelet-client' }),
    ).resolves.toMatchObject({
      roleRef: { name: 'system:kubelet-api-admin' },
      subjects: [{ kind: 'User', name: 'kube-apiserver-kubelet-client' }],
    });

    workload.writes.length = 0;
    installs(await ask(s, url, joiners[0] as Machine)); // again, after an answer was lost
    expect(workload.writes.filter((w) => w.includes('configmaps'))).toEqual([]);
  });

  it('does not come before its configuration: an upgrade aimed elsewhere takes it back', async () => {
    const { s, url, cluster, config, joiners } = await up({ joiners: [NEW, {}] });
    const [first, second] = joiners as [Machine, Machine];
    installs(await ask(s, url, first));
    const now = s.machineNow(first);
    s.kube.put(MACHINES, { ...now, metadata: { ...now.metadata, deletionTimestamp: LONG_AGO } }); // it never joined
    installs(await ask(s, url, second, { key: other }));
    expect(config('kubeadm-config', 'ClusterConfiguration')).toEqual(CLUSTER_CONFIGURATION);
    expect(release(s.clusterNow(cluster))).toBe('v1.35.4');
  });

  it('leaves older ones behind once it has joined, and none of them keeps the turn', async () => {
    const { s, url, cluster, joiners, etcd } = await up({ joiners: [{}, NEW, NEW] });
    const [old, joins, next] = joiners as [Machine, Machine, Machine];
    installs(await ask(s, url, old));
    s.kube.put(
      MACHINES,
      aMachine(cluster, {
        ...NEW,
        name: 'web-cp-3',
        server: { addresses: ['10.8.0.23'] },
        bootstrap: { joinedAt: LONG_AGO },
      }),
    );
    etcd.add('web-cp-3', { address: '10.8.0.23' });
    expect(joins.metadata.name).toBe('web-cp-3');
    const waiting = ask(s, url, old);
    await until(() => s.clock.pending > 0, { what: 'it waits' });
    await s.clock.advance(20_000);
    expect((await waiting).body).toMatchObject({ reason: 'ReleaseBehind' });
    installs(await ask(s, url, next, { key: other }));
  });

  it('waits where the configuration is missing or broken, and says which', async () => {
    const { s, url, workload, joiners } = await up({ joiners: [NEW] });
    workload.drop(CONFIGMAPS, { namespace: 'kube-system', name: 'kubelet-config' });
    const waiting = ask(s, url, joiners[0] as Machine);
    for (let i = 0; i < 2; i++) {
      await until(() => s.clock.pending > 0, { what: 'it waits' });
      await s.clock.advance(15_000);
    }
    expect((await waiting).body).toMatchObject({
      action: 'wait',
      reason: 'ConfigNotReady',
      message: expect.stringContaining('ConfigMap kube-system/kubelet-config is missing'),
    });
  });
});
