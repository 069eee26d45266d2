import { setTimeout as sleep } from 'node:timers/promises';

/** What a part of Shoto may know of time. Injected, so that tests decide what time it is. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Calls `fn` once after `ms`. Returns a function that cancels it. */
  after(ms: number, fn: () => void): () => void;
  /**
   * Resolves after `ms`, or as soon as `signal` is aborted (it never rejects: the caller looks at the signal, as
   * it must anyway between two steps).
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The wall clock. Its timers do not keep a process alive that has nothing else to do. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
  async sleep(ms, signal) {
    if (signal?.aborted) return;
    await sleep(ms, undefined, signal ? { signal } : {}).catch(() => {});
  },
};
