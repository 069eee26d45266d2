import { KubeError } from './errors.ts';

/** Why requests fail whose client is closed: its caller has not given them up. */
export class ClosedError extends Error {
  constructor() {
    super('the client was closed');
  }
}

/** The error of a request without an answer. */
export function noAnswer(method: string, path: string, cause: unknown, signal?: AbortSignal): KubeError {
  const e = cause instanceof Error ? cause : new Error(String(cause));
  const given = (e as { code?: unknown }).code;
  const code = typeof given === 'string' ? given : '';
  const timeout =
    /TIMEOUT/.test(code) || e.name === 'TimeoutError' || (signal?.reason as Error | undefined)?.name === 'TimeoutError';
  const aborted = !timeout && !(e instanceof ClosedError) && (signal?.aborted === true || e.name === 'AbortError');
  return new KubeError({
    status: 0,
    reason: timeout ? 'Timeout' : aborted ? 'Aborted' : 'Unreachable',
    method,
    path,
    message: timeout
      ? `no answer in time (${code || e.name})`
      : aborted
        ? 'given up by the caller'
        : `no answer: ${e.message || code}`,
    cause: e,
  });
}
