import type { AddonBundle } from '@shoto/api';

/** Numbers of a version, missing ones as 0: `v1.35.4` is [1, 35, 4]. */
const numbers = (version: string): number[] => version.replace(/^v/, '').split(/[-+]/)[0]!.split('.').map(Number);

function compare(a: number[], b: number[]): number {
  for (let i = 0; i < 3; i++) {
    const d = (a[i] ?? 0) - (b[i] ?? 0);
    if (d !== 0) return d;
  }
  return 0;
}

/**
 * Whether a Kubernetes version is in a range such as `>=1.35 <1.37`; all comparisons must hold. A bare or `=` version holds for
 * all its patches where it names none.
 */
export function fits(range: string, version: string): boolean {
  const have = numbers(version);
  return range.split(' ').every((part) => {
    const [, operator, bound] = /^(>=|<=|<|>|=)?(.+)$/.exec(part)!;
    const want = numbers(bound!);
    const d = compare(have, want);
    switch (operator) {
      case '>=':
        return d >= 0;
      case '<':
        return d < 0;
      // Without a patch the bound means its last patch, as people read it.
      case '<=':
        return compare(have.slice(0, want.length), want) <= 0;
      case '>':
        return compare(have.slice(0, want.length), want) > 0;
      default:
        return compare(have.slice(0, want.length), want) === 0;
    }
  });
}

/** Newest first by semantic version; a pre-release is older than its release. */
const newestFirst = (a: AddonBundle, b: AddonBundle): number =>
  compare(numbers(b.spec.version), numbers(a.spec.version)) ||
  Number(a.spec.version.includes('-')) - Number(b.spec.version.includes('-')) ||
  (a.spec.version < b.spec.version ? 1 : -1);

/**
 * The bundle that a cluster gets: of this addon, of that version if one is asked for, else the newest that fits.
 *
 * @returns undefined where none fits
 */
export function chooseBundle(
  bundles: AddonBundle[],
  wanted: { name: string; version?: string | undefined },
  kubernetesVersion: string,
): AddonBundle | undefined {
  return bundles
    .filter((b) => b.spec.addon === wanted.name && (!wanted.version || b.spec.version === wanted.version))
    .filter((b) => fits(b.spec.kubernetes, kubernetesVersion))
    .sort(newestFirst)[0];
}
