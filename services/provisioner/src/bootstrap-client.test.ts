import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RetryableError, WaitingError } from '@shoto/reconciler';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BootstrapClient, bootstrapClient } from './bootstrap-client.ts';

let server: Server;
let client: BootstrapClient;
let answer: { status: number; body: unknown; headers?: Record<string, string> };
let asked: string[];
let sent: string;
const machine = { namespace: 'tenant-a', name: 'web-workers-abcde' };
const get = () => client.userData(machine, new AbortController().signal);

beforeEach(async () => {
  asked = [];
  server = createServer((req, res) => {
    asked.push(req.url ?? '');
    sent = '';
    req.on('data', (part: Buffer) => {
      sent += part.toString();
    });
    req.on('end', () => res.writeHead(answer.status, answer.headers).end(JSON.stringify(answer.body)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = bootstrapClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
afterEach(async () => {
  await client.close();
  await new Promise((resolve) => server.close(resolve));
});

it('gives what the bootstrap-worker answers', async () => {
  answer = { status: 200, body: { userData: '#cloud-config' } };
  expect(await get()).toBe('#cloud-config');
  expect(asked).toEqual(['/internal/v1/machines/tenant-a/web-workers-abcde/user-data']);
});

it.each([
  ['in milliseconds', { reason: 'PKINotReady', message: 'not yet', retryAfterMs: 250 }, {}, 250],
  ['in a Retry-After', { reason: 'PKINotReady', detail: 'not yet' }, { 'retry-after': '2' }, 2_000],
  ['not at all', { reason: 'PKINotReady', detail: 'not yet' }, {}, 1_000],
])('waits as long as it is told to: %s', async (_, body, headers, ms) => {
  answer = { status: 409, body, headers };
  const error = await get().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(WaitingError);
  expect(error).toMatchObject({ reason: 'PKINotReady', message: 'not yet', afterMs: ms });
});

it('tries again when the bootstrap-worker fails, without telling what it said', async () => {
  answer = { status: 500, body: { userData: 'ticket-1234' } };
  const error = (await get().catch((e: unknown) => e)) as Error;
  expect(error).toBeInstanceOf(RetryableError);
  expect(error.message).not.toContain('ticket-1234');
});

it('says that nobody answers', async () => {
  const gone = bootstrapClient({ url: 'http://127.0.0.1:9' });
  await expect(gone.userData(machine, new AbortController().signal)).rejects.toMatchObject({
    reason: 'BootstrapWorkerUnavailable',
  });
  await gone.close();
});

describe('how much a machine that goes disturbs', () => {
  const cluster = { namespace: 'tenant-a', name: 'web' };
  const disturbance = () => client.disturbance(cluster, ['web-a', 'web-b'], new AbortController().signal);

  it('is what the bootstrap-worker counts of its pods', async () => {
    answer = { status: 200, body: { machines: [{ name: 'web-a', pods: 3, blocked: 1 }] } };
    expect([...(await disturbance())]).toEqual([['web-a', 3]]);
    expect(asked).toEqual(['/internal/v1/clusters/tenant-a/web/disturbance']);
    expect(JSON.parse(sent)).toEqual({ machines: ['web-a', 'web-b'] });
  });

  it('is not known while the cluster cannot be reached', async () => {
    answer = { status: 409, body: { reason: 'ClusterUnreachable', detail: 'web does not answer' } };
    await expect(disturbance()).rejects.toMatchObject({ kind: 'waiting', reason: 'ClusterUnreachable' });
  });

  it('is not taken from an answer that makes no sense', async () => {
    answer = { status: 200, body: { machines: 'many' } };
    await expect(disturbance()).rejects.toMatchObject({ reason: 'BootstrapWorkerUnavailable' });
  });
});
