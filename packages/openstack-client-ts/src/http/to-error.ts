import {
  BadRequestError,
  ConflictError,
  ConnectionError,
  type ErrorDetails,
  ForbiddenError,
  MicroversionError,
  NotFoundError,
  type OpenStackError,
  OverQuotaError,
  ServerError,
  TooManyRequestsError,
  UnauthorizedError,
} from '../errors.ts';
import type { HttpMethod, ServiceName } from '../types.ts';
import { parseErrorBody, parseQuota } from './error-body.ts';

/** The call an error is about. */
export interface ErrorContext {
  service: ServiceName;
  method: HttpMethod;
  url: URL;
  /** An earlier attempt of the same call may have been carried out. */
  mayHaveHappened: boolean;
}

/** The URL as it may be shown: without user information. */
export function safeUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.toString();
}

/** Whether a call of this method changes anything in the cloud. */
export function changesSomething(method: HttpMethod): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** The error for an answer with a status of 400 or more. */
export function errorOfAnswer(
  context: ErrorContext,
  answer: { status: number; body: unknown; requestId: string | undefined; retryAfterMs: number | undefined },
): OpenStackError {
  const { status, retryAfterMs } = answer;
  const parsed = parseErrorBody(answer.body) ?? { message: `HTTP ${status}` };
  const message = `${context.service}: ${context.method} ${context.url.pathname}: ${status}: ${parsed.message}`;
  // A refusal (4xx) was not carried out, nor was a 503 that names a time; of other server errors nobody knows.
  const unknown = status >= 500 && !(status === 503 && retryAfterMs !== undefined) && changesSomething(context.method);
  const details: ErrorDetails = {
    service: context.service,
    method: context.method,
    url: safeUrl(context.url),
    status,
    requestId: answer.requestId,
    code: parsed.code,
    retryAfterMs,
    mayHaveHappened: context.mayHaveHappened || unknown,
    retryable: false,
  };
  const quota = parseQuota(status, parsed);
  if (status === 413 && retryAfterMs !== undefined && (quota === undefined || retryAfterMs > 0)) {
    return new TooManyRequestsError(message, { ...details, retryable: true });
  }
  // Retry-After: 0 is what Cinder sends with a used-up quota; waiting does not help there.
  if (quota !== undefined) return new OverQuotaError(message, quota, { ...details, retryAfterMs: undefined });
  if (status === 401) return new UnauthorizedError(message, details);
  if (status === 403) return new ForbiddenError(message, details);
  if (status === 404 || status === 410) return new NotFoundError(message, details);
  if (status === 406) return new MicroversionError(message, details);
  if (status === 409 || status === 412) return new ConflictError(message, { ...details, retryable: status === 409 });
  if (status === 429) return new TooManyRequestsError(message, { ...details, retryable: true });
  if (status >= 500) return new ServerError(message, { ...details, retryable: true });
  return new BadRequestError(message, details);
}

const CERTIFICATE = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** The error for a call that got no whole answer; tells apart whether the request can have reached the service. */
export function errorOfConnection(context: ErrorContext, cause: unknown): ConnectionError {
  const { code, syscall } = describe(cause);
  const certificate = code !== undefined && CERTIFICATE.test(code);
  const neverSent =
    certificate || syscall === 'connect' || syscall === 'getaddrinfo' || code === 'UND_ERR_CONNECT_TIMEOUT';
  const what = cause instanceof Error && cause.message !== '' ? cause.message : (code ?? 'connection failed');
  const hint = certificate ? ' (name the CA with cacert, or OS_CACERT)' : '';
  return new ConnectionError(
    `${context.service}: ${context.method} ${context.url.origin}${context.url.pathname}: ${what}${hint}`,
    {
      service: context.service,
      method: context.method,
      url: safeUrl(context.url),
      code,
      retryable: !certificate,
      mayHaveHappened: context.mayHaveHappened || (!neverSent && changesSomething(context.method)),
      cause,
    },
  );
}

function describe(cause: unknown): { code?: string; syscall?: string } {
  const found: { code?: string; syscall?: string } = {};
  // Node tries all addresses of a name and then throws an AggregateError; undici wraps what the socket threw.
  const queue = [cause];
  while (queue.length > 0) {
    const error = queue.shift();
    if (typeof error !== 'object' || error === null) continue;
    if ('code' in error && typeof error.code === 'string') found.code ??= error.code;
    if ('syscall' in error && typeof error.syscall === 'string') found.syscall ??= error.syscall;
    if ('errors' in error && Array.isArray(error.errors)) queue.push(...error.errors);
    if ('cause' in error) queue.push(error.cause);
  }
  return found;
}
