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

/** Where the bootstrap-worker is and how it knows us. */
interface BootstrapAddress {
  /** `https://host:port` of its internal server. */
  url: string;
  /** PEM of the CA, of our certificate and of its key; absent for a plain server in tests. */
  tls?: { ca: string; cert: string; key: string };
}

/** One question to the bootstrap-worker. */
interface Question {
  /** What is asked for, in words: `the user-data of tenant-a/web-1`. */
  what: string;
  method: 'GET' | 'POST';
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  signal: AbortSignal;
}

/** Asks the bootstrap-worker what only it knows. */
export interface BootstrapClient {
  /**
   * User-data of a Machine, as text; the same each time. Holds the machine's ticket: never log it.
   *
   * @throws {WaitingError} with the bootstrap-worker's reason while it cannot say yet
   * @throws {RetryableError} `BootstrapWorkerUnavailable`
   */
  userData: (machine: { namespace: string; name: string }, signal: AbortSignal) => Promise<string>;
  /**
   * How many pods would have to move if these machines went, by name; of some machines it may not know.
   *
   * @throws {WaitingError} with the bootstrap-worker's reason while it cannot say
   * @throws {RetryableError} `BootstrapWorkerUnavailable`
   */
  disturbance: (
    cluster: { namespace: string; name: string },
    machines: string[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, number>>;
  close: () => Promise<void>;
}

/** Speaks to the internal server of the bootstrap-worker over mutual TLS. */
export function bootstrapClient(o: BootstrapAddress): BootstrapClient {
  const agent = new Agent({ connections: 8, ...(o.tls ? { connect: o.tls } : {}) });
  const unavailable = (what: string, why: string, cause?: unknown) =>
    new RetryableError(
      'BootstrapWorkerUnavailable',
      `cannot get ${what} from the bootstrap-worker: ${why}; tried again by itself`,
      cause === undefined ? {} : { cause },
    );

  const ask = async (q: Question): Promise<Record<string, unknown>> => {
    let status: number;
    let text: string;
    let retryAfter: unknown;
    try {
      const answer = await request(new URL(q.path, o.url), {
        method: q.method,
        dispatcher: agent,
        signal: AbortSignal.any([q.signal, AbortSignal.timeout(TIMEOUT_MS)]),
        ...(q.body === undefined
          ? {}
          : { body: JSON.stringify(q.body), headers: { 'content-type': 'application/json' } }),
      });
      status = answer.statusCode;
      retryAfter = answer.headers['retry-after'];
      text = await answer.body.text();
    } catch (e) {
      throw unavailable(q.what, e instanceof Error ? ((e as { code?: string }).code ?? e.message) : String(e), e);
    }
    const body = parse(text);
    if (status === 200) return body;
    if (status === 409) {
      const { reason, message, detail, retryAfterMs } = body as Problem;
      const seconds = Number(retryAfter);
      throw new WaitingError(
        reason ?? 'BootstrapPending',
        message ?? detail ?? `the bootstrap-worker has not ${q.what} yet`,
        retryAfterMs ?? (seconds > 0 ? seconds * 1000 : RETRY_MS),
      );
    }
    throw unavailable(q.what, `it answered ${status}`);
  };

  return {
    async userData({ namespace, name }, signal) {
      const what = `the user-data of ${namespace}/${name}`;
      const path = `/internal/v1/machines/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/user-data`;
      const { userData } = await ask({ what, method: 'GET', path, signal });
      if (typeof userData !== 'string') throw unavailable(what, 'its answer holds none');
      return userData;
    },
    async disturbance({ namespace, name }, machines, signal) {
      const what = `what runs on machines of ${namespace}/${name}`;
      const path = `/internal/v1/clusters/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/disturbance`;
      const { machines: told } = await ask({ what, method: 'POST', path, body: { machines }, signal });
      if (!Array.isArray(told)) throw unavailable(what, 'its answer holds no machines');
      const pods = new Map<string, number>();
      for (const m of told as { name?: unknown; pods?: unknown }[])
        if (typeof m?.name === 'string' && typeof m.pods === 'number') pods.set(m.name, m.pods);
      return pods;
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
