import { AsyncLocalStorage } from 'node:async_hooks';
import http2, { type ClientHttp2Session } from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';
import { Server, type Socket } from 'node:net';
import { Agent, type Dispatcher } from 'undici';

/** A request that a service sends to somebody outside of it. */
export interface OutsideCall {
  /** Who sends it. */
  service: string;
  method: string;
  /** Scheme, host and port. */
  origin: string;
  /** With the query. */
  path: string;
}

/** Looks at each call of a living service before it is sent and when its answer has come; `true` ends the service there and then. */
export interface CallWatch {
  before?: (call: OutsideCall) => boolean;
  after?: (call: OutsideCall, status: number) => boolean;
}

const storage = new AsyncLocalStorage<Life | undefined>();
let watch: CallWatch = {};

/**
 * One run of a service within this process. All that it starts (timers, requests, servers) belongs to it by the async context, so that it
 * can be ended as SIGKILL would end it: nothing that it had begun goes on, what it listened on is closed, its connections are cut.
 */
export class Life {
  readonly service: string;
  readonly #onEnd: () => void;
  readonly #agents = new Set<Dispatcher>();
  readonly #servers = new Set<Server>();
  readonly #sessions = new Set<ClientHttp2Session>();
  /** Requests under way. */
  readonly #requests = new Set<Dispatcher.DispatchController>();
  #dead = false;

  /** @param onEnd - told once, when the service is killed by a watch or by {@link kill} */
  constructor(service: string, onEnd: () => void = () => {}) {
    this.service = service;
    this.#onEnd = onEnd;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /** Runs what the service does. */
  run<T>(fn: () => T): T {
    return storage.run(this, fn);
  }

  /** Ends it without a goodbye. */
  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const server of this.#servers) {
      server.close();
      // All of them: a server knows only those of its connections that have shaken hands.
      for (const socket of accepted.get(server) ?? []) socket.destroy();
    }
    // One by one: see `Transport.close`. Whoever waits for an answer hears nothing of it.
    for (const request of this.#requests) request.abort(new Error('the service has ended'));
    for (const agent of this.#agents) void agent.close().catch(() => {});
    this.#requests.clear();
    for (const session of this.#sessions) cutWithoutWord(session);
    this.#sessions.clear();
    this.#agents.clear();
    this.#servers.clear();
    // Not within the life that ended.
    storage.run(undefined, this.#onEnd);
  }

  /** @internal */
  began(request: Dispatcher.DispatchController): void {
    this.#requests.add(request);
  }

  /** @internal */
  ended(request: Dispatcher.DispatchController): void {
    this.#requests.delete(request);
  }

  /** @internal */
  owns(what: { agent: Dispatcher } | { server: Server } | { session: ClientHttp2Session }): void {
    if ('agent' in what) this.#agents.add(what.agent);
    else if ('server' in what) this.#servers.add(what.server);
    else {
      const { session } = what;
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
    }
  }
}

/** The service that this code runs for; undefined: none, it is the world's. */
export const currentLife = (): Life | undefined => storage.getStore();

/** Runs `fn` for that service, or for nobody. */
export const runIn = <T>(life: Life | undefined, fn: () => T): T => storage.run(life, fn);

/** Sets who looks at the calls of services; without an argument nobody does. */
export function watchCalls(next: CallWatch = {}): void {
  watch = next;
}

type Handler = Dispatcher.DispatchHandler & {
  onBodySent?: (chunk: unknown) => void;
  onRequestSent?: () => void;
  onResponseStarted?: () => void;
};

/** Passes on what a living service is answered, and nothing to a dead one. */
function guarded(life: Life, call: OutsideCall, inner: Handler): Handler {
  const alive =
    <A extends unknown[]>(fn: ((...args: A) => void) | undefined) =>
    (...args: A): void => {
      if (!life.dead) fn?.apply(inner, args);
    };
  return {
    onRequestStart: (controller, context) => {
      if (life.dead) {
        controller.abort(new Error('the service has ended'));
        return;
      }
      life.began(controller);
      inner.onRequestStart?.(controller, context);
    },
    onRequestUpgrade: alive(inner.onRequestUpgrade),
    onResponseStart: (controller, status, headers, text) => {
      // A watch never ends, so its answer counts from its first line on, as any.
      if (!life.dead && watch.after?.(call, status)) life.kill();
      if (!life.dead) inner.onResponseStart?.(controller, status, headers, text);
    },
    onResponseData: alive(inner.onResponseData),
    onResponseEnd: (controller, trailers) => {
      life.ended(controller);
      if (!life.dead) inner.onResponseEnd?.(controller, trailers);
    },
    onResponseError: (controller, error) => {
      life.ended(controller);
      if (!life.dead) inner.onResponseError?.(controller, error);
    },
    onBodySent: alive(inner.onBodySent),
    onRequestSent: alive(inner.onRequestSent),
    onResponseStarted: alive(inner.onResponseStarted),
  };
}

/** Connections that a server has taken. */
const accepted = new WeakMap<Server, Set<Socket>>();
const streams = new WeakMap<ClientHttp2Session, Set<http2.ClientHttp2Stream>>();

/** Cuts a connection of watches; nobody who listened to it is told. */
function cutWithoutWord(session: ClientHttp2Session): void {
  for (const emitter of [session, ...(streams.get(session) ?? [])]) emitter.removeAllListeners().on('error', () => {});
  session.destroy();
}

/** Connections over HTTP/2 of a living service, its watches, belong to it. */
function ownSessions(): void {
  const { connect } = http2;
  http2.connect = ((...args: unknown[]) => {
    const session = (connect as (...a: unknown[]) => ClientHttp2Session)(...args);
    const life = currentLife();
    if (!life) return session;
    const own = new Set<http2.ClientHttp2Stream>();
    streams.set(session, own);
    const { request } = session;
    session.request = (...a) => {
      const stream = request.apply(session, a);
      own.add(stream);
      stream.once('close', () => own.delete(stream));
      return stream;
    };
    life.owns({ session });
    if (life.dead) cutWithoutWord(session);
    return session;
  }) as typeof connect;
  syncBuiltinESMExports();
}

let installed = false;

/** Puts lives between all services of this process and the outside. Once for the process; harmless for code that runs for nobody. */
export function installLives(): void {
  if (installed) return;
  installed = true;
  const { dispatch } = Agent.prototype;
  Agent.prototype.dispatch = function (this: Agent, options, handler) {
    const life = currentLife();
    if (!life) return dispatch.call(this, options, handler);
    // Whoever is dead gets no answer and no error: there is nobody left to go on.
    if (life.dead) return true;
    life.owns({ agent: this });
    const call: OutsideCall = {
      service: life.service,
      method: options.method,
      origin: String(options.origin ?? ''),
      path: options.path,
    };
    if (watch.before?.(call)) {
      life.kill();
      return true;
    }
    return dispatch.call(this, options, guarded(life, call, handler as Handler));
  };
  ownSessions();
  const { listen } = Server.prototype;
  Server.prototype.listen = function (this: Server, ...args: unknown[]) {
    const life = currentLife();
    if (life) {
      const sockets = new Set<Socket>();
      accepted.set(this, sockets);
      this.on('connection', (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
      });
      life.owns({ server: this });
    }
    return (listen as (...a: unknown[]) => Server).apply(this, args);
  } as typeof listen;
}
