import { RetryableError, WaitingError } from '@shoto/reconciler';
import { Agent, request } from 'undici';

const TIMEOUT_MS = 10_000;
/** When the bootstrap-worker does not say when to come back. */
const RETRY_MS = 1_000;

interface Problem {
  reason?: string;
  message?: string;
  detail?: string;
  retryAfterMs?: number;
}

/** Asks the bootstrap-worker what machines boot with. */
export interface UserDataClient {
  /**
   * User-data of a Machine, as text; the same each time. Holds the machine's ticket: never log it.
   *
   * @throws {WaitingError} with the bootstrap-worker's reason while it cannot say yet
   * @throws {RetryableError} `BootstrapWorkerUnavailable`
   */
  get: (machine: { namespace: string; name: string }, signal: AbortSignal) => Promise<string>;
  close: () => Promise<void>;
}

/**
 * Speaks to the internal server of the bootstrap-worker over mutual TLS.
 *
 * @param url - `https://host:port`
 * @param tls - PEM of the CA, of our certificate and of its key; absent for a plain server in tests
 */
export function userDataClient(o: { url: string; tls?: { ca: string; cert: string; key: string } }): UserDataClient {
  const agent = new Agent({ connections: 8, ...(o.tls ? { connect: o.tls } : {}) });
  return {
    async get({ namespace, name }, signal) {
      const path = `/internal/v1/machines/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/user-data`;
      const unavailable = (why: string, cause?: unknown) =>
        new RetryableError(
          'BootstrapWorkerUnavailable',
          `cannot get the user-data of ${namespace}/${name} from the bootstrap-worker: ${why}; tried again by itself`,
          cause === undefined ? {} : { cause },
        );
      let status: number;
      let text: string;
      let retryAfter: unknown;
      try {
        const answer = await request(new URL(path, o.url), {
          dispatcher: agent,
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        });
        status = answer.statusCode;
        retryAfter = answer.headers['retry-after'];
        text = await answer.body.text();
      } catch (e) {
        throw unavailable(e instanceof Error ? ((e as { code?: string }).code ?? e.message) : String(e), e);
      }
      const body = parse(text);
      if (status === 200 && typeof body.userData === 'string') return body.userData;
      if (status === 409) {
        const { reason, message, detail, retryAfterMs } = body as Problem;
        const seconds = Number(retryAfter);
        throw new WaitingError(
          reason ?? 'BootstrapPending',
          message ?? detail ?? `the bootstrap-worker has no user-data for ${namespace}/${name} yet`,
          retryAfterMs ?? (seconds > 0 ? seconds * 1000 : RETRY_MS),
        );
      }
      throw unavailable(`it answered ${status}`);
    },
    close: () => agent.close(),
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
