import { createHash } from 'node:crypto';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { selfSigned } from './self-signed.ts';

/** What an exec server does with one command. */
export interface ExecSession {
  /** The request's path and query. */
  url: URL;
  /** Protocols that the client offers, in its order. */
  protocols: string[];
  /** Subject of the client's certificate. */
  client: string;
  headers: Record<string, string | string[] | undefined>;
  /** Says something on a stream: 1 stdout, 2 stderr, 3 the status. */
  say(stream: number, text: string): void;
  /** Ends as an API server does: a status, then a closed connection. */
  end(status: object): undefined;
  /** Cuts the connection without a word. */
  cut(): undefined;
}

/** An exec endpoint over TLS. */
export interface ExecServer {
  url: string;
  /** The CA, and a client's certificate and key, PEM. */
  ca: string;
  cert: string;
  key: string;
  sessions: ExecSession[];
  /** Connections that are open. */
  readonly open: number;
  close(): Promise<void>;
}

/** One unmasked frame (RFC 6455, 5.2), whole. */
function frame(opcode: number, payload: Buffer): Buffer {
  const n = payload.length;
  const head = n < 126 ? Buffer.from([0x80 | opcode, n]) : Buffer.from([0x80 | opcode, 126, n >> 8, n & 0xff]);
  return Buffer.concat([head, payload]);
}

/**
 * Serves exec over WebSockets as a kube-apiserver does, for tests of a client.
 *
 * @param run - carries a command out, or returns a refusal instead of taking the upgrade
 */
export async function startExecServer(
  run: (s: ExecSession) => { status: number; body: object } | undefined,
): Promise<ExecServer> {
  const own = selfSigned();
  const sessions: ExecSession[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ ...own, ca: own.cert, requestCert: true, rejectUnauthorized: true });
  server.on('secureConnection', (s: TLSSocket) => {
    sockets.add(s);
    s.on('close', () => sockets.delete(s));
  });
  server.on('upgrade', (req, socket: Duplex) => {
    socket.on('error', () => {});
    socket.resume(); // what the client says is its own close
    const offered = String(req.headers['sec-websocket-protocol'] ?? '').split(/, */);
    const accept = createHash('sha1')
      .update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64');
    let said = Buffer.alloc(0);
    const session: ExecSession = {
      url: new URL(req.url ?? '/', 'https://host'),
      protocols: offered,
      client: String((req.socket as TLSSocket).getPeerCertificate().subject?.CN),
      headers: req.headers,
      say(stream, text) {
        const out = frame(2, Buffer.concat([Buffer.from([stream]), Buffer.from(text)]));
        if (upgraded) socket.write(out);
        else said = Buffer.concat([said, out]);
      },
      end(status) {
        session.say(3, JSON.stringify(status));
        const bye = frame(8, Buffer.from([0x03, 0xe8]));
        if (upgraded) socket.end(bye);
        else setImmediate(() => socket.end(bye));
        return undefined;
      },
      cut: () => void setImmediate(() => socket.destroy()),
    };
    let upgraded = false;
    sessions.push(session);
    const refusal = run(session);
    if (refusal) {
      const body = JSON.stringify(refusal.body);
      socket.end(
        `HTTP/1.1 ${refusal.status} No\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
      return;
    }
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ${accept}\r\nsec-websocket-protocol: ${offered[0]}\r\n\r\n`,
    );
    upgraded = true;
    socket.write(said);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: own.cert,
    ...own,
    sessions,
    get open() {
      return sockets.size;
    },
    async close() {
      for (const s of sockets) s.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
