import { ReconcileError, RetryableError, TerminalError, WaitingError } from '@shoto/reconciler';
import {
  AbortedError,
  BadRequestError,
  ConfigError,
  ConflictError,
  ConnectionError,
  EndpointNotFoundError,
  ForbiddenError,
  MicroversionError,
  NotFoundError,
  OpenStackError,
  OverQuotaError,
  type QuotaExceeded,
  ServerError,
  TimeoutError,
  TooManyRequestsError,
  UnauthorizedError,
} from 'openstack-client-ts';

/** How long to wait for something that another object holds back. */
const IN_USE_MS = 2_000;

const figures = (q: QuotaExceeded): string => {
  const parts = [
    q.used !== undefined && q.limit !== undefined ? `${q.used} of ${q.limit} used` : '',
    q.used === undefined && q.limit !== undefined ? `limit ${q.limit}` : '',
    q.requested !== undefined ? `${q.requested} more asked` : '',
  ].filter(Boolean);
  return parts.length ? ` (${parts.join(', ')})` : '';
};

/** Takes out what changes from call to call, so that the same problem gives the same text. */
const stable = (message: string): string =>
  message
    .replace(/req-[0-9a-f-]{36}/g, 'req-…')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 500);

/**
 * What an error of the cloud means for a pass: the one table from status codes to our three kinds.
 *
 * @param doing - what was tried and for which input, after "cannot": `make the network of tenant-a/web`
 */
export function toCloudError(e: unknown, doing: string): ReconcileError {
  if (e instanceof ReconcileError || !(e instanceof OpenStackError)) return e as ReconcileError;
  const options = { cause: e };
  const said = `cannot ${doing}: ${stable(e.message)}`;
  const again = 'tried again by itself';
  const retry = { cause: e, retryAfterMs: e.retryAfterMs };
  if (e instanceof OverQuotaError) {
    const what = e.quota.resources.join(', ') || 'a quota';
    return new RetryableError(
      'QuotaExceeded',
      `cannot ${doing}: the project's quota of ${what} is used up${figures(e.quota)}: free some, or have the cloud's operator raise it; ${again}`,
      retry,
    );
  }
  if (e instanceof UnauthorizedError)
    return new RetryableError(
      'Unauthorized',
      `cannot ${doing}: the cloud refuses the region's credentials: mend the Secret that the Region names; ${again}`,
      retry,
    );
  if (e instanceof ForbiddenError)
    return new TerminalError('Forbidden', `${said}: give the region's credentials the role that allows it`, options);
  if (e instanceof NotFoundError) return new RetryableError('NotFoundInCloud', `${said}; ${again}`, retry);
  if (e instanceof ConflictError) return new WaitingError('InUse', said, e.retryAfterMs ?? IN_USE_MS, options);
  if (e instanceof TooManyRequestsError)
    return new RetryableError('RateLimited', `cannot ${doing}: the cloud limits our calls; ${again}`, retry);
  if (e instanceof TimeoutError)
    return new RetryableError('CloudTimeout', `cannot ${doing}: the cloud did not answer in time; ${again}`, {
      ...retry,
      outage: true,
    });
  if (e instanceof ConnectionError)
    return new RetryableError(
      'CloudUnreachable',
      `cannot ${doing}: the cloud cannot be reached (${e.code ?? 'no answer'}); ${again}`,
      {
        ...retry,
        outage: true,
      },
    );
  if (e instanceof AbortedError)
    return new RetryableError('Interrupted', `cannot ${doing}: the pass was cut short; ${again}`, retry);
  if (e instanceof ServerError) return new RetryableError('CloudError', `${said}; ${again}`, retry);
  if (e instanceof MicroversionError) return new TerminalError('CloudTooOld', said, options);
  if (e instanceof EndpointNotFoundError)
    return new TerminalError(
      'ServiceMissing',
      `${said}: the cloud's catalog lacks a service that Shoto needs`,
      options,
    );
  if (e instanceof ConfigError)
    return new TerminalError(
      'InvalidCredentials',
      `${said}: mend clouds.yaml in the Secret that the Region names`,
      options,
    );
  if (e instanceof BadRequestError) return new TerminalError('InvalidRequest', said, options);
  return new RetryableError('CloudError', `${said}; ${again}`, retry);
}

/** Whether the cloud may have done what failed for us: look before asking again. */
export const mayHaveHappened = (e: unknown): boolean => {
  const at = e instanceof ReconcileError ? e.cause : e;
  return at instanceof OpenStackError && at.mayHaveHappened;
};

/**
 * Whether a call that failed is over: the service answered, or was never asked. What a gateway gave up waiting for (502, 504) or
 * nobody answered may still be carried out, and so may what a pass that was cut short had asked for.
 */
export const isOver = (e: unknown): boolean => {
  if (!(e instanceof ReconcileError)) return false;
  if (!(e.cause instanceof OpenStackError) || !e.cause.mayHaveHappened) return true;
  return e.cause.status !== undefined && e.cause.status !== 502 && e.cause.status !== 504;
};

/** Whether the cloud said 404. */
export const isNotFound = (e: unknown): boolean => (e instanceof ReconcileError ? e.cause : e) instanceof NotFoundError;

/** Whether the cloud said 403, and not for a quota. */
export const isForbidden = (e: unknown): boolean =>
  (e instanceof ReconcileError ? e.cause : e) instanceof ForbiddenError;

/** Whether the cloud said 400. */
export const isInvalid = (e: unknown): boolean =>
  (e instanceof ReconcileError ? e.cause : e) instanceof BadRequestError;

/** Whether the cloud said 409. */
export const isConflict = (e: unknown): boolean => (e instanceof ReconcileError ? e.cause : e) instanceof ConflictError;

/** Why a server ended in ERROR, for the condition: a reason for programs and a line for people. */
export function faultOf(fault: { message?: string } | undefined): { reason: string; message: string } {
  const said = stable(fault?.message ?? '') || 'no reason given';
  if (/no valid host/i.test(said))
    return {
      reason: 'NoValidHost',
      message: `the cloud has no host for this server (${said}): free capacity, or choose another flavor or zone; tried again by itself`,
    };
  if (/quota/i.test(said))
    return {
      reason: 'QuotaExceeded',
      message: `the cloud could not build the server (${said}); tried again by itself`,
    };
  return { reason: 'ServerFailed', message: `the cloud could not build the server (${said}); tried again by itself` };
}
