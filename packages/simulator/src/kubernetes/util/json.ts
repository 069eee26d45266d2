import type { Json } from '../types.ts';

/** Whether `value` is a JSON object (not an array, not null). */
export const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `value` if it is a JSON object, or an empty one. For reading only. */
export const record = (value: unknown): Json => (isRecord(value) ? value : {});

/** `value` if it is an array, or an empty one. For reading only. */
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** `value` if it is a string, or ''. */
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A deep copy of JSON data; several times faster than structuredClone. */
export function clone<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(clone) as T;
  const copy: Json = {};
  for (const key of Object.keys(value)) copy[key] = clone((value as Json)[key]);
  return copy as T;
}

/** Deep equality of JSON data; a key with the value undefined counts as absent. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i]));
  if (Array.isArray(b)) return false;
  const left = a as Json;
  const right = b as Json;
  for (const key of Object.keys(left)) if (!equal(left[key], right[key])) return false;
  for (const key of Object.keys(right)) if (right[key] !== undefined && left[key] === undefined) return false;
  return true;
}

/** The value at a path of keys, or undefined. */
export function at(value: unknown, ...path: string[]): unknown {
  let here = value;
  for (const key of path) {
    if (!isRecord(here)) return undefined;
    here = here[key];
  }
  return here;
}

/** The value at a simple dotted path such as `.spec.replicas`, or undefined. */
export const atDotted = (value: unknown, path: string): unknown =>
  at(value, ...path.split('.').filter((p) => p !== ''));

/** Sets the value at a path, making the objects on the way. */
export function put(target: Json, path: string[], value: unknown): void {
  let here = target;
  for (const key of path.slice(0, -1)) {
    if (!isRecord(here[key])) here[key] = {};
    here = here[key] as Json;
  }
  const last = path[path.length - 1];
  if (last !== undefined) here[last] = value;
}
