import { cloneJson, isObject, type JsonObject } from './json.ts';
import type { SchemaNode } from './node.ts';

/** Which defaults of a schema are filled in. */
export type DefaultFilter = (value: unknown) => boolean;

/** Every default: what a CustomResourceDefinition's author wrote. */
export const ALL_DEFAULTS: DefaultFilter = () => true;

/**
 * The defaults of built-in types that show in answers. Their OpenAPI also lists the zero value of each required string and number,
 * which only says how Go prints an absent field, and must not hide that the field is missing.
 */
export const VISIBLE_DEFAULTS: DefaultFilter = (value) => value !== '' && value !== 0 && value !== false;

/**
 * Fills in defaults in place, as apiextensions does: first nulls that the schema neither allows nor has a default for are dropped,
 * then each absent field, or null where null is not allowed, gets its default, and only then defaults inside are filled in.
 */
export function applyDefaults(object: JsonObject, schema: SchemaNode, filter: DefaultFilter = ALL_DEFAULTS): void {
  dropNulls(object, schema);
  fill(object, schema, filter);
}

function dropNulls(value: unknown, node: SchemaNode | undefined): void {
  if (node === undefined) return;
  if (Array.isArray(value)) {
    for (const item of value) dropNulls(item, node.items);
    return;
  }
  if (!isObject(value)) return;
  for (const key in value) {
    const child = node.properties.get(key) ?? node.additional;
    if (value[key] === null) {
      if (child !== undefined && !child.nullable && !child.hasDefault && child.type !== '') delete value[key];
    } else if (typeof value[key] === 'object') dropNulls(value[key], child);
  }
}

function fill(value: unknown, node: SchemaNode | undefined, filter: DefaultFilter): void {
  if (node === undefined) return;
  const fallback = (child: SchemaNode): unknown => cloneJson(child.raw.default);
  if (Array.isArray(value)) {
    const items = node.items;
    if (items === undefined) return;
    for (let i = 0; i < value.length; i++) {
      if (value[i] === null && !items.nullable && items.hasDefault) value[i] = fallback(items);
      fill(value[i], items, filter);
    }
    return;
  }
  if (!isObject(value)) return;
  for (const [name, child] of node.properties) {
    if (!child.hasDefault) continue;
    const current = value[name];
    if ((current === undefined || (current === null && !child.nullable)) && filter(child.raw.default)) {
      value[name] = fallback(child);
    }
  }
  for (const key in value) {
    const named = node.properties.get(key);
    const child = named ?? node.additional;
    if (child === undefined) continue;
    if (named === undefined && value[key] === null && !child.nullable && child.hasDefault) value[key] = fallback(child);
    if (typeof value[key] === 'object') fill(value[key], child, filter);
  }
}
