import { goValue } from './go-format.ts';
import { cloneJson, deepEqual, isObject, type JsonObject } from './json.ts';
import { ANYTHING, type SchemaNode } from './node.ts';
import type { CompiledSchema } from './schema.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_PREFIX = '$deleteFromPrimitiveList/';
const ORDER_PREFIX = '$setElementOrder/';

/** A strategic merge patch that contradicts itself or the type; the message says where. */
export class StrategicPatchError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StrategicPatchError';
  }
}

/**
 * Applies a strategic merge patch. Lists with a merge key are merged by it, lists of primitives with strategy `merge` are joined,
 * all others are replaced; `$patch: delete | replace | merge`, `$retainKeys`, `$setElementOrder/<list>` and
 * `$deleteFromPrimitiveList/<list>` are obeyed. Neither argument is changed.
 *
 * @param schema - absent for types without a schema, whose lists are all replaced
 * @throws {StrategicPatchError} on an unknown directive, or on a list item without its merge key
 */
export function strategicMerge(live: object, patch: object, schema: CompiledSchema | undefined): JsonObject {
  return mergeMap(live as JsonObject, patch as JsonObject, schema?.typedNode ?? ANYTHING);
}

const field = (node: SchemaNode, name: string): SchemaNode => node.field(name) ?? ANYTHING;

function mergeMap(live: JsonObject, patch: JsonObject, node: SchemaNode): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive !== undefined) {
    if (directive === 'replace') return withoutDirectives(patch);
    if (directive === 'delete') return {};
    if (directive !== 'merge')
      throw new StrategicPatchError(`unknown patch type: ${String(directive)} in map: ${goValue(patch)}`);
  }
  let merged: JsonObject = { ...live };
  if (Array.isArray(patch[RETAIN_KEYS])) merged = retain(merged, patch, patch[RETAIN_KEYS] as unknown[]);
  const orders = new Map<string, unknown[]>();
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(ORDER_PREFIX) && Array.isArray(value)) orders.set(key.slice(ORDER_PREFIX.length), value);
    else if (key.startsWith(DELETE_PREFIX) && Array.isArray(value)) {
      const name = key.slice(DELETE_PREFIX.length);
      const list = merged[name];
      if (Array.isArray(list)) merged[name] = list.filter((item) => !value.some((gone) => deepEqual(gone, item)));
    }
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    const child = field(node, key);
    const current = merged[key];
    if (value === null) delete merged[key];
    else if (isObject(value)) {
      // A map that replaces, or is told to be replaced, does not look at what was there.
      const replace = child.mergeStrategies.includes('replace') || !isObject(current);
      const result = mergeMap(replace ? {} : current, value, child);
      if (value[DIRECTIVE] === 'delete' && Object.keys(result).length === 0) delete merged[key];
      else merged[key] = result;
    } else if (Array.isArray(value) && child.mergeStrategies.includes('merge')) {
      merged[key] = mergeList(Array.isArray(current) ? current : [], value, child, key);
    } else merged[key] = cloneJson(value);
  }
  for (const [name, order] of orders) {
    const list = merged[name];
    if (Array.isArray(list)) merged[name] = reorder(list, live[name], order, field(node, name).mergeKey);
  }
  return merged;
}

/** Drops the fields of a union that the patch does not name any longer. */
function retain(live: JsonObject, patch: JsonObject, keys: readonly unknown[]): JsonObject {
  for (const key of Object.keys(patch)) {
    if (!key.startsWith('$') && patch[key] !== null && !keys.includes(key)) {
      throw new StrategicPatchError(`${RETAIN_KEYS} does not name the field ${key} that the patch sets`);
    }
  }
  return Object.fromEntries(Object.entries(live).filter(([key]) => keys.includes(key)));
}

function mergeList(live: readonly unknown[], patch: readonly unknown[], node: SchemaNode, name: string): unknown[] {
  const key = node.mergeKey;
  if (key === undefined) {
    const added = patch.filter((item, i) => !live.some((had) => deepEqual(had, item)) && patch.indexOf(item) === i);
    return [...live, ...added.map(cloneJson)];
  }
  const directives = patch.filter((item) => isObject(item) && item[DIRECTIVE] === 'replace');
  if (directives.length > 0) {
    return patch.filter((item) => !(isObject(item) && item[DIRECTIVE] === 'replace')).map(cloneJson);
  }
  const items = node.items ?? ANYTHING;
  const merged = [...live];
  for (const item of patch) {
    if (!isObject(item)) throw new StrategicPatchError(`invalid list item in ${name}: expected an object`);
    const identity = item[key];
    if (identity === undefined) {
      throw new StrategicPatchError(`map: ${goValue(item)} does not contain declared merge key: ${key}`);
    }
    const matches = (candidate: unknown): boolean => isObject(candidate) && deepEqual(candidate[key], identity);
    if (item[DIRECTIVE] === 'delete') {
      for (let i = merged.length - 1; i >= 0; i--) if (matches(merged[i])) merged.splice(i, 1);
      continue;
    }
    const at = merged.findIndex(matches);
    const current = at < 0 ? undefined : merged[at];
    const result = mergeMap(isObject(current) ? current : {}, item, items);
    if (at < 0) merged.push(result);
    else merged[at] = result;
  }
  return merged;
}

/** Puts a list into the order that the patch asks for; items that only the server has keep their place after their neighbour. */
function reorder(
  list: readonly unknown[],
  live: unknown,
  order: readonly unknown[],
  key: string | undefined,
): unknown[] {
  const identity = (item: unknown): string => JSON.stringify(key !== undefined && isObject(item) ? item[key] : item);
  const wanted = order.map(identity);
  const ordered = list
    .filter((item) => wanted.includes(identity(item)))
    .sort((a, b) => wanted.indexOf(identity(a)) - wanted.indexOf(identity(b)));
  const serverOnly = list.filter((item) => !wanted.includes(identity(item)));
  const livePlaces = (Array.isArray(live) ? live : []).map(identity);
  const place = (item: unknown): number => {
    const at = livePlaces.indexOf(identity(item));
    return at < 0 ? Number.MAX_SAFE_INTEGER : at;
  };
  const out: unknown[] = [];
  let i = 0;
  let j = 0;
  while (i < ordered.length || j < serverOnly.length) {
    if (j >= serverOnly.length) out.push(ordered[i++]);
    else if (i >= ordered.length) out.push(serverOnly[j++]);
    else if (place(ordered[i]) < place(serverOnly[j])) out.push(ordered[i++]);
    else out.push(serverOnly[j++]);
  }
  return out;
}

function withoutDirectives(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !key.startsWith('$'))
      .map(([key, item]) => [key, cloneJson(item)]),
  );
}
