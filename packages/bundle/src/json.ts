import { createHash } from 'node:crypto';

/** Anything that JSON can say. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
/** A JSON object. */
export type JsonObject = { [key: string]: Json };

export const isObject = (v: unknown): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

/** The value of an own key: what the prototype has is not in a document. */
export const own = (o: JsonObject, key: string): Json | undefined => (Object.hasOwn(o, key) ? o[key] : undefined);

/** JSON with the keys of every object in order of their code units and no space: equal values give equal bytes. */
export function canonicalJson(v: unknown): string {
  if (Array.isArray(v)) return `[${v.map((i) => (i === undefined ? 'null' : canonicalJson(i))).join(',')}]`;
  if (typeof v !== 'object' || v === null) return JSON.stringify(v) ?? 'null';
  const o = v as Record<string, unknown>;
  const keys = Object.keys(o).filter((k) => o[k] !== undefined);
  return `{${keys
    .sort()
    .map((k) => `${JSON.stringify(k)}:${canonicalJson(o[k])}`)
    .join(',')}}`;
}

/** `sha256:<hex>` of bytes or of a text's UTF-8. */
export const sha256 = (data: string | Uint8Array): string =>
  `sha256:${createHash('sha256').update(data).digest('hex')}`;

/** A copy that shares nothing, with itself neither (a YAML alias is one value in two places). */
export function copyOf(v: Json): Json {
  if (Array.isArray(v)) return v.map(copyOf);
  return isObject(v) ? Object.fromEntries(Object.entries(v).map(([k, inner]) => [k, copyOf(inner)])) : v;
}

/** Freezes a value with all that is in it. */
export function deepFreeze<T>(v: T): T {
  if (typeof v === 'object' && v !== null && !Object.isFrozen(v)) {
    Object.freeze(v);
    for (const inner of Object.values(v)) deepFreeze(inner);
  }
  return v;
}

/** Path of a field as people write it: `a.b[0]["c/d"]`. */
export const pathText = (parts: readonly PropertyKey[]): string =>
  parts.reduce<string>((s, p) => {
    if (typeof p === 'number') return `${s}[${p}]`;
    const key = String(p);
    if (!/^[A-Za-z_$][\w$-]*$/.test(key)) return `${s}[${JSON.stringify(key)}]`;
    return s === '' ? key : `${s}.${key}`;
  }, '');
