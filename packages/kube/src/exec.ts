import type { Duplex } from 'node:stream';
import { Agent, type Dispatcher, WebSocket } from 'undici';
import { errorFromAnswer, KubeError } from './errors.ts';
import type { OwnSocket } from './transport.ts';
import type { ObjectRef } from './types.ts';

/** What a command said, whole, and how it ended. */
export interface ExecResult {
  /** 0: it did what it was asked to. */
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Newest first; 1.30 and newer know v5, which only adds a way to close stdin. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
/** The first byte of a message names the stream (Kubernetes, remotecommand). */
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
/** More than this no command that is run for its answer says. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Path of an exec: the command's words one by one, no stdin, no terminal. */
export function execPath(ref: ObjectRef, container: string, command: readonly string[]): string {
  if (!ref.namespace || !ref.name) throw new TypeError('exec: a pod needs a namespace and a name');
  const query = new URLSearchParams([
    ['container', container],
    ['stdout', 'true'],
    ['stderr', 'true'],
    ...command.map((word): [string, string] => ['command', word]),
  ]);
  return `/api/v1/namespaces/${encodeURIComponent(ref.namespace)}/pods/${encodeURIComponent(ref.name)}/exec?${query}`;
}

interface StatusObject {
  status?: string;
  message?: string;
  reason?: string;
  code?: number;
  details?: { causes?: { reason?: string; message?: string }[] };
}

/**
 * How a command ended, from what the status channel says.
 * @throws {KubeError} it did not run, or not to its end
 */
function exitCodeOf(text: string, path: string): number {
  const failed = (message: string, o: { status?: number; reason?: string } = {}): KubeError =>
    new KubeError({ status: o.status ?? 500, reason: o.reason ?? 'ExecFailed', method: 'GET', path, message });
  let said: StatusObject;
  try {
    said = JSON.parse(text) as StatusObject;
  } catch {
    throw failed(`the command's status is not JSON: ${text.slice(0, 200)}`);
  }
  if (said.status === 'Success') return 0;
  const code = said.details?.causes?.find((c) => c.reason === 'ExitCode')?.message;
  if (said.reason === 'NonZeroExitCode' && code !== undefined && Number.isInteger(Number(code))) return Number(code);
  throw failed(said.message ?? 'the command could not be run', {
    ...(said.code ? { status: said.code } : {}),
    ...(said.reason ? { reason: said.reason } : {}),
  });
}

/** Keeps the connection, and what the server says instead of taking the upgrade: a WebSocket itself tells nothing of either. */
function overhear(
  path: string,
  tell: { upgraded: (connection: Duplex) => void; refused: (e: KubeError) => void },
): Dispatcher.DispatcherComposeInterceptor {
  return (dispatch) => (options, handler) => {
    const body: Buffer[] = [];
    let status = 0;
    let headers: Record<string, string | string[] | undefined> = {};
    return dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onRequestUpgrade(controller, code, head, connection) {
        tell.upgraded(connection);
        handler.onRequestUpgrade?.(controller, code, head, connection);
      },
      onResponseStart(_controller, code, head) {
        if (code >= 200) [status, headers] = [code, head];
      },
      onResponseData: (_controller, chunk) => void body.push(chunk),
      onResponseEnd(controller) {
        const error = errorFromAnswer('GET', path, status, headers, Buffer.concat(body).toString());
        tell.refused(error);
        handler.onResponseError?.(controller, error);
      },
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    });
  };
}

/**
 * Runs a command in a container over a WebSocket (Kubernetes' remotecommand protocol) and gathers what it says.
 *
 * @param path - see {@link execPath}
 * @param signal - given up, or the time is over
 * @throws {KubeError} with the server's status when it refuses; 0 where there was no answer, or none to the end
 */
export async function execOn(socket: OwnSocket, path: string, signal: AbortSignal): Promise<ExecResult> {
  const where = path.split('?')[0] ?? path;
  let refusal: KubeError | undefined;
  let connection: Duplex | undefined;
  // A socket of its own over HTTP/1.1, closed with the command: an API server takes no WebSocket over HTTP/2.
  const agent = new Agent({ allowH2: false, connect: socket.connect });
  const dispatcher = agent.compose(
    overhear(where, {
      upgraded: (c) => {
        connection = c;
      },
      refused: (e) => {
        refusal = e;
      },
    }),
  );
  try {
    return await new Promise<ExecResult>((resolve, reject) => {
      const streams = new Map<number, Buffer[]>();
      const textOf = (stream: number): string => Buffer.concat(streams.get(stream) ?? []).toString();
      const broken = (reason: string, message: string, cause?: unknown): KubeError =>
        new KubeError({ status: 0, reason, method: 'GET', path: where, message, cause });
      const giveUp = (): void => {
        const isLate = (signal.reason as { name?: string } | undefined)?.name === 'TimeoutError';
        reject(
          isLate ? broken('Timeout', 'the command did not end in time') : broken('Aborted', 'given up by the caller'),
        );
      };
      if (signal.aborted) return giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      const ws = new WebSocket(`${socket.origin.replace(/^http/, 'ws')}${path}`, {
        protocols: PROTOCOLS,
        headers: socket.headers,
        dispatcher,
      });
      ws.binaryType = 'arraybuffer';
      let size = 0;
      ws.onmessage = ({ data }) => {
        const message = Buffer.from(data as ArrayBuffer);
        size += message.length;
        if (size > MAX_BYTES) return reject(broken('TooLong', `the command said more than ${MAX_BYTES} bytes`));
        const stream = message[0];
        if (stream === undefined || message.length === 1) return; // opens a stream, says nothing
        streams.set(stream, [...(streams.get(stream) ?? []), message.subarray(1)]);
      };
      ws.onerror = ({ error, message }) => {
        reject(refusal ?? broken('Unreachable', `no answer: ${reasonOf(error) ?? message}`, error));
      };
      ws.onclose = ({ code }) => {
        signal.removeEventListener('abort', giveUp);
        const status = textOf(STATUS);
        if (!status)
          return reject(refusal ?? broken('Unreachable', `the connection ended before the command did (${code})`));
        try {
          resolve({ exitCode: exitCodeOf(status, where), stdout: textOf(STDOUT), stderr: textOf(STDERR) });
        } catch (e) {
          reject(e);
        }
      };
    });
  } finally {
    connection?.destroy(); // the agent has let go of it
    await agent.destroy().catch(() => {});
  }
}

/** The innermost words of an error. */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return reasonOf(error.cause) ?? (error.message || (error as { code?: string }).code);
}
