import type { Cluster, Machine } from '@shoto/api';
import { type KeyedCertificate, publicKeyHash } from '@shoto/pki';
import { until } from '@shoto/service/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CheckInCertificate } from '../src/check-in/certificate.ts';
import { issueTicket } from '../src/check-in/ticket.ts';
import { CLUSTERS, MACHINES, uidOf } from '../src/world.ts';
import { aCluster, aMachine, aRegion, START } from './builders.ts';
import {
  ask,
  checkInCa,
  fileOf,
  installs,
  mine,
  other,
  reasonOf,
  report,
  type Scenario,
  serve,
  servers,
  ticketOf,
} from './check-in-harness.ts';
import { error } from './fake-kube.ts';
import { post } from './machine-client.ts';
import { scenario } from './scenario.ts';

describe('the first control-plane machine', () => {
  let [cluster, machine]: [Cluster, Machine] = [aCluster(), aMachine(aCluster())];
  let s: Scenario;
  let url: string;
  beforeEach(async () => {
    cluster = aCluster();
    machine = aMachine(cluster);
    s = await scenario({ clusters: [cluster], machines: [machine] });
    url = await serve(s);
  });

  it('is told to make the cluster, with its keys, once its ticket is bound to its own key and the turn is written', async () => {
    const plan = installs(await ask(s, url, machine));

    expect(plan).toMatchObject({
      init: true,
      role: 'control-plane',
      endpoint: '10.8.0.5:6443',
      kubernetesVersion: 'v1.35.4',
    });
    expect(plan.steps.map((x) => x.command.slice(0, 2))).toEqual([['kubeadm', 'init']]);
    expect(plan.files.map((f) => `${f.mode} ${f.path}`).sort()).toEqual([
      '0600 /etc/kubernetes/pki/ca.key',
      '0600 /etc/kubernetes/pki/etcd/ca.key',
      '0600 /etc/kubernetes/pki/front-proxy-ca.key',
      '0600 /etc/kubernetes/pki/sa.key',
      '0600 /etc/shoto/kubeadm.yaml',
      '0644 /etc/kubernetes/pki/ca.crt',
      '0644 /etc/kubernetes/pki/etcd/ca.crt',
      '0644 /etc/kubernetes/pki/front-proxy-ca.crt',
      '0644 /etc/kubernetes/pki/sa.pub',
    ]);
    expect(s.machineNow(machine).status?.bootstrap.keyHash).toBe(publicKeyHash(mine().cert));
    expect(s.clusterNow(cluster).status?.controlPlane.initMachine).toBe(machine.metadata.uid);
    expect(s.kube.writes).toEqual(['status machines tenant-a/web-cp-1', 'status clusters tenant-a/web']);
  });

  it('gets nothing when its key cannot be stored', async () => {
    s.kube.beforePatch = () => {
      throw error(500, 'InternalError');
    };
    const answer = await ask(s, url, machine);
    expect(reasonOf(answer)).toBe('503 ManagementAPIUnavailable');
    expect(answer.headers['retry-after']).toBe('2');
    expect(JSON.stringify(answer.body)).not.toMatch(/kubernetes\/pki/);
  });

  it('may ask again with the same key, and is told the same, at no further write', async () => {
    const first = installs(await ask(s, url, machine));
    s.kube.writes.length = 0;
    const second = installs(await ask(s, url, machine));
    expect(second.init).toBe(true);
    expect(fileOf(second, '/etc/kubernetes/pki/ca.key')).toBe(fileOf(first, '/etc/kubernetes/pki/ca.key'));
    expect(s.kube.writes).toEqual([]);
  });

  it('may ask again with the same key long after the ticket has ended: a reboot', async () => {
    await ask(s, url, machine);
    await s.clock.advance(3 * 3_600_000);
    expect(installs(await ask(s, url, machine)).init).toBe(true);
  });

  it('is done once it has reported that it joined, and that is one write', async () => {
    await ask(s, url, machine);
    s.kube.writes.length = 0;
    const [startedAt, finishedAt] = [START, START + 14_500].map((t) => new Date(t).toISOString());
    for (const step of [
      { step: 'download', state: 'done', startedAt, finishedAt: startedAt },
      { step: 'kubeadm-init', state: 'running', startedAt },
      { step: 'kubeadm-init', state: 'done', startedAt, finishedAt },
      { step: 'joined', state: 'done', startedAt: finishedAt, finishedAt },
      { step: 'joined', state: 'done', startedAt: finishedAt, finishedAt },
    ]) {
      expect((await report(url, step)).status).toBe(204);
    }
    expect(s.kube.writes).toEqual(['status machines tenant-a/web-cp-1']);
    const { bootstrap } = s.machineNow(machine).status ?? {};
    expect(bootstrap?.conditions).toEqual([expect.objectContaining({ type: 'Joined', status: 'True' })]);
    expect(bootstrap?.joinedAt).toBeDefined();
    // Only what took long is kept.
    expect(bootstrap?.steps).toEqual([
      { name: 'kubeadm-init', state: 'done', startedAt: '2026-01-01T00:00:00Z', seconds: 14.5 },
    ]);
    expect((await ask(s, url, machine)).body).toEqual({ action: 'done' });
    expect(s.events).toEqual([]);
  });

  it('tells its steps for a minute more once it has joined, so that who looks every second sees how they ended', async () => {
    await ask(s, url, machine);
    await report(url, { step: 'kubeadm-init', state: 'running' });
    await s.clock.advance(5 * 60_000);
    const told = () => s.checkIns.stepsOf([machine]).flatMap((m) => m.steps.map((x) => `${x.name} ${x.state}`));
    expect(told()).toEqual(['kubeadm-init running']);
    for (const step of ['kubeadm-init', 'joined']) await report(url, { step, state: 'done' });
    await s.clock.advance(30_000);
    // Said again after a lost answer: it is not told for longer.
    await report(url, { step: 'joined', state: 'done' });
    await s.clock.advance(29_999);
    expect(told()).toEqual(['kubeadm-init done', 'joined done']);
    await s.clock.advance(1);
    expect(told()).toEqual([]);
  });

  it('that fails a step leaves the step in its status, and the lines of its log in an event, without what looks like a secret', async () => {
    await ask(s, url, machine);
    const log = `[preflight] Running\n[ERROR Port-6443]: in use\ntoken abcdef.0123456789abcdef\n${'x'.repeat(50)}`;
    const step = { step: 'kubeadm-init', state: 'failed', finishedAt: new Date(START + 2000).toISOString(), log };
    expect((await report(url, step)).status).toBe(204);

    const { bootstrap } = s.machineNow(machine).status ?? {};
    expect(bootstrap?.conditions).toEqual([
      expect.objectContaining({
        type: 'Joined',
        status: 'False',
        reason: 'StepFailed',
        message: expect.stringContaining('kubeadm-init'),
      }),
    ]);
    expect(bootstrap?.steps).toEqual([
      { name: 'kubeadm-init', state: 'failed', startedAt: '2026-01-01T00:00:00Z', seconds: 2 },
    ]);
    expect(JSON.stringify(bootstrap)).not.toContain('Port-6443');
    expect(s.events).toEqual([expect.objectContaining({ type: 'Warning', reason: 'StepFailed' })]);
    expect(s.events[0]?.message).toContain('[ERROR Port-6443]: in use');
    expect(s.events[0]?.message).not.toContain('0123456789abcdef');
  });

  it('says in several events what one cannot hold, and never more than the last lines', async () => {
    await ask(s, url, machine);
    const log = Array.from({ length: 60 }, (_, i) => `line ${i} ${'words '.repeat(10)}`).join('\n');
    await report(url, { step: 'kubeadm-init', state: 'failed', log });
    expect(s.events.length).toBeGreaterThan(1);
    expect(s.events.every((e) => e.message.length <= 1024)).toBe(true);
    const all = s.events.map((e) => e.message).join('\n');
    expect(all).toContain('line 59 ');
    expect(all).not.toContain('line 15 ');
  });

  it('waits while its server is not known to be active, and goes on the moment it is', async () => {
    s.kube.put(
      MACHINES,
      aMachine(cluster, { server: { state: 'Building', activeAt: undefined, addresses: undefined } }),
    );
    let answered = false;
    const answer = ask(s, url, machine).finally(() => {
      answered = true;
    });
    await until(() => s.clock.pending > 0, { what: 'the request waits' });
    expect(answered).toBe(false);
    s.kube.put(MACHINES, machine);
    expect(installs(await answer).init).toBe(true);
  });

  it('is told to ask again after twenty seconds, not before', async () => {
    s.kube.put(MACHINES, aMachine(cluster, { server: { activeAt: undefined } }));
    const answer = ask(s, url, machine);
    await until(() => s.clock.pending > 0, { what: 'the request waits' });
    await s.clock.advance(19_999);
    expect(s.clock.pending).toBe(1);
    await s.clock.advance(1);
    expect((await answer).body).toMatchObject({ action: 'wait', reason: 'ServerNotActive', retryAfterMs: 1000 });
  });

  it('is let go when the server stops while it waits', async () => {
    s.kube.put(MACHINES, aMachine(cluster, { server: { activeAt: undefined } }));
    const answer = ask(s, url, machine);
    await until(() => s.clock.pending > 0, { what: 'the request waits' });
    const closing = servers.splice(0).map((x) => x.close());
    await s.clock.advance(20_000);
    expect((await answer).body).toMatchObject({ action: 'wait' });
    await Promise.all(closing);
  });
});

describe('a machine is refused', () => {
  const cluster = aCluster();
  const machine = aMachine(cluster);
  let s: Scenario;
  let url: string;
  beforeEach(async () => {
    s = await scenario({ clusters: [cluster], machines: [machine] });
    url = await serve(s);
  });
  afterEach(() => {
    // Whatever the reason: nothing secret is in the log.
    expect(s.logged()).not.toContain(ticketOf(s, machine));
    expect(s.logged()).not.toContain('PRIVATE KEY');
  });

  it('with a ticket that was redeemed with another key: an alarm is raised, once, and the first machine is not disturbed', async () => {
    installs(await ask(s, url, machine));
    for (let i = 0; i < 3; i++) expect(reasonOf(await ask(s, url, machine, { key: other }))).toBe('403 TicketUsed');
    expect(s.events[0]).toMatchObject({ type: 'Warning', reason: 'TicketUsed' });
    const { bootstrap } = s.machineNow(machine).status ?? {};
    expect(bootstrap?.keyHash).toBe(publicKeyHash(mine().cert));
    expect(bootstrap?.conditions).toContainEqual(expect.objectContaining({ type: 'TicketMisused', status: 'True' }));
    expect(s.kube.writes.filter((w) => w.includes('machines'))).toHaveLength(2); // taken, misused
    expect(installs(await ask(s, url, machine)).init).toBe(true);
    expect(s.logged()).toContain('TicketUsed');
  });

  it('fifteen minutes after its server became active', async () => {
    await s.clock.advance(14 * 60_000 - 1);
    expect(reasonOf(await ask(s, url, machine, { instance: { id: 'x' } }))).toBe('403 AddressMismatch'); // still good, but for the server
    await s.clock.advance(1);
    expect(reasonOf(await ask(s, url, machine))).toBe('403 TicketExpired');
    expect(s.events).toEqual([expect.objectContaining({ reason: 'TicketExpired' })]);
    expect(s.kube.writes).toEqual([]);
  });

  it.each<[string, (s: Scenario) => string]>([
    ['of another machine', (x) => issueTicket(x.ticketKey, uidOf(machine), 'another-cluster')],
    ['of a machine that there is not', (x) => issueTicket(x.ticketKey, 'aaaa', 'bbbb')],
    ['that is no ticket', () => 'hello'],
  ])('with a ticket %s', async (_, ticket) => {
    const answer = await ask(s, url, machine, { ticket: ticket(s) });
    expect(answer.status).toBe(403);
    expect(['TicketInvalid', 'MachineUnknown']).toContain(answer.body.reason);
    expect(answer.headers['content-type']).toBe('application/problem+json');
  });

  it.each<[string, object]>([
    ['another server', { id: 'another' }],
    ['another address', { addresses: ['10.8.0.99'] }],
    ['no address', { addresses: [] }],
  ])('from %s', async (_, instance) => {
    expect(reasonOf(await ask(s, url, machine, { instance }))).toBe('403 AddressMismatch');
    expect(s.kube.writes).toEqual([]);
  });

  it('when it is being deleted, or is gone', async () => {
    s.kube.put(MACHINES, aMachine(cluster, { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }));
    expect(reasonOf(await ask(s, url, machine))).toBe('403 MachineDeleted');
    s.kube.drop(MACHINES, machine.metadata);
    expect(reasonOf(await ask(s, url, machine))).toBe('403 MachineUnknown');
  });

  it('when its cluster is being deleted, is gone, or another one has its name', async () => {
    s.kube.put(CLUSTERS, aCluster({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }));
    expect(reasonOf(await ask(s, url, machine))).toBe('403 ClusterDeleted');
    s.kube.drop(CLUSTERS, cluster.metadata);
    expect(reasonOf(await ask(s, url, machine))).toBe('403 ClusterDeleted');
    s.kube.put(CLUSTERS, aCluster({ metadata: { uid: 'another' } }));
    expect(reasonOf(await ask(s, url, machine))).toBe('403 ClusterDeleted');
  });

  it('without a key of its own, and with the key of another machine', async () => {
    expect(reasonOf(await ask(s, url, machine, { key: undefined }))).toBe('403 CertificateMissing');
    const second = aMachine(cluster, { name: 'web-w-1', role: 'worker' });
    s.kube.put(MACHINES, second);
    await ask(s, url, machine);
    expect(reasonOf(await ask(s, url, second))).toBe('403 KeyInUse');
  });

  it('when it reports a step and no ticket is bound to its key', async () => {
    expect(reasonOf(await report(url, { step: 'joined', state: 'done' }))).toBe('403 KeyUnknown');
  });

  it('and the reasons are counted', async () => {
    await ask(s, url, machine, { ticket: 'hello' });
    expect(await s.registry.metrics()).toMatch(/shoto_tickets_refused_total\{[^}]*reason="TicketInvalid"[^}]*\} 1/);
  });
});

describe('the server', () => {
  const cluster = aCluster();
  const machine = aMachine(cluster);

  it('takes no body of more than 64 kB, announced or not, and answers it', async () => {
    const s = await scenario({ clusters: [cluster], machines: [machine] });
    const url = await serve(s);
    const body = { ticket: 'x'.repeat(70_000) };
    expect(reasonOf(await post(url, '/v1/check-in', body, mine()))).toBe('413 BodyTooLong');
  });

  it.each<[string, unknown, string]>([
    ['no JSON', '{', 'not JSON'],
    ['no ticket', { instance: { id: 'x', addresses: [] } }, 'ticket'],
    ['a ticket of another kind', { ticket: 7, instance: { id: 'x', addresses: [] } }, 'ticket'],
    ['no instance', { ticket: 'x' }, 'instance'],
  ])('names the field in a request with %s', async (_, body, field) => {
    const s = await scenario({ clusters: [cluster], machines: [machine] });
    const answer = await post(await serve(s), '/v1/check-in', body, mine());
    expect(reasonOf(answer)).toBe('400 InvalidRequest');
    expect(answer.body.detail).toContain(field);
  });

  it('knows two paths and one method', async () => {
    const s = await scenario({ clusters: [cluster], machines: [machine] });
    const url = await serve(s);
    expect((await post(url, '/', {}, mine())).status).toBe(404);
    expect((await post(url, '/v1/steps', '', { ...mine(), method: 'GET' })).status).toBe(405);
  });

  it('slows down one source that asks too often', async () => {
    const s = await scenario({ clusters: [cluster], machines: [machine] });
    const url = await serve(s, s, 2);
    await ask(s, url, machine);
    await ask(s, url, machine);
    const answer = await ask(s, url, machine);
    expect(reasonOf(answer)).toBe('429 TooManyRequests');
    expect(answer.headers['retry-after']).toBe('1');
    await s.clock.advance(1000);
    expect((await ask(s, url, machine)).status).toBe(200);
  });

  it('shows a new certificate of the same CA without a restart', async () => {
    const s = await scenario({ clusters: [cluster], machines: [machine] });
    const url = await serve(s);
    const certificates = new CheckInCertificate(checkInCa(), { ...s.clock, now: Date.now });
    const [a, b] = [await certificates.next([aRegion()]), await certificates.next([aRegion()])];
    expect(b).toBeUndefined();
    servers[0]?.setCertificate(a as KeyedCertificate);
    expect(installs(await ask(s, url, machine)).init).toBe(true);
    expect(await certificates.next([aRegion(), aRegion('https://bootstrap.example:9443')])).toBeDefined();
  });
});
