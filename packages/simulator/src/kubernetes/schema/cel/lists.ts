import type { Environment } from '@marcbachmann/cel-js';
import { deepEqual } from '../json.ts';

/** The CEL library's durations, as far as summing needs them. */
interface Duration {
  addDuration(other: Duration): Duration;
}

type Ordered = string | bigint | number | boolean | Date;

/** Kubernetes' list library (isSorted, sum, min, max, indexOf, lastIndexOf), sets.* and the slice and flatten of cel-go. */
export function registerListFunctions(environment: Environment): void {
  const extreme =
    (name: string, better: (a: Ordered, b: Ordered) => boolean) =>
    (list: Ordered[]): Ordered => {
      if (list.length === 0) throw new Error(`${name} called on empty list`);
      return list.reduce((best, item) => (better(item, best) ? item : best));
    };
  const zero = environment.evaluate("duration('0s')") as Duration;
  environment
    .registerFunction('list.isSorted(): bool', (list: Ordered[]) => list.every((v, i) => i === 0 || list[i - 1]! <= v))
    .registerFunction(
      'list<A>.min(): A',
      extreme('min', (a, b) => a < b),
    )
    .registerFunction(
      'list<A>.max(): A',
      extreme('max', (a, b) => a > b),
    )
    .registerFunction('list<int>.sum(): int', (list: bigint[]) => list.reduce((a, b) => a + b, 0n))
    .registerFunction('list<double>.sum(): double', (list: number[]) => list.reduce((a, b) => a + b, 0))
    .registerFunction('list<google.protobuf.Duration>.sum(): google.protobuf.Duration', (list: Duration[]) =>
      list.reduce((a, b) => a.addDuration(b), zero),
    )
    .registerFunction('list<A>.indexOf(A): int', (list: unknown[], value: unknown) =>
      BigInt(list.findIndex((item) => same(item, value))),
    )
    .registerFunction('list<A>.lastIndexOf(A): int', (list: unknown[], value: unknown) =>
      BigInt(list.findLastIndex((item) => same(item, value))),
    );

  const order = (a: Ordered, b: Ordered): number => (a < b ? -1 : a > b ? 1 : 0);
  const flatten = (list: unknown[], depth: number): unknown[] => (list as unknown[][]).flat(depth) as unknown[];
  environment
    .registerFunction('list<A>.slice(int, int): list<A>', (list: unknown[], from: bigint, to: bigint) => {
      if (from < 0n || to < from || to > BigInt(list.length)) throw new Error(`cannot slice(${from}, ${to})`);
      return list.slice(Number(from), Number(to));
    })
    .registerFunction('list.flatten(): list<dyn>', (list: unknown[]) => flatten(list, 1))
    .registerFunction('list.flatten(int): list<dyn>', (list: unknown[], depth: bigint) => flatten(list, Number(depth)))
    .registerFunction('list<A>.sort(): list<A>', (list: Ordered[]) => list.toSorted(order))
    .registerFunction('list<A>.reverse(): list<A>', (list: unknown[]) => list.toReversed())
    .registerFunction('list<A>.distinct(): list<A>', (list: unknown[]) =>
      list.filter((item, i) => list.findIndex((other) => same(item, other)) === i),
    );

  class ListsNamespace {}
  environment.registerType('ListsNamespace', ListsNamespace);
  environment.registerConstant('lists', 'ListsNamespace', new ListsNamespace());
  environment.registerFunction('ListsNamespace.range(int): list<int>', (_: unknown, count: bigint) =>
    Array.from({ length: Number(count) }, (_item, i) => BigInt(i)),
  );

  class SetsNamespace {}
  environment.registerType('SetsNamespace', SetsNamespace);
  environment.registerConstant('sets', 'SetsNamespace', new SetsNamespace());
  const within = (a: unknown[], b: unknown[]): boolean => a.every((item) => b.some((other) => same(item, other)));
  environment
    .registerFunction('SetsNamespace.contains(list<A>, list<A>): bool', (_: unknown, a: unknown[], b: unknown[]) =>
      within(b, a),
    )
    .registerFunction(
      'SetsNamespace.equivalent(list<A>, list<A>): bool',
      (_: unknown, a: unknown[], b: unknown[]) => within(a, b) && within(b, a),
    )
    .registerFunction('SetsNamespace.intersects(list<A>, list<A>): bool', (_: unknown, a: unknown[], b: unknown[]) =>
      a.some((item) => b.some((other) => same(item, other))),
    );
}

function same(a: unknown, b: unknown): boolean {
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  const source = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'source' in value ? value.source : value;
  return deepEqual(source(a), source(b));
}
