import type { IncomingHttpHeaders } from 'node:http2';
import { errorFromAnswer, KubeError } from './errors.ts';
import { noAnswer } from './no-answer.ts';
import { resourceOf } from './paths.ts';
import type { Gate, RequestEvent } from './request-event.ts';
import type { WatchListener, WatchSessions } from './watch-sessions.ts';

/** A watch: a GET whose answer goes on. */
export interface WatchSend {
  /** With the query. */
  path: string;
  accept?: string;
  signal: AbortSignal;
  /** Until the first byte of the answer. */
  headersTimeoutMs: number;
  /** Silence after which it is given up. Default: on HTTP/2 never, since the connection is pinged; on HTTP/1.1 90 000. */
  idleMs?: number | undefined;
  /** A piece of the body, in whole characters. A {@link KubeError} that it throws ends the watch. */
  onText: (text: string) => void;
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
  watchOverHttp1(w: WatchSend, loginAgain: boolean): Promise<AsyncIterable<Uint8Array>>;
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
  #again = false;
  #opened = false;
  #counted = false;
  #status = 0;
  #started = 0;
  #refusal: { headers: IncomingHttpHeaders; body: string } | undefined;

  constructor(via: WatchVia, w: WatchSend) {
    this.#via = via;
    this.#w = w;
  }

  /** Begins; once. */
  async start(loginAgain = false): Promise<void> {
    const sessions = this.#via.watchSessions;
    try {
      if (sessions && (await this.#overHttp2(sessions, loginAgain))) return;
    } catch (e) {
      this.onEnd(e);
      return;
    }
    try {
      await this.#overHttp1(loginAgain);
      this.#w.onEnd(undefined);
    } catch (e) {
      this.#failed(e instanceof KubeError ? e : this.#noAnswer(e));
    }
  }

  onOpen(status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#count(true);
    if (status >= 400) this.#refusal = { headers, body: '' };
    else this.#opened = true;
  }

  onText(text: string): void {
    if (this.#refusal) this.#refusal.body += text;
    else this.#w.onText(text);
  }

  onEnd(e: unknown): void {
    if (e === undefined && this.#refusal) {
      const { headers, body } = this.#refusal;
      this.#failed(errorFromAnswer('GET', this.#path, this.#status, headers, body));
    } else if (e === undefined) this.#w.onEnd(undefined);
    else if (e instanceof KubeError) this.#failed(e);
    else {
      const error = this.#noAnswer(e);
      this.#count(error.reason === 'Aborted' ? undefined : false);
      this.#failed(error);
    }
  }

  async #overHttp2(sessions: WatchSessions, loginAgain: boolean): Promise<boolean> {
    this.#via.options.gate?.enter('GET', this.#path);
    this.#started = performance.now();
    this.#counted = false;
    const { accept, signal, headersTimeoutMs, idleMs } = this.#w;
    const headers = await this.#via.headers(accept ? { accept } : {}, loginAgain);
    const path = this.#via.prefix + this.#w.path;
    if (await sessions.start({ path, headers, signal, headersTimeoutMs, idleMs }, this)) return true;
    // Nothing was asked: it is no request, and says nothing of the server.
    this.#counted = true;
    this.#via.options.gate?.leave(undefined);
    return false;
  }

  async #overHttp1(loginAgain: boolean): Promise<void> {
    const body = await this.#via.watchOverHttp1(this.#w, loginAgain);
    this.#opened = true;
    const decoder = new TextDecoder();
    for await (const chunk of body) this.#w.onText(decoder.decode(chunk, { stream: true }));
  }

  /** Once more where that may help, which it cannot where something was told already. */
  #failed(e: KubeError): void {
    if (this.#again || this.#opened || !this.#via.mayHelpAgain(e, 'GET')) {
      this.#w.onEnd(e);
      return;
    }
    this.#again = true;
    this.#refusal = undefined;
    void this.start(e.status === 401);
  }

  /** @param reached - see {@link Gate} */
  #count(reached: boolean | undefined): void {
    if (this.#counted) return;
    this.#counted = true;
    this.#via.options.gate?.leave(reached);
    const ms = performance.now() - this.#started;
    const path = this.#path;
    this.#via.options.onRequest?.({
      method: 'GET',
      verb: 'watch',
      path,
      resource: resourceOf(path),
      status: this.#status,
      ms,
    });
  }

  get #path(): string {
    return this.#w.path.split('?')[0] ?? this.#w.path;
  }

  #noAnswer(e: unknown): KubeError {
    return noAnswer('GET', this.#path, e, this.#w.signal);
  }
}
