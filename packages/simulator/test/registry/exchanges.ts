import { createHash } from 'node:crypto';
import { request } from 'node:http';

/** What is compared of an answer: what a client may rely on, without what differs from run to run. */
export interface Told {
  title: string;
  status: number;
  headers: Record<string, string>;
  /** JSON where it is JSON, else text. */
  body: unknown;
}

/** An answer as it came. */
export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/** One request; `path` may be a whole URL, such as a Location. */
export interface Asked {
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Only so many bytes of the body are sent; then the connection is cut. */
  cutAfter?: number;
}

/** Sends, and notes what was told; without a title it notes nothing. */
export type Send = (title: string, method: string, path: string, asked?: Asked) => Promise<Answer>;

export const sha256 = (content: string | Buffer): string =>
  `sha256:${createHash('sha256').update(content).digest('hex')}`;

const NO_ANSWER: Answer = { status: 0, headers: {}, body: Buffer.alloc(0) };

/** Sends one request as it is, on a connection of its own; status 0 is no answer. */
export function ask(base: string, method: string, path: string, asked: Asked = {}): Promise<Answer> {
  const { headers = {}, body = '', cutAfter } = asked;
  const content = Buffer.from(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, base),
      { method, agent: false, headers: { 'content-length': String(content.length), ...headers } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: Object.fromEntries(Object.entries(answer.headers).map(([k, v]) => [k, String(v)])),
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    if (cutAfter === undefined) {
      sent.on('error', reject);
      sent.end(content);
      return;
    }
    sent.on('error', () => resolve(NO_ANSWER));
    sent.write(content.subarray(0, cutAfter), () => sent.socket?.destroySoon());
  });
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
/** Headers of the protocol. The others are of the server's program, or of the connection. */
const HEADERS = [
  'accept-ranges',
  'cache-control',
  'content-length',
  'content-range',
  'content-type',
  'docker-content-digest',
  'docker-distribution-api-version',
  'docker-upload-uuid',
  'etag',
  'link',
  'location',
  'range',
  'www-authenticate',
];

function steady(text: string, base: string): string {
  return text
    .replaceAll(base, '')
    .replaceAll(UUID, '<uuid>')
    .replaceAll(/_state=[^&"]*/g, '_state=<state>');
}

/** Details that are words are the program's own; codes, messages, digests and fields are the protocol's. */
function withoutWords(body: unknown): unknown {
  const { errors } = (body ?? {}) as { errors?: { detail?: unknown }[] };
  if (!Array.isArray(errors)) return body;
  const isWords = (detail: unknown) =>
    (typeof detail === 'string' && !/^sha256:[0-9a-f]{64}$/.test(detail)) || JSON.stringify(detail) === '{}';
  return {
    errors: errors.map(({ detail, ...rest }) => (detail === undefined || isWords(detail) ? rest : { ...rest, detail })),
  };
}

function told(title: string, method: string, answer: Answer, base: string): Told {
  const text = steady(answer.body.toString('utf8'), base);
  let body: unknown = text;
  try {
    body = withoutWords(JSON.parse(text));
  } catch {
    // Not everything is JSON.
  }
  const headers: Record<string, string> = {};
  for (const name of HEADERS) {
    const value = answer.headers[name];
    // The length of an error is that of its words, and these are compared.
    if (value === undefined || (name === 'content-length' && (answer.status >= 400 || method === 'PUT'))) continue;
    headers[name] = steady(value, base);
  }
  return { title, status: answer.status, headers, body };
}

/** Tells a story to the registry at `base`, and gives what it answered. */
export async function replay(base: string, story: (send: Send) => Promise<void>): Promise<Told[]> {
  const all: Told[] = [];
  await story(async (title, method, path, asked) => {
    const answer = await ask(base, method, path, asked);
    if (title !== '' && answer.status > 0) all.push(told(title, method, answer, base));
    return answer;
  });
  return all;
}
