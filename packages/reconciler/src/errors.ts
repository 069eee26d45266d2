import { KubeError } from '@shoto/kube';

/**
 * Why a pass could not finish. Thrown near the cause; what follows of it (log, condition, event, next pass) is decided in
 * one place, `outcomeOf`.
 */
export abstract class ReconcileError extends Error {
  abstract readonly kind: 'terminal' | 'retryable' | 'waiting';
  /** CamelCase, for programs: the reason of the condition. */
  readonly reason: string;
  /** @param message - one line for people, no secrets, no times */
  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.reason = reason;
  }
}

/** Needs a person or a new spec: one warning, no further pass for this generation. */
export class TerminalError extends ReconcileError {
  readonly kind = 'terminal';
}

/** May pass unaided (503, 429, no answer). Retried with growing pauses and jitter. Unknown errors become this. */
export class RetryableError extends ReconcileError {
  readonly kind = 'retryable';
  /** Pause at least so long (a Retry-After). */
  readonly retryAfterMs: number | undefined;
  /** The other side as a whole does not work: counts for the circuit breaker of the queue. Default false. */
  readonly outage: boolean;
  constructor(
    reason: string,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number | undefined; outage?: boolean } = {},
  ) {
    super(reason, message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
    this.outage = options.outage ?? false;
  }
}

/** Nothing is wrong; something else comes first. Looked at again after `afterMs`, no alarm. */
export class WaitingError extends ReconcileError {
  readonly kind = 'waiting';
  readonly afterMs: number;
  constructor(reason: string, message: string, afterMs: number, options?: ErrorOptions) {
    super(reason, message, options);
    this.afterMs = afterMs;
  }
}

/**
 * Makes one of the three kinds of whatever was thrown. A `ReconcileError` stays; a conflict or an API server that does not
 * answer is retryable under its own reason; everything unknown is retryable as `UnexpectedError`.
 */
export function toReconcileError(e: unknown): ReconcileError {
  if (e instanceof ReconcileError) return e;
  if (e instanceof KubeError) {
    const reason = e.isConflict ? 'Conflict' : e.status === 0 ? 'KubernetesUnreachable' : `Kubernetes${e.reason}`;
    return new RetryableError(reason, e.message, { cause: e, retryAfterMs: e.retryAfterMs });
  }
  if (e instanceof Error && e.name === 'TimeoutError') {
    return new RetryableError('TimedOut', 'the pass took longer than it may', { cause: e });
  }
  return new RetryableError('UnexpectedError', e instanceof Error ? e.message : String(e), { cause: e });
}

/** What follows from an error. */
export interface ErrorOutcome {
  /** For the condition that says that the object makes no progress. `stalled` only when a person is needed. */
  condition: { reason: string; message: string; stalled: boolean };
  /** Left out when nothing is to be recorded: waiting and conflicts are the regular course. */
  event?: { type: 'Warning'; reason: string; message: string };
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** `backoff`: the queue's growing pause, at least `atLeastMs`; `after`: that time; `never`: only a change wakes it. */
  requeue: { how: 'backoff'; atLeastMs: number } | { how: 'after'; ms: number } | { how: 'never' };
}

/** The one translator: from an error's kind to condition, event, log level and next pass. */
export function outcomeOf(error: ReconcileError): ErrorOutcome {
  const { reason, message } = error;
  const kind = error.kind;
  switch (kind) {
    case 'terminal':
      return {
        condition: { reason, message, stalled: true },
        event: { type: 'Warning', reason, message },
        logLevel: 'warn',
        requeue: { how: 'never' },
      };
    case 'retryable': {
      const retryable = error as RetryableError;
      const conflict = reason === 'Conflict';
      return {
        condition: { reason, message, stalled: false },
        ...(conflict ? {} : { event: { type: 'Warning' as const, reason, message } }),
        logLevel: conflict ? 'debug' : reason === 'UnexpectedError' ? 'error' : 'warn',
        requeue: { how: 'backoff', atLeastMs: retryable.retryAfterMs ?? 0 },
      };
    }
    case 'waiting':
      return {
        condition: { reason, message, stalled: false },
        logLevel: 'debug',
        requeue: { how: 'after', ms: (error as WaitingError).afterMs },
      };
    default:
      return kind satisfies never;
  }
}
