import { createHash } from 'node:crypto';
import { canonicalJson } from '@shoto/bundle';

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

const LARGEST = 10_000;
const digests = new Map<string, string>();

/** The same text as one string: a thousand clusters have objects with the same fields, and each is remembered. */
function shared(text: string): string {
  const known = digests.get(text);
  if (known !== undefined) return known;
  if (digests.size >= LARGEST) digests.clear();
  // A slice holds the whole that it was cut from; this one does not.
  const own = Buffer.from(text, 'latin1').toString('latin1');
  digests.set(own, own);
  return own;
}

/** Stands in an inventory for what was reported as drifted: any change of that object is worth another look. */
export const REPORTED = 'reported';
