import type { Choosable } from './choose.ts';
import { fits } from './range.ts';

/** Addons that need each other in a circle, each with who it needs next; the first stands at the end again: a, b, a. */
export type Cycle = string[];

/** Which addons need which: names only, those that are not chosen left out. */
export const needsOf = (chosen: ReadonlyMap<string, Choosable>): Map<string, string[]> =>
  new Map(
    [...chosen].map(([name, b]) => [name, (b.spec.dependsOn ?? []).map((d) => d.name).filter((d) => chosen.has(d))]),
  );

/** One cycle for each knot of addons that need each other; always the same for the same needs. */
export function cyclesOf(needs: ReadonlyMap<string, readonly string[]>): Cycle[] {
  const cycles: Cycle[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const visit = (name: string): void => {
    const at = way.indexOf(name);
    if (at >= 0) {
      cycles.push([...way.slice(at), name]);
      return;
    }
    if (done.has(name)) return;
    way.push(name);
    for (const next of [...(needs.get(name) ?? [])].sort()) visit(next);
    way.pop();
    done.add(name);
  };
  for (const name of [...needs.keys()].sort()) visit(name);
  return cycles;
}

/**
 * Waves: what stands in one may be applied side by side, after all waves before it. In order of name inside a wave.
 *
 * @param needs - without cycles; what is in one, or needs one, comes last
 */
export function wavesOf(needs: ReadonlyMap<string, readonly string[]>): string[][] {
  const waves: string[][] = [];
  const left = new Set(needs.keys());
  while (left.size > 0) {
    const free = [...left].filter((name) => needs.get(name)!.every((n) => !left.has(n)));
    const wave = (free.length > 0 ? free : [...left]).sort();
    waves.push(wave);
    for (const name of wave) left.delete(name);
  }
  return waves;
}

/** What a bundle needs and does not get from what is chosen beside it. */
export interface UnmetNeed {
  name: string;
  /** The range that it asks for. */
  version?: string | undefined;
  /** The version that there is; absent where the addon is not there. */
  found?: string;
}

export const unmetNeeds = (bundle: Choosable, versionOf: (addon: string) => string | undefined): UnmetNeed[] =>
  (bundle.spec.dependsOn ?? []).flatMap(({ name, version }) => {
    const found = versionOf(name);
    if (found === undefined) return [{ name, version }];
    return version === undefined || fits(version, found) ? [] : [{ name, version, found }];
  });
