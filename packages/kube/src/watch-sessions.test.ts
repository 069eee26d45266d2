import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { type FakeApi, startFakeApi } from './testing/index.ts';
import { selfSigned } from './testing/self-signed.ts';

const MAPS = '/api/v1/namespaces/a/configmaps';
const WATCH = `${MAPS}?watch=true&resourceVersion=100`;

/** What a test began; all of it is ended after the test. */
const ends: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function fakeApi(maxStreams?: number): Promise<FakeApi> {
  const api = await startFakeApi('h2', maxStreams);
  ends.push(() => api.close());
  return api;
}

function clientOf(server: string, ca: string | undefined, pingMs?: number, connectTimeoutMs = 2_000): KubeClient {
  const client = new KubeClient({
    connection: { server, ...(ca ? { ca } : {}) },
    userAgent: 'test/1',
    connectTimeoutMs,
    ...(pingMs ? { pingMs } : {}),
  });
  ends.push(() => client.close());
  return client;
}

/** A watch that was begun: what it heard, and how it ended. */
interface Begun {
  lines: string[];
  ended: Promise<KubeError | 'by the server'>;
  giveUp(): void;
}

function begin(client: KubeClient, path = WATCH): Begun {
  const lines: string[] = [];
  let giveUp = (): void => {};
  const ended = new Promise<KubeError | 'by the server'>((resolve) => {
    giveUp = client.watch(path, {
      onLine: (l) => {
        lines.push(l);
        if (l.includes('"ERROR"'))
          throw new KubeError({ status: 410, reason: 'Expired', method: 'GET', path, message: 'within the stream' });
      },
      onEnd: (e) => resolve(e ?? 'by the server'),
    });
  });
  ends.push(giveUp);
  return { lines, ended, giveUp };
}

async function listening(server: Server | TlsServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A way to a server that can be cut without a word to either side. */
async function way(url: string): Promise<{ url: string; swallow(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((inner) => {
    const outer = connect(Number(new URL(url).port), '127.0.0.1');
    inner.pipe(outer).pipe(inner);
    for (const s of [inner, outer]) sockets.push(s.on('error', () => {}));
  });
  const port = await listening(server);
  ends.push(() => {
    for (const s of sockets) s.destroy();
    server.close();
  });
  return {
    url: `https://127.0.0.1:${port}`,
    swallow() {
      for (const s of sockets) s.unpipe().pause();
    },
  };
}

describe('watches over HTTP/2', () => {
  it('share one connection, whatever is asked at the same time', async () => {
    const api = await fakeApi();
    const client = clientOf(api.url, api.ca);
    const begun = Array.from({ length: 20 }, () => begin(client));
    await expect.poll(() => api.watches).toBe(20);
    expect(api.sessions).toBe(1);
    api.put(MAPS, { metadata: { name: 'ä' } });
    for (const w of begun)
      await expect.poll(() => w.lines.map((l) => JSON.parse(l).object.metadata.name)).toEqual(['ä']);
  });

  it('take a further connection where the server allows no more on one', async () => {
    const api = await fakeApi(4);
    const client = clientOf(api.url, api.ca);
    for (let i = 0; i < 10; i++) begin(client);
    await expect.poll(() => api.watches).toBe(10);
    expect(api.sessions).toBe(3);
  });

  it('begin on a new connection once the server takes no more on the old one, where what goes on goes on', async () => {
    const api = await fakeApi();
    const client = clientOf(api.url, api.ca);
    const old = begin(client);
    await expect.poll(() => api.watches).toBe(1);
    api.goAway();
    api.put(MAPS, { metadata: { name: 'heard' } });
    await expect.poll(() => old.lines.length).toBe(1);
    const next = begin(client);
    await expect.poll(() => next.lines.length).toBe(1);
    expect(api.sessions).toBe(2);
  });

  it('are quiet for as long as they like while the connection lives', async () => {
    const api = await fakeApi();
    const through = await way(api.url);
    const client = clientOf(through.url, api.ca, 150);
    const watch = begin(client);
    await expect.poll(() => api.pings, { timeout: 15_000 }).toBeGreaterThan(3);
    api.put(MAPS, { metadata: { name: 'late' } });
    await expect.poll(() => watch.lines.length).toBe(1);
    expect(api.requests).toHaveLength(1);
  });

  it('fail when the connection is dead, though nobody says so', async () => {
    const api = await fakeApi();
    const through = await way(api.url);
    const client = clientOf(through.url, api.ca, 50);
    const watches = [begin(client), begin(client)];
    await expect.poll(() => api.watches).toBe(2);
    through.swallow();
    for (const w of watches) expect(await w.ended).toMatchObject({ status: 0, reason: 'Timeout' });
  });

  it('let go of a connection that nobody needs any more', async () => {
    const api = await fakeApi();
    const client = clientOf(api.url, api.ca, 150);
    const watch = begin(client);
    await expect.poll(() => api.watches).toBe(1);
    watch.giveUp();
    expect(await watch.ended).toMatchObject({ reason: 'Aborted' });
    await expect.poll(() => [api.watches, api.sessions]).toEqual([0, 0]);
  });

  it('say what the server refused, and why', async () => {
    const api = await fakeApi();
    api.compact();
    const client = clientOf(api.url, api.ca);
    const expired = await begin(client, `${MAPS}?watch=true&resourceVersion=1`).ended;
    expect(expired).toMatchObject({ status: 410, reason: 'Expired' });
    expect((expired as KubeError).message).toContain('too old resource version: 1');
  });

  it('fail with what the listener throws, and go on beside one that failed', async () => {
    const api = await fakeApi();
    const client = clientOf(api.url, api.ca);
    const other = begin(client, '/api/v1/namespaces/b/configmaps?watch=true&resourceVersion=100');
    const failing = begin(client);
    await expect.poll(() => api.watches).toBe(2);
    api.put(MAPS, { metadata: { name: 'x', labels: { say: 'ERROR' } } } as never);
    expect(await failing.ended).toMatchObject({ status: 410, message: expect.stringContaining('within the stream') });
    api.put('/api/v1/namespaces/b/configmaps', { metadata: { name: 'y' } });
    await expect.poll(() => other.lines.length).toBe(1);
    await expect.poll(() => api.watches).toBe(1);
  });

  it('are asked for once with the certificate that a login brings', async () => {
    const api = await fakeApi();
    const { cert, key } = selfSigned();
    const statuses: number[] = [];
    const client = new KubeClient({
      connection: { server: api.url, ca: api.ca!, login: async () => ({ cert, key }) },
      userAgent: 'test/1',
      onRequest: (e) => statuses.push(e.status),
    });
    ends.push(() => client.close());
    begin(client);
    await expect.poll(() => api.watches).toBe(1);
    expect(statuses).toEqual([200]);
  });

  it('fail in time where nobody completes the connection, and at once when they are given up', async () => {
    const silent = createServer(() => {});
    const port = await listening(silent);
    ends.push(() => silent.close());
    const client = clientOf(`https://127.0.0.1:${port}`, undefined, undefined, 300);
    const [waits, givenUp] = [begin(client), begin(client)];
    givenUp.giveUp();
    expect(await givenUp.ended).toMatchObject({ reason: 'Aborted' });
    expect(await waits.ended).toMatchObject({ status: 0, reason: 'Timeout' });
  });

  it('are carried over HTTP/1.1 where the server speaks nothing else', async () => {
    const own = selfSigned();
    const server = createTlsServer(own, (_req, res) => void res.write('{"type":"ADDED"}\n{"type":'));
    const port = await listening(server);
    ends.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    const client = clientOf(`https://127.0.0.1:${port}`, own.cert);
    for (const watch of [begin(client), begin(client)])
      await expect.poll(() => watch.lines).toEqual(['{"type":"ADDED"}']);
  });
});

it('requests that are under way when the client is closed fail, and nothing else does', async () => {
  const api = await fakeApi();
  api.intercept = () => true;
  const client = clientOf(api.url, api.ca);
  const reads = Array.from({ length: 5 }, () => client.raw('GET', MAPS).catch((e: KubeError) => e.message));
  await expect.poll(() => api.requests.length).toBe(5);
  await client.close();
  for (const said of await Promise.all(reads)) expect(said).toContain('the client was closed');
  api.intercept = undefined;
  expect((await client.raw('GET', MAPS)).status).toBe(200);
});
