/**
 * The zone of a new machine: the one with the fewest machines of its pool, the first named among equals.
 *
 * @param zones - zones to choose from, in order of preference; none: any zone, undefined
 * @param taken - zones of the machines that are there already
 */
export function chooseZone(zones: readonly string[], taken: readonly (string | undefined)[]): string | undefined {
  let best: string | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const zone of zones) {
    const count = taken.filter((t) => t === zone).length;
    if (count < fewest) [best, fewest] = [zone, count];
  }
  return best;
}
