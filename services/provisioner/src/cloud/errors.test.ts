import { ReconcileError, RetryableError } from '@shoto/reconciler';
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
  ServerError,
  TimeoutError,
  TooManyRequestsError,
  UnauthorizedError,
} from 'openstack-client-ts';
import { describe, expect, it } from 'vitest';
import { faultOf, isNotFound, mayHaveHappened, toCloudError } from './errors.ts';

describe('what an error of the cloud means', () => {
  it.each([
    [new UnauthorizedError('no', { status: 401 }), 'retryable', 'Unauthorized'],
    [new ForbiddenError('policy', { status: 403 }), 'terminal', 'Forbidden'],
    [new NotFoundError('gone', { status: 404 }), 'retryable', 'NotFoundInCloud'],
    [new ConflictError('in use', { status: 409 }), 'waiting', 'InUse'],
    [new BadRequestError('bad', { status: 400 }), 'terminal', 'InvalidRequest'],
    [new TooManyRequestsError('slow', { status: 429 }), 'retryable', 'RateLimited'],
    [new ServerError('oops', { status: 500 }), 'retryable', 'CloudError'],
    [new TimeoutError('late'), 'retryable', 'CloudTimeout'],
    [new ConnectionError('down', { code: 'ECONNREFUSED' }), 'retryable', 'CloudUnreachable'],
    [new AbortedError('cut'), 'retryable', 'Interrupted'],
    [new MicroversionError('old'), 'terminal', 'CloudTooOld'],
    [new EndpointNotFoundError('none'), 'terminal', 'ServiceMissing'],
    [new ConfigError('yaml'), 'terminal', 'InvalidCredentials'],
    [new OverQuotaError('q', { resources: ['cores'] }, { status: 403 }), 'retryable', 'QuotaExceeded'],
    [new OpenStackError('strange'), 'retryable', 'CloudError'],
  ] as const)('%o is %s, %s', (given, kind, reason) => {
    const e = toCloudError(given, 'make a thing');
    expect([e.kind, e.reason]).toEqual([kind, reason]);
    expect(e.message).toContain('cannot make a thing');
    expect(e.cause).toBe(given);
  });

  it('says which quota, how much of it is used and what was asked', () => {
    const quota = { resources: ['cores'], requested: 4, used: 20, limit: 20 };
    const e = toCloudError(new OverQuotaError('Quota exceeded', quota, { status: 403 }), 'make the server web-1');
    expect(e.message).toContain('quota of cores is used up (20 of 20 used, 4 more asked)');
  });

  it('keeps the time that the cloud asks to wait', () => {
    const e = toCloudError(new TooManyRequestsError('slow', { retryAfterMs: 3_000 }), 'list servers');
    expect(e).toBeInstanceOf(RetryableError);
    expect((e as RetryableError).retryAfterMs).toBe(3_000);
  });

  it('counts as an outage only when no answer came', () => {
    const outage = (e: Error) => (toCloudError(e, 'x') as RetryableError).outage;
    expect(outage(new TimeoutError('late'))).toBe(true);
    expect(outage(new ConnectionError('down'))).toBe(true);
    expect(outage(new ServerError('oops'))).toBe(false);
  });

  it('gives the same text for the same problem, whatever the request id', () => {
    const text = (id: string) => toCloudError(new ServerError(`oops (Request-ID: req-${id})`), 'x').message;
    expect(text('11111111-1111-4111-8111-111111111111')).toBe(text('22222222-2222-4222-8222-222222222222'));
  });

  it('leaves errors that are not the cloud’s as they are', () => {
    const e = new TypeError('bug');
    expect(toCloudError(e, 'x')).toBe(e);
  });

  it('knows through the translation what may have happened and what is not there', () => {
    expect(mayHaveHappened(toCloudError(new TimeoutError('late', { mayHaveHappened: true }), 'x'))).toBe(true);
    expect(mayHaveHappened(toCloudError(new ServerError('oops'), 'x'))).toBe(false);
    expect(isNotFound(toCloudError(new NotFoundError('gone'), 'x'))).toBe(true);
    expect(toCloudError(new NotFoundError('gone'), 'x')).toBeInstanceOf(ReconcileError);
  });
});

describe('why a server ended in ERROR', () => {
  it.each([
    [{ message: 'No valid host was found. There are not enough hosts available.' }, 'NoValidHost'],
    [{ message: 'Build of instance aborted: Failed to allocate the network(s)' }, 'ServerFailed'],
    [
      { message: 'VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota volumes.' },
      'QuotaExceeded',
    ],
    [undefined, 'ServerFailed'],
  ])('%o is %s', (fault, reason) => {
    expect(faultOf(fault).reason).toBe(reason);
  });
});
