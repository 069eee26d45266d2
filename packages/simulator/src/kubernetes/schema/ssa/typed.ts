import { goValue } from '../go-format.ts';
import { isObject, type JsonObject } from '../json.ts';
import { ANYTHING, type SchemaNode } from '../node.ts';
import { FieldSet, fieldElement, type PathElement } from './field-set.ts';

/** An object that does not fit its schema, so that its fields cannot be told apart; the message names the path. */
export class TypedValueError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TypedValueError';
  }
}

/** The schema of a list's items; lists without one hold anything. */
export const itemNode = (list: SchemaNode): SchemaNode => list.items ?? ANYTHING;

/** The schema of a field as far as merging goes; undeclared fields were refused before or are ignored. */
export const fieldNode = (map: SchemaNode, name: string): SchemaNode => map.field(name) ?? ANYTHING;

/** True when the value is owned and replaced as a whole. */
export function isAtomic(node: SchemaNode, shape: 'list' | 'map'): boolean {
  return shape === 'map' ? node.atomicMap : node.listType === 'atomic';
}

/**
 * The path element of an item of a set or a list-map; key fields that the item leaves out take their default.
 *
 * @throws {TypedValueError} when the item cannot be in such a list
 */
export function itemElement(list: SchemaNode, item: unknown): PathElement {
  if (list.listType === 'set') {
    if (isObject(item)) throw new TypedValueError("associative list without keys has an element that's a map type");
    if (Array.isArray(item)) throw new TypedValueError('not supported: associative list with lists as elements');
    if (item === null)
      throw new TypedValueError("associative list without keys has an element that's an explicit null");
    return `v:${JSON.stringify(item)}`;
  }
  if (item === null) throw new TypedValueError('associative list with keys may not have a null element');
  if (!isObject(item)) throw new TypedValueError('associative list with keys may not have non-map elements');
  const key: JsonObject = {};
  for (const name of [...list.listKeys].sort()) {
    const value = item[name] ?? list.items?.properties.get(name)?.raw.default;
    if (value !== undefined && value !== null) key[name] = value;
  }
  if (Object.keys(key).length === 0) {
    const names = `[${list.listKeys.map((name) => JSON.stringify(name)).join(' ')}]`;
    throw new TypedValueError(
      `associative list with keys has an element that omits all key fields ${names} (and doesn't have default values for any key fields)`,
    );
  }
  return `k:${JSON.stringify(key)}`;
}

/** All fields that a value sets. */
export function fieldsOf(value: JsonObject, node: SchemaNode): FieldSet {
  const set = new FieldSet();
  collectMap(value, node, set);
  return set;
}

function collect(value: unknown, node: SchemaNode, parent: FieldSet, element: PathElement): void {
  const shape = node.shape(value);
  if (shape === 'scalar' || isAtomic(node, shape)) {
    parent.members.add(element);
    return;
  }
  const below = new FieldSet();
  if (shape === 'map' && isObject(value)) collectMap(value, node, below);
  else if (shape === 'list' && Array.isArray(value)) collectList(value, node, below);
  if (below.members.size > 0 || below.children.size > 0) parent.children.set(element, below);
}

function collectMap(value: JsonObject, node: SchemaNode, set: FieldSet): void {
  for (const key in value) {
    const child = value[key];
    const element = fieldElement(key);
    collect(child, fieldNode(node, key), set, element);
    const empty = child === null || (isObject(child) && Object.keys(child).length === 0);
    if (empty || !node.properties.has(key)) set.members.add(element);
  }
}

function collectList(value: readonly unknown[], node: SchemaNode, set: FieldSet): void {
  const seen = new Set<PathElement>();
  const duplicated = new Set<PathElement>();
  const elements = value.map((item) => itemElement(node, item));
  for (const element of elements) (seen.has(element) ? duplicated : seen).add(element);
  for (let i = 0; i < value.length; i++) {
    const element = elements[i]!;
    if (!duplicated.has(element)) collect(value[i], itemNode(node), set, element);
    set.members.add(element);
  }
}

/**
 * A copy without the fields of a set; a container that loses its last field is left out altogether.
 *
 * @returns undefined when nothing is left
 */
export function removeFields(value: unknown, node: SchemaNode, remove: FieldSet): unknown {
  const shape = node.shape(value);
  if (shape === 'scalar') return value;
  if (shape === 'list') {
    if (!Array.isArray(value) || value.length === 0 || isAtomic(node, 'list')) return value;
    const kept: unknown[] = [];
    for (const item of value) {
      const element = itemElement(node, item);
      if (remove.members.has(element)) continue;
      const below = remove.children.get(element);
      kept.push(below === undefined ? item : removeFields(item, itemNode(node), below));
    }
    return kept.length > 0 ? kept : undefined;
  }
  if (!isObject(value) || isAtomic(node, 'map')) return value;
  const kept: JsonObject = {};
  let count = 0;
  for (const key in value) {
    const element = fieldElement(key);
    if (remove.members.has(element)) continue;
    const below = remove.children.get(element);
    const child = below === undefined ? value[key] : removeFields(value[key], fieldNode(node, key), below);
    if (child === undefined) continue;
    kept[key] = child;
    count++;
  }
  return count > 0 || Object.keys(value).length === 0 ? kept : undefined;
}

/**
 * Does the value fit the schema well enough for server-side apply?
 *
 * @param allowDuplicates - a live object may hold duplicates in its sets and list-maps, an applied one may not
 * @throws {TypedValueError} with structured-merge-diff's words, e.g. `.spec.foo: field not declared in schema`
 */
export function checkTyped(value: JsonObject, node: SchemaNode, allowDuplicates: boolean): void {
  const errors: string[] = [];
  check(value, node, '', allowDuplicates, errors);
  if (errors.length === 1) throw new TypedValueError(errors[0]!);
  if (errors.length > 1) throw new TypedValueError(`errors:\n${errors.map((error) => `  ${error}`).join('\n')}`);
}

const SCALARS: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  boolean: (value) => typeof value === 'boolean',
};

const SCALAR_NAMES: Record<string, string> = {
  string: 'string',
  integer: 'numeric',
  number: 'numeric',
  boolean: 'boolean',
};

function check(value: unknown, node: SchemaNode, path: string, duplicates: boolean, errors: string[]): void {
  const fail = (at: string, words: string): void => {
    errors.push(at === '' ? words : `${at}: ${words}`);
  };
  const shape = node.shape(value);
  if (value === null) return;
  if (shape === 'scalar') {
    const fits = SCALARS[node.type];
    if (fits !== undefined && !fits(value)) {
      fail(path, `expected ${SCALAR_NAMES[node.type]}, got &value.valueUnstructured{Value:${goLiteral(value)}}`);
    }
  } else if (shape === 'list') {
    if (!Array.isArray(value)) {
      fail(path, `expected list, got &{${goValue(value)}}`);
      return;
    }
    if (isAtomic(node, 'list')) return;
    const seen = new Set<PathElement>();
    for (let i = 0; i < value.length; i++) {
      let element: PathElement;
      try {
        element = itemElement(node, value[i]);
      } catch (error) {
        fail(path, `element ${i}: ${(error as Error).message}`);
        continue;
      }
      if (seen.has(element) && !duplicates) fail(path, `duplicate entries for key ${elementText(element)}`);
      seen.add(element);
      check(value[i], itemNode(node), `${path}${elementText(element)}`, duplicates, errors);
    }
  } else {
    if (!isObject(value)) {
      fail(path, `expected map, got &{${goValue(value)}}`);
      return;
    }
    if (isAtomic(node, 'map')) return;
    for (const key in value) {
      const child = node.field(key);
      if (child === undefined) {
        fail(`${path}.${key}`, 'field not declared in schema');
        // structured-merge-diff looks no further into a map that holds a field it does not know.
        return;
      }
      check(value[key], child, `${path}.${key}`, duplicates, errors);
    }
  }
}

function goLiteral(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : goValue(value);
}

function elementText(element: PathElement): string {
  if (!element.startsWith('k:')) return `[=${element.slice(2)}]`;
  const keys = JSON.parse(element.slice(2)) as JsonObject;
  return `[${Object.entries(keys)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}]`;
}
