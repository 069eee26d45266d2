import type { Clock } from '@shoto/service';

/** How hard a cloud may be pressed; `Region.spec.rateLimit`. */
export interface RateLimit {
  requestsPerSecond: number;
  /** Requests at once after a pause. */
  burst: number;
}

/** A token bucket: first come, first served. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  /** When the next request would be let through if the bucket were empty, in milliseconds. */
  #theoretical = 0;

  constructor(limit: RateLimit, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Resolves when the request may be sent. Rejects with the signal's reason when it is aborted first. */
  async take(signal?: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const every = 1000 / this.#limit.requestsPerSecond;
    const from = Math.max(this.#theoretical, now);
    this.#theoretical = from + every;
    const wait = from - (this.#limit.burst - 1) * every - now;
    if (wait > 0) await this.#clock.sleep(wait, signal);
    signal?.throwIfAborted();
  }
}
