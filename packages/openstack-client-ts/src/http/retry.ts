import { ConnectionError, type OpenStackError } from '../errors.ts';

/** How a client repeats failed calls. */
export interface RetryOptions {
  /** Repeats after the first try. Default 3; 0 switches repeating off. */
  retries: number;
  /** Upper bound of the first random pause, milliseconds; doubled for each further one. Default 200. */
  baseMs: number;
  /** Upper bound of any random pause, milliseconds. Default 10,000. A Retry-After may be longer. */
  maxMs: number;
}

export const DEFAULT_RETRY: RetryOptions = { retries: 3, baseMs: 200, maxMs: 10_000 };

/** Answers after which a call that may be repeated without harm is repeated. 500 is not one: it is nearly always a bug that stays. */
const PASSING = new Set([429, 502, 503, 504]);

/**
 * Whether the failed attempt may be repeated.
 *
 * An idempotent call: after 429, 502, 503, 504, or no (whole) answer.
 * Any other call only when it certainly was not carried out: the connection was never made, the answer was 429 (or 413
 * with Retry-After), or 503 with Retry-After (which services and proxies send in place of doing the work).
 */
export function isRepeatable(error: OpenStackError, idempotent: boolean): boolean {
  if (error instanceof ConnectionError) return error.retryable && (idempotent || !error.mayHaveHappened);
  if (error.status === 429) return true;
  if (error.status === 413 || error.status === 503) {
    if (error.retryAfterMs !== undefined) return true;
  }
  return idempotent && error.status !== undefined && PASSING.has(error.status);
}

/** Pause before the next attempt: what the cloud asked for, else random between 0 and an exponentially growing bound (full jitter). */
export function retryDelayMs(
  error: OpenStackError,
  repeats: number,
  options: RetryOptions,
  random: () => number,
): number {
  if (error.retryAfterMs !== undefined) return error.retryAfterMs;
  return random() * Math.min(options.maxMs, options.baseMs * 2 ** repeats);
}

/** Milliseconds of a Retry-After header, which is either seconds or an HTTP date; undefined when it is neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
