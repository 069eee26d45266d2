import { type Choosable, takes, type WantedAddon } from './choose.ts';
import type { UnmetNeed } from './dependencies.ts';

/** At most so many bundles are named in a message. */
const NAMED = 5;

const list = (items: string[]): string =>
  items.length > NAMED ? `${items.slice(0, NAMED).join(', ')} and ${items.length - NAMED} more` : items.join(', ');

const askedFor = (w: WantedAddon): string => (w.version === undefined ? w.name : `${w.name} ${w.version}`);

/** Nothing that the cluster may get is published. */
export function noBundleText(bundles: readonly Choosable[], w: WantedAddon): string {
  const of = bundles.filter((b) => b.spec.addon === w.name);
  if (of.length === 0) return `no bundle of ${w.name} is published: publish one, or mend the name`;
  if (w.version !== undefined)
    return `${w.name} ${w.version} is not published; there is ${list(of.map((b) => b.spec.version))}`;
  const other = of.filter((b) => !takes(w.channel, b.spec.channel));
  return `no bundle of ${w.name} is on channel ${w.channel ?? 'stable'}; there is ${list(other.map((b) => `${b.spec.version} (${b.spec.channel})`))}`;
}

/** Bundles there are, but none that fits. @param newest first */
export function unfitText(
  w: WantedAddon,
  all: readonly Choosable[],
  refusals: readonly { bundle: Choosable; why: string }[],
  what: string,
): string {
  const ranges = all.map((b) => {
    const why = refusals.find((r) => r.bundle === b)?.why;
    return why === undefined ? `${b.spec.version} is for ${b.spec.kubernetes}` : `${b.spec.version} is refused: ${why}`;
  });
  return `no published bundle of ${askedFor(w)} fits ${what} (${list(ranges)}): publish one, or choose another version`;
}

/** What a bundle needs and does not get. */
export function needText(bundle: Choosable, u: UnmetNeed): string {
  const needs = `${bundle.spec.addon} ${bundle.spec.version} needs ${u.name}${u.version === undefined ? '' : ` ${u.version}`}`;
  return u.found === undefined
    ? `${needs}, which the cluster does not have: add it`
    : `${needs}, and the cluster has or gets ${u.found}`;
}
