import type { Json } from '../types.ts';
import { clone, isRecord } from '../util/json.ts';

/** Applies an RFC 7386 merge patch; gives a new document that shares no part with either argument. */
export function applyMergePatch(document: Json, patch: Json): Json {
  const result: Json = {};
  for (const [key, value] of Object.entries(document)) if (!Object.hasOwn(patch, key)) result[key] = clone(value);
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || value === undefined) continue;
    const before = document[key];
    result[key] = isRecord(value) ? applyMergePatch(isRecord(before) ? before : {}, value) : clone(value);
  }
  return result;
}
