/** One series of a scrape. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/** The series of one metric in Prometheus' text format. Everything else of the text is skipped unparsed: it may be megabytes. */
export function samplesOf(text: string, metric: string): Sample[] {
  const samples: Sample[] = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith(metric)) continue;
    const rest = line.slice(metric.length);
    if (rest[0] !== '{' && rest[0] !== ' ') continue;
    const end = rest[0] === '{' ? rest.lastIndexOf('}') + 1 : 0;
    const labels = Object.fromEntries(
      [...rest.slice(0, end).matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]),
    ) as Record<string, string>;
    samples.push({ labels, value: Number(rest.slice(end).trim().split(' ')[0]) });
  }
  return samples;
}

/** Sums samples by a key; samples whose key is undefined are left out. */
export function sumBy(
  samples: Sample[],
  keyOf: (labels: Record<string, string>) => string | undefined,
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { labels, value } of samples) {
    const key = keyOf(labels);
    if (key !== undefined) sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
}
