/** Numbers of a version, missing ones left out: `v1.35.4-2` is [1, 35, 4]. */
const numbers = (version: string): number[] => version.replace(/^v/, '').split(/[-+]/)[0]!.split('.').map(Number);

function compareNumbers(a: number[], b: number[]): number {
  for (let i = 0; i < 3; i++) {
    const d = (a[i] ?? 0) - (b[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

/**
 * Whether a version, of Kubernetes or of an addon, is in a range such as `>=1.35 <1.37`; all comparisons must hold. A bare or `=` version
 * holds for all its patches where it names none, and so do `<=` and `>`. A pre-release counts as its release. A range that cannot be
 * read holds nothing.
 */
export function fits(range: string, version: string): boolean {
  const have = numbers(version);
  return range
    .trim()
    .split(/\s+/)
    .every((part) => {
      const [, operator, bound] = /^(>=|<=|<|>|=)?(.+)$/.exec(part) ?? [];
      if (bound === undefined) return false;
      const want = numbers(bound);
      const d = compareNumbers(have, want);
      switch (operator) {
        case '>=':
          return d >= 0;
        case '<':
          return d < 0;
        // Without a patch the bound means its last patch, as people read it.
        case '<=':
          return compareNumbers(have.slice(0, want.length), want) <= 0;
        case '>':
          return compareNumbers(have.slice(0, want.length), want) > 0;
        default:
          return compareNumbers(have.slice(0, want.length), want) === 0;
      }
    });
}

/** Identifiers of a pre-release by Semantic Versioning 2.0.0, section 11. */
function comparePreReleases(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const [x, y] = [a.split('.'), b.split('.')];
  for (let i = 0; i < Math.max(x.length, y.length); i++) {
    const [p, q] = [x[i], y[i]];
    if (p === undefined || q === undefined) return p === undefined ? -1 : 1;
    if (p === q) continue;
    const [pn, qn] = [/^\d+$/.test(p), /^\d+$/.test(q)];
    if (pn && qn) return Number(p) - Number(q);
    if (pn !== qn) return pn ? -1 : 1;
    return p < q ? -1 : 1;
  }
  return 0;
}

/**
 * Order of semantic versions: negative where `a` is older than `b`, 0 where neither is. A pre-release is older than its release; what
 * comes after `+` tells nothing.
 */
export function compareVersions(a: string, b: string): number {
  const pre = (v: string): string | undefined => /^[^-+]*-([^+]*)/.exec(v)?.[1];
  return compareNumbers(numbers(a), numbers(b)) || comparePreReleases(pre(a), pre(b));
}
