import { checksOf, subject } from './checks.ts';
import { type FieldError, fieldError, NO_FIELD } from './field-error.ts';
import { deepEqual, isObject, type JsonObject } from './json.ts';
import { correlatedItem, duplicates } from './lists.ts';
import { SchemaNode } from './node.ts';

/**
 * Checks a value against the structural part of its schema: types, required fields, bounds, formats, junctors, and duplicates in
 * sets and list-maps. With `old`, what did not change is not checked again (ratcheting), as kube-apiserver does since 1.33.
 *
 * @returns what is wrong, in kube-apiserver's words; empty when the value is valid
 */
export function validateStructure(value: JsonObject, schema: SchemaNode, old?: JsonObject): FieldError[] {
  const errors: FieldError[] = [];
  walk(value, schema, '', old, errors);
  return errors;
}

/** The same for a value that is not a whole object, e.g. a default. */
export function validateValue(value: unknown, schema: SchemaNode): FieldError[] {
  const errors: FieldError[] = [];
  walk(value, schema, '', undefined, errors);
  return errors;
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function walk(value: unknown, node: SchemaNode, path: string, old: unknown, errors: FieldError[]): void {
  if (old !== undefined && deepEqual(value, old)) return;
  if (!hasType(value, node)) {
    errors.push(typeError(value, node, path));
    return;
  }
  if (value === null || value === undefined) return;
  for (const check of checksOf(node)) check(value, path, errors);
  if (isObject(value)) {
    requiredFields(value, node, path, errors);
    if (node.embedded) {
      for (const name of ['apiVersion', 'kind']) {
        if (typeof value[name] !== 'string' || value[name] === '') errors.push(fieldError.required(join(path, name)));
      }
    }
    for (const key in value) {
      const named = node.properties.get(key);
      const child = named ?? node.additional;
      if (child === undefined) continue;
      walk(value[key], child, join(path, key), isObject(old) ? old[key] : undefined, errors);
    }
  } else if (Array.isArray(value)) {
    errors.push(...duplicates(value, node, path));
    const items = node.items;
    if (items !== undefined) {
      for (let i = 0; i < value.length; i++) {
        walk(value[i], items, `${path}[${i}]`, correlatedItem(value[i], old, node), errors);
      }
    }
  }
  junctors(value, node, path, errors);
}

function requiredFields(value: JsonObject, node: SchemaNode, path: string, errors: FieldError[]): void {
  for (const name of node.required) {
    if (value[name] === undefined) errors.push(fieldError.required(join(path, name)));
  }
}

function hasType(value: unknown, node: SchemaNode): boolean {
  if (value === null || value === undefined) {
    return node.nullable || (node.type === '' && !node.intOrString);
  }
  if (node.intOrString) return typeof value === 'string' || Number.isInteger(value);
  switch (node.type) {
    case 'string':
      return typeof value === 'string';
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    default:
      return true;
  }
}

function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function typeError(value: unknown, node: SchemaNode, path: string): FieldError {
  const expected = node.intOrString ? 'integer,string' : node.type;
  const actual = typeName(value);
  return fieldError.typeInvalid(
    path,
    actual,
    `${subject(path)} must be of type ${expected}: ${JSON.stringify(actual)}`,
  );
}

/** Nested value validations below a junctor: they say nothing of types, only of values. */
interface Junctors {
  allOf: SchemaNode[];
  anyOf: SchemaNode[];
  oneOf: SchemaNode[];
  not: SchemaNode | undefined;
}

const junctorCache = new WeakMap<SchemaNode, Junctors | null>();

function junctorsOf(node: SchemaNode): Junctors | null {
  let found = junctorCache.get(node);
  if (found === undefined) {
    const { allOf, anyOf, oneOf, not } = node.raw;
    const nodes = (list: unknown): SchemaNode[] =>
      Array.isArray(list) ? list.filter(isObject).map((schema) => new SchemaNode(schema)) : [];
    const none = allOf === undefined && anyOf === undefined && oneOf === undefined && not === undefined;
    found = none
      ? null
      : {
          allOf: nodes(allOf),
          anyOf: nodes(anyOf),
          oneOf: nodes(oneOf),
          not: isObject(not) ? new SchemaNode(not) : undefined,
        };
    junctorCache.set(node, found);
  }
  return found;
}

function junctors(value: unknown, node: SchemaNode, path: string, errors: FieldError[]): void {
  const nested = junctorsOf(node);
  if (nested === null) return;
  const attempt = (schema: SchemaNode): FieldError[] => {
    const found: FieldError[] = [];
    walk(value, schema, path, undefined, found);
    return found;
  };
  const composite = (words: string): void => {
    errors.push(fieldError.invalid(NO_FIELD, '', `${JSON.stringify(path)} ${words}`));
  };
  if (nested.anyOf.length > 0) {
    const results = nested.anyOf.map(attempt);
    if (results.every((found) => found.length > 0)) {
      composite('must validate at least one schema (anyOf)');
      errors.push(...results[0]!);
    }
  }
  if (nested.oneOf.length > 0) {
    const results = nested.oneOf.map(attempt);
    const valid = results.filter((found) => found.length === 0).length;
    if (valid !== 1) {
      const count = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
      composite(`must validate one and only one schema (oneOf). ${count}`);
      if (valid === 0) errors.push(...results[0]!);
    }
  }
  if (nested.allOf.length > 0) {
    const results = nested.allOf.map(attempt);
    const valid = results.filter((found) => found.length === 0).length;
    errors.push(...results.flat());
    if (valid !== results.length) {
      composite(`must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
    }
  }
  if (nested.not !== undefined && attempt(nested.not).length === 0) composite('must not validate the schema (not)');
}
