import { Agent, request } from 'node:https';
import type { KeyedCertificate } from '@shoto/pki';
import { z } from 'zod';
import type { CheckInFile } from './user-data.ts';

/** The server says no, and will say so again: 403. */
export class Refused extends Error {}

/** The server asks to come again later. */
export class Later extends Error {
  readonly afterMs: number;
  constructor(message: string, afterMs: number) {
    super(message);
    this.afterMs = afterMs;
  }
}

const problem = z.looseObject({ reason: z.string().default(''), detail: z.string().default('') });
const ANSWER_MS = 60_000;

/**
 * A machine's connection to its bootstrap-worker: TLS, the server's certificate checked against the CA of check-in.json, the machine's own
 * certificate shown in every handshake.
 */
export class CheckInClient {
  readonly #agent: Agent;
  readonly #url: URL;

  constructor(file: Pick<CheckInFile, 'url' | 'caCertificate'>, own: KeyedCertificate) {
    this.#url = new URL(file.url);
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      ca: file.caCertificate,
      cert: own.certificate,
      key: own.key,
      maxCachedSessions: 0,
    });
  }

  /**
   * Posts JSON; gives the answer's JSON, or undefined for 204.
   * @throws {Refused} 403 {Later} any other refusal {Error} of the connection
   */
  post(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    const text = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          agent: this.#agent,
          host: this.#url.hostname,
          port: this.#url.port || 443,
          path,
          method: 'POST',
          signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('error', reject);
          answer.on('end', () => {
            try {
              resolve(read(answer.statusCode ?? 0, answer.headers['retry-after'], Buffer.concat(parts).toString()));
            } catch (error) {
              reject(error);
            }
          });
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function read(status: number, retryAfter: string | undefined, text: string): unknown {
  if (status === 204) return undefined;
  const json: unknown = text === '' ? undefined : JSON.parse(text);
  if (status === 200) return json;
  const { reason, detail } = problem.catch({ reason: '', detail: '' }).parse(json);
  const message = `${status} ${reason} ${detail}`;
  if (status === 403) throw new Refused(message);
  throw new Later(message, Number(retryAfter ?? 5) * 1000);
}
