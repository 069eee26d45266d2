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

/** JSON as Go writes it: with `<`, `>` and `&` escaped. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}
