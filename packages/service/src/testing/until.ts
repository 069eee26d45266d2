import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits for a state: calls `predicate` until it gives something other than undefined, null or false, and returns that.
 *
 * @param timeoutMs - bound of the wait; default 5 000
 * @param everyMs - pause between two looks; default 10
 * @param what - what is waited for, for the message
 * @throws when the time is over, with the last error of the predicate as cause
 */
export async function until<T>(
  predicate: () => T | Promise<T>,
  o: { timeoutMs?: number; everyMs?: number; what?: string } = {},
): Promise<NonNullable<Exclude<T, false>>> {
  const timeoutMs = o.timeoutMs ?? 5_000;
  const end = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await predicate();
      if (value !== undefined && value !== null && value !== false) return value as NonNullable<Exclude<T, false>>;
      last = undefined;
    } catch (e) {
      last = e;
    }
    if (performance.now() > end)
      throw new Error(`not within ${timeoutMs} ms: ${o.what ?? predicate.toString()}`, { cause: last });
    await sleep(o.everyMs ?? 10);
  }
}
