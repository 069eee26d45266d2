import type { Target } from '../operations/target.ts';
import type { KubeObject } from '../types.ts';
import { isRecord } from '../util/json.ts';
import { jsonPath } from '../util/json-path.ts';
import { cells } from './cells.ts';
import { ageOf } from './duration.ts';

/** A custom resource's cell: the first value at the path, dates as ages, numbers and booleans as they are. */
function customCell(object: KubeObject, path: string, type: string, nowMs: number): unknown {
  const values = jsonPath(object, path);
  const [value] = values;
  if (value === undefined) return type === 'date' ? '<unknown>' : null;
  switch (type) {
    case 'date':
      return value === null ? '<unknown>' : ageOf(value, nowMs);
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    default:
      if (values.length > 1)
        return values.map((v) => (isRecord(v) || Array.isArray(v) ? JSON.stringify(v) : String(v))).join(',');
      return isRecord(value) || Array.isArray(value) ? JSON.stringify(value) : String(value);
  }
}

/** The cells of one row, one for each column of the kind. */
export function cellsOf(target: Target, object: KubeObject, nowMs: number): unknown[] {
  const { type, version } = target;
  if (type.custom)
    return version.columns.map((c) =>
      c.jsonPath === undefined ? object.metadata.name : customCell(object, c.jsonPath, c.type, nowMs),
    );
  const known = cells[type.table];
  if (known) {
    const row = known(object, nowMs);
    // Never fewer or more than the columns announced.
    return version.columns.map((_, i) => row[i] ?? null);
  }
  return version.columns.map((c) => {
    if (c.name === 'Name') return object.metadata.name;
    if (/^(Age|Created At)$/.test(c.name))
      return c.name === 'Age'
        ? ageOf(object.metadata.creationTimestamp, nowMs)
        : (object.metadata.creationTimestamp ?? null);
    return null;
  });
}
