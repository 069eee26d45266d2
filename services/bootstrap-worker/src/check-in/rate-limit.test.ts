import { expect, it } from 'vitest';
import { RateLimit } from './rate-limit.ts';

it('lets a burst through, then so many a second, for each source by itself', () => {
  let now = 0;
  const limit = new RateLimit({ perSecond: 2, burst: 3, now: () => now });
  expect([1, 2, 3].map(() => limit.take('a'))).toEqual([0, 0, 0]);
  expect(limit.take('a')).toBe(1);
  expect(limit.take('b')).toBe(0);
  now = 500;
  expect(limit.take('a')).toBe(0);
  expect(limit.take('a')).toBe(1);
});

it('forgets sources that are quiet', () => {
  let now = 0;
  const limit = new RateLimit({ perSecond: 1, burst: 10, now: () => now });
  for (let i = 0; i < 100; i++) limit.take(`source ${i}`);
  now = 70_000;
  limit.take('another');
  expect(limit.size).toBe(1);
});
