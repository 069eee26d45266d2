import type { Clock } from '../clock.ts';

/** A clock that stands still until told to go on. */
export interface ManualClock extends Clock {
  /** Moves on by `ms`, firing what is due in order of time; promises that wait on it get their turn. */
  advance(ms: number): Promise<void>;
  /** How many timers are armed. */
  readonly pending: number;
}

/**
 * Makes a manual clock.
 * @param start - milliseconds since 1970; default 2026-01-01T00:00:00Z
 */
export function manualClock(start = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  let timers: { at: number; fn: () => void }[] = [];
  const after = (ms: number, fn: () => void): (() => void) => {
    const timer = { at: now + Math.max(0, ms), fn };
    timers.push(timer);
    return () => {
      timers = timers.filter((t) => t !== timer);
    };
  };
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    now: () => now,
    after,
    sleep: (ms, signal) =>
      new Promise<void>((resolve) => {
        if (signal?.aborted) return resolve();
        const cancel = after(ms, () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        });
        const stop = (): void => {
          cancel();
          resolve();
        };
        signal?.addEventListener('abort', stop, { once: true });
      }),
    async advance(ms) {
      const end = now + ms;
      for (;;) {
        const next = timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((t) => t !== next);
        now = next.at;
        next.fn();
        await settle();
      }
      now = end;
      await settle();
    },
    get pending() {
      return timers.length;
    },
  };
}
