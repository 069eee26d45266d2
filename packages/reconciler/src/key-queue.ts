import { randomUUID } from 'node:crypto';
import { DelayedError, type Job, type Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { backoffMs } from './backoff.ts';
import { outcomeOf, type ReconcileError, RetryableError, toReconcileError } from './errors.ts';
import type { Log } from './log.ts';
import type { EngineMetrics } from './metrics.ts';
import { OutageBreaker } from './outage-breaker.ts';
import type { AddOptions, QueueOptions, RunContext } from './queue-options.ts';
import { beginRun, endRun, noteWake } from './scripts.ts';
import type { EngineTimes, RedisKeys } from './settings.ts';

/** What a queue needs of its engine. */
export interface QueueDeps {
  name: string;
  bull: Queue<string>;
  redis: Redis;
  keys: RedisKeys;
  times: EngineTimes;
  instance: string;
  log: Log;
  metrics: EngineMetrics;
  /** Resolves once the Redis we are connected to is the one we knew. */
  verified: () => Promise<void>;
  arm: (key: string, ms: number) => Promise<string>;
  disarm: (timerId: string) => Promise<void>;
}

const RESYNC_PRIORITY = 10;
const BULK = 500;

/**
 * A queue of keys: the newest state wins. A key waits at most once and never runs twice at once; one that is added
 * while its pass runs, runs again after it.
 */
export class KeyQueue {
  readonly name: string;
  readonly #d: QueueDeps;
  readonly #o: Required<Pick<QueueOptions, 'maxRunMs' | 'baseDelayMs' | 'maxDelayMs'>> & QueueOptions;
  readonly #running = new Map<string, { done: Promise<void>; abort: AbortController }>();
  readonly #parked = new Map<string, AddOptions>();
  /** Keys that this process added at low priority, with the job. */
  readonly #low = new Map<string, string>();
  /** Timers that passes of this process have armed. */
  readonly #armed = new Map<string, string>();
  readonly #breaker: OutageBreaker | undefined;
  #worker: Worker<string> | undefined;
  #tookAt = performance.now();
  #closing = false;

  constructor(d: QueueDeps, o: QueueOptions) {
    this.name = d.name;
    this.#d = d;
    this.#o = { maxRunMs: 20_000, baseDelayMs: 100, maxDelayMs: 300_000, ...o };
    if (o.breaker) this.#breaker = new OutageBreaker(o.breaker);
  }

  /**
   * Asks for a pass. While Redis is away (or refuses) the key is kept here, once, and sent when it is back: never throws.
   */
  async add(key: string, o: AddOptions = {}): Promise<void> {
    if (!this.#connected) {
      this.#park(key, o);
      return;
    }
    try {
      await this.#send(key, o);
    } catch (error) {
      this.#refused([[key, o]], error);
    }
  }

  async #send(key: string, o: AddOptions): Promise<void> {
    await this.#noteWake(key, o.resourceVersion);
    const low = o.priority === 'resync';
    const id = randomUUID();
    const job = await this.#d.bull.add('run', key, jobOptions(key, id, low));
    if (low) {
      if (job.id === id) this.#low.set(key, id);
      return;
    }
    // It waits already, at low priority: an event must not stand behind a whole resync.
    const waiting = this.#low.get(key);
    this.#low.delete(key);
    if (waiting && job.id === waiting) await job.changePriority({ priority: 0 }).catch(() => {});
  }

  /**
   * {@link add} for many keys, in few round trips.
   * @param o.resourceVersions - by key, the version of the change that caused it
   */
  async addAll(
    keys: Iterable<string>,
    o: Pick<AddOptions, 'priority'> & { resourceVersions?: ReadonlyMap<string, string> } = {},
  ): Promise<void> {
    const all = [...new Set(keys)].map((key): [string, AddOptions] => {
      const resourceVersion = o.resourceVersions?.get(key);
      return [
        key,
        { ...(o.priority ? { priority: o.priority } : {}), ...(resourceVersion ? { resourceVersion } : {}) },
      ];
    });
    for (let i = 0; i < all.length; i += BULK) {
      const some = all.slice(i, i + BULK);
      if (!this.#connected) {
        for (const [key, options] of some) this.#park(key, options);
        continue;
      }
      try {
        await Promise.all(some.map(([key, { resourceVersion }]) => this.#noteWake(key, resourceVersion)));
        await this.#d.bull.addBulk(
          some.map(([key]) => ({
            name: 'run',
            data: key,
            opts: jobOptions(key, randomUUID(), o.priority === 'resync'),
          })),
        );
      } catch (error) {
        this.#refused(some, error);
      }
    }
  }

  /**
   * Asks for a pass after `ms`. A key has one timer: a later call replaces it, and a pass that ends without asking for
   * another takes away the one that was armed before it began.
   */
  async addAfter(key: string, ms: number): Promise<void> {
    this.#armed.set(key, await this.#d.arm(key, ms));
  }

  /** Keys that wait (not those with a timer). */
  async depth(): Promise<number> {
    const counts = await this.#d.bull.getJobCounts('wait', 'prioritized');
    return Object.values(counts).reduce((sum, n) => sum + n, 0);
  }

  /** Keys whose passes run in this process. */
  get active(): number {
    return this.#running.size;
  }

  /** Takes no more and waits for passes under way; after `graceMs` they are cancelled. Default: the longest pass. */
  async close(graceMs: number = this.#o.maxRunMs): Promise<void> {
    this.#closing = true;
    const late = setTimeout(() => this.cancelAll('the process ends'), graceMs);
    const worker = this.#worker;
    this.#worker = undefined;
    // Without Redis a worker cannot finish anything: do not wait for it.
    const closed = (worker?.close(!this.#connected) ?? Promise.resolve()).catch(() => {});
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, graceMs + 2_000).unref())]);
    clearTimeout(late);
    await this.#d.bull.close().catch(() => {});
  }

  /** Called by the engine: begins to take keys. */
  start(): void {
    if (!this.#worker && !this.#closing) this.#worker = this.#makeWorker();
  }

  /** Called by the engine: passes under way must stop (their locks may be gone). */
  cancelAll(why: string): void {
    for (const run of this.#running.values()) run.abort.abort(new CancelledError(why));
  }

  /** Called by the engine when Redis is back, and from time to time: sends what was kept. */
  async unpark(): Promise<void> {
    if (this.#parked.size === 0) return;
    const parked = [...this.#parked];
    this.#parked.clear();
    this.#low.clear();
    for (const priority of ['event', 'resync'] as const) {
      const some = parked.filter(([, o]) => (o.priority ?? 'event') === priority);
      const resourceVersions = new Map(
        some.flatMap(([key, o]) => (o.resourceVersion ? [[key, o.resourceVersion] as const] : [])),
      );
      await this.addAll(
        some.map(([key]) => key),
        { priority, resourceVersions },
      );
    }
  }

  /** Called by the engine from time to time: a worker that takes nothing although keys wait is made anew. */
  async checkWedged(): Promise<void> {
    const { wedgedMs } = this.#d.times;
    if (!this.#worker || performance.now() - this.#tookAt < wedgedMs || this.#running.size >= this.#o.concurrency)
      return;
    if ((await this.depth()) === 0 || performance.now() - this.#tookAt < wedgedMs) return;
    this.#d.log.error({ queue: this.name, wedgedMs }, 'worker took nothing while keys wait: made anew');
    this.#d.metrics.workersRemade.inc({ queue: this.name });
    const old = this.#worker;
    this.#worker = this.#makeWorker();
    void old.close(true).catch(() => {});
  }

  get #connected(): boolean {
    return this.#d.redis.status === 'ready';
  }

  /** Of two the event stays, with the newer version. */
  #park(key: string, o: AddOptions): void {
    const before = this.#parked.get(key);
    if (before && (o.priority === 'resync' || (before.resourceVersion && !o.resourceVersion))) return;
    this.#parked.set(key, o);
  }

  #refused(entries: readonly (readonly [string, AddOptions])[], error: unknown): void {
    for (const [key, o] of entries) this.#park(key, o);
    if (this.#closing) return;
    this.#d.log.warn(
      { queue: this.name, keys: entries.length, error: (error as Error).message },
      'Redis refused keys: kept, and sent again',
    );
  }

  async #noteWake(key: string, resourceVersion: string | undefined): Promise<void> {
    if (resourceVersion)
      await noteWake(this.#d.redis, this.#d.keys.wake(this.name), key, resourceVersion, this.#d.instance);
  }

  #makeWorker(): Worker<string> {
    const { times, keys, redis, log } = this.#d;
    this.#tookAt = performance.now();
    const worker = new Worker<string>(this.#d.bull.name, (job, token, signal) => this.#take(job, token, signal), {
      connection: redis,
      prefix: keys.prefix,
      concurrency: this.#o.concurrency,
      lockDuration: times.lockMs,
      stalledInterval: times.stalledMs,
      // BullMQ drops a job silently after this many dead workers: never.
      maxStalledCount: 1_000_000_000,
      drainDelay: times.blockMs / 1000,
      runRetryDelay: Math.min(5_000, times.lockMs),
      ...(this.#o.limiter ? { limiter: { max: this.#o.limiter.max, duration: this.#o.limiter.perMs } } : {}),
    });
    worker.on('lockRenewalFailed', (ids) => {
      for (const id of ids) worker.cancelJob(id, 'lock lost');
    });
    worker.on('error', (error) => log.debug({ queue: this.name, error: error.message }, 'queue worker error'));
    return worker;
  }

  async #take(job: Job<string>, token: string | undefined, lockSignal: AbortSignal | undefined): Promise<void> {
    const { redis, keys, times } = this.#d;
    this.#tookAt = performance.now();
    const key = job.data;
    await this.#d.verified();
    const [hold, fails, wake] = (await beginRun(
      redis,
      keys.epoch,
      keys.hold,
      keys.firstStart,
      keys.fails(this.name),
      keys.wake(this.name),
      randomUUID(),
      times.holdMs,
      key,
    )) as [number, number, string];
    const notBefore = Math.max(hold, this.#breaker?.holdMs() ?? 0);
    if (notBefore > 0) {
      await job.moveToDelayed(Date.now() + notBefore + Math.random() * 50, token);
      throw new DelayedError();
    }
    // After Redis lost its state it may hand out a key whose pass, forgotten by it, still runs here.
    for (let run = this.#running.get(key); run; run = this.#running.get(key)) await run.done;
    if (lockSignal?.aborted) throw new CancelledError('lock lost');
    if (job.priority === 0 || job.priority === undefined) {
      this.#d.metrics.latency.observe({ queue: this.name }, Math.max(0, Date.now() - job.timestamp) / 1000);
    }
    this.#low.delete(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    const abort = new AbortController();
    this.#running.set(key, { done: promise, abort });
    try {
      await this.#pass(key, fails, wake, lockSignal, abort);
    } finally {
      this.#running.delete(key);
      resolve();
      this.#tookAt = performance.now();
    }
  }

  async #pass(
    key: string,
    fails: number,
    wake: string,
    lockSignal: AbortSignal | undefined,
    abort: AbortController,
  ): Promise<void> {
    const { log, metrics, redis, keys, instance } = this.#d;
    const queue = this.name;
    const timer = this.#armed.get(key);
    const onLockLost = (): void => abort.abort(new CancelledError('lock lost'));
    lockSignal?.addEventListener('abort', onLockLost, { once: true });
    const tooLong = setTimeout(() => {
      abort.abort(new DOMException(`a pass may take ${this.#o.maxRunMs} ms`, 'TimeoutError'));
    }, this.#o.maxRunMs);
    const deaf = setTimeout(
      () => log.error({ queue, key, maxRunMs: this.#o.maxRunMs }, 'pass does not obey its signal'),
      this.#o.maxRunMs + 5_000,
    );
    const [version, feeder] = splitWake(wake);
    const ctx: RunContext = {
      signal: abort.signal,
      attempt: fails + 1,
      // Fed by this process: its cache had the change before the key was added.
      ...(version && feeder !== instance ? { wake: { resourceVersion: version } } : {}),
    };
    const done = metrics.duration.startTimer({ queue });
    let error: ReconcileError | undefined;
    let afterMs: number | undefined;
    try {
      const outcome = await this.#o.reconcile(key, ctx);
      if (outcome) afterMs = outcome.requeueAfterMs;
    } catch (e) {
      if (abort.signal.reason instanceof CancelledError) {
        metrics.reconciles.inc({ queue, result: 'cancelled' });
        throw abort.signal.reason;
      }
      error = toReconcileError(abort.signal.aborted ? abort.signal.reason : e);
    } finally {
      done();
      clearTimeout(tooLong);
      clearTimeout(deaf);
      lockSignal?.removeEventListener('abort', onLockLost);
    }
    const failed = error?.kind === 'retryable';
    this.#breaker?.note(error instanceof RetryableError && error.outage);
    if (error) afterMs = await this.#failed(key, error, fails);
    metrics.reconciles.inc({ queue, result: error?.kind ?? (afterMs === undefined ? 'ok' : 'requeue') });
    if (failed || fails > 0 || wake) {
      await endRun(redis, keys.fails(queue), keys.wake(queue), key, wake, failed ? 'fail' : 'ok');
    }
    // Armed before the job is done: a crash here runs the key again instead of losing it.
    if (afterMs !== undefined) this.#armed.set(key, await this.#d.arm(key, afterMs));
    else if (timer) await this.#d.disarm(timer);
    if (timer && this.#armed.get(key) === timer) this.#armed.delete(key);
  }

  async #failed(key: string, error: ReconcileError, fails: number): Promise<number | undefined> {
    const { log, metrics } = this.#d;
    const { logLevel, requeue } = outcomeOf(error);
    const afterMs =
      requeue.how === 'never'
        ? undefined
        : requeue.how === 'after'
          ? requeue.ms
          : Math.max(requeue.atLeastMs, backoffMs(fails, this.#o.baseDelayMs, this.#o.maxDelayMs));
    if (error.kind !== 'waiting') metrics.errors.inc({ queue: this.name, reason: error.reason });
    log[logLevel](
      { queue: this.name, key, reason: error.reason, error: error.message, nextMs: afterMs },
      'pass ended early',
    );
    try {
      await this.#o.onError?.(key, error, afterMs);
    } catch (e) {
      log.error({ queue: this.name, key, error: (e as Error).message }, 'onError failed');
    }
    return afterMs;
  }
}

/** A pass that must end although nothing is wrong with its object; it is run again. */
class CancelledError extends Error {
  constructor(why: string) {
    super(`cancelled: ${why}`);
    this.name = 'CancelledError';
  }
}

function splitWake(wake: string): [version: string, feeder: string] {
  const at = wake.indexOf('@');
  return at < 0 ? ['', ''] : [wake.slice(0, at), wake.slice(at + 1)];
}

/**
 * Job ids are UUIDs: BullMQ's own counter starts at 1 again after Redis was emptied, and would then name jobs that still run.
 * `keepLastIfActive` keeps an addition that comes while the key's pass runs.
 */
function jobOptions(key: string, jobId: string, low: boolean) {
  return { jobId, deduplication: { id: key, keepLastIfActive: true }, ...(low ? { priority: RESYNC_PRIORITY } : {}) };
}
