import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const NORMAL_CLOSURE = 1000;

/** The server's side of one WebSocket (RFC 6455): sends binary messages, answers pings, takes what the client says. No compression. */
export class WebSocketConnection {
  readonly protocol: string;
  readonly #socket: Duplex;
  #unread: Buffer;
  #closed = false;

  private constructor(socket: Duplex, head: Buffer, protocol: string) {
    this.#socket = socket;
    this.protocol = protocol;
    this.#unread = head;
    socket.on('data', (data: Buffer) => this.#take(data));
    socket.on('error', () => this.#end());
    socket.on('close', () => this.#end());
    this.#take(Buffer.alloc(0));
  }

  /**
   * Takes an upgrade.
   * @param protocols - that the server knows; the first of the client's that is among them is spoken
   * @returns undefined when there is no such protocol, or the request is no handshake: nothing was written then
   */
  static accept(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    protocols: readonly string[],
  ): WebSocketConnection | undefined {
    const key = request.headers['sec-websocket-key'];
    const wanted = String(request.headers['sec-websocket-protocol'] ?? '')
      .split(',')
      .map((p) => p.trim());
    const protocol = wanted.find((p) => protocols.includes(p));
    if (request.headers.upgrade?.toLowerCase() !== 'websocket' || !key || protocol === undefined) return undefined;
    const accepted = createHash('sha1').update(`${key}${MAGIC}`).digest('base64');
    socket.write(
      [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${accepted}`,
        `Sec-WebSocket-Protocol: ${protocol}`,
        '\r\n',
      ].join('\r\n'),
    );
    return new WebSocketConnection(socket, head, protocol);
  }

  /** Whether the other side has gone, or this one has ended it. */
  get closed(): boolean {
    return this.#closed;
  }

  send(message: Buffer): void {
    if (!this.#closed) this.#frame(BINARY, message);
  }

  /** Ends it in order. */
  close(): void {
    if (this.#closed) return;
    const code = Buffer.alloc(2);
    code.writeUInt16BE(NORMAL_CLOSURE);
    this.#frame(CLOSE, code);
    this.#end();
    this.#socket.end();
  }

  #end(): void {
    this.#closed = true;
  }

  #frame(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const head =
      length < 126
        ? Buffer.from([0x80 | opcode, length])
        : length < 65_536
          ? Buffer.from([0x80 | opcode, 126, length >> 8, length & 255])
          : Buffer.alloc(10);
    if (head.length === 10) {
      head[0] = 0x80 | opcode;
      head[1] = 127;
      head.writeBigUInt64BE(BigInt(length), 2);
    }
    this.#socket.write(Buffer.concat([head, payload]));
  }

  /** Reads whole frames of the client. What it sends as data is standard input, which no command here reads. */
  #take(data: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, data]);
    for (;;) {
      const b = this.#unread;
      if (this.#closed || b.length < 2) return;
      const opcode = b[0]! & 15;
      const short = b[1]! & 127;
      const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
      const masked = (b[1]! & 128) !== 0;
      const start = 2 + lengthBytes + (masked ? 4 : 0);
      if (b.length < start) return;
      const length = lengthBytes === 0 ? short : lengthBytes === 2 ? b.readUInt16BE(2) : Number(b.readBigUInt64BE(2));
      if (b.length < start + length) return;
      const mask = masked ? b.subarray(start - 4, start) : undefined;
      const payload = Buffer.from(b.subarray(start, start + length)).map((v, i) => (mask ? v ^ mask[i % 4]! : v));
      this.#unread = b.subarray(start + length);
      if (opcode === PING) this.#frame(PONG, Buffer.from(payload));
      if (opcode === CLOSE) this.close();
    }
  }
}
