/** The value below which a share of the values lies (nearest rank); undefined for none. */
export function percentile(values: number[], share: number): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** Length of what intervals cover together, within a window. */
export function covered(intervals: { from: number; to: number }[], from: number, to: number): number {
  let sum = 0;
  let end = from;
  for (const i of [...intervals].sort((a, b) => a.from - b.from)) {
    const start = Math.max(i.from, end);
    const stop = Math.min(i.to, to);
    if (stop > start) {
      sum += stop - start;
      end = stop;
    }
  }
  return sum;
}

/** Rounded to so many decimals. */
export const round = (value: number, decimals = 2): number => Number(value.toFixed(decimals));

/** Every value divided and rounded; zeros left out. */
export const each = (numbers: Record<string, number>, by: number, decimals = 2): Record<string, number> =>
  Object.fromEntries(
    Object.entries(numbers)
      .filter(([, v]) => v !== 0)
      .sort(([, a], [, b]) => b - a)
      .map(([k, v]) => [k, round(v / by, decimals)]),
  );
