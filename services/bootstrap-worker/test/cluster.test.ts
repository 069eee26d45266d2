import { X509Certificate } from 'node:crypto';
import { type Cluster, FINALIZERS, LABELS, type Machine } from '@shoto/api';
import { CLUSTERROLEBINDINGS, CLUSTERROLES, SECRETS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  clusterChanged,
  clusterNeedsWork,
  machineMovesCluster,
  machineNeedsCluster,
  reconcileCluster,
} from '../src/reconcile-cluster.ts';
import { type Secret, text } from '../src/secrets/secret.ts';
import { CLUSTERS, MACHINES, uidOf } from '../src/world.ts';
import { aCluster, aMachine, START } from './builders.ts';
import { error } from './fake-kube.ts';
import { never, scenario } from './scenario.ts';

const DAY = 86_400_000;
const KEY = 'tenant-a/web';
const run = (s: Awaited<ReturnType<typeof scenario>>) => reconcileCluster(s.clusterDeps, KEY, { signal: never });
const secrets = (s: Awaited<ReturnType<typeof scenario>>): Secret[] => s.kube.all<Secret>(SECRETS);
const condition = (c: Cluster, type: string) => c.status?.controlPlane.conditions?.find((x) => x.type === type);
const joined = { joinedAt: new Date(START).toISOString() };

/** A cluster whose maker has joined. */
const withMaker = async (server = {}) => {
  const maker = aMachine(aCluster(), { bootstrap: joined, server });
  const cluster = aCluster({ controlPlane: { initMachine: maker.metadata.uid } });
  const s = await scenario({ clusters: [cluster], machines: [maker] });
  return { s, cluster, maker };
};

describe('a new cluster', () => {
  it('gets its PKI and the kubeconfigs of services, each once, however often it is looked at', async () => {
    const s = await scenario({ clusters: [aCluster()] });
    for (const secret of secrets(s)) s.kube.drop(SECRETS, secret.metadata);
    const fresh = { ...s.clusterDeps, ...s.replica() };
    const pass = () => reconcileCluster(fresh, KEY, { signal: never });
    await pass();
    await pass();
    await run(s); // another replica, with nothing in its memory

    const uid = uidOf(aCluster());
    expect(
      secrets(s)
        .map((x) => x.metadata.name)
        .sort(),
    ).toEqual([`${uid}-kubeconfig-addon-manager`, `${uid}-kubeconfig-self-healing`, `${uid}-pki`]);
    // What a service may read is in a namespace of its own; the keys are where only this service reads.
    expect(
      secrets(s)
        .map((x) => x.metadata.namespace)
        .sort(),
    ).toEqual(['shoto-system', 'shoto-system-addon-manager', 'shoto-system-self-healing']);
    for (const { metadata } of secrets(s)) expect(metadata.labels?.[LABELS.clusterUid]).toBe(uid);
    expect(condition(s.clusterNow(aCluster()), 'PKIReady')).toMatchObject({ status: 'True' });
    expect(condition(s.clusterNow(aCluster()), 'Initialized')).toMatchObject({
      status: 'False',
      reason: 'WaitingForMachine',
    });
    expect(s.kube.writes.filter((w) => w.includes('clusters'))).toEqual(['status clusters tenant-a/web']);
    expect(s.kube.writes.filter((w) => w.includes('secrets'))).toHaveLength(3);
  });

  it('keeps the PKI that an interrupted pass made', async () => {
    const s = await scenario({ clusters: [aCluster()] });
    const before = secrets(s).find((x) => x.metadata.name.endsWith('-pki'));
    await reconcileCluster({ ...s.clusterDeps, ...s.replica() }, KEY, { signal: never });
    expect(secrets(s).find((x) => x.metadata.name.endsWith('-pki'))?.data).toEqual(before?.data);
  });

  it('gets our finalizer before anything is made for it, when its maker left that out', async () => {
    const cluster = aCluster({ metadata: { finalizers: [] } });
    const s = await scenario({ clusters: [cluster] });
    await run(s);
    expect(s.kube.writes[0]).toBe('patch clusters tenant-a/web');
    expect(s.clusterNow(cluster).metadata.finalizers).toEqual([FINALIZERS.secrets]);
  });

  it('is left alone while it is paused', async () => {
    const s = await scenario({ clusters: [aCluster({ spec: { paused: true } })] });
    await run(s);
    expect(s.kube.writes).toEqual([]);
  });

  it('gives each service a name of its own, the outside address and 90 days', async () => {
    const s = await scenario({ clusters: [aCluster()] });
    await run(s);
    const secret = secrets(s).find((x) => x.metadata.name.endsWith('-kubeconfig-addon-manager')) as Secret;
    expect(secret.metadata.labels?.[LABELS.service]).toBe('addon-manager');
    const file = parse(text(secret, 'value'));
    expect(file.clusters[0].cluster.server).toBe('https://203.0.113.7:6443');
    const certificate = new X509Certificate(Buffer.from(file.users[0].user['client-certificate-data'], 'base64'));
    expect(certificate.subject).toBe('O=shoto:addon-manager\nCN=shoto:addon-manager');
    expect(certificate.validToDate.getTime() - s.clock.now()).toBe(90 * DAY);
  });

  it('renews the kubeconfigs of services with 30 days left, and not before', async () => {
    const s = await scenario({ clusters: [aCluster()] });
    await run(s);
    s.kube.writes.length = 0;
    await s.clock.advance(60 * DAY - 1000);
    await run(s);
    expect(s.kube.writes).toEqual([]);
    await s.clock.advance(1000);
    await run(s);
    expect(s.kube.writes.filter((w) => w.startsWith('patch secrets'))).toHaveLength(2);
    s.kube.writes.length = 0;
    await run(s);
    expect(s.kube.writes).toEqual([]);
  });
});

describe('the control plane', () => {
  it('is up once its maker has joined and its API answers from outside: first the roles, then the word', async () => {
    const { s, cluster } = await withMaker();
    await run(s);
    const now = s.clusterNow(cluster);
    expect(now.status?.controlPlane).toMatchObject({
      initialized: true,
      initializedAt: expect.any(String),
      configRelease: 'v1.35.4',
      addonsRelease: 'v1.35.4',
    });
    expect(condition(now, 'Initialized')).toMatchObject({ status: 'True' });
    expect(condition(now, 'EndpointHealthy')).toMatchObject({ status: 'True' });
    const workload = s.workload(cluster);
    expect(workload.raws).toEqual(['GET /readyz']);
    expect(
      workload
        .all<{ metadata: { name: string } }>(CLUSTERROLES)
        .map((r) => r.metadata.name)
        .sort(),
    ).toEqual(['shoto:addon-manager', 'shoto:self-healing']);
    expect(
      workload
        .all<{ metadata: { name: string } }>(CLUSTERROLEBINDINGS)
        .map((r) => r.metadata.name)
        .sort(),
    ).toEqual(['shoto:addon-manager', 'shoto:cluster-admins', 'shoto:self-healing']);
    expect(s.kube.writes.filter((w) => w.includes('clusters'))).toHaveLength(2);
  });

  it('is not up while its API does not answer; after half a minute that is said, once', async () => {
    const { s, cluster } = await withMaker();
    await s.clock.advance(-55_000); // five seconds after the maker joined
    s.workload(cluster).down = error(0, 'Unreachable');
    await expect(run(s)).rejects.toMatchObject({ kind: 'waiting', afterMs: 500 });
    expect(condition(s.clusterNow(cluster), 'Initialized')).toMatchObject({ reason: 'WaitingForMachine' });
    await s.clock.advance(40_000);
    s.kube.writes.length = 0;
    await expect(run(s)).rejects.toMatchObject({ kind: 'waiting', afterMs: 5000 });
    await expect(run(s)).rejects.toMatchObject({ kind: 'waiting' });
    expect(condition(s.clusterNow(cluster), 'Initialized')).toMatchObject({ status: 'False', reason: 'WaitingForAPI' });
    expect(s.kube.writes).toEqual(['status clusters tenant-a/web']);
    expect(s.clusterNow(cluster).status?.controlPlane.initialized).toBeUndefined();
  });

  it('is not up by the word of a maker that leaves, though the cache shows it as staying', async () => {
    const { s, cluster, maker } = await withMaker();
    s.machineCache.lag();
    s.kube.put(MACHINES, { ...maker, metadata: { ...maker.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    await run(s);
    expect(s.clusterNow(cluster).status?.controlPlane.initialized).toBeUndefined();
    expect(s.workload(cluster).raws).toEqual([]);
  });

  it('is not up by the word of a machine that was not told to make it', async () => {
    const other = aMachine(aCluster(), { bootstrap: joined });
    const s = await scenario({ clusters: [aCluster({ controlPlane: { initMachine: 'another' } })], machines: [other] });
    await run(s);
    expect(s.workload(aCluster()).raws).toEqual([]);
  });

  it('says when its endpoint stops to answer and when it does again, and writes nothing in between', async () => {
    const cluster = aCluster({ controlPlane: { initialized: true } });
    const s = await scenario({ clusters: [cluster] });
    await run(s);
    s.kube.writes.length = 0;
    await run(s);
    expect(s.kube.writes).toEqual([]);
    const { onRaw } = s.workload(cluster);
    s.workload(cluster).onRaw = (_, path) => ({ status: path === '/readyz' ? 500 : 200, body: '' });
    expect(await run(s)).toEqual({ requeueAfterMs: 10_000 });
    await run(s);
    expect(condition(s.clusterNow(cluster), 'EndpointHealthy')).toMatchObject({
      status: 'False',
      reason: 'Unreachable',
    });
    s.workload(cluster).onRaw = onRaw;
    await run(s);
    expect(condition(s.clusterNow(cluster), 'EndpointHealthy')).toMatchObject({ status: 'True' });
    expect(s.kube.writes).toHaveLength(2);
  });
});

describe('a cluster that goes', () => {
  const going = (finalizers: string[]) =>
    aCluster({
      metadata: { finalizers, deletionTimestamp: '2026-01-01T00:00:00Z' },
      controlPlane: { initialized: true },
    });

  it('keeps its Secrets while others still need them', async () => {
    for (const others of [FINALIZERS.infrastructure, FINALIZERS.addons]) {
      const s = await scenario({ clusters: [going([others, FINALIZERS.secrets])] });
      await run(s);
      expect(s.kube.writes).toEqual([]);
    }
    const cluster = going([FINALIZERS.secrets]);
    const s = await scenario({ clusters: [cluster], machines: [aMachine(cluster)] });
    await expect(run(s)).rejects.toMatchObject({ kind: 'waiting', reason: 'MachinesLeft' });
    expect(secrets(s)).toHaveLength(1);
  });

  it('takes all its Secrets along, those of no other cluster, and is let go last', async () => {
    const cluster = going([FINALIZERS.secrets]);
    const other = aCluster({ name: 'blue' });
    const s = await scenario({ clusters: [cluster, other], machines: [aMachine(other)] });
    await run(s);
    expect(s.kube.now(CLUSTERS, cluster.metadata)).toBeUndefined();
    expect(secrets(s).map((x) => x.metadata.labels?.[LABELS.clusterUid])).toEqual([other.metadata.uid]);
    expect(s.kube.writes.at(-1)).toBe('finalizer clusters tenant-a/web');
    expect(s.evicted).toEqual([cluster.metadata.uid]);
    await run(s); // again, after it is gone
  });
});

describe('what wakes a cluster', () => {
  const cluster = aCluster();
  it.each<[string, Cluster, boolean]>([
    ['a new spec', aCluster({ metadata: { generation: 2 } }), true],
    ['an endpoint', aCluster({ endpoint: false }), true],
    ['a finalizer that is gone', aCluster({ metadata: { finalizers: [FINALIZERS.secrets] } }), true],
    ['our own write', aCluster({ controlPlane: { revision: 7, initialized: true } }), false],
    [
      'what a machine says of the images of a release',
      aCluster({ controlPlane: { images: [{ release: 'v1.36.3', coreDNS: 'c', kubeProxy: 'p' }] } }),
      true,
    ],
    ['another resourceVersion alone', aCluster({ metadata: { resourceVersion: '9' } }), false],
    [
      'self-healing, which says that it does not reach the API',
      {
        ...aCluster(),
        status: {
          ...(aCluster().status as NonNullable<Cluster['status']>),
          health: {
            revision: 1,
            conditions: [
              { type: 'Reachable', status: 'False', reason: 'Unreachable', message: '', lastTransitionTime: '' },
            ],
          },
        },
      } satisfies Cluster,
      true,
    ],
  ])('%s', (_, before, wakes) => {
    expect(clusterChanged(cluster, before)).toBe(wakes);
  });

  it('a machine that has joined, can be used or is gone, not one that reports', () => {
    const before = aMachine(cluster);
    const ready = (m: Machine): Machine => ({
      ...m,
      status: { ...(m.status as NonNullable<Machine['status']>), health: { revision: 1, ready: true } },
    });
    expect(machineMovesCluster(undefined, before)).toBe(true);
    expect(machineMovesCluster(aMachine(cluster, { bootstrap: joined }), before)).toBe(true);
    expect(machineMovesCluster(ready(before), before)).toBe(true);
    expect(machineMovesCluster(ready(before), ready(before))).toBe(false);
    expect(machineMovesCluster(aMachine(cluster, { server: { state: 'Stopped' } }), before)).toBe(false);
  });

  it('a control-plane machine that leaves, at each step of its way out', () => {
    const condition = (type: string, reason: string) => [
      { type, status: 'False', reason, message: '', lastTransitionTime: '' },
    ];
    const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    const stays = aMachine(cluster, { bootstrap: joined });
    const leaves = aMachine(cluster, { metadata, bootstrap: joined });
    const drained = aMachine(cluster, {
      metadata,
      bootstrap: { ...joined, conditions: condition('Drained', 'WaitingForMember') },
    });
    const out = aMachine(cluster, {
      metadata,
      bootstrap: { ...joined, conditions: condition('Drained', 'WaitingForMember') },
      server: { conditions: condition('InEndpoint', 'Removed') },
    });
    const gone = aMachine(cluster, { metadata, bootstrap: joined, server: { state: 'Gone' } });
    for (const [now, before] of [
      [leaves, stays],
      [drained, leaves],
      [out, drained],
      [gone, leaves],
    ] as const)
      expect(machineMovesCluster(now, before)).toBe(true);
    expect(machineMovesCluster(out, out)).toBe(false);
    expect(
      machineMovesCluster(aMachine(cluster, { role: 'worker', metadata }), aMachine(cluster, { role: 'worker' })),
    ).toBe(false);
    expect([leaves, stays, aMachine(cluster, { role: 'worker', metadata })].map(machineNeedsCluster)).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('a start of this service: those that are not up, and those that go', () => {
    expect(clusterNeedsWork(cluster)).toBe(true);
    expect(clusterNeedsWork(aCluster({ controlPlane: { initialized: true } }))).toBe(false);
    expect(
      clusterNeedsWork(aCluster({ controlPlane: { initialized: true }, metadata: { deletionTimestamp: 'x' } })),
    ).toBe(true);
  });
});

it('a cluster that went while its key was in the queue is no error', async () => {
  const s = await scenario({ clusters: [] });
  expect(await run(s)).toBeUndefined();
  expect(s.kube.all(MACHINES)).toEqual([]);
});
