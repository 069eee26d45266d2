import type { HttpMethod, ServiceName } from './types.ts';

/** What every error of this package can tell about the call that failed. */
export interface ErrorDetails {
  /** The service that was called; undefined for a configuration error. */
  service?: ServiceName | undefined;
  /** HTTP status of the answer; undefined when there was none. */
  status?: number | undefined;
  method?: HttpMethod | undefined;
  /** The address called, without user information. Headers and bodies, where secrets live, are never part of it. */
  url?: string | undefined;
  /** `x-openstack-request-id` (or the older names of it) of the answer, to find the call in the cloud's own logs. */
  requestId?: string | undefined;
  /** The service's own word for the fault: `itemNotFound`, `IpAddressGenerationFailure`, `ECONNREFUSED`, ... */
  code?: string | undefined;
  /** Whether the same call may work later without anybody changing anything. */
  retryable?: boolean | undefined;
  /** Whether the cloud may have carried the call out, although it failed for us (always false for GET and HEAD). */
  mayHaveHappened?: boolean | undefined;
  /** How long the cloud asked to wait before the next try, in milliseconds. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** The base of all errors that this package throws. Catch this one, or a subclass; `status` is there when there was an answer. */
export class OpenStackError extends Error {
  readonly service: ServiceName | undefined;
  readonly status: number | undefined;
  readonly method: HttpMethod | undefined;
  readonly url: string | undefined;
  readonly requestId: string | undefined;
  readonly code: string | undefined;
  readonly retryable: boolean;
  readonly mayHaveHappened: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.service = details.service;
    this.status = details.status;
    this.method = details.method;
    this.url = details.url;
    this.requestId = details.requestId;
    this.code = details.code;
    this.retryable = details.retryable ?? false;
    this.mayHaveHappened = details.mayHaveHappened ?? false;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** 400 (and other 4xx without a class of their own): the request is wrong, repeating it does not help. */
export class BadRequestError extends OpenStackError {}
/** 401 after a fresh token was tried, or a log-in that Keystone refused. */
export class UnauthorizedError extends OpenStackError {}
/** 403: the credentials are good, but not for this. */
export class ForbiddenError extends OpenStackError {}
/** 404 (or 410): there is no such thing, or not for this project. */
export class NotFoundError extends OpenStackError {}
/** 409: the state of the thing, or of another, does not allow it now. Also 412, a failed precondition. */
export class ConflictError extends OpenStackError {}
/** 429, or 413 with Retry-After: too many calls. `retryAfterMs` says when to come back, if the cloud said so. */
export class TooManyRequestsError extends OpenStackError {}
/** 5xx: the cloud failed. */
export class ServerError extends OpenStackError {}
/** No answer: refused, unreachable, name unknown, certificate not trusted, or the connection broke before the answer was whole. */
export class ConnectionError extends OpenStackError {}
/** No answer within the call's time. */
export class TimeoutError extends OpenStackError {}
/** The caller's AbortSignal fired; `cause` is its reason. */
export class AbortedError extends OpenStackError {}
/** clouds.yaml, the environment or an argument is wrong; nothing was sent. */
export class ConfigError extends OpenStackError {}
/** The catalog has no endpoint for this service, region and interface. */
export class EndpointNotFoundError extends OpenStackError {}
/** The service does not offer the microversion that this call needs (also a 406 of the service). */
export class MicroversionError extends OpenStackError {}

/** What a service said of the quota that was met; each field as far as the message named it. */
export interface QuotaExceeded {
  /** The resources in the service's own words: `cores`, `port`, `Load Balancer`, ... */
  resources: string[];
  requested?: number;
  used?: number;
  limit?: number;
}

/** A quota is used up: 403, 409 or 413, told apart from other refusals by the service's wording. */
export class OverQuotaError extends OpenStackError {
  readonly quota: QuotaExceeded;

  constructor(message: string, quota: QuotaExceeded, details: ErrorDetails) {
    super(message, details);
    this.quota = quota;
  }
}

/** Waits for the promise, and gives undefined where the cloud says 404. */
export async function ignoreNotFound<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
