const LARGEST = 10_000;
let young = new Map<string, string>();
let old = new Map<string, string>();

/**
 * The same text as one string. A thousand clusters have the same addons, and what is remembered of each says the same words: parsed JSON would hold them a
 * thousand times. What was not asked for during the last ten thousand other texts is forgotten.
 */
export function shared(text: string): string {
  const known = young.get(text);
  if (known !== undefined) return known;
  // A slice holds the whole that it was cut from; this one does not.
  const own = old.get(text) ?? Buffer.from(text).toString();
  if (young.size >= LARGEST) [young, old] = [new Map(), young];
  young.set(own, own);
  return own;
}

/** A copy of a JSON value with shared strings. */
export function sharing<T>(value: T): T {
  if (typeof value === 'string') return shared(value) as T;
  if (Array.isArray(value)) return value.map(sharing) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, sharing(v)])) as T;
}
