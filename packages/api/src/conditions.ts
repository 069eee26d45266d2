import type { Condition } from './meta.ts';

/** A condition as a service states it; the time of transition is kept by {@link withCondition}. */
export type ConditionInput = Omit<Condition, 'lastTransitionTime'>;

/** The condition of a type, where it is stated. */
export const findCondition = (list: readonly Condition[] | undefined, type: string): Condition | undefined =>
  list?.find((c) => c.type === type);

/** Whether a condition is stated as True. */
export const isTrue = (list: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(list, type)?.status === 'True';

/**
 * The list with one condition stated. `lastTransitionTime` moves only when the status does, so that the same statement twice is the same list.
 *
 * @param now - milliseconds since the epoch
 */
export function withCondition(list: readonly Condition[] | undefined, c: ConditionInput, now: number): Condition[] {
  const before = findCondition(list, c.type);
  const stated: Condition = {
    ...c,
    message: c.message.slice(0, 1024),
    lastTransitionTime: before && before.status === c.status ? before.lastTransitionTime : timestamp(now),
  };
  const others = (list ?? []).filter((x) => x.type !== c.type);
  return [...others, stated].sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** A time as Kubernetes writes it: RFC 3339, UTC, whole seconds. */
export const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
