import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFaults } from '../core/api-faults.ts';
import { SimulatorClock } from '../core/clock.ts';
import { Random } from '../core/random.ts';
import { type ApiServer, createApiServer } from './index.ts';
import { orderedFault } from './ordered-faults.ts';

let api: ApiServer;
let faults: ApiFaults;
let clock: SimulatorClock;
let close: () => void;
let port: number;

beforeEach(async () => {
  clock = new SimulatorClock({ mode: 'manual' });
  faults = new ApiFaults(clock, new Random(1));
  api = createApiServer({ authz: 'AlwaysAllow', intercept: (r) => orderedFault(faults, () => ['management'], r) });
  const server = createServer((q, s) => void api.handle(q, s));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  close = () => {
    server.close();
    server.closeAllConnections();
  };
});
afterEach(() => {
  close();
  api.close();
  clock.close();
});

function call(
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; text: string; retryAfter?: string }> {
  const headers = { 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (part) => {
        text += String(part);
      });
      answer.on('error', reject);
      answer.on('end', () => {
        const retryAfter = answer.headers['retry-after'];
        resolve({ status: answer.statusCode ?? 0, text, ...(retryAfter ? { retryAfter } : {}) });
      });
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}
const namespaces = '/api/v1/namespaces';

describe('faults of an API to order', () => {
  it('slow it down, and let a share of requests fail after that', async () => {
    faults.add({ match: { cluster: 'management' }, action: { type: 'delay', ms: 5000 } });
    faults.add({ match: {}, rate: 0.1, action: { type: 'status', status: 500 } });
    let answered = 0;
    const all = Promise.all(
      Array.from({ length: 100 }, () =>
        call('GET', namespaces).then(({ status }) => {
          answered++;
          return status;
        }),
      ),
    );
    while (faults.list()[0]!.hits < 100) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(4999);
    expect(answered).toBe(0);
    await clock.advance(1);
    const failed = (await all).filter((s) => s === 500).length;
    expect(failed).toBeGreaterThan(3);
    expect(failed).toBeLessThan(20);
    expect(faults.list()[1]).toMatchObject({ seen: 100, hits: failed });
  });

  it('are about a verb, a kind, a user, a cluster, and so often', async () => {
    faults.add({
      match: { verb: 'list', resource: 'namespaces', user: '^system:anonymous$' },
      count: 1,
      action: { type: 'status', status: 429, retryAfter: 3, message: 'not now' },
    });
    faults.add({ match: { cluster: 'web' }, action: { type: 'status', status: 503 } });
    expect((await call('GET', `${namespaces}/default`)).status).toBe(200);
    const refused = await call('GET', namespaces);
    expect(refused).toMatchObject({ status: 429, retryAfter: '3' });
    expect(JSON.parse(refused.text)).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', message: 'not now' });
    expect((await call('GET', namespaces)).status).toBe(200);
  });

  it('lose an answer after the deed, or cut the connection before it', async () => {
    const made = (name: string) =>
      call('POST', namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    faults.add({ id: 'one', match: { verb: 'create' }, action: { type: 'lostAnswer' } });
    await expect(made('lost')).rejects.toThrow();
    expect((await call('GET', `${namespaces}/lost`)).status).toBe(200);
    faults.add({ id: 'one', match: { verb: 'create' }, action: { type: 'reset' } });
    await expect(made('never')).rejects.toThrow();
    expect((await call('GET', `${namespaces}/never`)).status).toBe(404);
  });

  it('end after their time', async () => {
    faults.add({ match: {}, forMs: 1000, action: { type: 'status', status: 503 } });
    expect((await call('GET', namespaces)).status).toBe(503);
    await clock.advance(1000);
    expect(faults.isEmpty).toBe(true);
    expect((await call('GET', namespaces)).status).toBe(200);
  });
});

describe('/metrics', () => {
  it('tells which deprecated APIs were asked for, and when they go', async () => {
    expect((await call('GET', '/metrics')).text).not.toContain('requested_deprecated_apis');
    const api1 = { group: 'policy', version: 'v1beta1', resource: 'poddisruptionbudgets', subresource: '' };
    api.noteDeprecated({ ...api1, removedRelease: '1.36' });
    api.noteDeprecated({ ...api1, removedRelease: '1.36' });
    const { text } = await call('GET', '/metrics');
    expect(text.split('\n').filter((l) => l.startsWith('apiserver_requested_deprecated_apis'))).toEqual([
      'apiserver_requested_deprecated_apis{group="policy",removed_release="1.36",resource="poddisruptionbudgets",subresource="",version="v1beta1"} 1',
    ]);
  });
});
