import { manualClock } from '@shoto/service/testing';
import { expect, it } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.ts';

const settings = { failures: 2, openMs: 1_000, maxOpenMs: 3_000 };

it('opens after the given failures in a row, and lets one call try after a while', async () => {
  const clock = manualClock();
  const breaker = new CircuitBreaker(clock, settings);
  breaker.failed();
  expect(breaker.enter()).toBe(0);
  breaker.failed();
  expect(breaker.enter()).toBe(1_000);
  await clock.advance(1_000);
  expect(breaker.enter()).toBe(0);
  expect(breaker.enter()).toBeGreaterThan(0);
  breaker.succeeded();
  expect(breaker.enter()).toBe(0);
});

it('stays open longer each time, up to the longest', async () => {
  const clock = manualClock();
  const breaker = new CircuitBreaker(clock, settings);
  breaker.failed();
  breaker.failed();
  for (const ms of [1_000, 2_000, 3_000, 3_000]) {
    expect(breaker.enter()).toBe(ms);
    await clock.advance(ms);
    expect(breaker.enter()).toBe(0);
    breaker.failed();
  }
});
