import { getEventListeners } from 'node:events';
import { expect, it, vi } from 'vitest';
import { Ending } from './ending.ts';

it('gives a request up when its caller does, when its time is over, or when the client is closed', () => {
  vi.useFakeTimers();
  const all = new Set<Ending>();
  const caller = new AbortController();
  const byCaller = new Ending(all, caller.signal, 1000);
  const byTime = new Ending(all, undefined, 1000);
  const byClient = new Ending(all, undefined, undefined);
  caller.abort('not wanted');
  expect(byCaller.signal.reason).toBe('not wanted');
  vi.advanceTimersByTime(999);
  expect(byTime.signal.aborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(byTime.signal.reason).toMatchObject({ name: 'TimeoutError', message: 'no answer in 1000 ms' });
  for (const e of all) e.abort('closed');
  expect(byClient.signal.reason).toBe('closed');
  expect(new Ending(all, caller.signal, undefined).signal.aborted).toBe(true);
  vi.useRealTimers();
});

it('leaves nothing behind when it is done', () => {
  vi.useFakeTimers();
  const all = new Set<Ending>();
  const caller = new AbortController();
  const ending = new Ending(all, caller.signal, 1000);
  expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1);
  ending.done();
  expect([all.size, getEventListeners(caller.signal, 'abort').length, vi.getTimerCount()]).toEqual([0, 0, 0]);
  caller.abort();
  expect(ending.signal.aborted).toBe(false);
  vi.useRealTimers();
});
