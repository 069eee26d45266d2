import { manualClock } from '@shoto/service/testing';
import { expect, it } from 'vitest';
import { RateLimiter } from './rate-limiter.ts';

it('lets a burst through at once, then the rate', async () => {
  const clock = manualClock();
  const limiter = new RateLimiter({ requestsPerSecond: 10, burst: 3 }, clock);
  let through = 0;
  for (let i = 0; i < 6; i++) void limiter.take().then(() => through++);
  await clock.advance(0);
  expect(through).toBe(3);
  await clock.advance(100);
  expect(through).toBe(4);
  await clock.advance(200);
  expect(through).toBe(6);
});

it('fills up again while nothing is asked', async () => {
  const clock = manualClock();
  const limiter = new RateLimiter({ requestsPerSecond: 10, burst: 2 }, clock);
  await limiter.take();
  await limiter.take();
  await clock.advance(1000);
  let through = 0;
  for (let i = 0; i < 3; i++) void limiter.take().then(() => through++);
  await clock.advance(0);
  expect(through).toBe(2);
});

it('stops waiting when the pass is cut short', async () => {
  const clock = manualClock();
  const limiter = new RateLimiter({ requestsPerSecond: 1, burst: 1 }, clock);
  await limiter.take();
  const abort = new AbortController();
  const waiting = limiter.take(abort.signal);
  abort.abort(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
});
