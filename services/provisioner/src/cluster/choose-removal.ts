import type { Standing } from './standing.ts';

/**
 * The machines that are least wanted, in the order in which they should go: what is not usable (what never joined before the rest), then what is
 * outdated, then from the zone that has most, then where fewest pods would have to move, then the newest.
 *
 * @param from - to choose from; none of them kept
 * @param o.among - machines that count for the zones; `from` where absent
 * @param o.disturbance - pods that would have to move, by machine; unknown counts as none
 */
export function chooseRemovals(
  from: readonly Standing[],
  count: number,
  o: { among?: readonly Standing[]; disturbance?: ReadonlyMap<string, number> | undefined } = {},
): Standing[] {
  const rest = new Set(from);
  const inZone = new Map<string | undefined, number>();
  for (const s of o.among ?? from) inZone.set(s.zone, (inZone.get(s.zone) ?? 0) + 1);
  const worse = (a: Standing, b: Standing): number =>
    Number(a.usable) - Number(b.usable) ||
    Number(a.joined) - Number(b.joined) ||
    Number(b.outdated.length > 0) - Number(a.outdated.length > 0) ||
    (inZone.get(b.zone) ?? 0) - (inZone.get(a.zone) ?? 0) ||
    (o.disturbance?.get(a.name) ?? 0) - (o.disturbance?.get(b.name) ?? 0) ||
    newer(a, b);
  const chosen: Standing[] = [];
  while (chosen.length < count) {
    let next: Standing | undefined;
    for (const s of rest) if (!next || worse(s, next) < 0) next = s;
    if (!next) break;
    rest.delete(next);
    chosen.push(next);
    inZone.set(next.zone, (inZone.get(next.zone) ?? 1) - 1);
  }
  return chosen;
}

function newer(a: Standing, b: Standing): number {
  const [x, y] = [a.machine.metadata.creationTimestamp ?? '', b.machine.metadata.creationTimestamp ?? ''];
  if (x !== y) return x < y ? 1 : -1;
  return a.name < b.name ? 1 : -1;
}
