import { describe, expect, it } from 'vitest';
import { ServerError } from '../errors.ts';
import { DEFAULT_RETRY, parseRetryAfter, retryDelayMs } from './retry.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 1.5 ', 1_500],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('%j is %j ms', (value, expected) => {
    expect(parseRetryAfter(value, NOW)).toBe(expected);
  });
});

describe('pauses', () => {
  const error = new ServerError('x', { status: 503 });

  it('lie between 0 and a bound that doubles and then stays', () => {
    const bounds = [0, 1, 2, 3, 10].map((n) => retryDelayMs(error, n, DEFAULT_RETRY, () => 1));
    expect(bounds).toEqual([200, 400, 800, 1_600, 10_000]);
    expect(retryDelayMs(error, 3, DEFAULT_RETRY, () => 0)).toBe(0);
  });

  it('are what the cloud asked for, if it asked', () => {
    const asked = new ServerError('x', { status: 503, retryAfterMs: 60_000 });
    expect(retryDelayMs(asked, 0, DEFAULT_RETRY, () => 0.5)).toBe(60_000);
  });
});
