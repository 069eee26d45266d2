import { isObject, type JsonObject } from '../json.ts';
import type { SchemaNode } from '../node.ts';
import type { PathElement } from './field-set.ts';
import { fieldNode, isAtomic, itemElement, itemNode } from './typed.ts';

/** The live object with an applied configuration laid over it: maps and associative lists are merged, all else is replaced. */
export function merge(live: JsonObject, applied: JsonObject, node: SchemaNode): JsonObject {
  return mergeMaps(live, applied, node);
}

function mergeValues(l: unknown, r: unknown, node: SchemaNode): unknown {
  if (r === undefined) return l;
  const shape = node.shape(r ?? l ?? null);
  if (shape === 'scalar' || isAtomic(node, shape)) return r;
  if (shape === 'map') {
    const left = isObject(l) ? l : {};
    const right = isObject(r) ? r : {};
    if (Object.keys(left).length === 0 && Object.keys(right).length === 0) return r;
    return mergeMaps(left, right, node);
  }
  const left = Array.isArray(l) ? l : [];
  const right = Array.isArray(r) ? r : [];
  if (left.length === 0 && right.length === 0) return r;
  return mergeLists(left, right, node);
}

function mergeMaps(l: JsonObject, r: JsonObject, node: SchemaNode): JsonObject {
  const merged: JsonObject = {};
  for (const key in l) merged[key] = mergeValues(l[key], r[key], fieldNode(node, key));
  for (const key in r) if (l[key] === undefined) merged[key] = mergeValues(undefined, r[key], fieldNode(node, key));
  return merged;
}

/**
 * Items of both lists in an order that keeps the applied one's, with live items that were not applied left where they stood
 * relative to their neighbours.
 */
function mergeLists(l: readonly unknown[], r: readonly unknown[], node: SchemaNode): unknown[] {
  const items = itemNode(node);
  const leftElements = l.map((item) => itemElement(node, item));
  const rightElements = r.map((item) => itemElement(node, item));
  const left = new Map<PathElement, unknown>();
  for (let i = 0; i < l.length; i++) {
    const element = leftElements[i]!;
    // A duplicated live item is replaced by the applied one, not merged with it.
    left.set(element, left.has(element) ? undefined : l[i]);
  }
  const right = new Map(rightElements.map((element, i) => [element, r[i]]));
  const shared = rightElements.filter((element) => left.has(element));
  let next = shared.shift();
  const done = new Set<PathElement>();
  const out: unknown[] = [];
  const take = (element: PathElement): void => {
    done.add(element);
    out.push(mergeValues(left.get(element), right.get(element), items));
  };
  let i = 0;
  let j = 0;
  while (i < l.length || j < r.length) {
    if (i < l.length && j < r.length) {
      const element = leftElements[i]!;
      if (element === rightElements[j]) {
        take(element);
        i++;
        j++;
        next = shared.shift();
        continue;
      }
      if (right.has(element) && next !== undefined && next !== element) {
        i++;
        continue;
      }
    }
    if (i < l.length) {
      const element = leftElements[i]!;
      if (!right.has(element)) {
        out.push(l[i]);
        i++;
        continue;
      }
      if (done.has(element)) i++;
    }
    if (j < r.length) {
      const element = rightElements[j]!;
      take(element);
      j++;
      if (next === element) next = shared.shift();
    }
  }
  return out;
}
