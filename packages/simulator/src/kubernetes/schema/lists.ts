import { type FieldError, fieldError } from './field-error.ts';
import { isObject, type JsonObject } from './json.ts';
import type { SchemaNode } from './node.ts';

/** The key of an item of a list-map, by the names of its key fields; absent keys are left out. */
function listMapKey(item: unknown, keys: readonly string[]): JsonObject {
  const key: JsonObject = {};
  if (isObject(item)) for (const name of keys) if (item[name] !== undefined) key[name] = item[name];
  return key;
}

/** Duplicates in lists of type `set` and `map`: one error for each value that occurs again, at its second place. */
export function duplicates(list: readonly unknown[], node: SchemaNode, path: string): FieldError[] {
  if (node.listType === 'atomic') return [];
  const byKeys = node.listType === 'map';
  const seen = new Map<string, number>();
  const errors: FieldError[] = [];
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    if (byKeys && item !== null && !isObject(item)) {
      return [fieldError.invalid(`${path}[${i}]`, item, 'must be an object for an array of list-type map')];
    }
    const identity = byKeys ? listMapKey(item, node.listKeys) : item;
    const text = typeof identity === 'string' ? `"${identity}` : JSON.stringify(identity);
    const times = (seen.get(text) ?? 0) + 1;
    seen.set(text, times);
    if (times === 2) errors.push(fieldError.duplicate(`${path}[${i}]`, identity));
  }
  return errors;
}

/**
 * The item of an old list that a new item continues: by key in a list-map, nothing in other lists, whose items have no identity
 * for kube-apiserver.
 */
export function correlatedItem(item: unknown, old: unknown, node: SchemaNode): unknown {
  if (node.listType !== 'map' || !Array.isArray(old)) return undefined;
  const key = JSON.stringify(listMapKey(item, node.listKeys));
  return old.find((candidate) => JSON.stringify(listMapKey(candidate, node.listKeys)) === key);
}
