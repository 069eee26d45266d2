import { goJson } from '../go-format.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { SchemaNode } from '../node.ts';
import { compare } from './compare.ts';
import { FieldSet } from './field-set.ts';
import { fieldsOf } from './typed.ts';

const ANNOTATION = 'kubectl.kubernetes.io/last-applied-configuration';

/** The manager whose applies carry on what client-side `kubectl apply` began. */
export const KUBECTL = 'kubectl';

function annotationsOf(object: JsonObject): JsonObject | undefined {
  const metadata = object.metadata;
  return isObject(metadata) && isObject(metadata.annotations) ? metadata.annotations : undefined;
}

/**
 * The fields that client-side `kubectl apply` set last and that still have that value: kubectl may take them over without force.
 *
 * @returns an empty set when the object has no such annotation, or one that cannot be read
 */
export function fieldsLastApplied(live: JsonObject, node: SchemaNode): FieldSet {
  const text = annotationsOf(live)?.[ANNOTATION];
  if (typeof text !== 'string' || text === '') return new FieldSet();
  try {
    const applied: unknown = JSON.parse(text);
    if (!isObject(applied)) return new FieldSet();
    const change = compare(applied, live, node);
    return fieldsOf(applied, node).difference(change.modified).difference(change.added).difference(change.removed);
  } catch {
    return new FieldSet();
  }
}

/** Keeps the annotation in step with what kubectl applies on the server, in place, so that a client-side apply can follow. */
export function syncLastApplied(object: JsonObject, applied: JsonObject): void {
  const annotations = annotationsOf(object);
  if (typeof annotations?.[ANNOTATION] !== 'string') return;
  const metadata = isObject(applied.metadata) ? { ...applied.metadata } : {};
  const { [ANNOTATION]: _old, ...rest } = isObject(metadata.annotations) ? metadata.annotations : {};
  if (Object.keys(rest).length > 0) metadata.annotations = rest;
  else delete metadata.annotations;
  annotations[ANNOTATION] = `${goJson(sorted({ ...applied, metadata }))}\n`;
}

/** With sorted keys, as Go writes maps. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
