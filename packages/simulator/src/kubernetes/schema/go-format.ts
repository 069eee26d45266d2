import { isObject } from './json.ts';

/** A value as Go's `%v` prints it, e.g. `map[a:1 b:[x y]]`: some messages of kube-apiserver contain such. */
export function goValue(value: unknown): string {
  if (isObject(value)) {
    const keys = Object.keys(value).sort();
    return `map[${keys.map((key) => `${key}:${goValue(value[key])}`).join(' ')}]`;
  }
  if (Array.isArray(value)) return `[${value.map(goValue).join(' ')}]`;
  return value === null ? '<nil>' : String(value);
}
