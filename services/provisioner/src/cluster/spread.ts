/**
 * The zone of a new machine: the one with the fewest machines of its pool that will stay, then with the fewest at all, the first named among equals. So
 * a pool that is replaced machine by machine ends up even.
 *
 * @param zones - zones to choose from, in order of preference; none: any zone, undefined
 * @param staying - zones of the machines that are there and are not to be replaced
 * @param others - zones of those that are to be replaced
 */
export function chooseZone(
  zones: readonly string[],
  staying: readonly (string | undefined)[],
  others: readonly (string | undefined)[] = [],
): string | undefined {
  let best: string | undefined;
  let fewest: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const zone of zones) {
    const of = (list: readonly (string | undefined)[]) => list.filter((t) => t === zone).length;
    const count: [number, number] = [of(staying), of(others)];
    if (count[0] < fewest[0] || (count[0] === fewest[0] && count[1] < fewest[1])) [best, fewest] = [zone, count];
  }
  return best;
}
