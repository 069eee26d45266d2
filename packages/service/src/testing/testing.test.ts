import { expect, it } from 'vitest';
import { manualClock } from './manual-clock.ts';
import { until } from './until.ts';

it('a manual clock fires what is due, in order, and what that arms', async () => {
  const clock = manualClock(0);
  const fired: string[] = [];
  clock.after(20, () => fired.push(`b ${clock.now()}`));
  clock.after(10, () => {
    fired.push(`a ${clock.now()}`);
    clock.after(5, () => fired.push(`c ${clock.now()}`));
  });
  const cancel = clock.after(12, () => fired.push('never'));
  cancel();
  void clock.sleep(18).then(() => fired.push(`slept ${clock.now()}`));
  await clock.advance(19);
  expect(fired).toEqual(['a 10', 'c 15', 'slept 18']);
  expect(clock.pending).toBe(1);
  await clock.advance(1);
  expect(fired.at(-1)).toBe('b 20');
});

it('a sleep ends early when its signal is aborted', async () => {
  const clock = manualClock();
  const abort = new AbortController();
  const slept = clock.sleep(1_000, abort.signal);
  abort.abort();
  await slept;
  expect(clock.pending).toBe(0);
});

it('until gives what it waited for, and says what never came', async () => {
  let n = 0;
  expect(await until(() => (++n === 3 ? 'there' : undefined), { everyMs: 1 })).toBe('there');
  const failing = until(() => false, { timeoutMs: 20, what: 'the moon' });
  await expect(failing).rejects.toThrow('not within 20 ms: the moon');
});
