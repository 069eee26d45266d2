import { STATUS_CODES } from 'node:http';
import { type FieldProblem, InvalidObjectError } from '@shoto/api';
import { KubeError } from '@shoto/kube';

/** A problem as RFC 9457 describes it (`application/problem+json`), with the fields that are to blame. */
export interface Problem {
  /** URI of the kind of problem, `urn:shoto:problem:<reason>`. */
  type: string;
  title: string;
  status: number;
  detail: string;
  /** CamelCase, for programs. */
  reason: string;
  /** What is wrong with which field. */
  errors?: { field: string; message: string; reason?: string }[];
}

/** An answer that is not a success. */
export class ProblemError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly errors: { field: string; message: string; reason?: string }[];
  readonly retryAfterSeconds: number | undefined;
  constructor(
    status: number,
    reason: string,
    detail: string,
    errors: FieldProblem[] | { field: string; message: string; reason?: string }[] = [],
    retryAfterSeconds?: number,
  ) {
    super(detail);
    this.name = 'ProblemError';
    this.status = status;
    this.reason = reason;
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** The document of a problem. */
export const problemOf = (e: ProblemError): Problem => ({
  type: `urn:shoto:problem:${e.reason}`,
  title: STATUS_CODES[e.status] ?? 'Error',
  status: e.status,
  detail: e.message,
  reason: e.reason,
  ...(e.errors.length > 0 ? { errors: e.errors } : {}),
});

/** Any error as a problem: ours, the API server's, or the web framework's. What nobody expected is a 500 without details. */
export function toProblem(e: unknown): ProblemError {
  if (e instanceof ProblemError) return e;
  if (e instanceof InvalidObjectError)
    return new ProblemError(422, 'Invalid', e.problems.map((p) => `${p.field}: ${p.message}`).join('; '), e.problems);
  if (e instanceof KubeError) return ofKube(e);
  const http = e as {
    statusCode?: number;
    code?: string;
    message?: string;
    validation?: { instancePath?: string; message?: string }[];
  };
  if (http?.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new ProblemError(413, 'TooLarge', 'the body is larger than 1 MiB: a cluster needs a few kilobytes');
  if (http?.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new ProblemError(
      415,
      'UnsupportedMediaType',
      'the body has a content type that is not read here: send application/json, or application/merge-patch+json to change something',
    );
  if (http?.validation)
    return new ProblemError(
      400,
      'BadRequest',
      http.message ?? 'the request is not valid',
      http.validation.map((v) => ({
        field: (v.instancePath ?? '').replace(/^\//, '').replaceAll('/', '.'),
        message: v.message ?? 'is not valid',
      })),
    );
  if (http?.statusCode && http.statusCode >= 400 && http.statusCode < 500)
    return new ProblemError(http.statusCode, 'BadRequest', http.message ?? 'the request is not valid');
  return new ProblemError(500, 'InternalError', 'something went wrong on our side; it is logged, try again');
}

function ofKube(e: KubeError): ProblemError {
  const errors = e.causes.map((c) => ({
    field: c.field ?? '',
    message: c.message,
    ...(c.reason ? { reason: c.reason } : {}),
  }));
  const words = e.message.replace(/^[A-Z]+ \S+: /, '');
  if (e.isNotFound) return new ProblemError(404, 'NotFound', words);
  if (e.isAlreadyExists) return new ProblemError(409, 'AlreadyExists', words);
  if (e.isConflict)
    return new ProblemError(412, 'Changed', 'the object was changed in the meantime: read it again and repeat');
  if (e.isInvalid) return new ProblemError(422, 'Invalid', words, errors);
  if (e.status === 410) return new ProblemError(410, 'Expired', 'this page is too old: list again from the beginning');
  if (e.status === 400) return new ProblemError(400, 'BadRequest', words, errors);
  // 401 and 403 of the management cluster are about cluster-api itself, never about who asked.
  const seconds = Math.ceil((e.retryAfterMs ?? 2000) / 1000);
  return new ProblemError(
    503,
    'Unavailable',
    `the management cluster does not answer as it should (${e.reason || e.status}): try again`,
    [],
    seconds,
  );
}
