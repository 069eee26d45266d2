import { Readable } from 'node:stream';
import { type Dispatcher, request } from 'undici';
import { AbortedError, OpenStackError, TimeoutError, UnauthorizedError } from '../errors.ts';
import type { HttpMethod, RequestEvent, ServiceName } from '../types.ts';
import { type Clock, sleep, untilAborted } from './clock.ts';
import { Deadline } from './deadline.ts';
import { isRepeatable, parseRetryAfter, type RetryOptions, retryDelayMs } from './retry.ts';
import { changesSomething, type ErrorContext, errorOfAnswer, errorOfConnection, safeUrl } from './to-error.ts';

/** Where a call takes its token from. */
export interface TokenSource {
  token(): Promise<string>;
  /** Told that the cloud refused this token, so that the next `token()` is another one. */
  invalidate(token: string): void;
}

/** One call, as the service clients make it. */
export interface HttpCall {
  service: ServiceName;
  method: HttpMethod;
  url: URL;
  headers?: Readonly<Record<string, string>> | undefined;
  /** Finds the real address and headers, within the time of the call; `url` then only stands in messages until it is known. */
  prepare?: (() => Promise<Pick<HttpCall, 'url' | 'headers'>>) | undefined;
  /** Sent as JSON; a stream or bytes are sent as they are, and are never sent twice. */
  body?: unknown;
  /** Whether repeating does no harm. Default: true for GET, HEAD, PUT and DELETE. */
  idempotent?: boolean | undefined;
  /** Undefined for calls without a token (logging in, version documents). */
  tokens?: TokenSource | undefined;
  /** Gives the body as a stream, not read. */
  raw?: boolean | undefined;
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
  retries?: number | undefined;
}

export interface HttpResponse {
  status: number;
  /** Names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** Parsed JSON, text, undefined when empty, or a Readable for a raw call. */
  body: unknown;
  requestId: string | undefined;
}

export interface TransportOptions {
  dispatcher: Dispatcher;
  clock: Clock;
  /** From 0 to below 1; for the pauses between tries. */
  random: () => number;
  retry: RetryOptions;
  timeoutMs: number;
  userAgent: string;
  onRequest: ((event: RequestEvent) => void) | undefined;
}

/** Sends calls: token, time limit, retries, errors, counting. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  async send(call: HttpCall): Promise<HttpResponse> {
    const { clock } = this.#options;
    const deadline = new Deadline(clock, call.timeoutMs ?? this.#options.timeoutMs, call.signal);
    try {
      const { prepare } = call;
      const prepared = prepare && (await this.#within(prepare, errorContext(call), deadline));
      return await this.#attempts({ ...call, ...prepared }, deadline);
    } finally {
      deadline.dispose();
    }
  }

  async #attempts(call: HttpCall, deadline: Deadline): Promise<HttpResponse> {
    const { clock, retry, random } = this.#options;
    const once = isStream(call.body);
    const idempotent = !once && (call.idempotent ?? !['POST', 'PATCH'].includes(call.method));
    const context = errorContext(call);
    const { tokens } = call;
    let repeats = 0;
    let renewed = false;
    for (let attempt = 1; ; attempt++) {
      const token = tokens && (await this.#within(() => tokens.token(), context, deadline));
      const result = await this.#attempt(call, token, attempt, context, deadline);
      if (!(result instanceof OpenStackError)) return result;
      if (result.status === 404 && call.method === 'DELETE' && context.mayHaveHappened) {
        // An earlier try lost its answer after the deed: what was to go is gone.
        return { status: 204, headers: {}, body: undefined, requestId: result.requestId };
      }
      if (result instanceof UnauthorizedError && tokens && token !== undefined && !renewed && !once) {
        renewed = true;
        tokens.invalidate(token);
        continue;
      }
      if (deadline.ended || once || !isRepeatable(result, idempotent)) throw result;
      const pause = retryDelayMs(result, repeats, retry, random);
      if (repeats >= (call.retries ?? retry.retries) || pause >= deadline.remainingMs) throw result;
      context.mayHaveHappened = result.mayHaveHappened;
      repeats++;
      try {
        await sleep(clock, pause, deadline.signal);
      } catch (cause) {
        throw this.#ended(context, deadline, cause);
      }
    }
  }

  /** Work that other callers may share: it goes on when this call's time is over. */
  async #within<T>(work: () => Promise<T>, context: ErrorContext, deadline: Deadline): Promise<T> {
    try {
      return await untilAborted(work(), deadline.signal);
    } catch (cause) {
      if (cause instanceof OpenStackError) throw cause;
      throw this.#ended(context, deadline, cause);
    }
  }

  async #attempt(
    call: HttpCall,
    token: string | undefined,
    attempt: number,
    context: ErrorContext,
    deadline: Deadline,
  ): Promise<HttpResponse | OpenStackError> {
    const { clock, onRequest } = this.#options;
    const startedAt = clock.now();
    const tell = (outcome: { status: number; requestId: string | undefined; error?: string }) =>
      onRequest?.({
        service: call.service,
        method: call.method,
        path: call.url.pathname,
        ms: clock.now() - startedAt,
        attempt,
        ...outcome,
      });
    if (deadline.ended) return this.#ended(context, deadline, undefined);
    let answer: HttpResponse;
    try {
      answer = await this.#exchange(call, token, deadline);
    } catch (cause) {
      // The deed of a call whose answer we stopped waiting for is unknown.
      const unknown = { ...context, mayHaveHappened: context.mayHaveHappened || changesSomething(call.method) };
      const error = deadline.ended ? this.#ended(unknown, deadline, cause) : errorOfConnection(context, cause);
      tell({ status: 0, requestId: undefined, error: error.code ?? error.name });
      return error;
    }
    tell({ status: answer.status, requestId: answer.requestId });
    if (answer.status < 400) return answer;
    const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], clock.now());
    return errorOfAnswer(context, { ...answer, retryAfterMs });
  }

  async #exchange(call: HttpCall, token: string | undefined, deadline: Deadline): Promise<HttpResponse> {
    const { dispatcher, userAgent } = this.#options;
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': userAgent };
    let body: string | Uint8Array | Readable | undefined;
    if (isStream(call.body) || call.body instanceof Uint8Array) {
      body = call.body;
    } else if (call.body !== undefined) {
      body = JSON.stringify(call.body);
      headers['content-type'] = 'application/json';
    }
    if (token !== undefined) headers['x-auth-token'] = token;
    Object.assign(headers, call.headers);
    const response = await request(call.url, {
      dispatcher,
      method: call.method,
      headers,
      body: body ?? null,
      signal: deadline.signal,
      // The deadline is the only clock; undici's own time limits would end long uploads.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const answer = { status: response.statusCode, headers: flatten(response.headers) };
    const requestId =
      answer.headers['x-openstack-request-id'] ??
      answer.headers['x-compute-request-id'] ??
      answer.headers['x-image-request-id'];
    if (call.raw === true && response.statusCode < 400) return { ...answer, requestId, body: response.body };
    return { ...answer, requestId, body: parseBody(await response.body.text()) };
  }

  #ended(context: ErrorContext, deadline: Deadline, cause: unknown): OpenStackError {
    const details = {
      service: context.service,
      method: context.method,
      url: safeUrl(context.url),
      mayHaveHappened: context.mayHaveHappened,
    };
    const what = `${context.service}: ${context.method} ${context.url.origin}${context.url.pathname}`;
    if (deadline.ended === 'aborted') {
      return new AbortedError(`${what}: aborted by the caller`, { ...details, cause: deadline.signal.reason });
    }
    return new TimeoutError(`${what}: no answer within the time of the call`, { ...details, retryable: true, cause });
  }
}

function errorContext(call: HttpCall): ErrorContext {
  return { service: call.service, method: call.method, url: call.url, mayHaveHappened: false };
}

function isStream(body: unknown): body is Readable {
  return body instanceof Readable;
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  if (!/^\s*[[{"]/.test(text)) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
