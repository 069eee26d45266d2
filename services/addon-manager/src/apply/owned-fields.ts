import { createHash } from 'node:crypto';
import { canonicalJson } from '@shoto/bundle';
import { shared } from '../shared-strings.ts';

/** Who we are in `managedFields`. */
export const FIELD_MANAGER = 'shoto-addon-manager';

interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  subresource?: string;
  fieldsV1?: unknown;
}

/**
 * Which fields of an object are ours, as a short digest. Whoever changes or removes a field that we applied takes it out of our entry in
 * `managedFields`: so the metadata of an object is enough to see that it drifted, and what a controller writes beside our fields is not mistaken for it.
 */
export function ownedFields(metadata: { managedFields?: unknown[] }): string {
  const entries = (metadata.managedFields ?? []) as ManagedFieldsEntry[];
  const own = entries.find((e) => e.manager === FIELD_MANAGER && e.operation === 'Apply' && !e.subresource);
  if (!own) return 'none';
  return shared(createHash('sha256').update(canonicalJson(own.fieldsV1)).digest('base64url').slice(0, 16));
}

/** Stands in an inventory for what was reported as drifted: any change of that object is worth another look. */
export const REPORTED = 'reported';
