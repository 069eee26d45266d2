import type { Clock } from '../core/clock.ts';
import { FaultRules } from '../core/fault-rules.ts';
import type { Random } from '../core/random.ts';

/** What a request asks of a registry. */
export const OPERATIONS = [
  'version',
  'catalog.list',
  'tags.list',
  'referrers.list',
  'manifest.get',
  'manifest.head',
  'manifest.put',
  'manifest.delete',
  'blob.get',
  'blob.head',
  'blob.delete',
  'upload.start',
  'upload.status',
  'upload.patch',
  'upload.put',
  'upload.cancel',
] as const;
/** One of them. */
export type Operation = (typeof OPERATIONS)[number];

/** Which requests to the registry a rule is about; every given field must fit. */
export interface RegistryFaultMatch {
  operation?: Operation | undefined;
  /** Regular expression on the repository's name. */
  repository?: string | undefined;
  /** Tag or digest, as asked for. */
  reference?: string | undefined;
}

/** What a rule does to a request, besides delaying it. */
export type RegistryFaultAction =
  | { type: 'status'; status: number; message?: string | undefined; retryAfter?: number | undefined }
  /** No answer, no deed. */
  | { type: 'hang' }
  /** The connection is cut, nothing is done. */
  | { type: 'reset' }
  /** The deed is done, then the connection is cut. */
  | { type: 'lostAnswer' }
  /** The connection is cut after so many bytes of the body: of an upload that many are kept, of a download that many were sent. */
  | { type: 'cut'; afterBytes: number }
  /** The last byte of what is sent is another one. */
  | { type: 'corrupt' };

/** A request as rules see it. */
export interface RegistryRequest {
  operation: Operation;
  repository: string;
  reference: string;
}

/** The rules for the registry that are in force. */
export class RegistryFaults extends FaultRules<RegistryFaultMatch, RegistryFaultAction, RegistryRequest> {
  constructor(clock: Clock, random: Pick<Random, 'next'>) {
    super(clock, random, 'registry-fault', fits);
  }
}

function fits(match: RegistryFaultMatch, r: RegistryRequest): boolean {
  if (match.operation !== undefined && match.operation !== r.operation) return false;
  if (match.reference !== undefined && match.reference !== r.reference) return false;
  return match.repository === undefined || new RegExp(match.repository).test(r.repository);
}
