import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { installLives, Life, watchCalls } from './life.ts';
import { VirtualTime } from './virtual-time.ts';

let time: VirtualTime;
beforeEach(() => {
  installLives();
  time = new VirtualTime();
  time.install(1);
});
afterEach(() => time.uninstall());

/** A server that answers after `ms` of the process's time. */
async function slowServer(ms: number) {
  const server = createServer((_, response) => void setTimeout(() => response.end('done'), ms));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => server.close().closeAllConnections(),
  };
}

describe('virtual time', () => {
  it('is the same for timers, sleeps, dates and signals, and passes only when it is told to', async () => {
    const start = Date.now();
    const seen: [string, number][] = [];
    const note = (what: string) => seen.push([what, Date.parse(new Date().toISOString()) - start]);
    setTimeout(() => note('timer'), 3_600_000);
    void sleep(60_000).then(() => note('sleep'));
    AbortSignal.timeout(120_000).addEventListener('abort', () => note('signal'));
    const every = setInterval(() => note('interval'), 1_000_000);
    await time.advance(0);
    expect(seen).toEqual([]);
    await time.advance(2_000_000);
    clearInterval(every);
    await time.advance(2_000_000);
    expect(seen).toEqual([
      ['sleep', 60_000],
      ['signal', 120_000],
      ['interval', 1_000_000],
      ['interval', 2_000_000],
      ['timer', 3_600_000],
    ]);
  });

  it('stands still while a request is under way', async () => {
    const server = await slowServer(10_000);
    const agent = new Agent();
    let answered: number | undefined;
    const start = Date.now();
    void request(server.url, { dispatcher: agent }).then(async ({ body }) => {
      await body.text();
      answered = Date.now() - start;
    });
    await time.advance(60_000);
    expect(answered).toBe(10_000);
    await agent.destroy();
    server.close();
  });

  it('gives the same chance for the same seed', () => {
    const first = [Math.random(), Math.random()];
    time.uninstall();
    time = new VirtualTime();
    time.install(1);
    expect([Math.random(), Math.random()]).toEqual(first);
  });
});

describe('a life that is ended', () => {
  it.each(['before', 'after'] as const)('does nothing any more, %s the call at which it dies', async (side) => {
    const server = await slowServer(10);
    let ended = false;
    const life = new Life('service', () => {
      ended = true;
    });
    const did: string[] = [];
    watchCalls({ [side]: () => true });
    life.run(() => {
      const agent = new Agent();
      setTimeout(() => did.push('timer'), 60_000);
      request(server.url, { dispatcher: agent }).then(
        () => did.push('answer'),
        () => did.push('error'),
      );
    });
    await time.advance(120_000);
    expect([ended, did]).toEqual([true, []]);
    watchCalls();
    server.close();
  });

  it('closes what it listened on', async () => {
    const life = new Life('service');
    const server = await life.run(() => slowServer(1));
    life.kill();
    const agent = new Agent();
    await expect(request(server.url, { dispatcher: agent })).rejects.toThrow('ECONNREFUSED');
    await agent.destroy();
  });
});
