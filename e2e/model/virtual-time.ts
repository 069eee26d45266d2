import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { performance } from 'node:perf_hooks';
import timersPromises from 'node:timers/promises';
import { currentLife, type Life, runIn } from './life.ts';

/** A timer on virtual time; as Node's, as far as anybody here uses it. */
class VirtualTimer {
  readonly fn: () => void;
  readonly life: Life | undefined = currentLife();
  readonly everyMs: number | undefined;
  readonly ms: number;
  due: number;
  order: number;
  live = true;
  readonly #time: VirtualTime;

  constructor(time: VirtualTime, fn: () => void, ms: number, every: boolean) {
    this.#time = time;
    this.fn = fn;
    this.ms = Number.isFinite(ms) && ms >= 1 ? ms : 1;
    this.everyMs = every ? this.ms : undefined;
    this.due = time.now() + this.ms;
    this.order = 0;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return false;
  }
  refresh(): this {
    this.#time.rearm(this);
    return this;
  }
  close(): this {
    this.live = false;
    return this;
  }
  [Symbol.toPrimitive](): number {
    return this.order;
  }
  [Symbol.dispose](): void {
    this.live = false;
  }
}

const real = {
  setTimeout: globalThis.setTimeout,
  clearTimeout: globalThis.clearTimeout,
  setInterval: globalThis.setInterval,
  clearInterval: globalThis.clearInterval,
  setImmediate: globalThis.setImmediate,
  Date: globalThis.Date,
  random: Math.random,
  abortTimeout: AbortSignal.timeout,
  sleep: timersPromises.setTimeout,
};

/** Turns of the event loop without an event after which nothing is under way. Loopback delivers within one. */
const QUIET_TURNS = 3;
/** Time of this process on a processor after which a world that does not come to rest is a bug. Of the host's clock nothing is asked: it may be busy. */
const RESTLESS_MS = 60_000;
/** How far before the real time virtual time begins: certificates are checked by OpenSSL, which knows the real one only. */
export const BEFORE_NOW_MS = 12 * 3_600_000;

/**
 * One time for everything in this process: `Date`, `performance.now`, timers, `AbortSignal.timeout`. It stands still while anything is
 * under way (a request, a key being made), and then jumps to the next timer, so that hours of a cluster's life take seconds, and no
 * time-out fires because the host is slow. Chance (`Math.random`, UUIDs) comes from a seed; keys do not.
 *
 * Not on it: sockets (what Node itself does), and undici's own clock, which only closes idle connections.
 */
export class VirtualTime {
  #now = 0;
  #start = 0;
  #heap: VirtualTimer[] = [];
  #order = 0;
  #computing = 0;
  #undo: (() => void)[] = [];
  /** Called whenever nothing is under way, before time goes on. */
  readonly onRest: (() => void)[] = [];

  /** Milliseconds since 1970, virtual. */
  now(): number {
    return this.#now;
  }

  /** Milliseconds since the beginning. */
  get elapsed(): number {
    return this.#now - this.#start;
  }

  /** Begins at a time in the recent past, with chance from `seed`. Replaces the process's time until {@link uninstall}. */
  install(seed: number): void {
    if (this.#undo.length > 0) throw new Error('virtual time is installed already');
    this.#now = Math.floor(real.Date.now() - BEFORE_NOW_MS);
    this.#start = this.#now;
    this.#heap = [];
    const time = this;
    const patch = <T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void => {
      const before = Object.getOwnPropertyDescriptor(target, key);
      Object.defineProperty(target, key, { value, configurable: true, writable: true, enumerable: true });
      this.#undo.push(() => {
        if (before) Object.defineProperty(target, key, before);
        else delete target[key];
      });
    };
    class VirtualDate extends real.Date {
      // biome-ignore lint/suspicious/noExplicitAny: Date has seven signatures
      constructor(...args: any[]) {
        if (args.length === 0) super(time.#now);
        else super(...(args as [number]));
      }
      static override now(): number {
        return time.#now;
      }
      static override [Symbol.hasInstance](value: unknown): boolean {
        return value instanceof real.Date;
      }
    }
    const timer = (every: boolean) =>
      ((fn: (...a: unknown[]) => void, ms = 1, ...args: unknown[]) => {
        // undici keeps a clock of its own for idle sockets: sockets are real.
        if (fn.name === 'onTick') return real.setTimeout(fn, ms, ...args);
        return time.#push(new VirtualTimer(time, () => fn(...args), ms, every));
      }) as unknown as typeof setTimeout;
    const clear = ((t: unknown) => {
      if (t instanceof VirtualTimer) t.live = false;
      else real.clearTimeout(t as NodeJS.Timeout);
    }) as typeof clearTimeout;
    patch(globalThis, 'Date', VirtualDate as unknown as DateConstructor);
    patch(globalThis, 'setTimeout', timer(false));
    patch(globalThis, 'setInterval', timer(true) as unknown as typeof setInterval);
    patch(globalThis, 'clearTimeout', clear);
    patch(globalThis, 'clearInterval', clear as typeof clearInterval);
    patch(performance, 'now', () => time.elapsed + 1000);
    patch(Math, 'random', mulberry32(seed));
    // Names of machines come from UIDs: a failure tells the same story when it is run again.
    const chance = mulberry32(seed ^ 0x5eed);
    const uuid = () => uuidOf(chance);
    patch(nodeCrypto, 'randomUUID', uuid);
    patch(globalThis.crypto, 'randomUUID', uuid);
    patch(AbortSignal, 'timeout', (ms: number) => {
      const c = new AbortController();
      time.#push(
        new VirtualTimer(
          time,
          () => c.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
          ms,
          false,
        ),
      );
      return c.signal;
    });
    patch(
      timersPromises,
      'setTimeout',
      ((ms = 1, value?: unknown, o: { signal?: AbortSignal } = {}) =>
        new Promise((resolve, reject) => {
          const { signal } = o;
          if (signal?.aborted) return reject(signal.reason);
          const onAbort = () => {
            t.live = false;
            reject(signal?.reason);
          };
          const t = time.#push(
            new VirtualTimer(
              time,
              () => {
                signal?.removeEventListener('abort', onAbort);
                resolve(value as never);
              },
              ms,
              false,
            ),
          );
          signal?.addEventListener('abort', onAbort, { once: true });
        })) as typeof timersPromises.setTimeout,
    );
    syncBuiltinESMExports();
    this.#undo.push(syncBuiltinESMExports);
    for (const name of ['generateKey', 'sign', 'verify', 'digest', 'importKey', 'exportKey'] as const) {
      const method = SubtleCrypto.prototype[name] as (...a: unknown[]) => Promise<unknown>;
      patch(SubtleCrypto.prototype, name, function (this: SubtleCrypto, ...args: unknown[]) {
        return time.#compute(() => method.apply(this, args));
      } as never);
    }
  }

  /** Gives the process its own time back. Timers that are left never fire. */
  uninstall(): void {
    for (const undo of this.#undo.reverse()) undo();
    this.#undo = [];
    this.#heap = [];
  }

  /** Resolves when nothing is under way any more without time going on. */
  async quiet(): Promise<void> {
    const since = processorMs();
    let seen = events();
    for (let still = 0; still < QUIET_TURNS || this.#computing > 0; ) {
      await new Promise<void>((resolve) => real.setImmediate(() => resolve()));
      const now = events();
      still = now === seen && this.#computing === 0 ? still + 1 : 0;
      seen = now;
      if (processorMs() - since > RESTLESS_MS)
        throw new Error(`the world did not come to rest within ${RESTLESS_MS} ms of processor time`);
    }
  }

  /** Lets `ms` pass, each timer at its time. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    while (await this.step(end));
    this.#now = end;
  }

  /**
   * Lets time pass until something is so.
   *
   * @param is - looked at whenever nothing is under way, at most once each `everyMs`
   * @returns milliseconds it took; undefined when it was not so within `withinMs`
   */
  async until(is: () => Promise<boolean> | boolean, withinMs: number, everyMs = 1000): Promise<number | undefined> {
    const start = this.#now;
    const end = start + withinMs;
    await this.quiet();
    while (!(await is())) {
      if (this.#now >= end) return undefined;
      await this.advance(Math.min(everyMs, end - this.#now));
      await this.quiet();
    }
    return this.#now - start;
  }

  /** Goes to the next timer that is due until `end` and fires what is due then. @returns false when there is none */
  private async step(end: number): Promise<boolean> {
    await this.quiet();
    for (const look of this.onRest) look();
    const first = this.#peek();
    if (!first || first.due > end) return false;
    this.#now = Math.max(this.#now, first.due);
    for (let t = this.#peek(); t && t.due <= this.#now; t = this.#peek()) {
      this.#pop();
      const { life, fn } = t;
      if (t.everyMs !== undefined && !life?.dead) this.rearm(t);
      else t.live = false;
      if (!life?.dead) runIn(life, fn);
    }
    return true;
  }

  /** @internal */
  rearm(t: VirtualTimer): void {
    // It may stand in the heap still: the old place is passed over, since a heap holds what it held when it was put in.
    this.#heap = this.#heap.filter((x) => x !== t);
    heapify(this.#heap);
    t.live = true;
    t.due = this.#now + t.ms;
    this.#push(t);
  }

  async #compute<T>(work: () => Promise<T>): Promise<T> {
    this.#computing++;
    try {
      return await work();
    } finally {
      this.#computing--;
    }
  }

  #push(t: VirtualTimer): VirtualTimer {
    t.order = ++this.#order;
    this.#heap.push(t);
    up(this.#heap, this.#heap.length - 1);
    return t;
  }

  #peek(): VirtualTimer | undefined {
    while (this.#heap[0] && (!this.#heap[0].live || this.#heap[0].life?.dead)) this.#pop();
    return this.#heap[0];
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (!last || this.#heap.length === 0) return;
    this.#heap[0] = last;
    down(this.#heap, 0);
  }
}

const processorMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Events of sockets and of the thread pool that the loop has handled so far. */
const events = (): number => performance.nodeTiming.uvMetricsInfo.events;

const before = (a: VirtualTimer, b: VirtualTimer): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

function up(heap: VirtualTimer[], from: number): void {
  for (let at = from; at > 0; ) {
    const parent = (at - 1) >> 1;
    if (!before(heap[at]!, heap[parent]!)) return;
    [heap[at], heap[parent]] = [heap[parent]!, heap[at]!];
    at = parent;
  }
}

function down(heap: VirtualTimer[], from: number): void {
  for (let at = from; ; ) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, heap[at]!)) return;
    [heap[at], heap[child]] = [heap[child]!, heap[at]!];
    at = child;
  }
}

function heapify(heap: VirtualTimer[]): void {
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) down(heap, at);
}

/** A UUID, version 4, of that chance. */
function uuidOf(chance: () => number): `${string}-${string}-${string}-${string}-${string}` {
  const hex = Array.from({ length: 32 }, (_, i) => {
    const n = Math.floor(chance() * 16);
    return (i === 12 ? 4 : i === 16 ? 8 | (n & 3) : n).toString(16);
  }).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** A small generator of chance: the same numbers for the same seed. */
export function mulberry32(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
