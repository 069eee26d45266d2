import type { EventEmitter } from 'node:events';
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';

/** One watch: a GET whose answer goes on for as long as both sides like. */
export interface WatchRequest {
  /** With the query. */
  path: string;
  headers: Record<string, string>;
  /** Until the first byte of the answer. */
  headersTimeoutMs: number;
  /** Silence after which the watch is given up; undefined: it may be quiet for as long as the connection lives. */
  idleMs?: number | undefined;
}

/** Who is told of a watch. */
export interface WatchListener {
  /** The answer has begun. */
  onOpen(status: number, headers: IncomingHttpHeaders): void;
  /** A piece of the body. What it throws ends the watch. */
  onData(chunk: Uint8Array): void;
  /** Once, at last. @param e - why; undefined: the server ended it */
  onEnd(e: unknown): void;
}

export interface WatchSessionsOptions {
  /** `https://host:port` */
  origin: string;
  /** Whom we trust there and who we are, asked for each connection. */
  tls: () => ConnectionOptions;
  connectTimeoutMs: number;
  /** Silence of a connection after which it is pinged; one that does not answer within the same time again is dead. Default 30 000. */
  pingMs?: number | undefined;
}

/** A failure of the connection, with a code as Node's own have one. */
class SessionError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** One connection and what is under way on it. */
interface Session {
  http2: ClientHttp2Session;
  /** Watches on it. */
  open: number;
  /** Something came since it was last looked. */
  heard: boolean;
}

/**
 * All watches of one API server over one HTTP/2 connection: a further watch costs a stream (some kB), not a socket and a TLS state. A further connection is
 * made only where the server allows no more streams on one.
 *
 * Whether the connection lives is asked by PING while it is quiet, so a quiet watch need not be asked anew to know.
 */
export class WatchSessions {
  readonly #o: WatchSessionsOptions;
  #sessions: Session[] = [];
  /** The connection that is being made; all who want one meanwhile wait for it. */
  #coming: Promise<void> | undefined;
  #http1 = false;
  #closed = false;

  constructor(o: WatchSessionsOptions) {
    this.#o = o;
  }

  /**
   * Begins a watch; what becomes of it, the listener is told. Nothing waits for its end here: with thousands of watches, what waits is what costs memory.
   *
   * @returns what gives the watch up, of which the listener is not told; undefined when nothing was sent: the server speaks HTTP/1.1 only
   * @throws Error of Node when there is no connection; the listener is told nothing then
   */
  async start(r: WatchRequest, listener: WatchListener): Promise<(() => void) | undefined> {
    let session = this.#take();
    // Many may wait for one connection, more than there is room for.
    while (!session && !this.#http1) {
      await this.#connection();
      session = this.#take();
    }
    if (!session) return undefined;
    try {
      return carryOut(session, r, listener);
    } catch (e) {
      leave(session);
      throw e;
    }
  }

  /** Cuts all connections; watches under way fail. It cannot be used any more. */
  close(): void {
    this.#closed = true;
    for (const { http2 } of this.#sessions) http2.destroy();
  }

  /** A place on a connection that has room. */
  #take(): Session | undefined {
    const session = this.#sessions.find(
      ({ http2, open }) =>
        !http2.closed &&
        !http2.destroyed &&
        (open === 0 || open < (http2.remoteSettings.maxConcurrentStreams ?? Number.MAX_VALUE)),
    );
    if (session && session.open++ === 0) session.http2.ref();
    return session;
  }

  #connection(): Promise<void> {
    this.#coming ??= this.#connect().finally(() => {
      this.#coming = undefined;
    });
    return this.#coming;
  }

  async #connect(): Promise<void> {
    const closed = (): SessionError => new SessionError('ECONNRESET', 'the connection was closed');
    if (this.#closed) throw closed();
    const socket = connectTls({ ...addressOf(this.#o.origin), ALPNProtocols: ['h2', 'http/1.1'], ...this.#o.tls() });
    const timer = setTimeout(
      () => socket.destroy(new SessionError('CONNECT_TIMEOUT', `no connection in ${this.#o.connectTimeoutMs} ms`)),
      this.#o.connectTimeoutMs,
    );
    try {
      socket.setNoDelay(true);
      await happens(socket, 'secureConnect', closed);
      if (this.#closed) throw closed();
      if (socket.alpnProtocol !== 'h2') {
        this.#http1 = true;
        socket.destroy();
        return;
      }
      const http2 = connect(this.#o.origin, { createConnection: () => socket });
      // How many streams the server allows is the first thing that it says.
      await happens(http2, 'remoteSettings', closed);
      if (this.#closed) throw closed();
      this.#keep(http2);
    } catch (e) {
      socket.destroy();
      throw e;
    } finally {
      clearTimeout(timer);
    }
  }

  #keep(http2: ClientHttp2Session): void {
    const session: Session = { http2, open: 0, heard: true };
    this.#sessions.push(session);
    // Whoever waits on a stream is told by it.
    http2.on('error', () => {});
    http2.unref();
    let asked = false;
    const look = setInterval(() => {
      // After what has come in meanwhile: when this process was busy for long, the answer may lie there unread.
      setImmediate(() => {
        if (session.heard) asked = false;
        else if (asked) http2.destroy(new SessionError('PING_TIMEOUT', 'the connection is dead: no answer to a ping'));
        else if (session.open === 0) http2.close();
        else {
          asked = http2.ping((e) => {
            if (!e) session.heard = true;
          });
        }
        session.heard = false;
      });
    }, this.#o.pingMs ?? 30_000);
    look.unref();
    http2.once('close', () => {
      clearInterval(look);
      this.#sessions = this.#sessions.filter((s) => s !== session);
    });
  }
}

function addressOf(origin: string): ConnectionOptions {
  const { hostname, port } = new URL(origin);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  return { host, port: Number(port || 443), ...(isIP(host) ? {} : { servername: host }) };
}

/** Waits for an event. @throws what `error` says, or {@link closed} when the emitter closes before */
async function happens(emitter: EventEmitter, event: string, closed: () => Error): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    emitter.once(event, () => resolve());
    emitter.on('error', reject);
    emitter.once('close', () => reject(closed()));
  });
}

function leave(session: Session): void {
  if (--session.open === 0) session.http2.unref();
}

/** Carries out one watch on a connection, whose place it gives back at the end. @returns what gives it up */
function carryOut(session: Session, r: WatchRequest, listener: WatchListener): () => void {
  const { idleMs } = r;
  const stream = session.http2.request({ ':method': 'GET', ':path': r.path, ...r.headers }, { endStream: true });
  let timer: NodeJS.Timeout | undefined;
  let ended = false;
  const giveUpAfter = (ms: number | undefined, code: string): void => {
    if (timer) clearTimeout(timer);
    timer = ms === undefined ? undefined : setTimeout(() => end(new SessionError(code, `silent for ${ms} ms`)), ms);
  };
  /** @returns whether it is the first to end it */
  const finish = (cancel: boolean): boolean => {
    if (ended) return false;
    ended = true;
    if (timer) clearTimeout(timer);
    if (cancel) stream.close(constants.NGHTTP2_CANCEL);
    leave(session);
    return true;
  };
  const end = (e: unknown): void => {
    if (finish(e !== undefined)) listener.onEnd(e);
  };
  giveUpAfter(r.headersTimeoutMs, 'HEADERS_TIMEOUT');
  stream.once('response', ({ ':status': status, ...headers }) => {
    if (ended) return;
    session.heard = true;
    giveUpAfter(idleMs, 'BODY_TIMEOUT');
    listener.onOpen(status ?? 0, headers);
  });
  stream.on('data', (chunk: Buffer) => {
    if (ended) return;
    session.heard = true;
    timer?.refresh();
    try {
      listener.onData(chunk);
    } catch (e) {
      end(e);
    }
  });
  stream.on('error', end);
  stream.once('close', () => {
    const byServer = stream.rstCode === constants.NGHTTP2_NO_ERROR && stream.readableEnded;
    end(byServer ? undefined : new SessionError('ECONNRESET', 'the server broke the watch off'));
  });
  return () => void finish(true);
}
