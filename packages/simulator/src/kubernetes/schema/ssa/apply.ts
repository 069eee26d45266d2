import { cloneJson, deepEqual, isObject, type JsonObject } from '../json.ts';
import { ANYTHING } from '../node.ts';
import type { CompiledSchema } from '../schema.ts';
import { pathText } from './field-set.ts';
import { fieldsLastApplied, KUBECTL, syncLastApplied } from './last-applied.ts';
import {
  decodeManagedFields,
  encodeManagedFields,
  identityOf,
  type ManagedEntry,
  type ManagedFields,
  managerText,
  resetFields,
  UNOWNED,
} from './managed-fields.ts';
import { merge } from './merge.ts';
import { compareExcept, conflictsWithOthers, pruneUnapplied, takeFromOthers } from './ownership.ts';
import { checkTyped, fieldsOf, TypedValueError } from './typed.ts';

/** A request of server-side apply. */
interface ApplyRequest {
  /** The stored object; absent when the apply creates it. */
  live?: object;
  /** The configuration as the client sent it, without `metadata.managedFields`. */
  applied: object;
  manager: string;
  force: boolean;
  /** Absent for a type without a schema: maps are merged, lists are replaced. */
  schema: CompiledSchema | undefined;
  /** The version of the request, `group/version`. */
  apiVersion: string;
  subresource?: string;
  /** RFC 3339 with whole seconds. */
  now: string;
}

/** One field that another manager owns with another value: a cause of type FieldManagerConflict of the 409 Status. */
interface ApplyConflict {
  manager: string;
  /** e.g. `.spec.replicas` */
  field: string;
  /** e.g. `conflict with "kubectl-edit" using apps/v1` */
  message: string;
}

/** The object to store (the live one itself when nothing changes), or what is in the way with the text of the Status. */
type ApplyResult = { object: JsonObject } | { conflicts: ApplyConflict[]; message: string };

const BEFORE_FIRST_APPLY = 'before-first-apply';

/**
 * Server-side apply, with the semantics of structured-merge-diff v6. Neither `live` nor `applied` is changed. Defaults are not
 * filled in: call `applyDefaults` on the result.
 *
 * @throws {TypedValueError} when the configuration does not fit the schema, e.g. it sets an undeclared field
 */
export function serverSideApply(request: ApplyRequest): ApplyResult {
  const { manager, force, schema, apiVersion, now } = request;
  const applied = request.applied as JsonObject;
  const node = schema?.typedNode ?? ANYTHING;
  const subresource = request.subresource ?? '';
  const live = (request.live as JsonObject | undefined) ??
    schema?.emptyObject(applied) ?? { apiVersion: applied.apiVersion, kind: applied.kind };
  try {
    checkTyped(applied, node, false);
  } catch (error) {
    if (!(error instanceof TypedValueError)) throw error;
    throw new TypedValueError(`failed to create typed patch object (${describe(applied)}): ${error.message}`);
  }
  const before = withoutManagedFields(live);
  const managed = decodeManagedFields(isObject(live.metadata) ? live.metadata.managedFields : undefined);
  const except = resetFields(subresource, schema?.hasStatus ?? false);
  if (managed.size === 0 && request.live !== undefined) recordEarlierFields(before, request, managed);

  const merged = merge(before, applied, node);
  const entry: ManagedEntry = {
    manager: manager === '' ? 'unknown' : manager,
    operation: 'Apply',
    apiVersion,
    subresource,
    time: undefined,
    fields: fieldsOf(applied, node).recursiveDifference(except),
  };
  const identity = identityOf(entry);
  const last = managed.get(identity);
  entry.time = last?.time;
  managed.set(identity, entry);
  const after = last === undefined ? merged : pruneUnapplied(merged, node, managed, last.fields);

  const change = compareExcept(before, after, node, except);
  let conflicts = force ? [] : conflictsWithOthers(managed, identity, change);
  if (conflicts.length > 0 && manager === KUBECTL) {
    const allowed = fieldsLastApplied(before, node);
    conflicts = conflicts
      .map(({ owner, fields }) => ({ owner, fields: fields.difference(allowed) }))
      .filter(({ fields }) => !fields.isEmpty);
  }
  if (conflicts.length > 0) return describeConflicts(conflicts);
  takeFromOthers(managed, identity, change);
  entry.fields = entry.fields.difference(UNOWNED);

  const same = request.live !== undefined && deepEqual(before, after);
  if (!same) entry.time = now;
  const object = withManagedFields(same ? before : after, managed);
  if (manager === KUBECTL) syncLastApplied(object, applied);
  return { object };
}

function describe(object: JsonObject): string {
  const meta = isObject(object.metadata) ? object.metadata : {};
  const [group, version] = String(object.apiVersion ?? '').includes('/')
    ? String(object.apiVersion).split('/')
    : ['', String(object.apiVersion ?? '')];
  const groupVersion = group === '' ? `/${version}` : `${group}/${version}`;
  return `${meta.namespace ?? ''}/${meta.name ?? ''}; ${groupVersion}, Kind=${object.kind ?? ''}`;
}

/** An object that nobody tracked yet: all it holds belongs to one manager before the first apply. */
function recordEarlierFields(live: JsonObject, request: ApplyRequest, managed: ManagedFields): void {
  const node = request.schema?.typedNode ?? ANYTHING;
  const empty = request.schema?.emptyObject(request.applied as JsonObject) ?? {};
  const except = resetFields(request.subresource ?? '', request.schema?.hasStatus ?? false);
  const change = compareExcept(empty, live, node, except);
  const entry: ManagedEntry = {
    manager: BEFORE_FIRST_APPLY,
    operation: 'Update',
    apiVersion: request.apiVersion,
    subresource: request.subresource ?? '',
    time: request.now,
    fields: change.added.union(change.modified).difference(UNOWNED),
  };
  if (!entry.fields.isEmpty) managed.set(identityOf(entry), entry);
}

function describeConflicts(found: ReturnType<typeof conflictsWithOthers>): ApplyResult {
  const conflicts: ApplyConflict[] = [];
  const lines: string[] = [];
  for (const { owner, fields } of found) {
    const name = managerText(owner);
    lines.push(`conflicts with ${name}:`);
    for (const path of fields.paths()) {
      const field = pathText(path);
      lines.push(`- ${field}`);
      conflicts.push({ manager: owner.manager, field, message: `conflict with ${name}` });
    }
  }
  const only = conflicts.length === 1 ? conflicts[0] : undefined;
  const message = only
    ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
    : `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
  return { conflicts, message };
}

function withoutManagedFields(object: JsonObject): JsonObject {
  if (!isObject(object.metadata) || object.metadata.managedFields === undefined) return object;
  const { managedFields: _dropped, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withManagedFields(object: JsonObject, managed: ManagedFields): JsonObject {
  const copy = cloneJson(object);
  const metadata = isObject(copy.metadata) ? copy.metadata : {};
  const entries = encodeManagedFields(managed);
  if (entries.length > 0) metadata.managedFields = entries;
  copy.metadata = metadata;
  return copy;
}
