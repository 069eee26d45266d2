import type { IncomingMessage, ServerResponse } from 'node:http';

/** An answer that is not success, as RFC 9457 tells it. */
export class HttpProblem extends Error {
  readonly status: number;
  /** CamelCase, for programs. */
  readonly reason: string;
  /** When the asker may try again. */
  readonly retryAfterSeconds: number | undefined;
  /** The field to blame. */
  readonly field: string | undefined;

  constructor(
    status: number,
    reason: string,
    detail: string,
    more: { retryAfterSeconds?: number; field?: string | undefined } = {},
  ) {
    super(detail);
    this.name = 'HttpProblem';
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.field = more.field;
  }
}

/** Reads a body as JSON. @throws {HttpProblem} 413 when it is longer than `max` bytes, 400 when it is not JSON */
export async function readJson(req: IncomingMessage, max: number): Promise<unknown> {
  const tooLong = new HttpProblem(413, 'BodyTooLong', `a body may have ${max} bytes`);
  if (Number(req.headers['content-length'] ?? 0) > max) throw tooLong;
  const parts: Buffer[] = [];
  let size = 0;
  // Leaving the loop must not destroy the request, or the answer has no connection to go over.
  for await (const part of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > max) throw tooLong;
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch {
    throw new HttpProblem(400, 'InvalidRequest', 'the body is not JSON');
  }
}

/** Answers with JSON; nothing where there is no body. Never cached: some answers hold keys. */
export function answerJson(res: ServerResponse, status: number, body?: unknown): void {
  if (res.destroyed || res.headersSent) return;
  const text = body === undefined ? '' : JSON.stringify(body);
  res
    .writeHead(status, { 'cache-control': 'no-store', ...(text ? { 'content-type': 'application/json' } : {}) })
    .end(text);
}

/** Answers with a problem. The connection is closed where the rest of a body was not read. */
export function answerProblem(res: ServerResponse, p: HttpProblem): void {
  if (res.destroyed || res.headersSent) return;
  const retry = p.retryAfterSeconds;
  res
    .writeHead(p.status, {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retry === undefined ? {} : { 'retry-after': String(retry) }),
      ...(p.status === 413 ? { connection: 'close' } : {}),
    })
    .end(
      JSON.stringify({
        type: `urn:shoto:problem:${p.reason}`,
        title: p.reason,
        status: p.status,
        detail: p.message,
        reason: p.reason,
        ...(p.field === undefined ? {} : { field: p.field }),
        ...(retry === undefined ? {} : { retryAfterMs: retry * 1000 }),
      }),
    );
}
