import { expect, it } from 'vitest';
import { aMachine } from '../test/world.ts';
import { JoinBackoff } from './join-backoff.ts';

const MIN = 60_000;

it('doubles the pause of a pool up to four hours, leaves other pools alone, and begins anew', () => {
  let now = 0;
  const b = new JoinBackoff(15 * MIN, () => now);
  const m = aMachine('web', 'w1');
  expect(b.until(m)).toBe(0);
  const pauses = Array.from({ length: 6 }, () => {
    b.note(m);
    const pause = b.until(m) - now;
    now = b.until(m);
    return pause / MIN;
  });
  expect(pauses).toEqual([15, 30, 60, 120, 240, 240]);
  expect(b.until(aMachine('web', 'x1', { pool: 'other' }))).toBe(0);
  now += 4 * 60 * MIN;
  b.note(m);
  expect(b.until(m) - now).toBe(15 * MIN);
});
