import { createServer as createPlain, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecure } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority, issue } from '@shoto/pki';
import { afterEach, describe, expect, it } from 'vitest';
import { sha256 } from '../json.ts';
import { RegistryClient, type RegistryOptions } from './client.ts';

const servers: Server[] = [];
const clients: RegistryClient[] = [];
afterEach(async () => {
  for (const c of clients.splice(0)) await c.close();
  for (const s of servers.splice(0)) {
    s.closeAllConnections();
    await new Promise((done) => s.close(done));
  }
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
async function serve(handler: Handler, tls?: { cert: string; key: string }): Promise<string> {
  const server: Server = tls ? createSecure(tls, handler) : createPlain(handler);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const connect = (host: string, o: Partial<RegistryOptions> = {}): RegistryClient => {
  const c = new RegistryClient({ url: `oci://${host}/a`, plainHttp: true, sleep: async () => undefined, ...o });
  clients.push(c);
  return c;
};
const json = (response: ServerResponse, body: unknown, status = 200, headers: Record<string, string> = {}): void =>
  void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
const CREDENTIALS = { username: 'alice', password: 'wonderland' };
const BASIC = `Basic ${Buffer.from('alice:wonderland').toString('base64')}`;

describe('a registry that wants a token', () => {
  /** A registry whose tokens are for one scope. */
  const withTokens = async (seen: string[]): Promise<string> => {
    const host: string = await serve((q, r) => {
      const url = new URL(q.url!, `http://${host}`);
      seen.push(`${q.method} ${q.url} ${q.headers.authorization ?? '-'}`);
      if (url.pathname === '/token') {
        if (q.headers.authorization !== BASIC) return json(r, { errors: [{ code: 'DENIED', message: 'no' }] }, 401);
        return json(r, { token: `for-${url.searchParams.get('scope')}`, expires_in: 300 });
      }
      const name = /^\/v2\/(.+)\/tags\/list/.exec(url.pathname)![1];
      if (q.headers.authorization === `Bearer for-repository:${name}:pull`) return json(r, { tags: ['1.0.0'] });
      json(r, {}, 401, {
        'www-authenticate': `Bearer realm="http://${host}/token",service="reg\\"istry",scope="repository:${name}:pull"`,
      });
    });
    return host;
  };
  it('gets one for what is asked for, and it is used again', async () => {
    const seen: string[] = [];
    const client = connect(await withTokens(seen), { credentials: CREDENTIALS });
    expect(await client.tags('x')).toEqual(['1.0.0']);
    expect(await client.tags('x')).toEqual(['1.0.0']);
    expect(await client.tags('y')).toEqual(['1.0.0']);
    expect(seen).toEqual([
      'GET /v2/a/x/tags/list?n=1000 -',
      `GET /token?service=reg%22istry&scope=repository%3Aa%2Fx%3Apull ${BASIC}`,
      'GET /v2/a/x/tags/list?n=1000 Bearer for-repository:a/x:pull',
      'GET /v2/a/x/tags/list?n=1000 Bearer for-repository:a/x:pull',
      'GET /v2/a/y/tags/list?n=1000 -',
      `GET /token?service=reg%22istry&scope=repository%3Aa%2Fy%3Apull ${BASIC}`,
      'GET /v2/a/y/tags/list?n=1000 Bearer for-repository:a/y:pull',
    ]);
  });
  it('gets another when the time of the first is over', async () => {
    const seen: string[] = [];
    let now = 0;
    const client = connect(await withTokens(seen), { credentials: CREDENTIALS, now: () => now });
    await client.tags('x');
    now = 296_000;
    await client.tags('x');
    expect(seen.filter((s) => s.startsWith('GET /token'))).toHaveLength(2);
  });
  it('and does not know us says so, without our password', async () => {
    const client = connect(await withTokens([]), { credentials: { username: 'alice', password: 'hunter2' } });
    await expect(client.tags('x')).rejects.toMatchObject({
      reason: 'Unauthorized',
      message: expect.stringMatching(/token for tags of a\/x: the registry does not know us.*\(DENIED: no\)/),
    });
  });
  it('is not told our password where it sends us without TLS', async () => {
    const asked: string[] = [];
    const other = await serve((q, r) => {
      asked.push(q.url!);
      json(r, { token: 'x' });
    });
    const host = await serve((_q, r) =>
      json(r, {}, 401, { 'www-authenticate': `Bearer realm="ftp://${other}/token"` }),
    );
    await expect(connect(host, { credentials: CREDENTIALS }).tags('x')).rejects.toThrow('which is not https');
    expect(asked).toEqual([]);
  });
});

describe('a registry that wants a password', () => {
  it('gets it with each request, those at the same time too', async () => {
    const host = await serve((q, r) => {
      if (q.headers.authorization === BASIC) return json(r, { tags: ['1.0.0'] });
      json(r, {}, 401, { 'www-authenticate': 'Basic realm="r"' });
    });
    const client = connect(host, { credentials: CREDENTIALS });
    const all = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => client.tags(name)));
    expect(all).toEqual(Array.from({ length: 6 }, () => ['1.0.0']));
  });
});

describe('a redirect', () => {
  it('to a store is followed, without who we are', async () => {
    const blob = Buffer.from('content');
    const digest = sha256(blob);
    let told: string | undefined = 'nothing yet';
    const store = await serve((q, r) => {
      told = q.headers.authorization;
      r.end(blob);
    });
    const host = await serve((q, r) => {
      if (q.headers.authorization !== BASIC) return json(r, {}, 401, { 'www-authenticate': 'Basic realm="r"' });
      r.writeHead(307, { location: `http://${store}/store/1` }).end();
    });
    const client = connect(host, { credentials: CREDENTIALS });
    const bytes = await client.pullBlob('x', { mediaType: 'a', digest, size: blob.length }, 100);
    expect(Buffer.from(bytes).toString()).toBe('content');
    expect(told).toBeUndefined();
  });
  it('without end is given up', async () => {
    const host: string = await serve((_q, r) => void r.writeHead(302, { location: `http://${host}/again` }).end());
    await expect(connect(host).tags('x')).rejects.toThrow('sends us on and on');
  });
});

describe('a blob', () => {
  const blob = Buffer.from('0123456789');
  const d = { mediaType: 'a', digest: sha256(blob), size: blob.length };
  it('of a registry without ranges is fetched anew after a break', async () => {
    let asked = 0;
    const host = await serve((_q, r) => {
      asked += 1;
      r.writeHead(200, { 'content-length': '10' });
      if (asked > 1) r.end(blob);
      else r.write(blob.subarray(0, 4), () => r.destroy());
    });
    expect(Buffer.from(await connect(host).pullBlob('x', d, 100)).toString()).toBe('0123456789');
    expect(asked).toBe(2);
  });
  it('that is longer than its descriptor says is cut off', async () => {
    const host = await serve((_q, r) => void r.end(Buffer.alloc(1000)));
    await expect(connect(host).pullBlob('x', d, 100)).rejects.toMatchObject({ reason: 'DigestMismatch' });
  });
  it('that is larger than it may be is not fetched', async () => {
    let asked = 0;
    const host = await serve((_q, r) => {
      asked += 1;
      r.end();
    });
    await expect(connect(host).pullBlob('x', { ...d, size: 101 }, 100)).rejects.toMatchObject({
      reason: 'TooLarge',
      kind: 'terminal',
    });
    expect(asked).toBe(0);
  });
});

describe('a list', () => {
  it('is read page by page, on the same registry only', async () => {
    const host = await serve((q, r) => {
      const last = new URL(q.url!, 'http://x').searchParams.get('last');
      if (last === null)
        return json(r, { tags: ['1', '2'] }, 200, { link: '</v2/a/x/tags/list?n=2&last=2>; rel="next"' });
      if (last === '2')
        return json(r, { tags: null }, 200, { link: '<http://127.0.0.1:1/v2/a/x/tags/list?last=3>; rel="next"' });
      json(r, { tags: ['4', 5] });
    });
    expect(await connect(host).tags('x')).toEqual(['1', '2', '4']);
  });
  it('without end is given up', async () => {
    const host = await serve((_q, r) =>
      json(r, { tags: ['1'] }, 200, { link: '</v2/a/x/tags/list?last=1>; rel="next"' }),
    );
    await expect(connect(host).tags('x')).rejects.toMatchObject({ reason: 'TooLarge' });
  });
  it.each([
    ['no JSON', 'a page for people', 'the answer is no JSON'],
    ['more than it may be', 'x'.repeat(5 * 1024 * 1024), 'more than 4194304 bytes'],
  ])('that is %s is refused', async (_what, body, message) => {
    const host = await serve((_q, r) => void r.end(body));
    await expect(connect(host).tags('x')).rejects.toThrow(message);
  });
});

describe('a name', () => {
  it.each(['../../other', 'a/b', 'A', '', 'a?x'])('%j never comes into an address', async (name) => {
    const client = connect('127.0.0.1:1');
    expect(() => client.nameOf(name)).toThrow('is not right: give the name of an addon');
    await expect(client.tags(name)).rejects.toMatchObject({ reason: 'BadReference' });
  });
});

describe('TLS', () => {
  it('is trusted by the authority that is given, and by no other', async () => {
    const ca = await createAuthority('test');
    const { certificate, key } = await issue(ca, {
      commonName: 'registry',
      ipAddresses: ['127.0.0.1'],
      usages: ['server'],
      seconds: 3600,
    });
    const host = await serve((_q, r) => json(r, { tags: ['1.0.0'] }), { cert: certificate, key });
    expect(await connect(host, { plainHttp: false, caBundle: ca.certificate }).tags('x')).toEqual(['1.0.0']);
    await expect(connect(host, { plainHttp: false }).tags('x')).rejects.toMatchObject({
      reason: 'Untrusted',
      kind: 'terminal',
      message: expect.stringContaining('caBundle'),
    });
  });
});
