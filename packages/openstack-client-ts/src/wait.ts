import { TimeoutError } from './errors.ts';
import { type Clock, sleep, systemClock } from './http/clock.ts';

export interface WaitOptions {
  /** What is waited for, for the message. */
  what: string;
  timeoutMs: number;
  /** Default 1,000. */
  intervalMs?: number | undefined;
  signal?: AbortSignal | undefined;
  clock?: Clock | undefined;
}

/**
 * Asks again and again until the answer is not undefined. What `ask` throws ends the waiting.
 *
 * ```ts
 * const server = await waitUntil(async () => {
 *   const now = await cloud.compute.servers.get(id);
 *   return now.status === 'BUILD' ? undefined : now;
 * }, { what: 'the server', timeoutMs: 120_000 });
 * ```
 */
export async function waitUntil<T>(ask: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const clock = options.clock ?? systemClock;
  const endsAt = clock.now() + options.timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (clock.now() >= endsAt)
      throw new TimeoutError(`waited ${options.timeoutMs} ms for ${options.what}`, { retryable: true });
    await sleep(clock, options.intervalMs ?? 1_000, options.signal);
  }
}
