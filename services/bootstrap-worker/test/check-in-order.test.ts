import type { Cluster, Machine } from '@shoto/api';
import { SECRETS } from '@shoto/kube';
import { until } from '@shoto/service/testing';
import { describe, expect, it } from 'vitest';
import type { InstallPlan } from '../src/check-in/protocol.ts';
import { CLUSTERS, MACHINES } from '../src/world.ts';
import { aCluster, aMachine, aRelease, START } from './builders.ts';
import { ask, fileOf, installs, other, report, serve } from './check-in-harness.ts';
import { FakeEtcd } from './fake-etcd.ts';
import { error } from './fake-kube.ts';
import { machineKey } from './machine-client.ts';
import { scenario } from './scenario.ts';

describe('the machines of a cluster', () => {
  it('make the control plane exactly once, when all ask two replicas at the same time', async () => {
    const cluster = aCluster({
      spec: { controlPlane: { count: 3, flavor: 'm', serverGroupPolicy: 'soft-anti-affinity' } },
    });
    const machines = ['web-cp-1', 'web-cp-2', 'web-cp-3'].map((name) => aMachine(cluster, { name }));
    const s = await scenario({ clusters: [cluster], machines });
    const replicas = [s, s.replica()];
    for (const r of replicas) r.clusterCache.lag(); // none of them learns of the other's write by its watch
    const urls = await Promise.all(replicas.map((r) => serve(s, r)));
    const keys = await Promise.all(machines.map(() => machineKey()));

    const answers: Record<string, unknown>[] = [];
    const asked = machines.flatMap((m, i) =>
      urls.map(async (url) => answers.push((await ask(s, url, m, { key: keys[i] })).body)),
    );
    await until(() => s.clock.pending === 4, { what: 'the two that have to wait do so, at both replicas' });
    await s.clock.advance(20_000);
    await Promise.all(asked);

    const makers = new Set(
      answers.filter((a) => a.action === 'install').map((a) => (a as unknown as InstallPlan).machine.name),
    );
    expect(makers.size).toBe(1);
    expect(answers.filter((a) => a.action === 'wait')).toHaveLength(4);
  });

  it('give the making of the control plane to another when its maker is lost, and not while it only seems lost', async () => {
    const cluster = aCluster();
    const [first, second] = [aMachine(cluster), aMachine(cluster, { name: 'web-cp-2' })];
    const s = await scenario({ clusters: [cluster], machines: [first] });
    await ask(s, await serve(s), first);
    const r = s.replica();
    s.kube.put(MACHINES, second);
    s.kube.drop(MACHINES, first.metadata);
    r.machineCache.lag(); // shows it as gone
    s.kube.put(MACHINES, first);
    const url = await serve(s, r);
    const waiting = ask(s, url, second, { key: other });
    await until(() => s.clock.pending > 0, { what: 'it waits, for the live list has the maker' });
    await s.clock.advance(20_000);
    expect((await waiting).body).toMatchObject({ action: 'wait' });

    s.kube.drop(MACHINES, first.metadata);
    const t = s.replica();
    expect(installs(await ask(s, await serve(s, t), second, { key: other })).init).toBe(true);
    expect(s.clusterNow(cluster).status?.controlPlane.initMachine).toBe(second.metadata.uid);
  });

  it('wait for a maker that leaves until it is gone: on its machine kubeadm goes on', async () => {
    const cluster = aCluster();
    const [first, second] = [aMachine(cluster), aMachine(cluster, { name: 'web-cp-2' })];
    const s = await scenario({ clusters: [cluster], machines: [first, second] });
    const url = await serve(s);
    expect(installs(await ask(s, url, first)).init).toBe(true);
    expect(s.clusterNow(cluster).status?.controlPlane.initMachineAt).toBe('2026-01-01T00:01:00Z');
    const { metadata } = s.machineNow(first);
    s.kube.put(MACHINES, {
      ...s.machineNow(first),
      metadata: { ...metadata, deletionTimestamp: '2026-01-01T00:00:00Z' },
    } as Machine);
    const waiting = ask(s, url, second, { key: other });
    await until(() => s.clock.pending > 0, { what: 'it waits' });
    expect(s.clusterNow(cluster).status?.controlPlane.initMachine).toBe(first.metadata.uid);
    await s.clock.advance(20_000);
    expect((await waiting).body).toMatchObject({ action: 'wait', reason: 'WaitingForControlPlane' });
    s.kube.drop(MACHINES, first.metadata);
    const t = s.replica();
    expect(installs(await ask(s, await serve(s, t), second, { key: other })).init).toBe(true);
    expect(s.clusterNow(cluster).status?.controlPlane.initMachine).toBe(second.metadata.uid);
  });

  it('join as workers once the control plane is up, each with a token of its own and none of the keys', async () => {
    const cluster = aCluster();
    const worker = aMachine(cluster, { name: 'web-w-1', role: 'worker', spec: { labels: { tier: 'web' } } });
    const s = await scenario({ clusters: [cluster], machines: [worker] });
    const url = await serve(s);
    const answer = ask(s, url, worker);
    await until(() => s.clock.pending > 0, { what: 'it waits for the control plane' });
    s.kube.put(CLUSTERS, {
      ...s.clusterNow(cluster),
      status: aCluster({ controlPlane: { initialized: true } }).status,
    } as Cluster);

    const plan = installs(await answer);
    expect(plan).toMatchObject({
      init: false,
      role: 'worker',
      node: { name: 'web-w-1', labels: { tier: 'web', 'shoto.dev/pool': 'default' } },
    });
    expect(plan.files.map((f) => f.path)).toEqual(['/etc/shoto/discovery.yaml', '/etc/shoto/kubeadm.yaml']);
    expect(JSON.stringify(plan.files.map((f) => fileOf(plan, f.path)))).not.toContain('PRIVATE KEY');
    const [token] = s
      .workload(cluster)
      .all<{ metadata: { name: string }; type: string; data: Record<string, string> }>(SECRETS);
    const data = Object.fromEntries(
      Object.entries(token?.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]),
    );
    expect(token?.type).toBe('bootstrap.kubernetes.io/token');
    expect(data).toMatchObject({
      expiration: new Date(s.clock.now() + 15 * 60_000).toISOString(),
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
      description: expect.stringContaining('web-w-1'),
    });
    expect(data['usage-bootstrap-signing']).toBeUndefined();
    expect(fileOf(plan, '/etc/shoto/kubeadm.yaml')).toContain(
      `tlsBootstrapToken: ${data['token-id']}.${data['token-secret']}`,
    );

    await ask(s, url, worker); // asking twice leaves one token
    expect(s.workload(cluster).all(SECRETS)).toHaveLength(1);
    await report(url, { step: 'joined', state: 'done' });
    await until(() => s.workload(cluster).all(SECRETS).length === 0, { what: 'the token is taken away' });
  });

  it('join the control plane one after the other', async () => {
    const cluster = aCluster({ controlPlane: { initialized: true, initMachine: 'first' } });
    const server = { addresses: ['10.8.0.20'] };
    const bootstrap = { joinedAt: new Date(START - 3_600_000).toISOString() };
    const first = aMachine(cluster, { server, bootstrap });
    const [b, c] = ['web-cp-2', 'web-cp-3'].map((name) => aMachine(cluster, { name })) as [Machine, Machine];
    const s = await scenario({ clusters: [cluster], machines: [first, b, c] });
    const etcd = new FakeEtcd().serve(s.workload(cluster));
    etcd.add(first);
    const url = await serve(s);
    const plan = installs(await ask(s, url, b));
    expect(plan).toMatchObject({ init: false, role: 'control-plane' });
    expect(fileOf(plan, '/etc/kubernetes/pki/etcd/ca.key')).toContain('PRIVATE KEY');
    expect(fileOf(plan, '/etc/shoto/kubeadm.yaml')).toContain('controlPlane:');

    const waiting = ask(s, url, c, { key: other });
    await until(() => s.clock.pending > 0, { what: 'the third waits for the second' });
    etcd.add(b, { address: '10.8.0.22' });
    await report(url, { step: 'joined', state: 'done' });
    expect(installs(await waiting).init).toBe(false);
    expect(s.clusterNow(cluster).status?.controlPlane.joinMachine).toBe(c.metadata.uid);
  });

  it('are told to ask again when the API of their cluster does not answer', async () => {
    const cluster = aCluster({ controlPlane: { initialized: true } });
    const worker = aMachine(cluster, { name: 'web-w-1', role: 'worker' });
    const s = await scenario({ clusters: [cluster], machines: [worker] });
    s.workload(cluster).down = error(0, 'Unreachable');
    expect((await ask(s, await serve(s), worker)).body).toMatchObject({
      action: 'wait',
      reason: 'ControlPlaneUnreachable',
    });
  });

  it('wait while the cluster is paused', async () => {
    const cluster = aCluster({ spec: { paused: true } });
    const machine = aMachine(cluster);
    const s = await scenario({ clusters: [cluster], machines: [machine] });
    const waiting = ask(s, await serve(s), machine);
    await until(() => s.clock.pending > 0, { what: 'it waits' });
    await s.clock.advance(20_000);
    expect((await waiting).body).toMatchObject({ action: 'wait', reason: 'ClusterPaused' });
  });

  it('are told what is wrong with the release, and so is the person', async () => {
    const cluster = aCluster();
    const machine = aMachine(cluster);
    const release = aRelease({ overrides: { initConfiguration: '- not a mapping' } });
    const s = await scenario({ clusters: [cluster], machines: [machine], release });
    expect((await ask(s, await serve(s), machine)).body).toMatchObject({
      action: 'wait',
      reason: 'ReleaseInvalid',
      message: expect.stringContaining('spec.overrides.initConfiguration'),
    });
    expect(s.events).toEqual([expect.objectContaining({ reason: 'ReleaseInvalid' })]);
  });

  it('are sent the binaries that their image lacks, and no others', async () => {
    const artifact = (name: string) => ({
      name,
      url: `https://example.org/${name}`,
      sha256: 'a'.repeat(64),
      path: `/usr/bin/${name}`,
      mode: '0755',
    });
    const release = aRelease({ artifacts: ['kubeadm', 'kubelet', 'containerd', 'crictl'].map(artifact) });
    const cluster = aCluster();
    const machine = aMachine(cluster);
    const s = await scenario({ clusters: [cluster], machines: [machine], release });
    const has = { kubeadm: 'v1.35.4', kubelet: 'v1.34.0', containerd: null };
    const plan = installs(await ask(s, await serve(s), machine, { has }));
    expect(plan.artifacts.map((a) => a.name)).toEqual(['kubelet', 'containerd', 'crictl']);
  });
});
