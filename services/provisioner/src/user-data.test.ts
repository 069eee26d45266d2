import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RetryableError, WaitingError } from '@shoto/reconciler';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type UserDataClient, userDataClient } from './user-data.ts';

let server: Server;
let client: UserDataClient;
let answer: { status: number; body: unknown; headers?: Record<string, string> };
let asked: string[];
const machine = { namespace: 'tenant-a', name: 'web-workers-abcde' };
const get = () => client.get(machine, new AbortController().signal);

beforeEach(async () => {
  asked = [];
  server = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.writeHead(answer.status, answer.headers).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  client = userDataClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
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
  const gone = userDataClient({ url: 'http://127.0.0.1:9' });
  await expect(gone.get(machine, new AbortController().signal)).rejects.toMatchObject({
    reason: 'BootstrapWorkerUnavailable',
  });
  await gone.close();
});
