import { expect, it } from 'vitest';
import { untilAborted } from './clock.ts';

const later = (ms: number): Promise<never> =>
  new Promise((_, reject) => setTimeout(() => reject(new Error('too late')), ms));

it.each([
  ['before it began', AbortSignal.abort(new Error('over'))],
  ['while it goes on', AbortSignal.any([AbortSignal.timeout(1)])],
])('takes what nobody waits for any more as answered, when the time was over %s', async (_, signal) => {
  const uncaught: unknown[] = [];
  const note = (e: unknown): void => void uncaught.push(e);
  process.on('unhandledRejection', note);
  await expect(untilAborted(later(10), signal)).rejects.not.toThrow('too late');
  await new Promise((resolve) => setTimeout(resolve, 30));
  process.off('unhandledRejection', note);
  expect(uncaught).toEqual([]);
});
