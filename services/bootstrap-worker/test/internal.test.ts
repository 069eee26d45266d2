import { X509Certificate } from 'node:crypto';
import type { Cluster } from '@shoto/api';
import { createAuthority, issue, type KeyedCertificate, publicKeyHash } from '@shoto/pki';
import { type InternalServer, systemClock } from '@shoto/service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isTicketOf } from '../src/check-in/ticket.ts';
import { Kubeconfigs } from '../src/internal/kubeconfigs.ts';
import { startInternalServer } from '../src/internal/server.ts';
import { ensureInstallationSecrets } from '../src/secrets/installation.ts';
import { MACHINES, uidOf } from '../src/world.ts';
import { aCluster, aMachine, aRegion } from './builders.ts';
import { FakeKube } from './fake-kube.ts';
import { post } from './machine-client.ts';
import { scenario } from './scenario.ts';

const ready = aCluster({ controlPlane: { initialized: true } });
const early = aCluster({ name: 'early' });
const machine = aMachine(ready);
let ca: KeyedCertificate;
let s: Awaited<ReturnType<typeof scenario>>;
let server: InternalServer;
const clients: Record<string, KeyedCertificate> = {};

beforeAll(async () => {
  ca = await createAuthority('Shoto internal');
  const certificate = (commonName: string, usage: 'client' | 'server') =>
    issue(ca, { commonName, usages: [usage], ipAddresses: ['127.0.0.1'], seconds: 3600 });
  for (const name of ['provisioner', 'cluster-api', 'addon-manager']) clients[name] = await certificate(name, 'client');
  clients.stranger = await issue(await createAuthority('another'), {
    commonName: 'provisioner',
    usages: ['client'],
    seconds: 3600,
  });
  s = await scenario({ clusters: [ready, early], machines: [machine] });
  server = await startInternalServer({
    host: '127.0.0.1',
    port: 0,
    own: await certificate('bootstrap-worker', 'server'),
    ca: ca.certificate,
    machine: async (key) => s.world.machines.get(key),
    cluster: async (key) => s.world.clusters.get(key),
    region: () => aRegion('https://172.24.4.1:9443'),
    hasPki: async (uid) => (await s.pki.get(uid)) !== undefined,
    steps: (uid) => s.checkIns.stepsOf(s.world.machines.byIndex('cluster', uid)),
    kubeconfigs: new Kubeconfigs({ pki: s.pki, clock: systemClock, log: s.log, metrics: s.metrics }),
    workload: async (c) => s.workload(c),
    ticketKey: s.ticketKey,
    checkInCa: ca.certificate,
    log: s.log,
  });
});
afterAll(() => server.close());

const call = (method: string, path: string, from: string, body: unknown = '') => {
  const c = clients[from];
  return post(server.url, path, body, {
    method,
    ca: ca.certificate,
    ...(c ? { key: c.key, cert: c.certificate } : {}),
  });
};
const userData = (key = 'tenant-a/web-cp-1', from = 'provisioner') =>
  call('GET', `/internal/v1/machines/${key}/user-data`, from);
const kubeconfig = (body: unknown, key = 'tenant-a/web', from = 'cluster-api') =>
  call('POST', `/internal/v1/clusters/${key}/kubeconfig`, from, body);

describe('user-data', () => {
  it("is given to the provisioner, with the machine's own ticket, the same each time", async () => {
    const { status, body } = await userData();
    expect(status).toBe(200);
    const config = parse(body.userData as string);
    const { url, ticket } = JSON.parse(config.write_files[0].content);
    expect(url).toBe('https://172.24.4.1:9443');
    expect(isTicketOf(s.ticketKey, ticket, uidOf(machine), uidOf(ready))).toBe(true);
    expect((await userData()).body).toEqual(body);
  });

  it('has to wait for the PKI', async () => {
    const other = aMachine(aCluster({ name: 'later' }));
    s.kube.put(MACHINES, other);
    const { status, body } = await userData('tenant-a/later-cp-1');
    expect([status, body.reason, body.retryAfterMs]).toEqual([409, 'PKINotReady', 1000]);
  });

  it('is given to nobody else', async () => {
    expect((await userData(undefined, 'cluster-api')).status).toBe(403);
    await expect(userData(undefined, 'nobody')).rejects.toThrow(/ECONNRESET|certificate required|hang up/i);
    await expect(userData(undefined, 'stranger')).rejects.toThrow(/ECONNRESET|alert|unknown ca|hang up/i);
  });

  it('is not there for a machine that is not', async () => {
    expect((await userData('tenant-a/none')).status).toBe(404);
    expect((await call('GET', '/internal/v1/machines/tenant-a/../user-data', 'provisioner')).status).toBe(404);
  });
});

describe('a kubeconfig for a person', () => {
  it('is good for an hour, in her name, her groups and that of the administrators of clusters, and is audited', async () => {
    const { status, body } = await kubeconfig({
      user: 'jane',
      groups: ['team-a', 'system:masters', 'shoto:addon-manager'],
    });
    expect(status).toBe(200);
    const file = parse(body.kubeconfig as string);
    expect(file.clusters[0].cluster.server).toBe('https://203.0.113.7:6443');
    const certificate = new X509Certificate(Buffer.from(file.users[0].user['client-certificate-data'], 'base64'));
    expect(certificate.subject.split('\n').sort()).toEqual(['CN=jane', 'O=shoto:cluster-admins', 'O=team-a']);
    const pki = await s.pki.get(uidOf(ready));
    expect(certificate.verify(new X509Certificate(pki?.ca.certificate ?? '').publicKey)).toBe(true);
    expect(publicKeyHash(certificate.raw)).toMatch(/^[0-9a-f]{64}$/);
    expect(Math.abs(Date.parse(body.expiresAt as string) - Date.now() - 3_600_000)).toBeLessThan(60_000);
    expect(s.logged()).toMatch(/"audit":true.*"cluster":"tenant-a\/web".*"user":"jane"/);
    expect(s.logged()).not.toContain('PRIVATE KEY');
  });

  it.each<[string, unknown, number]>([
    ['more than a day', { user: 'jane', seconds: 86_401 }, 422],
    ['no user', { groups: [] }, 422],
    ['a user of the system', { user: 'system:admin' }, 422],
    ['no body', '', 400],
  ])('is refused for %s', async (_, body, status) => {
    expect((await kubeconfig(body)).status).toBe(status);
  });

  it('has to wait for the control plane', async () => {
    const { status, body } = await kubeconfig({ user: 'jane' }, 'tenant-a/early');
    expect([status, body.reason]).toEqual([409, 'ControlPlaneNotReady']);
    expect((await kubeconfig({ user: 'jane' }, 'tenant-a/none')).status).toBe(404);
  });

  it('is made for cluster-api only', async () => {
    expect((await kubeconfig({ user: 'jane' }, undefined, 'provisioner')).status).toBe(403);
  });
});

it('what machines do right now is told to cluster-api, before any of it is stored', async () => {
  const steps = (from: string) => call('GET', '/internal/v1/clusters/tenant-a/web/steps', from);
  expect((await steps('cluster-api')).body).toEqual({ machines: [] });
  const keyHash = 'a'.repeat(64);
  s.kube.put(MACHINES, aMachine(ready, { bootstrap: { keyHash } }));
  await s.checkIns.step({ step: 'kubeadm-init', state: 'running', startedAt: '2026-01-01T00:00:01Z' }, keyHash);
  expect((await steps('cluster-api')).body).toEqual({
    machines: [
      { machine: 'web-cp-1', steps: [{ name: 'kubeadm-init', state: 'running', startedAt: '2026-01-01T00:00:01Z' }] },
    ],
  });
  expect((await steps('provisioner')).status).toBe(403);
});

describe('what a workload cluster tells', () => {
  const ask = (what: string, from: string, body: unknown, key = 'tenant-a/web') =>
    call('POST', `/internal/v1/clusters/${key}/${what}`, from, body);

  it('of what is in the way of an upgrade is for cluster-api', async () => {
    s.workload(ready).onRaw = () => ({ status: 200, body: '' });
    const { status, body } = await ask('upgrade-checks', 'cluster-api', { to: 'v1.36.3' });
    expect([status, body]).toEqual([200, { deprecatedApis: [], budgets: [], apiServers: { asked: 1, of: 1 } }]);
    expect((await ask('upgrade-checks', 'provisioner', { to: 'v1.36.3' })).status).toBe(403);
    expect((await ask('upgrade-checks', 'cluster-api', { to: 'v1.36.3' }, 'tenant-a/none')).status).toBe(404);
    expect((await ask('upgrade-checks', 'cluster-api', { to: 'latest' })).status).toBe(422);
    expect((await ask('upgrade-checks', 'cluster-api', { to: 'v1.36.3' }, 'tenant-a/early')).body).toMatchObject({
      unreachable: 'the control plane is not up',
    });
  });

  it('of what a drain would move is for the provisioner', async () => {
    const { status, body } = await ask('disturbance', 'provisioner', { machines: ['web-w-1'] });
    expect([status, body]).toEqual([200, { machines: [{ name: 'web-w-1', pods: 0, blocked: 0 }] }]);
    expect((await ask('disturbance', 'cluster-api', { machines: ['web-w-1'] })).status).toBe(403);
    expect((await ask('disturbance', 'provisioner', { machines: [] })).status).toBe(422);
  });
});

describe("the installation's own secrets", () => {
  it('are made once, by whichever replica is first, and kept over restarts', async () => {
    const kube = new FakeKube();
    const made = await Promise.all([1, 2, 3].map(() => ensureInstallationSecrets(kube, 'shoto-system')));
    const later = await ensureInstallationSecrets(kube, 'shoto-system');
    for (const m of made) expect(m).toEqual(later);
    expect(later.ticketKey).toHaveLength(32);
    expect(kube.writes.filter((w) => w.startsWith('create secrets'))).toHaveLength(2);
  });

  it('are never replaced by half of one', async () => {
    const kube = new FakeKube();
    await ensureInstallationSecrets(kube, 'shoto-system');
    const key = kube
      .all<{ metadata: { name: string; namespace: string } }>({
        group: '',
        version: 'v1',
        plural: 'secrets',
        kind: 'Secret',
        namespaced: true,
      })
      .find((x) => x.metadata.name === 'ticket-key');
    kube.put({ group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true }, {
      ...(key as Cluster),
      data: { key: 'c2hvcnQ=' },
    } as never);
    await expect(ensureInstallationSecrets(kube, 'shoto-system')).rejects.toThrow(/ticket-key holds 5 bytes/);
  });
});
