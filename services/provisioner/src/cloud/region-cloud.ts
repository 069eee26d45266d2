import { RetryableError, WaitingError } from '@shoto/reconciler';
import type { Clock } from '@shoto/service';
import { type CallOptions, type OpenStack, OpenStackError, UnauthorizedError } from 'openstack-client-ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { isNotFound, toCloudError } from './errors.ts';
import { type RateLimit, RateLimiter } from './rate-limiter.ts';

/** Longest time of one call to a cloud, its retries included. */
export const CALL_TIMEOUT_MS = 10_000;

/** One call: with the client and the options that it must pass on. */
export type Call<T> = (client: OpenStack, options: CallOptions) => Promise<T>;

/**
 * The one door to a region's OpenStack: keeps its rate, keeps off it while it does not answer, ends each call in time and
 * turns its errors into ours.
 */
export class RegionCloud {
  readonly client: OpenStack;
  readonly #limiter: RateLimiter;
  readonly #breaker: CircuitBreaker;
  readonly #onUnauthorized: () => void;
  readonly #timeoutMs: number;

  /** @param onUnauthorized - called when the cloud refuses the credentials, so that the Region says so */
  constructor(o: {
    client: OpenStack;
    rateLimit: RateLimit;
    clock: Clock;
    onUnauthorized?: () => void;
    timeoutMs?: number;
  }) {
    this.client = o.client;
    this.#limiter = new RateLimiter(o.rateLimit, o.clock);
    this.#breaker = new CircuitBreaker(o.clock);
    this.#onUnauthorized = o.onUnauthorized ?? (() => {});
    this.#timeoutMs = o.timeoutMs ?? CALL_TIMEOUT_MS;
  }

  /**
   * Calls the cloud.
   *
   * @param doing - what and for which input, for messages, after "cannot": `make the network of web`
   * @param signal - of the pass
   * @throws {ReconcileError} by the table in errors.ts; `cause` is the client's error
   */
  async call<T>(doing: string, call: Call<T>, signal?: AbortSignal): Promise<T> {
    const closedFor = this.#breaker.enter();
    if (closedFor > 0)
      throw new RetryableError(
        'CloudUnreachable',
        `cannot ${doing}: the cloud has not answered several times in a row; tried again by itself`,
        { retryAfterMs: closedFor },
      );
    try {
      await this.#limiter.take(signal);
      const value = await call(this.client, {
        timeoutMs: this.#timeoutMs,
        retries: 1,
        ...(signal ? { signal } : {}),
      });
      this.#breaker.succeeded();
      return value;
    } catch (e) {
      const error = toCloudError(e, doing);
      if (error instanceof RetryableError && error.outage) this.#breaker.failed();
      else if (e instanceof OpenStackError && e.status !== undefined) this.#breaker.succeeded();
      else this.#breaker.abandoned();
      if (e instanceof UnauthorizedError) this.#onUnauthorized();
      throw error;
    }
  }

  /** {@link call}, with undefined where the cloud says 404. */
  async find<T>(doing: string, call: Call<T>, signal?: AbortSignal): Promise<T | undefined> {
    try {
      return await this.call(doing, call, signal);
    } catch (e) {
      if (isNotFound(e)) return undefined;
      throw e;
    }
  }

  /** Asks for a deletion. A thing that is gone is no error; one that is in use is waited for. */
  async remove(doing: string, call: Call<void>, signal?: AbortSignal): Promise<void> {
    await this.find(doing, call, signal);
  }
}

/** The one of a list, if there is one. Two are an error: which is right is for a person to say. */
export function onlyOne<T extends { id: string }>(what: string, found: readonly T[]): T | undefined {
  if (found.length > 1)
    throw new WaitingError(
      'Ambiguous',
      `there are ${found.length} of ${what} (${found
        .map((f) => f.id)
        .sort()
        .join(', ')}), and only one may be: delete the one that is not in use`,
      60_000,
    );
  return found[0];
}
