import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Log } from './log.ts';
import { heartbeat } from './scripts.ts';
import type { EngineTimes, RedisKeys } from './settings.ts';

export interface RedisStateOptions {
  redis: Redis;
  keys: RedisKeys;
  times: EngineTimes;
  /** This process. */
  instance: string;
  log: Log;
  /** Redis has lost state; `cause`: epoch, run-id, replication-id, counter. */
  onLost: (cause: string) => void;
  /** Redis did not answer for so long that our locks may be gone: whatever runs must stop. */
  onSilent: () => void;
  /** The replicas that feed, sorted. Called when they change. */
  onMembers: (members: readonly string[]) => void;
}

/**
 * Watches whether Redis still knows what it knew: its epoch key, run id, replication id, and a counter of this process.
 * One script every `pollMs`; run and replication id are read at each new connection, since they cannot change within one.
 */
export class RedisState {
  readonly #o: RedisStateOptions;
  #timer: NodeJS.Timeout | undefined;
  #polling = false;
  #lastAnswer = performance.now();
  #silent = false;
  #epoch = '';
  #counter: number | undefined;
  #identity: { runId: string; replicationId: string } | undefined;
  #verified: Promise<void>;
  #verify: () => void = () => {};
  #members: readonly string[] = [];
  #holdUntil = 0;
  #stopped = false;
  /** Whether this process takes part in feeding. */
  feeds = false;

  constructor(o: RedisStateOptions) {
    this.#o = o;
    this.#verified = this.#unverified();
    o.redis.on('close', () => {
      this.#verify();
      this.#verified = this.#unverified();
    });
    o.redis.on('ready', () => void this.#check());
  }

  /**
   * Resolves when the present connection is known to lead to the Redis that we know, or the loss was noted and the
   * hold set. A job that was fetched must not start before.
   */
  get verified(): Promise<void> {
    return this.#verified;
  }

  /** Milliseconds that nothing may start, as of the last heartbeat. */
  get holdLeftMs(): number {
    return Math.max(0, this.#holdUntil - performance.now());
  }

  get members(): readonly string[] {
    return this.#members;
  }

  /** Begins the heartbeat and waits for the first answer. */
  async start(): Promise<void> {
    this.#lastAnswer = performance.now();
    // A connection that breaks just now is connected again; the next heartbeat comes soon enough.
    await this.poll().catch(() => {});
    this.#timer = setInterval(() => {
      this.#watchSilence();
      void this.poll().catch(() => {});
    }, this.#o.times.pollMs);
    this.#timer.unref();
  }

  /** Leaves the members and ends the heartbeat. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#verify();
    if (this.#o.redis.status !== 'ready') return;
    const leave = this.#o.redis
      .pipeline()
      .zrem(this.#o.keys.members, this.#o.instance)
      .del(this.#o.keys.counter(this.#o.instance))
      .exec();
    await Promise.race([leave.catch(() => {}), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  }

  /** One heartbeat now; none while one is under way or Redis is not connected. */
  async poll(): Promise<void> {
    const { redis, keys, times, instance } = this.#o;
    if (this.#polling || redis.status !== 'ready' || this.#stopped) return;
    this.#polling = true;
    try {
      const answer = await heartbeat(
        redis,
        keys.epoch,
        keys.hold,
        keys.firstStart,
        keys.members,
        keys.counter(instance),
        randomUUID(),
        times.holdMs,
        instance,
        times.memberMs,
        this.feeds ? '1' : '0',
      );
      const [epoch, counter, hold, members] = answer as [string, number, number, string[]];
      this.#lastAnswer = performance.now();
      this.#silent = false;
      this.#holdUntil = performance.now() + hold;
      const lost =
        this.#epoch && epoch !== this.#epoch
          ? 'epoch'
          : this.#counter !== undefined && counter !== this.#counter + 1
            ? 'counter'
            : undefined;
      this.#epoch = epoch;
      this.#counter = counter;
      // After a loss others have not reported yet: keep the members we knew until the next heartbeat.
      if (lost) await this.#lost(lost);
      else this.#noteMembers(members);
    } finally {
      this.#polling = false;
    }
  }

  #noteMembers(members: string[]): void {
    members.sort();
    if (members.join() === this.#members.join()) return;
    this.#members = members;
    this.#o.onMembers(members);
  }

  #unverified(): Promise<void> {
    return new Promise((resolve) => {
      this.#verify = resolve;
    });
  }

  /** A new connection: is this the Redis we knew? */
  async #check(): Promise<void> {
    const verify = this.#verify;
    try {
      const info = `${await this.#o.redis.info('server')}\n${await this.#o.redis.info('replication')}`;
      const field = (name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
      const now = { runId: field('run_id'), replicationId: field('master_replid') };
      const before = this.#identity;
      this.#identity = now;
      if (before && before.runId !== now.runId) await this.#lost('run-id');
      else if (before && before.replicationId !== now.replicationId) await this.#lost('replication-id');
      this.#lastAnswer = performance.now();
      verify();
    } catch (error) {
      // The connection broke again: the next `ready` checks anew, and `close` lets go whoever waited on this one.
      if (!this.#stopped) this.#o.log.debug({ error: (error as Error).message }, 'cannot ask Redis who it is');
    }
  }

  async #lost(cause: string): Promise<void> {
    const { redis, keys, times, log } = this.#o;
    log.warn(
      { cause, holdMs: times.holdMs },
      'Redis has lost state: nothing starts for a while, then everything is listed again',
    );
    await redis.set(keys.hold, '1', 'PX', times.holdMs);
    this.#holdUntil = performance.now() + times.holdMs;
    // One loss is told once: what the next heartbeat finds is the new state.
    this.#epoch = '';
    this.#counter = undefined;
    this.#o.onLost(cause);
  }

  /** Locks are renewed by Redis only: when it is silent for almost their length, others may start what runs here. */
  #watchSilence(): void {
    const silentMs = performance.now() - this.#lastAnswer;
    const { lockMs, pollMs } = this.#o.times;
    if (silentMs > lockMs - pollMs && !this.#silent) {
      this.#silent = true;
      this.#o.log.warn({ silentMs: Math.round(silentMs) }, 'Redis does not answer: passes under way are cancelled');
      this.#o.onSilent();
    }
  }
}
