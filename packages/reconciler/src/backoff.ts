/**
 * The pause after the n-th failure in a row: doubled each time, at most `maxMs`, with jitter of -50 % to 0, so that what
 * failed together does not come back together.
 * @param failures - 0 for the first
 */
export function backoffMs(failures: number, baseMs: number, maxMs: number, random: () => number = Math.random): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures, 40));
  return Math.round(full * (0.5 + random() / 2));
}
