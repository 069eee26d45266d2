import { deepEqual, isObject, type JsonObject } from '../json.ts';
import type { SchemaNode } from '../node.ts';
import { FieldSet, fieldElement, type PathElement } from './field-set.ts';
import { fieldNode, isAtomic, itemElement, itemNode } from './typed.ts';

/** What differs between two objects; no field is in more than one of the sets. */
export interface Comparison {
  added: FieldSet;
  modified: FieldSet;
  removed: FieldSet;
}

/** Compares two objects field by field, as structured-merge-diff does; lists are told apart by keys or values, not by place. */
export function compare(before: JsonObject, after: JsonObject, node: SchemaNode): Comparison {
  const result: Comparison = { added: new FieldSet(), modified: new FieldSet(), removed: new FieldSet() };
  compareMaps(before, after, node, [], result);
  return result;
}

function compareValues(l: unknown, r: unknown, node: SchemaNode, path: PathElement[], out: Comparison): void {
  if (l !== undefined && r !== undefined && deepEqual(l, r)) return;
  const shapes = new Set<'scalar' | 'list' | 'map'>();
  if (l !== undefined && l !== null) shapes.add(node.shape(l));
  if (r !== undefined && r !== null) shapes.add(node.shape(r));
  if (shapes.size === 0) shapes.add(node.shape(null));
  let leaf = false;
  for (const shape of shapes) {
    if (shape === 'scalar' || isAtomic(node, shape) || (isEmpty(l, shape) && isEmpty(r, shape))) {
      leaf = true;
      if (l === undefined) out.added.insert(path);
      else if (r === undefined) out.removed.insert(path);
      else out.modified.insert(path);
    } else if (shape === 'map') {
      compareMaps(isObject(l) ? l : {}, isObject(r) ? r : {}, node, path, out);
    } else {
      compareLists(Array.isArray(l) ? l : [], Array.isArray(r) ? r : [], node, path, out);
    }
  }
  if (leaf) return;
  if (l === undefined) out.added.insert(path);
  else if (r === undefined) out.removed.insert(path);
}

function isEmpty(value: unknown, shape: 'list' | 'map'): boolean {
  if (shape === 'list') return !Array.isArray(value) || value.length === 0;
  return !isObject(value) || Object.keys(value).length === 0;
}

function compareMaps(l: JsonObject, r: JsonObject, node: SchemaNode, path: PathElement[], out: Comparison): void {
  for (const key in l) compareValues(l[key], r[key], fieldNode(node, key), [...path, fieldElement(key)], out);
  for (const key in r) {
    if (l[key] === undefined) {
      compareValues(undefined, r[key], fieldNode(node, key), [...path, fieldElement(key)], out);
    }
  }
}

function compareLists(
  l: readonly unknown[],
  r: readonly unknown[],
  node: SchemaNode,
  path: PathElement[],
  out: Comparison,
): void {
  const left = byElement(l, node);
  const right = byElement(r, node);
  const items = itemNode(node);
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    const a = left.get(element) ?? [];
    const b = right.get(element) ?? [];
    const at = [...path, element];
    if (a.length <= 1 && b.length <= 1) compareValues(a[0], b[0], items, at, out);
    else if (a.length >= 2 && b.length >= 2) {
      if (!deepEqual(a, b)) out.modified.insert(at);
    } else if (a.length >= 2) {
      // Duplicates went away: what is left of them counts as new.
      if (b.length > 0) compareValues(undefined, b[0], items, at, out);
      out.removed.insert(at);
    } else {
      if (a.length > 0) compareValues(a[0], undefined, items, at, out);
      out.added.insert(at);
    }
  }
}

function byElement(list: readonly unknown[], node: SchemaNode): Map<PathElement, unknown[]> {
  const map = new Map<PathElement, unknown[]>();
  for (const item of list) {
    const element = itemElement(node, item);
    const same = map.get(element);
    if (same === undefined) map.set(element, [item]);
    else same.push(item);
  }
  return map;
}
