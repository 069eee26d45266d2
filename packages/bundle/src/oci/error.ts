/** Why a registry could not do what it was asked for, for programs. */
export type RegistryReason =
  /** No connection, or it broke. */
  | 'RegistryUnreachable'
  | 'TimedOut'
  /** Its certificate is issued by nobody that we know. */
  | 'Untrusted'
  /** 401: who we are is not known, or not told. */
  | 'Unauthorized'
  /** 403: we may not. */
  | 'Forbidden'
  | 'NotFound'
  /** 429, after as long as it may be waited for. */
  | 'TooManyRequests'
  /** 5xx. */
  | 'RegistryFailed'
  /** Any other answer that is none. */
  | 'BadAnswer'
  /** What came is not what its digest says, twice. */
  | 'DigestMismatch'
  | 'TooLarge'
  /** The version is there with other content: it is never overwritten. */
  | 'VersionExists'
  | 'BadReference'
  | 'NotSigned'
  | 'BadSignature';

interface Details extends ErrorOptions {
  kind: 'terminal' | 'retryable';
  /** HTTP status, where there was an answer. */
  status?: number;
  /** Pause at least so long: what Retry-After said. */
  retryAfterMs?: number;
}

/** A registry did not do what it was asked for. Messages name host, repository and what to do, never credentials. */
export class RegistryError extends Error {
  /** As the errors of a reconcile: whether another try may do. */
  readonly kind: 'terminal' | 'retryable';
  readonly reason: RegistryReason;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  constructor(reason: RegistryReason, message: string, d: Details) {
    super(message, d.cause === undefined ? undefined : { cause: d.cause });
    this.name = 'RegistryError';
    this.reason = reason;
    this.kind = d.kind;
    this.status = d.status;
    this.retryAfterMs = d.retryAfterMs;
  }
  /** The registry as a whole does not work: nothing else need be asked of it now. */
  get outage(): boolean {
    return this.reason === 'RegistryUnreachable' || this.reason === 'TimedOut' || this.reason === 'RegistryFailed';
  }
}

/** The error for an answer that is a refusal. @param what - what was asked for, `manifest of addons/cinder-csi:1.35.1` */
export function refusal(
  host: string,
  what: string,
  status: number,
  said: string,
  retryAfterMs?: number,
): RegistryError {
  const words = said ? ` (${said})` : '';
  const details = { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  const text = (t: string): string => `${host}: ${what}: ${t}${words}`;
  switch (true) {
    case status === 401:
      return new RegistryError(
        'Unauthorized',
        text('the registry does not know us: give a user and password, or mend them'),
        { kind: 'terminal', ...details },
      );
    case status === 403:
      return new RegistryError('Forbidden', text('the user may not do this: give another, or the right'), {
        kind: 'terminal',
        ...details,
      });
    case status === 404:
      return new RegistryError('NotFound', text('is not there'), { kind: 'terminal', ...details });
    case status === 429:
      return new RegistryError('TooManyRequests', text('the registry asks us to wait'), {
        kind: 'retryable',
        ...details,
      });
    case status === 408 || status >= 500:
      return new RegistryError('RegistryFailed', text(`the registry failed with ${status}`), {
        kind: 'retryable',
        ...details,
      });
    default:
      return new RegistryError('BadAnswer', text(`the registry answered ${status}`), { kind: 'terminal', ...details });
  }
}
