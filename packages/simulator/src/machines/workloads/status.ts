import type { KubeObject } from '../../kubernetes/index.ts';
import { equal, record } from '../../kubernetes/util/json.ts';
import type { Context, Kind } from './context.ts';
import { keyOf, refOf } from './objects.ts';

/** Writes the fields of a status that differ; null takes a field away. */
export function setStatus(x: Context, kind: Kind, o: KubeObject, wanted: Record<string, unknown>): void {
  const now = record(o.status);
  const changed = Object.entries(wanted).filter(([k, v]) => (v === null ? now[k] !== undefined : !equal(now[k], v)));
  if (changed.length > 0) x.resources.of(kind).patchStatus(refOf(keyOf(o)), Object.fromEntries(changed));
}
