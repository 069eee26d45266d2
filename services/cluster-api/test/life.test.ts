import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createAuthority, issue } from '@shoto/pki';
import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBootstrapClient } from '../src/bootstrap-client.ts';
import { type Files, temporaryFiles } from './files.ts';
import { aBody, CLUSTERS, startWorld, type World } from './world.ts';

/** What the bootstrap-worker of these tests answers with next. */
let answer: { status: number; body: object };
/** The steps that it tells of each cluster, where it tells any; else it answers with 503. */
const steps = new Map<string, unknown>();
/** What it was asked: caller's certificate, path, body. */
let asked: { caller: string; path: string; body: unknown }[] = [];
let w: World;
let files: Files;
let stopBootstrap: () => Promise<void>;

beforeAll(async () => {
  files = await temporaryFiles();
  const ca = await createAuthority('internal');
  const own = await issue(ca, {
    commonName: 'bootstrap-worker',
    usages: ['server'],
    ipAddresses: ['127.0.0.1'],
    seconds: 600,
  });
  const server = createServer(
    { ca: ca.certificate, cert: own.certificate, key: own.key, requestCert: true, rejectUnauthorized: true },
    (req, res) => {
      let text = '';
      req.on('data', (c: Buffer) => {
        text += c.toString();
      });
      req.on('end', () => {
        const cluster = /\/clusters\/tenant-blue\/([^/]+)\/steps$/.exec(req.url ?? '')?.[1];
        if (cluster) return void res.writeHead(steps.has(cluster) ? 200 : 503).end(JSON.stringify(steps.get(cluster)));
        const caller = (req.socket as TLSSocket).getPeerCertificate().subject.CN as string;
        asked.push({ caller, path: req.url ?? '', body: JSON.parse(text) });
        res.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  stopBootstrap = () => new Promise((resolve) => server.close(() => resolve()).closeAllConnections());
  const client = await issue(ca, { commonName: 'cluster-api', usages: ['client'], seconds: 600 });
  const bootstrap = createBootstrapClient({
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caFile: await files.write('ca.crt', ca.certificate),
    certFile: await files.write('own.crt', client.certificate),
    keyFile: await files.write('own.key', client.key),
  });
  w = await startWorld({ bootstrap });
});
afterAll(async () => {
  await w.close();
  await stopBootstrap();
  await files.remove();
});

const ofShoto = (plural: string) => w.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural });
const make = async (name: string) => {
  const { body } = await w.call('POST', CLUSTERS, { body: aBody(name) });
  await until(() => w.store.cluster('tenant-blue', name));
  return body;
};
const condition = (type: string, status: string, reason: string, message: string) => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const aMachine = (cluster: string, uid: unknown, name = `${cluster}-default-aaaaa`) =>
  ofShoto('machines').create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name, namespace: 'tenant-blue', labels: { 'shoto.dev/cluster': cluster, pool: 'default' } },
    spec: {
      cluster: { name: cluster, uid },
      role: 'worker',
      pool: 'default',
      region: 'one',
      release: 'v1.35.4',
      image: 'i',
      flavor: 'f',
    },
  } as never);

/** Reads a stream of server-sent events: `next` waits for one. */
async function follow(name: string) {
  const end = new AbortController();
  const res = await fetch(`${w.base}${CLUSTERS}/${name}/progress`, {
    headers: { authorization: 'Bearer blue-token', accept: 'text/event-stream' },
    signal: end.signal,
  });
  const reader = res.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  return {
    type: res.headers.get('content-type'),
    async next(): Promise<
      | {
          event: string;
          data: {
            steps: { name: string; state: string; message: string }[];
            machines: { name: string; server: string; state: string; message: string; steps: object[] }[];
            ready: boolean;
            deleting: boolean;
          };
        }
      | 'end'
    > {
      for (;;) {
        const at = rest.indexOf('\n\n');
        if (at >= 0) {
          const [event, data] = rest.slice(0, at).split('\n');
          rest = rest.slice(at + 2);
          return { event: event!.replace('event: ', ''), data: JSON.parse(data!.replace('data: ', '')) };
        }
        const { done, value } = await reader.read();
        if (done) return 'end';
        rest += value;
      }
    },
    close: () => end.abort(),
  };
}

describe('progress', () => {
  it('says step by step how far a cluster is', async () => {
    const made = await make('steps');
    const steps = async () =>
      Object.fromEntries(
        (
          (await w.call('GET', `${CLUSTERS}/steps/progress`)).body.steps as {
            name: string;
            state: string;
            message: string;
          }[]
        ).map((s) => [s.name, `${s.state}: ${s.message}`]),
      );
    expect(await steps()).toMatchObject({
      network: 'waiting: waiting for its turn',
      machines: 'waiting: 0 of 3 servers run',
      nodes: 'waiting: 0 of 3 nodes joined, 0 ready',
    });
    ofShoto('clusters').patchStatus({ namespace: 'tenant-blue', name: 'steps' }, {
      infrastructure: {
        conditions: [
          condition('NetworkReady', 'True', 'Ready', 'network n1'),
          condition('EndpointReady', 'False', 'QuotaExceeded', 'no floating IPs left (10 of 10)'),
        ],
      },
    } as never);
    const m = aMachine('steps', made.metadata.uid);
    ofShoto('machines').patchStatus({ namespace: 'tenant-blue', name: m.metadata.name }, {
      server: { state: 'Active' },
    } as never);
    await until(async () => (await steps()).machines?.startsWith('running: 1'));
    expect(await steps()).toMatchObject({
      network: 'done: network n1',
      endpoint: 'failed: no floating IPs left (10 of 10)',
      machines: 'running: 1 of 3 servers run',
    });
  });

  it('is streamed: what is now, each change once, and gone at the end', async () => {
    await make('streamed');
    const stream = await follow('streamed');
    expect(stream.type).toBe('text/event-stream');
    expect(await stream.next()).toMatchObject({ event: 'progress', data: { ready: false, deleting: false } });

    const status = (message: string) =>
      ofShoto('clusters').patchStatus({ namespace: 'tenant-blue', name: 'streamed' }, {
        conditions: [condition('Ready', 'True', 'Ready', message)],
      } as never);
    status('all runs');
    expect(await stream.next()).toMatchObject({ event: 'progress', data: { ready: true, message: 'all runs' } });
    // What nobody sees is not told: a label, and the same status again.
    ofShoto('clusters').patch({ namespace: 'tenant-blue', name: 'streamed' }, { metadata: { labels: { a: 'b' } } });
    await w.call('DELETE', `${CLUSTERS}/streamed`);
    expect(await stream.next()).toMatchObject({ event: 'progress', data: { deleting: true } });
    ofShoto('clusters').patch({ namespace: 'tenant-blue', name: 'streamed' }, { metadata: { finalizers: null } });
    expect(await stream.next()).toEqual({ event: 'gone', data: { cluster: 'streamed' } });
    expect(await stream.next()).toBe('end');
  });

  it('of a cluster ends with gone although another of that name is there at once', async () => {
    await make('again');
    const stream = await follow('again');
    await stream.next();
    const old = ofShoto('clusters').get({ namespace: 'tenant-blue', name: 'again' })!;
    ofShoto('clusters').patch({ namespace: 'tenant-blue', name: 'again' }, { metadata: { finalizers: null } });
    ofShoto('clusters').delete({ namespace: 'tenant-blue', name: 'again' });
    await w.call('POST', CLUSTERS, { body: aBody('again') });
    expect(await stream.next()).toMatchObject({ event: 'gone' });
    expect(ofShoto('clusters').get({ namespace: 'tenant-blue', name: 'again' })?.metadata.uid).not.toBe(
      old.metadata.uid,
    );
  });

  it('tells the steps of machines as they happen, in the stream and in JSON, and does without where nobody tells', async () => {
    const made = await make('live');
    const m = aMachine('live', made.metadata.uid);
    const name = m.metadata.name;
    const stored = { name: 'download', state: 'done', startedAt: '2026-01-01T00:00:00Z', seconds: 14.5 };
    ofShoto('machines').patchStatus({ namespace: 'tenant-blue', name }, {
      server: { state: 'Active' },
      bootstrap: { ticketTakenAt: '2026-01-01T00:00:00Z', steps: [stored] },
    } as never);
    const read = async () => (await w.call('GET', `${CLUSTERS}/live/progress`)).body.machines as object[];
    await until(async () => JSON.stringify(await read()).includes('installs Kubernetes'));
    const machine = {
      name,
      pool: 'default',
      server: 'Active',
      state: 'running',
      message: 'installs Kubernetes',
      steps: [stored],
    };
    expect(await read()).toEqual([machine]);

    const stream = await follow('live');
    expect(await stream.next()).toMatchObject({ data: { machines: [machine] } });
    const running = { name: 'init', state: 'running', startedAt: '2026-01-01T00:00:15Z' };
    // A state that this version does not know leaves out that step.
    const unknown = { name: 'later', state: 'resting', startedAt: '2026-01-01T00:00:16Z' };
    steps.set('live', { machines: [{ machine: name, steps: [running, unknown] }] });
    expect(await stream.next()).toMatchObject({ data: { machines: [{ name, steps: [stored, running] }] } });
    expect(await read()).toEqual([{ ...machine, steps: [stored, running] }]);
    const done = { ...running, state: 'done', seconds: 3.5 };
    steps.set('live', { machines: [{ machine: name, steps: [done] }] });
    expect(await stream.next()).toMatchObject({ data: { machines: [{ name, steps: [stored, done] }] } });
    stream.close();
  });

  it('of one that is not there is a 404, not a stream', async () => {
    const { status } = await w.call('GET', `${CLUSTERS}/nowhere/progress`, {
      headers: { accept: 'text/event-stream' },
    });
    expect(status).toBe(404);
  });
});

describe('events', () => {
  it('are those of the cluster and its machines, oldest first, and of no other cluster', async () => {
    const made = await make('shop');
    const other = await make('shop-2');
    const event = (name: string, regarding: object, note: string, seconds: number) =>
      w.api.resource({ group: 'events.k8s.io', version: 'v1', plural: 'events' }).create({
        metadata: { name, namespace: 'tenant-blue' },
        eventTime: `2099-01-01T00:00:${seconds.toString().padStart(2, '0')}.000000Z`,
        type: 'Normal',
        reason: 'Happened',
        action: 'Test',
        note,
        reportingController: 'test',
        reportingInstance: 'test',
        regarding: { apiVersion: 'shoto.dev/v1alpha1', namespace: 'tenant-blue', ...regarding },
      } as never);
    event('e1', { kind: 'Machine', name: 'shop-default-zzzzz', uid: 'gone' }, 'a machine that is gone', 20);
    event('e2', { kind: 'Cluster', name: 'shop', uid: made.metadata.uid }, 'the cluster', 10);
    event('e3', { kind: 'Machine', name: 'shop-2-default-aaaaa', uid: 'x' }, 'another cluster’s machine', 30);
    event('e4', { kind: 'Cluster', name: 'shop-2', uid: other.metadata.uid }, 'another cluster', 31);
    event('e5', { kind: 'Cluster', name: 'shop', uid: 'of-an-earlier-one' }, 'an earlier cluster', 32);

    const { body } = await w.call('GET', `${CLUSTERS}/shop/events`);

    expect(body.items).toEqual([
      expect.objectContaining({ object: 'Cluster/shop', message: 'the cluster', type: 'Normal', count: 1 }),
      expect.objectContaining({ object: 'Machine/shop-default-zzzzz', message: 'a machine that is gone' }),
    ]);
  });
});

describe('machines', () => {
  it('are those of the cluster, and may be selected', async () => {
    const made = await make('mach');
    const other = await make('mach-2');
    aMachine('mach', made.metadata.uid, 'mach-default-aaaaa');
    aMachine('mach', made.metadata.uid, 'mach-default-bbbbb');
    aMachine('mach-2', other.metadata.uid, 'mach-2-default-ccccc');
    const names = async (query: string) =>
      (await w.call('GET', `${CLUSTERS}/mach/machines${query}`)).body.items.map((m) => m.metadata.name);
    expect(await names('')).toEqual(['mach-default-aaaaa', 'mach-default-bbbbb']);
    expect(await names('?labelSelector=pool%3Ddefault')).toHaveLength(2);
    expect(await names('?labelSelector=pool%3Dother')).toEqual([]);
    // A selector cannot reach out of the cluster.
    expect(await names('?labelSelector=shoto.dev%2Fcluster%3Dmach-2')).toEqual([]);
  });
});

describe('a kubeconfig', () => {
  const path = `${CLUSTERS}/keys/kubeconfig`;
  beforeAll(() => make('keys'));

  it('is asked of the bootstrap-worker over mutual TLS, in the name of who asks, for an hour', async () => {
    answer = { status: 200, body: { kubeconfig: 'apiVersion: v1\n', expiresAt: '2026-01-01T01:00:00Z' } };
    asked = [];
    const { status, body } = await w.call('POST', path);
    expect([status, body]).toEqual([200, answer.body]);
    expect(asked).toEqual([
      {
        caller: 'cluster-api',
        path: '/internal/v1/clusters/tenant-blue/keys/kubeconfig',
        body: { user: 'ann', groups: ['tenant:blue'], seconds: 3600 },
      },
    ]);
    expect(w.logs.join('')).toContain('kubeconfig given');
    expect(w.logs.join('')).not.toContain('apiVersion: v1');
  });

  it('is refused while the control plane is not up, with when to ask again', async () => {
    answer = { status: 409, body: { reason: 'NotInitialized', message: 'the control plane is not up yet' } };
    const { status, body, headers } = await w.call('POST', path, { body: {} });
    expect([status, body.reason, body.detail]).toEqual([409, 'NotInitialized', 'the control plane is not up yet']);
    expect(headers.get('retry-after')).toBe('5');
  });

  it.each<[string, object, string]>([
    ['too short', { seconds: 5 }, 'seconds'],
    ['longer than a day', { seconds: 90_000 }, 'seconds'],
    ['no number', { seconds: 'long' }, 'seconds'],
    ['an unknown field', { hours: 1 }, ''],
  ])('is refused with a time that is %s', async (_what, body, field) => {
    const refused = await w.call('POST', path, { body });
    expect([refused.status, refused.body.errors[0]?.field]).toEqual([422, field]);
  });

  it('is a 503 while the bootstrap-worker answers nonsense, or not at all', async () => {
    answer = { status: 500, body: {} };
    expect((await w.call('POST', path)).status).toBe(503);
    await stopBootstrap();
    const { status, body, headers } = await w.call('POST', path);
    expect([status, body.reason, headers.get('retry-after')]).toEqual([503, 'Unavailable', '5']);
    expect(body.detail).toContain('does not answer: try again');
  });
});
