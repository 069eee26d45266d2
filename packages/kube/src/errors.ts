/** One reason why an object was refused. */
export interface ErrorCause {
  /** Path of the field, as in `spec.pools[0].count`. */
  field?: string;
  message: string;
  reason?: string;
}

interface StatusBody {
  message?: string;
  reason?: string;
  details?: { causes?: { field?: string; message?: string; reason?: string }[]; retryAfterSeconds?: number };
}

/** Takes out what looks like a credential: bearer tokens, JWTs, PEM keys, bootstrap tokens. */
function withoutSecrets(text: string): string {
  return text
    .replace(/bearer\s+[^\s"',]+/gi, 'Bearer [redacted]')
    .replace(/eyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?/g, '[redacted]')
    .replace(/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g, '[redacted]');
}

/**
 * A request to a Kubernetes API that did not succeed.
 *
 * `status` is the HTTP status, or 0 when there was no answer; `reason` is then `Unreachable`, `Timeout`, `Aborted` or
 * `CircuitOpen`. With an answer, `reason` is the one of the `Status` object (`Conflict`, `NotFound`, `Invalid`, ...).
 * The message has method, server's words and path; never a header, a token or the body that was sent.
 */
export class KubeError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly method: string;
  /** Path of the request, without query. */
  readonly path: string;
  readonly causes: readonly ErrorCause[];
  /** How long the server asks to wait. */
  readonly retryAfterMs?: number;

  constructor(o: {
    status: number;
    reason: string;
    method: string;
    path: string;
    message: string;
    causes?: ErrorCause[];
    retryAfterMs?: number | undefined;
    cause?: unknown;
  }) {
    super(
      `${o.method} ${o.path}: ${withoutSecrets(o.message)}`,
      o.cause === undefined ? undefined : { cause: o.cause },
    );
    this.name = 'KubeError';
    this.status = o.status;
    this.reason = o.reason;
    this.method = o.method;
    this.path = o.path;
    this.causes = o.causes ?? [];
    if (o.retryAfterMs !== undefined) this.retryAfterMs = o.retryAfterMs;
  }

  /** 404. */
  get isNotFound(): boolean {
    return this.status === 404;
  }
  /** The object is another one than was read: 409 `Conflict`, or a `test` of a JSON patch that failed. */
  get isConflict(): boolean {
    return (this.status === 409 && this.reason !== 'AlreadyExists') || this.reason === 'TestFailed';
  }
  /** 409 `AlreadyExists`. */
  get isAlreadyExists(): boolean {
    return this.status === 409 && this.reason === 'AlreadyExists';
  }
  /** 422 for the object's content; `causes` name the fields. */
  get isInvalid(): boolean {
    return this.status === 422 && this.reason !== 'TestFailed';
  }
  /** 403. */
  get isForbidden(): boolean {
    return this.status === 403;
  }
  /** 410: the resourceVersion or continue token is too old. */
  get isGone(): boolean {
    return this.status === 410;
  }
  /** May pass unaided: no answer, 408, 429, 5xx. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Makes the error of an answer. `body` is a `Status` object as text, or whatever a proxy said. */
export function errorFromAnswer(
  method: string,
  path: string,
  status: number,
  headers: Record<string, string | string[] | undefined>,
  body: string,
): KubeError {
  let said: StatusBody = {};
  try {
    const parsed: unknown = JSON.parse(body);
    if (parsed && typeof parsed === 'object') said = parsed;
  } catch {
    said = { message: body.slice(0, 300) };
  }
  const seconds = Number(headers['retry-after'] ?? said.details?.retryAfterSeconds);
  const causes = (said.details?.causes ?? []).map((c) => ({
    message: withoutSecrets(c.message ?? ''),
    ...(c.field ? { field: c.field } : {}),
    ...(c.reason ? { reason: c.reason } : {}),
  }));
  return new KubeError({
    status,
    reason: said.reason || defaultReason(status),
    method,
    path,
    message: `${status} ${said.message || 'no message'}`,
    causes,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined,
  });
}

function defaultReason(status: number): string {
  const known: Record<number, string> = {
    400: 'BadRequest',
    401: 'Unauthorized',
    403: 'Forbidden',
    404: 'NotFound',
    409: 'Conflict',
    410: 'Expired',
    422: 'Invalid',
    429: 'TooManyRequests',
    500: 'InternalError',
    503: 'ServiceUnavailable',
    504: 'Timeout',
  };
  return known[status] ?? 'Unknown';
}
