import { isObject, type JsonObject } from '../json.ts';
import { ANYTHING } from '../node.ts';
import type { CompiledSchema } from '../schema.ts';
import {
  decodeManagedFields,
  encodeManagedFields,
  identityOf,
  type ManagedEntry,
  type ManagedFields,
  resetFields,
  UNOWNED,
} from './managed-fields.ts';
import { compareExcept, takeFromOthers } from './ownership.ts';

/** A create, update or patch whose fields are to be tracked. */
interface TrackedWrite {
  /** The stored object; absent when this write creates it. */
  before?: object;
  /** The object about to be stored; its `metadata.managedFields` are set in place. */
  after: object;
  manager: string;
  /** The version of the request, `group/version`. */
  apiVersion: string;
  subresource?: string;
  schema?: CompiledSchema;
  /** RFC 3339 with whole seconds. */
  now: string;
}

/** Entries of operation Update that are kept; beyond it the oldest are folded into one. */
const MAX_UPDATE_MANAGERS = 10;

/**
 * Tracks who owns which fields after a write that is not an apply: changed and new fields move to this manager, removed ones are
 * forgotten, entries without fields vanish. A client may reset the tracking with `managedFields: [{}]` or `[]`.
 */
export function trackUpdate(write: TrackedWrite): void {
  const { schema } = write;
  const before = write.before as JsonObject | undefined;
  const after = write.after as JsonObject;
  const metadata = isObject(after.metadata) ? after.metadata : {};
  after.metadata = metadata;
  const managed = startingPoint(write, metadata.managedFields);
  delete metadata.managedFields;
  // A tracked object that lost its tracking (or never had any) is tracked again from its next apply on.
  if (before !== undefined && managed.size === 0) return;

  const node = schema?.typedNode ?? ANYTHING;
  const subresource = write.subresource ?? '';
  const except = resetFields(subresource, schema?.hasStatus ?? false);
  const live = stripManagedFields(before ?? schema?.emptyObject(after) ?? {});
  const change = compareExcept(live, after, node, except);
  takeFromOthers(managed, '', change);
  const fields = change.modified.union(change.added).difference(UNOWNED);
  if (!fields.isEmpty) {
    const entry: ManagedEntry = {
      manager: write.manager === '' ? 'unknown' : write.manager,
      operation: 'Update',
      apiVersion: write.apiVersion,
      subresource,
      time: write.now,
      fields,
    };
    const identity = identityOf(entry);
    const previous = managed.get(identity);
    if (previous !== undefined) entry.fields = previous.fields.union(fields);
    managed.set(identity, entry);
  }
  capUpdateManagers(managed);
  const entries = encodeManagedFields(managed);
  if (entries.length > 0) metadata.managedFields = entries;
}

function startingPoint(write: TrackedWrite, sent: unknown): ManagedFields {
  const before = write.before as JsonObject | undefined;
  const stored = isObject(before?.metadata) ? before.metadata.managedFields : undefined;
  if ((write.subresource ?? '') !== '') return decodeManagedFields(stored);
  if (Array.isArray(sent)) {
    const reset = sent.length === 0 || (sent.length === 1 && isObject(sent[0]) && Object.keys(sent[0]).length === 0);
    if (reset) return new Map();
  }
  const managed = decodeManagedFields(sent);
  return managed.size > 0 ? managed : decodeManagedFields(stored);
}

function stripManagedFields(object: JsonObject): JsonObject {
  if (!isObject(object.metadata)) return object;
  const { managedFields: _dropped, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function capUpdateManagers(managed: ManagedFields): void {
  const updaters = [...managed].filter(([, entry]) => entry.operation === 'Update');
  let left = updaters.length;
  if (left <= MAX_UPDATE_MANAGERS) return;
  const age = (entry: ManagedEntry): number => (entry.time === undefined ? 0 : Date.parse(entry.time));
  updaters.sort(([a, x], [b, y]) => age(x) - age(y) || (a < b ? -1 : 1));
  const firstOfVersion = new Map<string, string>();
  for (const [identity, entry] of updaters) {
    if (left <= MAX_UPDATE_MANAGERS) return;
    const first = firstOfVersion.get(entry.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(entry.apiVersion, identity);
      continue;
    }
    const ancient: ManagedEntry = { ...entry, manager: 'ancient-changes', subresource: '' };
    const bucket = identityOf(ancient);
    const earlier = managed.get(bucket) ?? managed.get(first)!;
    if (!managed.has(bucket)) managed.delete(first);
    ancient.fields = entry.fields.union(earlier.fields);
    managed.set(bucket, ancient);
    managed.delete(identity);
    left--;
  }
}
