import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declareFirstStart, Engine, RetryableError, TerminalError, WaitingError } from '../src/index.ts';
import { startTestRedis, type TestRedis } from '../src/testing/index.ts';
import { testTimes } from './scene.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('an engine', () => {
  let redis: TestRedis;
  let engines: Engine[];
  let runs: string[];

  beforeEach(async () => {
    redis = await startTestRedis();
    await declareFirstStart({ url: redis.url });
    engines = [];
    runs = [];
  });
  afterEach(async () => {
    redis.thaw();
    await Promise.all(engines.map((e) => e.close(0)));
    await redis.close();
  });

  function engine(o: Partial<ConstructorParameters<typeof Engine>[0]> = {}): Engine {
    const made = new Engine({ redis: { url: redis.url }, service: 'test', log: silent, times: testTimes, ...o });
    engines.push(made);
    return made;
  }
  const note = async (key: string): Promise<void> => void runs.push(key);

  it('holds before the first pass on a Redis that nobody vouches for, and not after a declared first start', async () => {
    const vouched = engine({ service: 'vouched' });
    const fast = vouched.queue('q', { concurrency: 1, reconcile: note });
    await vouched.start();
    const before = performance.now();
    await fast.add('fast');
    await expect.poll(() => runs).toEqual(['fast']);
    expect(performance.now() - before).toBeLessThan(testTimes.holdMs / 2);

    await redis.client.del('shoto:first-start');
    const cold = engine({ service: 'cold' });
    const held = cold.queue('q', { concurrency: 1, reconcile: note });
    await cold.start();
    const start = performance.now();
    await held.add('held');
    await expect.poll(() => runs, { timeout: 5_000 }).toEqual(['fast', 'held']);
    expect(performance.now() - start).toBeGreaterThan(testTimes.holdMs * 0.8);
  });

  it('takes a key once however often it is added while it waits, and again when added while it runs', async () => {
    const gate = Promise.withResolvers<void>();
    const e = engine();
    const queue = e.queue('q', {
      concurrency: 1,
      reconcile: async (key) => {
        runs.push(key);
        if (runs.length === 1) await gate.promise;
      },
    });
    await e.start();
    await queue.add('a');
    await expect.poll(() => runs).toEqual(['a']);
    for (let i = 0; i < 5; i++) await queue.add('a');
    for (let i = 0; i < 5; i++) await queue.add('b');
    expect(await queue.depth()).toBe(1);
    gate.resolve();
    await expect.poll(() => runs.toSorted()).toEqual(['a', 'a', 'b']);
    await expect.poll(() => queue.depth()).toBe(0);
  });

  it('requeues after the time that a pass asks for, and counts failures in a row', async () => {
    const attempts: number[] = [];
    const nexts: (number | undefined)[] = [];
    const e = engine();
    const queue = e.queue('q', {
      concurrency: 5,
      baseDelayMs: 20,
      reconcile: async (key, ctx) => {
        runs.push(key);
        if (key === 'again') return runs.filter((k) => k === key).length < 3 ? { requeueAfterMs: 50 } : undefined;
        attempts.push(ctx.attempt);
        if (ctx.attempt < 4) throw new RetryableError('CloudBusy', 'busy');
        return undefined;
      },
      onError: (_key, _error, next) => void nexts.push(next),
    });
    await e.start();
    await queue.addAll(['again', 'fails']);
    await expect.poll(() => attempts, { timeout: 5_000 }).toEqual([1, 2, 3, 4]);
    await expect.poll(() => runs.filter((k) => k === 'again').length).toBe(3);
    expect(nexts[2]).toBeGreaterThan(nexts[0] ?? 0);
    await queue.add('fails');
    await expect.poll(() => attempts.slice(0, 5), { timeout: 5_000 }).toEqual([1, 2, 3, 4, 1]);
  });

  it('retries an unknown error, waits with a waiting one, and leaves a terminal one until a change', async () => {
    const told: string[] = [];
    const e = engine();
    const queue = e.queue('q', {
      concurrency: 5,
      baseDelayMs: 10,
      reconcile: async (key) => {
        runs.push(key);
        const nth = runs.filter((k) => k === key).length;
        if (key === 'terminal') throw new TerminalError('NoFlavor', 'no such flavor');
        if (key === 'waiting' && nth < 2) throw new WaitingError('NoNetwork', 'network first', 30);
        if (key === 'unknown' && nth < 2) throw new TypeError('oops');
      },
      onError: (key, error, next) =>
        void told.push(`${key} ${error.kind} ${error.reason} ${next === undefined ? 'never' : 'again'}`),
    });
    await e.start();
    await queue.addAll(['terminal', 'waiting', 'unknown']);
    await expect.poll(() => runs.toSorted()).toEqual(['terminal', 'unknown', 'unknown', 'waiting', 'waiting']);
    expect(told.toSorted()).toEqual([
      'terminal terminal NoFlavor never',
      'unknown retryable UnexpectedError again',
      'waiting waiting NoNetwork again',
    ]);
    await queue.add('terminal');
    await expect.poll(() => runs.filter((k) => k === 'terminal').length).toBe(2);
  });

  it('an update does not wait for the backoff of a key that fails', async () => {
    const e = engine();
    const queue = e.queue('q', {
      concurrency: 1,
      baseDelayMs: 60_000,
      reconcile: async (key) => {
        runs.push(key);
        if (runs.length === 1) throw new Error('first');
      },
    });
    await e.start();
    await queue.add('a');
    await expect.poll(() => redis.client.zcard('{shoto:test}:timers:delayed')).toBe(1);
    await queue.add('a');
    await expect.poll(() => runs).toEqual(['a', 'a']);
    // The pass that went well took the timer of the failed one away.
    await expect.poll(() => redis.client.zcard('{shoto:test}:timers:delayed')).toBe(0);
  });

  it('takes events before a resync, also for keys that wait in the resync', async () => {
    const gate = Promise.withResolvers<void>();
    const e = engine();
    const queue = e.queue('q', {
      concurrency: 1,
      reconcile: async (key) => {
        runs.push(key);
        if (key === 'first') await gate.promise;
      },
    });
    await e.start();
    await queue.add('first');
    await expect.poll(() => runs).toEqual(['first']);
    for (const key of ['r1', 'r2', 'r3']) await queue.add(key, { priority: 'resync' });
    await queue.add('event');
    await queue.add('r3');
    gate.resolve();
    await expect.poll(() => runs.length).toBe(5);
    expect(runs.slice(1, 3).toSorted()).toEqual(['event', 'r3']);
  });

  it('tells a worker which version another replica saw, the newest one, and nothing of what its own cache saw', async () => {
    const gate = Promise.withResolvers<void>();
    const wakes: string[] = [];
    const options = {
      concurrency: 1,
      reconcile: async (key: string, ctx: { wake?: { resourceVersion?: string } }): Promise<void> => {
        if (key === 'busy') await gate.promise;
        else wakes.push(`${key} ${ctx.wake?.resourceVersion}`);
      },
    };
    const worker = engine();
    const queue = worker.queue('q', options);
    const adder = engine().queue('q', options); // connected, but not started: it only adds
    await worker.start();
    await queue.add('busy');
    await expect.poll(() => queue.active).toBe(1);
    await adder.add('a', { resourceVersion: '100' });
    // The key waits already: the job stays as it is, its wake-up must not.
    await adder.add('a', { resourceVersion: '300' });
    await adder.add('a', { resourceVersion: '200' });
    await queue.add('b', { resourceVersion: '400' });
    gate.resolve();
    await expect.poll(() => wakes).toEqual(['a 300', 'b undefined']);
    await queue.add('a');
    await expect.poll(() => wakes.at(-1)).toBe('a undefined');
  });

  it('a region that is down does not slow another, and its breaker lets one pass probe', async () => {
    const e = engine();
    let down = 0;
    const options = { concurrency: 2, breaker: { failures: 3, openMs: 400 }, baseDelayMs: 1, maxDelayMs: 1 };
    const sick = e.queue('machines/sick', {
      ...options,
      reconcile: async () => {
        down++;
        throw new RetryableError('CloudUnreachable', 'no answer', { outage: true });
      },
    });
    await e.start();
    await sick.addAll(Array.from({ length: 50 }, (_, i) => `s${i}`));
    await expect.poll(() => down).toBeGreaterThanOrEqual(3);
    const well = e.queue('machines/well', { ...options, reconcile: note });
    await well.addAll(['w1', 'w2', 'w3']);
    await expect.poll(() => runs.toSorted()).toEqual(['w1', 'w2', 'w3']);
    expect(down).toBeLessThan(10);
    expect(e.queue('machines/well', { ...options, reconcile: note })).toBe(well);
  });

  it('feeds again what waited, and what had a timer, when Redis lost it all', async () => {
    const e = engine();
    let open = false;
    const queue = e.queue('q', {
      concurrency: 1,
      reconcile: async (key) => {
        if (open) runs.push(key);
        else throw new WaitingError('Closed', 'not open', 3_600_000);
      },
    });
    const keys = ['a', 'b', 'c'];
    const causes: string[] = [];
    e.onStateLost(async (cause) => {
      causes.push(cause);
      await queue.addAll(keys);
    });
    await e.start();
    await queue.addAll(keys);
    await expect.poll(() => redis.client.zcard('{shoto:test}:timers:delayed')).toBe(3);
    open = true;
    await redis.flush();
    await expect.poll(() => runs.toSorted(), { timeout: 5_000 }).toEqual(keys);
    expect(causes).toEqual(['epoch']);

    await redis.kill();
    await redis.start();
    await expect.poll(() => runs.length, { timeout: 8_000 }).toBe(6);
    expect(causes).toEqual(['epoch', 'run-id']);
  });

  it('notices a Redis whose state went back, as after a failover to a replica that lagged', async () => {
    const e = engine();
    const causes: string[] = [];
    e.onStateLost((cause) => void causes.push(cause));
    await e.start();
    const [counter = ''] = await redis.client.keys('{shoto:test}/counter/*');
    await expect.poll(async () => Number(await redis.client.get(counter))).toBeGreaterThan(2);
    await redis.client.set(counter, 1);
    await expect.poll(() => causes).toEqual(['counter']);
  });

  it('cancels what runs when Redis is silent for the length of a lock (another replica may start it), and runs it again', async () => {
    const e = engine({ times: { ...testTimes, holdMs: 60_000 } });
    const failures: string[] = [];
    const queue = e.queue('q', {
      concurrency: 1,
      maxRunMs: 60_000,
      reconcile: (_key, { signal }) =>
        new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      onError: (_key, error) => void failures.push(error.reason),
    });
    await e.start();
    await queue.add('a');
    await expect.poll(() => queue.active).toBe(1);
    redis.freeze();
    await expect.poll(() => queue.active, { timeout: testTimes.lockMs + testTimes.pollMs }).toBe(0);
    redis.thaw();
    await expect.poll(() => queue.active, { timeout: 8_000 }).toBe(1);
    expect(failures).toEqual([]);
  });

  it('ends a pass at its time limit and counts it as failed', async () => {
    const reasons: string[] = [];
    const e = engine();
    const queue = e.queue('q', {
      concurrency: 1,
      maxRunMs: 100,
      reconcile: (_key, { signal }) =>
        new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut')))),
      onError: (_key, error) => void reasons.push(error.reason),
    });
    await e.start();
    await queue.add('slow');
    await expect.poll(() => reasons[0]).toBe('TimedOut');
  });

  it('waits for a Redis that is down at the start, says so, and sends what was added meanwhile', async () => {
    await redis.kill();
    const said: string[] = [];
    const e = engine({ log: { ...silent, warn: (_fields, message) => void said.push(message) } });
    const queue = e.queue('q', { concurrency: 1, reconcile: note });
    const started = e.start();
    await queue.add('early');
    await queue.add('early');
    await expect.poll(() => said).toContain('waiting for Redis');
    expect(e.problems()).toHaveLength(1);
    await redis.start();
    await started;
    expect(e.problems()).toEqual([]);
    await expect.poll(() => runs, { timeout: 5_000 }).toEqual(['early']);
  });

  it('makes a worker anew that takes nothing while keys wait', async () => {
    const registry = new Registry();
    const e = engine({ metrics: registry, times: { ...testTimes, blockMs: 600_000 } });
    const queue = e.queue('q', { concurrency: 1, reconcile: note });
    await e.start();
    await queue.add('one');
    await expect.poll(() => runs).toEqual(['one']);
    // The worker of this queue and that of the timers are in their blocking calls: only then does nothing wake them.
    const blocked = async () => String(await redis.client.client('LIST')).match(/cmd=bzpopmin/g)?.length;
    await expect.poll(blocked).toBe(2);
    // A key that waits although nothing wakes the worker from its blocking call.
    const job = { name: 'run', data: '"two"', opts: '{}', timestamp: Date.now(), delay: 0, priority: 0 };
    await redis.client.hset('{shoto:test}:q/q:lost-call', job);
    await redis.client.lpush('{shoto:test}:q/q:wait', 'lost-call');
    await expect.poll(() => runs, { timeout: testTimes.wedgedMs * 2 + 2_000 }).toEqual(['one', 'two']);
    expect(await registry.metrics()).toContain('shoto_queue_workers_remade_total{queue="q"} 1');
  });

  it('counts passes, errors, depth and latency', async () => {
    const registry = new Registry();
    const e = engine({ metrics: registry });
    const queue = e.queue('q', {
      concurrency: 1,
      reconcile: async (key) => {
        if (key === 'bad') throw new TerminalError('NoFlavor', 'no');
      },
    });
    await e.start();
    await queue.addAll(['good', 'bad']);
    await expect
      .poll(async () =>
        (await registry.metrics()).split('\n').filter((l) => /^shoto_reconcile_(errors_)?total/.test(l)),
      )
      .toEqual([
        'shoto_reconcile_total{queue="q",result="ok"} 1',
        'shoto_reconcile_total{queue="q",result="terminal"} 1',
        'shoto_reconcile_errors_total{queue="q",reason="NoFlavor"} 1',
      ]);
    const text = await registry.metrics();
    expect(text).toContain('shoto_queue_depth{queue="q"} 0');
    expect(text).toContain('shoto_queue_latency_seconds_count{queue="q"} 2');
  });
});
