import { backoffMs } from '../backoff.ts';
import type { Engine } from '../engine.ts';
import { outcomeOf, type ReconcileError, toReconcileError } from '../errors.ts';
import type { AddOptions, QueueOptions } from '../queue-options.ts';

/** The time that a {@link LocalEngine} goes by; as the clock of a service. */
export interface LocalClock {
  now(): number;
  /** Calls `fn` once after `ms`; the answer cancels it. */
  after(ms: number, fn: () => void): () => void;
}

const wallClock: LocalClock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

/** A pass that ended. */
export interface LocalPass {
  queue: string;
  key: string;
  /** What it threw; undefined where it ended well. */
  error?: ReconcileError | undefined;
}

interface QueueState {
  waiting: Set<string>;
  /** Keys with the time at which they are due. */
  timers: Map<string, number>;
  fails: Map<string, number>;
  /** Keys of passes under way, by the engine that runs them. */
  running: Map<string, LocalEngine>;
}

/** What Redis would hold for one service. It outlives the engines that use it, one after the other, as Redis does. */
export class LocalQueues {
  readonly #states = new Map<string, QueueState>();

  /** @internal */
  of(name: string): QueueState {
    let state = this.#states.get(name);
    if (!state) {
      state = { waiting: new Set(), timers: new Map(), fails: new Map(), running: new Map() };
      this.#states.set(name, state);
    }
    return state;
  }

  /** Keys that wait, have a timer, or are being worked on. */
  get size(): number {
    return [...this.#states.values()].reduce((n, s) => n + s.waiting.size + s.timers.size + s.running.size, 0);
  }

  /** All is gone. */
  clear(): void {
    for (const s of this.#states.values()) for (const part of [s.waiting, s.timers, s.fails, s.running]) part.clear();
  }
}

/** What a {@link LocalEngine} is made with; everything may be left out. */
export interface LocalEngineOptions {
  clock?: LocalClock;
  /** What an earlier engine of the same service has left. */
  queues?: LocalQueues;
  /** Told of each pass when it has ended. */
  onPass?: (pass: LocalPass) => void;
}

/** As the engine's own times: see `EngineTimes`. */
const HOLD_MS = 20_000;
const STALLED_MS = 10_000;

/**
 * The queues of an engine within the process, without Redis: one key at a time, the newest state wins, errors are followed by the same
 * pauses, time is injected. {@link flush} and {@link disconnect} do to it what happens to a Redis. What the engine itself promises is tested in
 * this package on a real one.
 */
export class LocalEngine {
  readonly clock: LocalClock;
  /** Passes that were begun, by queue and key. */
  readonly passes: { queue: string; key: string }[] = [];
  readonly #made = new Map<string, LocalQueue>();
  readonly #queues: LocalQueues;
  readonly #onPass: (pass: LocalPass) => void;
  readonly #lost: ((cause: string) => void | Promise<void>)[] = [];
  #connected = true;
  #holdUntil = 0;

  constructor(o: LocalEngineOptions = {}) {
    this.clock = o.clock ?? wallClock;
    this.#queues = o.queues ?? new LocalQueues();
    this.#onPass = o.onPass ?? (() => {});
  }

  /** This as the engine that a service is wired with. */
  get engine(): Engine {
    return this as unknown as Engine;
  }
  async start(): Promise<void> {
    for (const queue of this.#made.values()) queue.resume();
  }
  queue(name: string, o: QueueOptions): LocalQueue {
    let queue = this.#made.get(name);
    if (!queue) {
      queue = new LocalQueue(name, o, {
        engine: this,
        state: this.#queues.of(name),
        began: (key) => this.passes.push({ queue: name, key }),
        ended: this.#onPass,
        heldMs: () => Math.max(0, this.#holdUntil - this.clock.now()),
        connected: () => this.#connected,
      });
      this.#made.set(name, queue);
      queue.resume();
    }
    return queue;
  }
  owns(): boolean {
    return true;
  }
  async feed(): Promise<void> {}
  onShareChanged(): void {}
  onStateLost(fn: (cause: string) => void | Promise<void>): void {
    this.#lost.push(fn);
  }
  problems(): { part: string; message: string }[] {
    return this.#connected ? [] : [{ part: 'redis', message: 'not connected; trying' }];
  }

  /** All queued keys and timers are lost, as of a Redis that is flushed: nothing starts for a while, and all is listed again. */
  flush(): void {
    this.#queues.clear();
    this.#holdUntil = this.clock.now() + HOLD_MS;
    for (const queue of this.#made.values()) queue.lost();
    for (const fn of this.#lost) void (async () => fn('flushed'))();
  }

  /** Redis is gone: passes under way are cancelled, keys that are added are kept. */
  disconnect(): void {
    this.#connected = false;
    for (const queue of this.#made.values()) queue.cancelAll();
  }

  /** Redis is back, empty. */
  reconnect(): void {
    this.#connected = true;
    this.flush();
    for (const queue of this.#made.values()) queue.unpark();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#made.values()].map((q) => q.close()));
  }
}

interface Deps {
  engine: LocalEngine;
  state: QueueState;
  began: (key: string) => void;
  ended: (pass: LocalPass) => void;
  heldMs: () => number;
  connected: () => boolean;
}

/** One queue of a {@link LocalEngine}. */
class LocalQueue {
  readonly name: string;
  readonly #o: QueueOptions;
  readonly #d: Deps;
  readonly #running = new Map<string, { done: Promise<void>; abort: AbortController }>();
  readonly #cancel = new Map<string, () => void>();
  readonly #parked = new Set<string>();
  #closed = false;

  constructor(name: string, o: QueueOptions, d: Deps) {
    this.name = name;
    this.#o = o;
    this.#d = d;
  }

  async add(key: string, _o: AddOptions = {}): Promise<void> {
    if (this.#closed) return;
    if (!this.#d.connected()) {
      this.#parked.add(key);
      return;
    }
    this.#d.state.waiting.add(key);
    this.#pump();
  }

  async addAll(keys: Iterable<string>): Promise<void> {
    for (const key of keys) await this.add(key);
  }

  async addAfter(key: string, ms: number): Promise<void> {
    if (this.#closed) return;
    if (!this.#d.connected()) {
      this.#parked.add(key);
      return;
    }
    this.#arm(key, this.#d.engine.clock.now() + ms);
  }

  async depth(): Promise<number> {
    return this.#d.state.waiting.size;
  }

  get active(): number {
    return this.#running.size;
  }

  /** @internal takes up what an earlier engine left. */
  resume(): void {
    const { state, engine } = this.#d;
    for (const [key, due] of state.timers) this.#arm(key, due);
    for (const [key, by] of state.running) {
      if (by === engine) continue;
      state.running.delete(key);
      this.#arm(key, engine.clock.now() + STALLED_MS);
    }
    this.#pump();
  }

  /** @internal */
  lost(): void {
    for (const cancel of this.#cancel.values()) cancel();
    this.#cancel.clear();
  }

  /** @internal */
  cancelAll(): void {
    for (const run of this.#running.values()) run.abort.abort(new Error('cancelled: Redis does not answer'));
  }

  /** @internal */
  unpark(): void {
    const parked = [...this.#parked];
    this.#parked.clear();
    void this.addAll(parked);
  }

  #arm(key: string, due: number): void {
    const { clock } = this.#d.engine;
    this.#cancel.get(key)?.();
    this.#d.state.timers.set(key, due);
    this.#cancel.set(
      key,
      clock.after(Math.max(0, due - clock.now()), () => {
        this.#disarm(key);
        void this.add(key);
      }),
    );
  }

  #disarm(key: string): void {
    this.#cancel.get(key)?.();
    this.#cancel.delete(key);
    this.#d.state.timers.delete(key);
  }

  #pump(): void {
    const held = this.#d.heldMs();
    if (held > 0) {
      this.#d.engine.clock.after(held, () => this.#pump());
      return;
    }
    for (const key of this.#d.state.waiting) {
      if (this.#closed || !this.#d.connected() || this.#running.size >= this.#o.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#d.state.waiting.delete(key);
      const abort = new AbortController();
      // Set before the pass begins: what it does at once may add its own key.
      const run = { done: Promise.resolve(), abort };
      this.#running.set(key, run);
      run.done = this.#run(key, abort);
    }
  }

  async #run(key: string, abort: AbortController): Promise<void> {
    const { state, engine } = this.#d;
    const { clock } = engine;
    const armed = this.#cancel.get(key);
    state.running.set(key, engine);
    this.#d.began(key);
    const maxRunMs = this.#o.maxRunMs ?? 20_000;
    const late = clock.after(maxRunMs, () =>
      abort.abort(new DOMException(`a pass may take ${maxRunMs} ms`, 'TimeoutError')),
    );
    const fails = state.fails.get(key) ?? 0;
    let afterMs: number | undefined;
    let error: ReconcileError | undefined;
    try {
      const outcome = await this.#o.reconcile(key, { signal: abort.signal, attempt: fails + 1 });
      afterMs = outcome?.requeueAfterMs;
      state.fails.delete(key);
    } catch (e) {
      error = toReconcileError(abort.signal.aborted ? abort.signal.reason : e);
      const { requeue } = outcomeOf(error);
      if (error.kind === 'retryable') state.fails.set(key, fails + 1);
      else state.fails.delete(key);
      if (requeue.how === 'after') afterMs = requeue.ms;
      if (requeue.how === 'backoff')
        afterMs = Math.max(
          requeue.atLeastMs,
          backoffMs(fails, this.#o.baseDelayMs ?? 100, this.#o.maxDelayMs ?? 300_000),
        );
      await this.#o.onError?.(key, error, afterMs);
    }
    late();
    this.#running.delete(key);
    if (state.running.get(key) === engine) state.running.delete(key);
    if (this.#closed) return;
    if (afterMs !== undefined) await this.addAfter(key, afterMs);
    else if (armed && this.#cancel.get(key) === armed) this.#disarm(key);
    this.#d.ended({ queue: this.name, key, error });
    this.#pump();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.lost();
    await Promise.all([...this.#running.values()].map((r) => r.done));
    this.lost();
  }
}
