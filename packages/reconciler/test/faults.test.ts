import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine, type KeyQueue } from '../src/index.ts';
import { startTestRedis, type TestRedis } from '../src/testing/index.ts';
import { end, Judge, startReplica, testTimes, work } from './scene.ts';

const KEYS = Array.from({ length: 60 }, (_, i) => `tenant-a/key-${i}`);
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('three replicas that share a queue, while keys change all the time', () => {
  let redis: TestRedis;
  let world: TestRedis;
  let judge: Judge;
  let engine: Engine;
  let queue: KeyQueue;
  let replicas: ChildProcess[];
  const wanted = new Map<string, number>();

  beforeEach(async () => {
    [redis, world] = await Promise.all([startTestRedis(), startTestRedis()]);
    judge = new Judge();
    wanted.clear();
    engine = new Engine({ redis: { url: redis.url }, service: 'test', log: silent, times: testTimes });
    queue = engine.queue('k', {
      concurrency: 10,
      maxRunMs: 1_000,
      reconcile: (key, ctx) => work(world.client, key, ctx, judge.of('own')),
    });
    engine.onStateLost(() => queue.addAll(wanted.keys()));
    await engine.start();
    replicas = await Promise.all(['a', 'b'].map((name) => startReplica(redis.url, world.url, judge.of(name))));
  });

  afterEach(async () => {
    await engine.close(0);
    await Promise.all(replicas.map((child) => end(child, 'SIGKILL')));
    await Promise.all([redis.close(), world.close()]);
  });

  /** Changes keys at about 300 a second for `ms`; does not wait for Redis to take them. */
  async function changeKeys(ms: number): Promise<void> {
    for (const until = Date.now() + ms; Date.now() < until; await sleep(10)) {
      for (let i = 0; i < 3; i++) {
        const key = KEYS[Math.floor(Math.random() * KEYS.length)] ?? '';
        const version = (wanted.get(key) ?? 0) + 1;
        await world.client.set(key, version);
        wanted.set(key, version);
        void queue.add(key);
      }
    }
  }

  async function verdict(): Promise<void> {
    await expect.poll(() => judge.lost(wanted), { timeout: 12_000, interval: 50 }).toEqual([]);
    expect(judge.doubles()).toEqual([]);
    expect(judge.runs).toBeGreaterThan(KEYS.length);
  }

  it('loses nothing and runs nothing twice at once', async () => {
    await changeKeys(2_000);
    await verdict();
  });

  it('does so through FLUSHALL, twice', async () => {
    const changes = changeKeys(4_000);
    await sleep(800);
    await redis.flush();
    await sleep(1_700);
    await redis.flush();
    await changes;
    await verdict();
  });

  it('does so when Redis is killed and comes back empty', async () => {
    const changes = changeKeys(3_500);
    await sleep(800);
    await redis.kill();
    await sleep(700);
    await redis.start();
    await changes;
    await verdict();
  });

  it('does so when Redis stops answering for three times the length of a lock', async () => {
    const changes = changeKeys(7_500);
    await sleep(700);
    redis.freeze();
    await sleep(testTimes.lockMs * 3);
    redis.thaw();
    await changes;
    await verdict();
  });

  it('does so when a replica is killed in the middle of its passes', async () => {
    const changes = changeKeys(2_500);
    await sleep(800);
    await end(replicas[0]!, 'SIGKILL');
    const cut = judge.died('a');
    await sleep(700);
    await end(replicas[1]!, 'SIGKILL');
    const cutToo = judge.died('b');
    await changes;
    await verdict();
    expect(cut + cutToo).toBeGreaterThan(0);
  });

  it('lets a replica that is told to stop finish its passes', async () => {
    const changes = changeKeys(1_500);
    await sleep(500);
    await end(replicas[0]!, 'SIGTERM');
    expect(judge.died('a')).toBe(0);
    await changes;
    await verdict();
  });
});
