import type { IncomingHttpHeaders } from 'node:http2';
import { errorFromAnswer, KubeError } from './errors.ts';
import { Lines } from './lines.ts';
import { noAnswer } from './no-answer.ts';
import { resourceOf } from './paths.ts';
import type { Gate, RequestEvent } from './request-event.ts';
import type { WatchListener, WatchSessions } from './watch-sessions.ts';

/** Silence of a watch on HTTP/1.1 after which its connection counts as dead: API servers send a bookmark about each minute. */
export const HTTP1_IDLE_MS = 90_000;

/** A watch: a GET whose answer goes on. */
export interface WatchSend {
  /** With the query. */
  path: string;
  accept?: string;
  /** Until the first byte of the answer. */
  headersTimeoutMs: number;
  /** Silence after which it is given up. Default: on HTTP/2 never, since the connection is pinged; on HTTP/1.1 90 000. */
  idleMs?: number | undefined;
  /** A line of the answer. A {@link KubeError} that it throws ends the watch. */
  onLine: (line: string) => void;
  /**
   * Once, at last. Undefined: the server ended it. Else what the listener threw, the server's refusal (status of 400 and above), or that there was no
   * answer, or it broke off (status 0).
   */
  onEnd: (e: KubeError | undefined) => void;
}

/** How a watch reaches its server. */
export interface WatchVia {
  /** Path of the server's root. */
  readonly prefix: string;
  readonly options: { gate?: Gate; onRequest?: (e: RequestEvent) => void };
  /** Undefined: the server is asked over plain HTTP. */
  readonly watchSessions: WatchSessions | undefined;
  headers(r: { accept?: string }, loginAgain: boolean): Promise<Record<string, string>>;
  watchOverHttp1(w: WatchSend, signal: AbortSignal, loginAgain: boolean): Promise<AsyncIterable<Uint8Array>>;
  /** Whether the same request may succeed at once. */
  mayHelpAgain(e: unknown, method: string): boolean;
}

/**
 * One watch, from its request to its end, counted as one request when its answer begins.
 *
 * Over HTTP/2 it lives in what the stream tells, not in functions that wait: one object for each watch.
 */
export class WatchCall implements WatchListener {
  readonly #via: WatchVia;
  readonly #w: WatchSend;
  readonly #lines = new Lines();
  #again = false;
  #opened = false;
  /** The gate was left, and the request told. */
  #counted = true;
  #ended = false;
  #status = 0;
  #started = 0;
  #refusal: { headers: IncomingHttpHeaders; body: Uint8Array[] } | undefined;
  /** Ends what is under way at the server. */
  #cancel: (() => void) | undefined;

  constructor(via: WatchVia, w: WatchSend) {
    this.#via = via;
    this.#w = w;
  }

  /** Begins; once. */
  async start(loginAgain = false): Promise<void> {
    try {
      if (this.#via.watchSessions && (await this.#overHttp2(loginAgain))) return;
      await this.#overHttp1(loginAgain);
      this.onEnd(undefined);
    } catch (e) {
      this.onEnd(e);
    }
  }

  /** Gives it up; `onEnd` is told `Aborted` before this returns, unless it had ended. */
  stop(): void {
    if (this.#ended) return;
    this.#again = true;
    this.onEnd(new DOMException('the watch was given up', 'AbortError'));
    this.#cancel?.();
  }

  onOpen(status: number, headers: IncomingHttpHeaders): void {
    if (this.#ended) return;
    this.#status = status;
    this.#count(true);
    if (status >= 400) this.#refusal = { headers, body: [] };
    else this.#opened = true;
  }

  onData(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (this.#refusal) this.#refusal.body.push(chunk);
    else this.#lines.push(chunk, this.#w.onLine);
  }

  onEnd(e: unknown): void {
    if (this.#ended) return;
    if (e === undefined && this.#refusal) {
      const { headers, body } = this.#refusal;
      this.#end(errorFromAnswer('GET', this.#path, this.#status, headers, Buffer.concat(body).toString('utf8')));
    } else if (e === undefined || e instanceof KubeError) {
      this.#count(undefined);
      this.#end(e);
    } else {
      const error = noAnswer('GET', this.#path, e);
      this.#count(error.reason === 'Aborted' ? undefined : false);
      this.#end(error);
    }
  }

  async #overHttp2(loginAgain: boolean): Promise<boolean> {
    this.#via.options.gate?.enter('GET', this.#path);
    this.#started = performance.now();
    this.#counted = false;
    const { accept, headersTimeoutMs, idleMs } = this.#w;
    const headers = await this.#via.headers(accept ? { accept } : {}, loginAgain);
    const path = this.#via.prefix + this.#w.path;
    // Asked for after the login, which may have closed the connections of the one before.
    const cancel = await this.#via.watchSessions?.start({ path, headers, headersTimeoutMs, idleMs }, this);
    this.#cancel = cancel;
    if (this.#ended) cancel?.();
    if (cancel || this.#ended) return true;
    // Nothing was asked: it is no request, and says nothing of the server.
    this.#counted = true;
    this.#via.options.gate?.leave(undefined);
    return false;
  }

  async #overHttp1(loginAgain: boolean): Promise<void> {
    const abort = new AbortController();
    this.#cancel = () => abort.abort();
    const body = await this.#via.watchOverHttp1(this.#w, abort.signal, loginAgain);
    this.#opened = true;
    for await (const chunk of body) this.onData(chunk);
  }

  /** Tells the end, or tries once more where that may help, which it cannot where something was told already. */
  #end(e: KubeError | undefined): void {
    if (e && !this.#again && !this.#opened && this.#via.mayHelpAgain(e, 'GET')) {
      this.#again = true;
      this.#refusal = undefined;
      void this.start(e.status === 401);
      return;
    }
    this.#ended = true;
    this.#w.onEnd(e);
  }

  /** @param reached - see {@link Gate} */
  #count(reached: boolean | undefined): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#via.options.gate?.leave(reached);
    const ms = performance.now() - this.#started;
    const path = this.#path;
    const told = { method: 'GET', verb: 'watch', path, resource: resourceOf(path), status: this.#status, ms } as const;
    this.#via.options.onRequest?.(told);
  }

  get #path(): string {
    return this.#w.path.split('?')[0] ?? this.#w.path;
  }
}
