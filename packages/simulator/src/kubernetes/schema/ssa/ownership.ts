import type { JsonObject } from '../json.ts';
import type { SchemaNode } from '../node.ts';
import { type Comparison, compare } from './compare.ts';
import { FieldSet } from './field-set.ts';
import type { ManagedEntry, ManagedFields } from './managed-fields.ts';
import { fieldsOf, removeFields } from './typed.ts';

/** A field that somebody else owns and that an apply without force would change. */
export interface OwnershipConflict {
  owner: ManagedEntry;
  fields: FieldSet;
}

/** A comparison without the fields that this request resets anyway. */
export function compareExcept(before: JsonObject, after: JsonObject, node: SchemaNode, except: FieldSet): Comparison {
  const all = compare(before, after, node);
  if (except.isEmpty) return all;
  return {
    added: all.added.recursiveDifference(except),
    modified: all.modified.recursiveDifference(except),
    removed: all.removed.recursiveDifference(except),
  };
}

/** What a change takes from other managers than `self`. */
export function conflictsWithOthers(managed: ManagedFields, self: string, change: Comparison): OwnershipConflict[] {
  const taken = change.modified.union(change.added);
  const conflicts: OwnershipConflict[] = [];
  for (const [identity, owner] of managed) {
    if (identity === self) continue;
    const fields = owner.fields.intersection(taken);
    if (!fields.isEmpty) conflicts.push({ owner, fields });
  }
  return conflicts;
}

/** Takes the changed and the removed fields from all managers but `self`; those left with nothing are forgotten. */
export function takeFromOthers(managed: ManagedFields, self: string, change: Comparison): void {
  const taken = change.modified.union(change.added);
  for (const [identity, owner] of managed) {
    if (identity !== self) {
      owner.fields = owner.fields.difference(owner.fields.intersection(taken)).difference(change.removed);
    }
    if (owner.fields.isEmpty) managed.delete(identity);
  }
}

/**
 * Removes what the applier applied last time, not this time, and nobody else owns.
 *
 * @param last - what the applier owned before this apply
 */
export function pruneUnapplied(
  merged: JsonObject,
  node: SchemaNode,
  managed: ManagedFields,
  last: FieldSet,
): JsonObject {
  if (last.isEmpty) return merged;
  const mergedFields = fieldsOf(merged, node).withNamedParents(node);
  const lastFields = last.withNamedParents(node);
  let pruned = without(merged, node, lastFields);
  let owned = new FieldSet();
  for (const entry of managed.values()) owned = owned.union(entry.fields);
  const kept = fieldsOf(pruned, node).withNamedParents(node).union(owned.withNamedParents(node));
  pruned = without(merged, node, mergedFields.difference(kept));
  // Only what the applier itself owned may go: fields that nobody owns are not its to remove.
  const gone = mergedFields.difference(fieldsOf(pruned, node).withNamedParents(node)).intersection(lastFields);
  return without(merged, node, gone);
}

function without(value: JsonObject, node: SchemaNode, fields: FieldSet): JsonObject {
  return (removeFields(value, node, fields) as JsonObject | undefined) ?? {};
}
