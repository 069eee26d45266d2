import { createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { freeLoopbackSlice, freePorts } from './ports.ts';

let open: Server[] = [];
const listen = async (port: number, host: string) => {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  open.push(server);
};
afterEach(async () => {
  await Promise.all(open.map((s) => new Promise((resolve) => s.close(resolve))));
  open = [];
});

it('free ports are all different and can be listened on', async () => {
  const ports = await freePorts(20);
  expect(new Set(ports).size).toBe(20);
  await Promise.all(ports.map((p) => listen(p, '127.0.0.1')));
});

it('a slice of loopback is a /18 of 127.0.0.0/8 in which nobody listens on 6443', async () => {
  // Of the two that this chance picks, the first is taken.
  const picks = [0.42, 0.5, 0.43, 0.75];
  await listen(6443, '127.107.128.2');
  expect(await freeLoopbackSlice(() => picks.shift()!)).toBe('127.109.192.0/18');
});

it('slices keep clear of 127.0.0.0/15, where everybody listens', async () => {
  for (const chance of [0, 0.999]) {
    const [, second, third] = /^127\.(\d+)\.(\d+)\.0\/18$/.exec(await freeLoopbackSlice(() => chance))!.map(Number);
    expect(second).toBeGreaterThanOrEqual(2);
    expect(second).toBeLessThanOrEqual(254);
    expect(third! % 64).toBe(0);
  }
});

it('where none is free it is said what was looked for', async () => {
  await listen(6443, '127.2.0.2');
  await expect(freeLoopbackSlice(() => 0)).rejects.toThrow('port 6443 is taken on 20 addresses');
});
