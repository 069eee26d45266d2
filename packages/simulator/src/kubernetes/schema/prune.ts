import { isObject, type JsonObject } from './json.ts';
import { SchemaNode } from './node.ts';
import { OBJECT_META } from './object-meta.ts';

const OBJECT_META_NODE = new SchemaNode(OBJECT_META);
const META_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Drops the fields that a structural schema does not name, in place, as apiextensions' pruning does: type and object metadata of
 * the root and of embedded resources stay, and so does everything below x-kubernetes-preserve-unknown-fields that no schema names.
 *
 * @returns the paths dropped, sorted, e.g. `spec.foo`, `spec.pools[0].bar`
 */
export function prune(object: JsonObject, schema: SchemaNode): string[] {
  const dropped: string[] = [];
  pruneValue(object, schema, '', true, dropped);
  return dropped.sort();
}

const join = (path: string, key: string): string => (path === '' ? key : `${path}.${key}`);

function pruneValue(
  value: unknown,
  node: SchemaNode | undefined,
  path: string,
  resource: boolean,
  dropped: string[],
): void {
  if (Array.isArray(value)) {
    const items = node?.items;
    if (node?.preserveUnknown && items === undefined) return;
    for (let i = 0; i < value.length; i++) {
      pruneValue(value[i], items, `${path}[${i}]`, items?.embedded ?? false, dropped);
    }
    return;
  }
  if (!isObject(value)) return;
  const keeps = node?.preserveUnknown ?? false;
  for (const key of Object.keys(value)) {
    if (resource && META_FIELDS.has(key)) {
      if (key === 'metadata') pruneValue(value[key], OBJECT_META_NODE, join(path, key), false, dropped);
      continue;
    }
    const child = node?.properties.get(key) ?? node?.additional;
    if (child !== undefined) pruneValue(value[key], child, join(path, key), child.embedded, dropped);
    else if (!keeps) {
      dropped.push(join(path, key));
      delete value[key];
    }
  }
}
