import { Agent, type buildConnector, type Dispatcher, errors } from 'undici';
import type { Connection } from './connection.ts';
import { Ending } from './ending.ts';
import { errorFromAnswer, KubeError } from './errors.ts';
import type { Login } from './login-plugin.ts';
import { ClosedError, noAnswer } from './no-answer.ts';
import { resourceOf } from './paths.ts';
import type { Gate, RequestEvent } from './request-event.ts';
import { HTTP1_IDLE_MS, WatchCall, type WatchSend, type WatchVia } from './watch-call.ts';
import { WatchSessions } from './watch-sessions.ts';

export interface TransportOptions {
  connection: Connection;
  userAgent: string;
  /** Sockets at most for requests; with HTTP/2 there is one for all of them, and one for all watches. Default 16. */
  maxSockets?: number;
  /** Idle sockets are closed after this; default 55 000, below the 90 s of a kube-apiserver. */
  keepAliveMs?: number;
  connectTimeoutMs?: number;
  onRequest?: (e: RequestEvent) => void;
  gate?: Gate;
  /** Silence of the connection of watches after which it is pinged; default 30 000. */
  pingMs?: number;
}

export interface Send {
  method: string;
  /** With the query. */
  path: string;
  verb: RequestEvent['verb'];
  body?: string;
  contentType?: string;
  accept?: string;
  /** Of {@link Transport.begin}. */
  signal: AbortSignal;
  /** It gets a connection that is made for it and closed after it: behind a load balancer it may lead to another server. */
  freshConnection?: boolean;
  /** Until the first byte of the answer. */
  headersTimeoutMs: number;
  /** Silence within the body. */
  bodyTimeoutMs: number;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Dispatcher.ResponseData['body'];
}

/** What a connection of its own is made with. Holds secrets. */
export interface OwnSocket {
  /** `https://host:port`, with the path of the server's root where it has one. */
  origin: string;
  headers: Record<string, string>;
  connect: buildConnector.BuildOptions;
}

/** Sends requests over few kept sockets with the credentials of a {@link Connection}. */
export class Transport implements WatchVia {
  readonly #o: TransportOptions;
  readonly #origin: string;
  readonly #prefix: string;
  /** Watches have sockets of their own: they last, and on HTTP/1.1 each takes one. */
  readonly #agents: { requests: Agent | undefined; watches: Agent | undefined } = {
    requests: undefined,
    watches: undefined,
  };
  #login: Login | undefined;
  #watches: WatchSessions | undefined;
  /** Requests under way. */
  readonly #running = new Set<Ending>();
  /** Something was asked since it was last looked. */
  #used = false;

  constructor(o: TransportOptions) {
    this.#o = o;
    const url = new URL(o.connection.server);
    this.#origin = url.origin;
    this.#prefix = url.pathname.replace(/\/+$/, '');
  }

  /**
   * What a request is given up by, when the client is closed too. Whoever begins one says when it is done.
   *
   * @param ms - how long it may take, reading its answer included
   */
  begin(caller: AbortSignal | undefined, ms: number | undefined): Ending {
    return new Ending(this.#running, caller, ms);
  }

  /**
   * Sends and returns the answer with its body unread (read it or `dump()` it), for statuses below 400.
   * @throws {KubeError} for a status of 400 and above, and with status 0 when there was no answer
   */
  async send(r: Send): Promise<Answer> {
    try {
      return await this.#once(r, false);
    } catch (e) {
      if (!this.mayHelpAgain(e, r.method)) throw e;
      return await this.#once(r, e.status === 401);
    }
  }

  /**
   * Begins a watch. Never throws: it is told how it ends.
   * @returns what gives it up; `onEnd` is told `Aborted` then
   */
  watch(w: WatchSend): () => void {
    const call = new WatchCall(this, w);
    void call.start();
    return () => call.stop();
  }

  /** @internal Whether the same request may succeed at once. */
  mayHelpAgain(e: unknown, method: string): e is KubeError {
    return (
      e instanceof KubeError &&
      // Not carried out: the credentials have expired, a new login may help.
      ((e.status === 401 && this.#o.connection.login !== undefined) ||
        // A kept connection that the server had closed in the meantime; only for reads, a write may have happened.
        (method === 'GET' && e.reason === 'Unreachable' && wasConnected(e.cause)))
    );
  }

  /**
   * Lends out what a connection of its own needs, which a WebSocket does; counted, and let through the gate, as one request.
   *
   * @param run - must throw {@link KubeError} where it fails; resolved counts as status 101
   */
  async onOwnSocket<T>(path: string, verb: RequestEvent['verb'], run: (s: OwnSocket) => Promise<T>): Promise<T> {
    const where = path.split('?')[0] ?? path;
    this.#o.gate?.enter('GET', where);
    const started = performance.now();
    let status = 0;
    let aborted = false;
    try {
      // From 1.36 on an API server passes the upgrade on to the kubelet as it is, which answers 406 to whoever asks for JSON.
      const headers = await this.headers({ accept: '*/*' }, false);
      const connect = { ...this.#tls(), allowH2: false };
      const value = await run({ origin: this.#origin + this.#prefix, headers, connect });
      status = 101;
      return value;
    } catch (e) {
      const error = e instanceof KubeError ? e : noAnswer('GET', where, e);
      status = error.status;
      // Given up, or a command that takes its time: it says nothing of whether the server can be reached.
      aborted = error.reason === 'Aborted' || error.reason === 'Timeout' || error.reason === 'TooLong';
      throw error;
    } finally {
      this.#o.gate?.leave(aborted ? undefined : status !== 0);
      const ms = performance.now() - started;
      this.#o.onRequest?.({ method: 'GET', verb, path: where, resource: resourceOf(where), status, ms });
    }
  }

  async close(): Promise<void> {
    const agents = [this.#agents.requests, this.#agents.watches];
    this.#agents.requests = undefined;
    this.#agents.watches = undefined;
    this.#watches?.close();
    this.#watches = undefined;
    // Requests are given up one by one: undici throws, where nobody can catch it, when an agent is destroyed that has requests under way on HTTP/2.
    for (const ending of [...this.#running]) ending.abort(new ClosedError());
    await Promise.all(agents.map((agent) => agent?.close()));
  }

  async #once(r: Send, loginAgain: boolean): Promise<Answer> {
    const path = r.path.split('?')[0] ?? r.path;
    this.#o.gate?.enter(r.method, path);
    const started = performance.now();
    let status = 0;
    let agent: Agent | undefined;
    let aborted = false;
    try {
      const headers = await this.headers(r, loginAgain);
      agent = r.freshConnection
        ? this.#newAgent({ connections: 1 })
        : this.#agent(r.verb === 'watch' ? 'watches' : 'requests');
      const answer = await agent.request({
        origin: this.#origin,
        path: this.#prefix + r.path,
        method: r.method as Dispatcher.HttpMethod,
        headers,
        body: r.body ?? null,
        signal: r.signal,
        headersTimeout: r.headersTimeoutMs,
        bodyTimeout: r.bodyTimeoutMs,
      });
      status = answer.statusCode;
      if (status >= 400) throw errorFromAnswer(r.method, path, status, answer.headers, await answer.body.text());
      return { status, headers: answer.headers, body: answer.body };
    } catch (e) {
      if (e instanceof KubeError) throw e;
      const error = noAnswer(r.method, path, e, r.signal);
      // The connection may be dead without a word, and HTTP/2 would send the next request into it as well.
      aborted = error.reason === 'Aborted';
      if (error.reason === 'Timeout') this.#retire(agent);
      throw error;
    } finally {
      // Ends when its answer was read.
      if (r.freshConnection) this.#retire(agent);
      this.#o.gate?.leave(aborted ? undefined : status !== 0);
      this.#o.onRequest?.({
        method: r.method,
        verb: r.verb,
        path,
        resource: resourceOf(path),
        status,
        ms: performance.now() - started,
      });
    }
  }

  /** @internal */
  async watchOverHttp1(
    w: WatchSend,
    signal: AbortSignal,
    loginAgain: boolean,
  ): Promise<Dispatcher.ResponseData['body']> {
    const { path, accept, headersTimeoutMs, idleMs = HTTP1_IDLE_MS } = w;
    const ending = this.begin(signal, undefined);
    const times = { headersTimeoutMs, bodyTimeoutMs: idleMs };
    const request = { method: 'GET', verb: 'watch', path, signal: ending.signal, ...times } as const;
    try {
      const { body } = await this.#once({ ...request, ...(accept ? { accept } : {}) }, loginAgain);
      body.once('close', () => ending.done());
      return body;
    } catch (e) {
      ending.done();
      throw e;
    }
  }

  /** @internal */
  get watchSessions(): WatchSessions | undefined {
    if (!this.#origin.startsWith('https:')) return undefined;
    this.#watches ??= new WatchSessions({
      origin: this.#origin,
      tls: () => this.#tls(),
      connectTimeoutMs: this.#o.connectTimeoutMs ?? 5_000,
      pingMs: this.#o.pingMs,
    });
    return this.#watches;
  }

  /** @internal */
  get prefix(): string {
    return this.#prefix;
  }

  /** @internal */
  get options(): Pick<TransportOptions, 'gate' | 'onRequest'> {
    return this.#o;
  }

  /** @internal Who we are, and what is asked for. */
  async headers(r: Pick<Send, 'accept' | 'contentType'>, loginAgain: boolean): Promise<Record<string, string>> {
    const { connection } = this.#o;
    if (connection.login && (!this.#login || loginAgain)) {
      const login = await connection.login(loginAgain);
      if (login.cert !== this.#login?.cert) await this.close();
      this.#login = login;
    }
    const headers: Record<string, string> = { 'user-agent': this.#o.userAgent, accept: r.accept ?? 'application/json' };
    if (r.contentType) headers['content-type'] = r.contentType;
    const token =
      this.#login?.token ?? (typeof connection.token === 'function' ? await connection.token() : connection.token);
    if (token) headers.authorization = `Bearer ${token}`;
    return headers;
  }

  #agent(kind: 'requests' | 'watches'): Agent {
    this.#used = true;
    const known = this.#agents[kind];
    if (known) return known;
    const keepAlive = this.#o.keepAliveMs ?? 55_000;
    const agent = this.#newAgent({
      ...(kind === 'requests' ? { connections: this.#o.maxSockets ?? 16 } : {}),
      keepAliveTimeout: keepAlive,
      keepAliveMaxTimeout: keepAlive,
    });
    this.#agents[kind] = agent;
    if (kind === 'requests') this.#letGoUnused(agent, keepAlive);
    return agent;
  }

  #newAgent(o: Agent.Options): Agent {
    // One connection carries all requests, where the server can; `pipelining` stays unset, so that HTTP/1.1 sends one at a time.
    return new Agent({ allowH2: true, connect: { preferH2: true, ...this.#tls() }, ...o });
  }

  /** An agent holds some 30 kB without any socket; with a thousand clusters that are only watched, this is most of what they cost. */
  #letGoUnused(agent: Agent, afterMs: number): void {
    const timer = setTimeout(() => {
      if (this.#agents.requests !== agent) return;
      if (this.#used) timer.refresh();
      else this.#retire(agent);
      this.#used = false;
    }, afterMs);
    timer.unref();
  }

  /** How a connection is made: whom we trust there, and who we are. */
  #tls(): OwnSocket['connect'] {
    const { connection: c } = this.#o;
    const cert = this.#login?.cert ?? c.cert;
    const key = this.#login?.key ?? c.key;
    return {
      timeout: this.#o.connectTimeoutMs ?? 5_000,
      ...(c.ca ? { ca: c.ca } : {}),
      ...(cert ? { cert } : {}),
      ...(key ? { key } : {}),
      ...(c.serverName ? { servername: c.serverName } : {}),
      ...(c.insecure ? { rejectUnauthorized: false } : {}),
    };
  }

  /** The next request opens a new connection; what is under way on the old one may end. */
  #retire(agent: Agent | undefined): void {
    if (!agent) return;
    for (const kind of ['requests', 'watches'] as const)
      if (this.#agents[kind] === agent) this.#agents[kind] = undefined;
    void agent.close().catch(() => {});
  }
}

function wasConnected(cause: unknown): boolean {
  const code = (cause as { code?: string } | undefined)?.code ?? '';
  return (
    cause instanceof errors.SocketError || code === 'ECONNRESET' || code === 'EPIPE' || code.startsWith('ERR_HTTP2')
  );
}
