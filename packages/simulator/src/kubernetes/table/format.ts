import type { Json, KubeObject } from '../types.ts';
import { isRecord, list, record, text } from '../util/json.ts';

/** Makes the cells of a kind's row, in the order of its columns. */
export type Cells = (object: KubeObject, nowMs: number) => unknown[];

/** Names and images of a pod spec's containers, as two cells. */
export function containersOf(podSpec: unknown): [names: string, images: string] {
  const containers = list(record(podSpec).containers).filter(isRecord);
  return [containers.map((c) => text(c.name)).join(','), containers.map((c) => text(c.image)).join(',')];
}

/** `a=b,c=d`, or `<none>`. */
export function pairs(values: unknown): string {
  const entries = Object.entries(record(values)).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '<none>' : entries.map(([k, v]) => `${k}=${String(v)}`).join(',');
}

/** A metav1.LabelSelector as kubectl shows it. */
export function selectorText(selector: unknown): string {
  const s = record(selector);
  const parts = Object.entries(record(s.matchLabels)).map(([k, v]) => `${k}=${String(v)}`);
  for (const e of list(s.matchExpressions).filter(isRecord)) {
    const key = text(e.key);
    const values = `(${list(e.values).map(String).join(',')})`;
    if (e.operator === 'Exists') parts.push(key);
    else if (e.operator === 'DoesNotExist') parts.push(`!${key}`);
    else parts.push(`${key} ${e.operator === 'In' ? 'in' : 'notin'} ${values}`);
  }
  return parts.length === 0 ? '<none>' : parts.sort().join(',');
}

/** A value, or `<none>` (or another word) when it is absent or empty. */
export const orNone = (value: unknown, none = '<none>'): string =>
  value === undefined || value === null || value === '' ? none : String(value);

/** A value, or `<unset>`. */
export const orUnset = (value: unknown): string => orNone(value, '<unset>');

/** A number, or 0. */
export const count = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** `RWO,ROX`: the access modes of a volume. */
export function accessModes(modes: unknown): string {
  const short: Record<string, string> = {
    ReadWriteOnce: 'RWO',
    ReadOnlyMany: 'ROX',
    ReadWriteMany: 'RWX',
    ReadWriteOncePod: 'RWOP',
  };
  return list(modes)
    .map((m) => short[text(m)] ?? text(m))
    .join(',');
}

/** A condition of a status, or undefined. */
export const conditionOf = (status: unknown, type: string): Json | undefined =>
  list(record(status).conditions)
    .filter(isRecord)
    .find((c) => c.type === type);
