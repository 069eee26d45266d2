import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Registry } from 'prom-client';
import { KeyQueue } from './key-queue.ts';
import type { Log } from './log.ts';
import { createEngineMetrics, type EngineMetrics } from './metrics.ts';
import type { QueueOptions } from './queue-options.ts';
import { RedisState } from './redis-state.ts';
import { defaultTimes, type EngineTimes, type RedisKeys, redisKeys } from './settings.ts';
import { ownerOf, shardOf } from './shards.ts';

export interface EngineOptions {
  redis: { url: string };
  /** Name of the service; its replicas share the queues, other services do not. */
  service: string;
  log: Log;
  /** Where the metrics go; default: nowhere. */
  metrics?: Registry;
  /** Default: made of host, pid and chance. */
  instance?: string;
  times?: Partial<EngineTimes>;
}

const TIMERS = 'timers';
const TIMER_CONCURRENCY = 50;
const SAY_AGAIN_MS = 10_000;

/**
 * The work of one service: its queues and timers in Redis, shared by its replicas. Redis only says what to look at next:
 * all of it may be lost at any time and is made again from the lists of the Kubernetes API.
 */
export class Engine {
  readonly instance: string;
  readonly #o: EngineOptions;
  readonly #times: EngineTimes;
  readonly #keys: RedisKeys;
  readonly #redis: Redis;
  readonly #state: RedisState;
  readonly #metrics: EngineMetrics;
  readonly #queues = new Map<string, KeyQueue>();
  readonly #bulls = new Map<string, Queue<string>>();
  readonly #lost: ((cause: string) => void | Promise<void>)[] = [];
  readonly #moved: (() => void)[] = [];
  #timerWorker: Worker<[queue: string, key: string]> | undefined;
  #timers: Queue<[queue: string, key: string]>;
  #wedgeCheck: NodeJS.Timeout | undefined;
  #started = false;
  #closing = false;

  constructor(o: EngineOptions) {
    this.#o = o;
    this.#times = { ...defaultTimes, ...o.times };
    this.#keys = redisKeys(o.service);
    this.instance = o.instance ?? `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
    this.#redis = new Redis(o.redis.url, {
      lazyConnect: true,
      maxRetriesPerRequest: null,
      retryStrategy: (times) => Math.min(2_000, 50 * 2 ** Math.min(times, 10)),
    });
    // Without a listener ioredis writes each failed attempt to standard error.
    this.#redis.on('error', (error) => o.log.debug({ error: error.message }, 'Redis connection error'));
    this.#metrics = createEngineMetrics(o.metrics, () => this.#depths());
    this.#state = new RedisState({
      redis: this.#redis,
      keys: this.#keys,
      times: this.#times,
      instance: this.instance,
      log: o.log,
      onLost: (cause) => this.#onLost(cause),
      onSilent: () => {
        for (const queue of this.#queues.values()) queue.cancelAll('Redis does not answer');
      },
      onMembers: () => {
        for (const fn of this.#moved) fn();
      },
    });
    this.#timers = this.#bull<[string, string]>(TIMERS);
  }

  /**
   * The queue of that name, made at the first call (at any time: a region that appears gets its own); later calls return the
   * same and ignore the options.
   * @param name - letters, digits, `-`, `_`, `.`, `/`; one per service and region: `machines/region-a`
   */
  queue(name: string, o: QueueOptions): KeyQueue {
    const known = this.#queues.get(name);
    if (known) return known;
    if (!/^[\w./-]+$/.test(name) || name === TIMERS) throw new RangeError(`not a name for a queue: "${name}"`);
    const queue = new KeyQueue(
      {
        name,
        bull: this.#mainBull(name),
        redis: this.#redis,
        keys: this.#keys,
        times: this.#times,
        instance: this.instance,
        log: this.#o.log,
        metrics: this.#metrics,
        verified: () => this.#verified(),
        arm: (key, ms) => this.#arm(name, key, ms),
        disarm: async (id) => void (await this.#timers.remove(id)),
      },
      { ...o, maxRunMs: Math.min(o.maxRunMs ?? 20_000, this.#times.holdMs) },
    );
    this.#queues.set(name, queue);
    if (this.#started) queue.start();
    return queue;
  }

  /** Called when Redis was seen to have lost state: list again and add what needs work (a `Feeder` does so by itself). */
  onStateLost(fn: (cause: string) => void | Promise<void>): void {
    this.#lost.push(fn);
  }

  /** Called when this replica's share of the work may have changed. */
  onShareChanged(fn: () => void): void {
    this.#moved.push(fn);
  }

  /** Takes part in feeding: from the next heartbeat on this replica owns a share. Called by the `Feeder` once its cache is full. */
  async feed(): Promise<void> {
    this.#state.feeds = true;
    await this.#state.poll();
  }

  /**
   * Whether this replica feeds that shard key (a Cluster's UID, or whatever holds together). All replicas come to the same
   * answer, except for a heartbeat or two after one came or went.
   */
  owns(shardKey: string): boolean {
    return ownerOf(shardOf(shardKey), this.#state.members) === this.instance;
  }

  /** What keeps the engine from working now, for /readyz. */
  problems(): { part: string; message: string }[] {
    if (this.#redis.status !== 'ready')
      return [{ part: 'redis', message: `not connected (${this.#redis.status}); trying` }];
    if (!this.#started) return [{ part: 'engine', message: 'not started' }];
    return [];
  }

  /**
   * Connects and begins to work. Waits for Redis as long as it takes, and says so every 10 s.
   * @param signal - gives up waiting
   */
  async start(signal?: AbortSignal): Promise<void> {
    const { log } = this.#o;
    const waiting = setInterval(() => log.warn({ redis: this.#where() }, 'waiting for Redis'), SAY_AGAIN_MS);
    const ready = new Promise<void>((resolve, reject) => {
      // BullMQ connects as soon as a queue is made: it may be ready already.
      if (this.#redis.status === 'ready') resolve();
      this.#redis.once('ready', resolve);
      this.#redis.once('error', (error) =>
        log.warn({ redis: this.#where(), error: error.message }, 'waiting for Redis'),
      );
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (this.#redis.status === 'wait') this.#redis.connect().catch(() => {});
    });
    try {
      await ready;
    } finally {
      clearInterval(waiting);
    }
    await this.#state.start();
    this.#started = true;
    this.#redis.on('ready', () => void this.#back());
    for (const queue of this.#queues.values()) {
      queue.start();
      await queue.unpark();
    }
    this.#timerWorker = new Worker(this.#timers.name, (job) => this.#due(job.data), {
      connection: this.#redis,
      prefix: this.#keys.prefix,
      concurrency: TIMER_CONCURRENCY,
      lockDuration: this.#times.lockMs,
      // A timer takes a millisecond: dead workers are looked for less often, which is most of what an idle queue costs.
      stalledInterval: this.#times.stalledMs * 3,
      maxStalledCount: 1_000_000_000,
      drainDelay: this.#times.blockMs / 1000,
      runRetryDelay: Math.min(5_000, this.#times.lockMs),
    });
    this.#timerWorker.on('error', (error) => log.debug({ queue: TIMERS, error: error.message }, 'queue worker error'));
    this.#wedgeCheck = setInterval(() => {
      if (this.#redis.status !== 'ready') return;
      for (const queue of this.#queues.values())
        void queue
          .unpark()
          .then(() => queue.checkWedged())
          .catch(() => {});
    }, this.#times.wedgedMs / 4);
    this.#wedgeCheck.unref();
  }

  /** Takes no more, waits for passes under way (cancels them after `graceMs`), and closes. Default: each queue's longest pass. */
  async close(graceMs?: number): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#wedgeCheck);
    const connected = this.#redis.status === 'ready';
    await Promise.all([
      ...[...this.#queues.values()].map((queue) => queue.close(graceMs)),
      within(2_000, this.#timerWorker?.close(!connected)),
    ]);
    await this.#state.stop();
    await Promise.all([...this.#bulls.values()].map((bull) => within(1_000, bull.close())));
    this.#redis.disconnect();
  }

  async #verified(): Promise<void> {
    for (let p = this.#state.verified; ; p = this.#state.verified) {
      await p;
      if (p === this.#state.verified) return;
    }
  }

  #where(): string {
    const url = new URL(this.#o.redis.url);
    return `${url.hostname}:${url.port || 6379}`;
  }

  #bull<T>(name: string): Queue<T> {
    const bull = new Queue<T>(name, {
      connection: this.#redis,
      prefix: this.#keys.prefix,
      // A pass never fails in BullMQ's eyes; attempts are for a Redis that breaks within our own bookkeeping.
      defaultJobOptions: {
        removeOnComplete: true,
        removeOnFail: true,
        attempts: 1_000_000_000,
        backoff: { type: 'fixed', delay: 1000 },
      },
      streams: { events: { maxLen: 100 } },
    });
    bull.on('error', (error) => this.#o.log.debug({ queue: name, error: error.message }, 'queue error'));
    this.#bulls.set(name, bull as unknown as Queue<string>);
    return bull;
  }

  #mainBull(name: string): Queue<string> {
    return this.#bulls.get(`q/${name}`) ?? this.#bull<string>(`q/${name}`);
  }

  async #arm(queue: string, key: string, ms: number): Promise<string> {
    const job = await this.#timers.add('due', [queue, key], {
      jobId: randomUUID(),
      delay: Math.max(0, Math.round(ms)),
      deduplication: { id: `${queue}|${key}`, replace: true, keepLastIfActive: true },
    });
    return job.id ?? '';
  }

  /** A timer fired. Its queue may be one that only another replica has made so far: the key waits there. */
  async #due([name, key]: [queue: string, key: string]): Promise<void> {
    const queue = this.#queues.get(name);
    if (queue) await queue.add(key);
    else
      await this.#mainBull(name).add('run', key, {
        jobId: randomUUID(),
        deduplication: { id: key, keepLastIfActive: true },
      });
  }

  async #back(): Promise<void> {
    await this.#verified();
    await this.#state.poll().catch(() => {});
    for (const queue of this.#queues.values()) await queue.unpark().catch(() => {});
  }

  #onLost(cause: string): void {
    this.#metrics.stateLost.inc({ cause });
    for (const fn of this.#lost) {
      void (async () => fn(cause))().catch((error: Error) =>
        this.#o.log.error({ error: error.message }, 'could not list again after Redis lost state'),
      );
    }
  }

  async #depths(): Promise<Map<string, number>> {
    const depths = new Map<string, number>();
    if (this.#redis.status !== 'ready') return depths;
    for (const [name, queue] of this.#queues) depths.set(name, await queue.depth());
    return depths;
  }
}

async function within(ms: number, what: Promise<unknown> | undefined): Promise<void> {
  await Promise.race([what?.catch(() => {}), new Promise((resolve) => setTimeout(resolve, ms).unref())]);
}

/**
 * Says that nothing runs for any service on this new, empty Redis, so that the first start need not wait for passes that
 * Redis might have forgotten. Only for whoever starts Redis before all services (a supervisor); never on a Redis that
 * was emptied while services run.
 */
export async function declareFirstStart(o: { url: string }): Promise<void> {
  const redis = new Redis(o.url, { maxRetriesPerRequest: 3 });
  redis.on('error', () => {});
  try {
    await redis.set('shoto:first-start', '1');
  } finally {
    redis.disconnect();
  }
}
