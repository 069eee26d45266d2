import type { Machine } from '@shoto/api';
import { GROUP } from './census.ts';

const LONGEST_MS = 4 * 3_600_000;

/**
 * The pauses between replacements of machines that do not come in, by pool: a pool whose image or flavor is wrong would else burn a server each quarter of
 * an hour. It doubles up to four hours, and begins anew after as long without one. In this process's memory only: a restart costs a server at most.
 */
export class JoinBackoff {
  readonly #firstMs: number;
  readonly #now: () => number;
  readonly #pools = new Map<string, { at: number; pauseMs: number }>();

  /** @param firstMs - the first pause */
  constructor(firstMs: number, now: () => number) {
    this.#firstMs = firstMs;
    this.#now = now;
  }

  /** When the next machine of this one's pool may be replaced for not having joined, in milliseconds since the epoch. */
  until(m: Machine): number {
    const last = this.#pools.get(GROUP.pool(m));
    return last ? last.at + last.pauseMs : 0;
  }

  /** A machine was ordered to be replaced because it did not join. */
  note(m: Machine): void {
    const now = this.#now();
    const last = this.#pools.get(GROUP.pool(m));
    const isAgain = last !== undefined && now < last.at + last.pauseMs + LONGEST_MS;
    const pauseMs = isAgain ? Math.min(LONGEST_MS, last.pauseMs * 2) : this.#firstMs;
    this.#pools.delete(GROUP.pool(m));
    this.#pools.set(GROUP.pool(m), { at: now, pauseMs });
    for (const [pool, { at, pauseMs: ms }] of this.#pools) {
      if (now < at + ms + LONGEST_MS) break;
      this.#pools.delete(pool);
    }
  }
}
