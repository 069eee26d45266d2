import type { Clock } from './clock.ts';
import { FaultRules } from './fault-rules.ts';
import type { Random } from './random.ts';

/** Which requests to a Kubernetes API a rule is about; every given field must fit. */
export interface ApiFaultMatch {
  /** `management`, the name of a workload cluster, or its outside address; every API without it. */
  cluster?: string | undefined;
  /** Kubernetes verb: get, list, watch, create, update, patch, delete. */
  verb?: string | undefined;
  /** Plural, such as `machines`. */
  resource?: string | undefined;
  /** Regular expression on the user's name. */
  user?: string | undefined;
}

/** What a rule does to a request, besides delaying it. */
export type ApiFaultAction =
  | { type: 'status'; status: number; message?: string | undefined; retryAfter?: number | undefined }
  /** No answer, no deed. */
  | { type: 'hang' }
  /** The connection is cut, nothing is done. */
  | { type: 'reset' }
  /** The deed is done, then the connection is cut. */
  | { type: 'lostAnswer' };

/** A request as rules see it. */
export interface ApiRequest {
  /** What the API goes by: its name, and the outside addresses that lead to it. */
  cluster: readonly string[];
  verb: string;
  resource: string;
  user: string;
}

/** The rules for Kubernetes APIs that are in force. */
export class ApiFaults extends FaultRules<ApiFaultMatch, ApiFaultAction, ApiRequest> {
  constructor(clock: Clock, random: Random) {
    super(clock, random, 'api-fault', fits);
  }
}

function fits(match: ApiFaultMatch, r: ApiRequest): boolean {
  if (match.cluster !== undefined && !r.cluster.includes(match.cluster)) return false;
  if (match.verb !== undefined && match.verb !== r.verb) return false;
  if (match.resource !== undefined && match.resource !== r.resource) return false;
  return match.user === undefined || new RegExp(match.user).test(r.user);
}
