import { describe, expect, it, vi } from 'vitest';
import { TimeLimitError, withTimeLimit } from './time-limit.ts';

const spin = (ms: number): void => {
  const end = Date.now() + ms;
  while (Date.now() < end);
};

describe('a time limit', () => {
  it('gives what the function gives, or throws', () => {
    expect(withTimeLimit(1000, () => withTimeLimit(1000, () => 1) + 1)).toBe(2);
    expect(() =>
      withTimeLimit(1000, () => {
        throw new RangeError('own');
      }),
    ).toThrow('own');
  });
  it('ends what runs for ever', () => {
    expect(() => withTimeLimit(20, () => spin(60_000))).toThrow(TimeLimitError);
  });
  it('does not count what the machine did otherwise meanwhile', () => {
    // The thread had no processor while the clock ran.
    vi.spyOn(process, 'threadCpuUsage').mockReturnValue({ user: 0, system: 0 });
    expect(withTimeLimit(20, () => spin(50))).toBeUndefined();
    vi.restoreAllMocks();
  });
});
