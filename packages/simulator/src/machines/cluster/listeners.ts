import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createKubernetesServer, type KubernetesServer } from '../../kubernetes/http/serve.ts';
import type { Passage } from '../../kubernetes/index.ts';
import type { SimulatedCluster } from './cluster.ts';

/** Where an API server listens: a loopback address and a port. */
export interface Place {
  address: string;
  port: number;
}

/** One of the API servers behind a place. */
export interface Front {
  /** Its version; each machine of a cluster has its own while it is upgraded. */
  readonly apiVersion: string;
  /** Of its machine. */
  readonly name: string;
  /** When it started, milliseconds since the epoch; of a cluster no two are the same. */
  readonly startedAtMs: number;
}

/** What answers at a place: connections are given to the API servers in turn, as a load balancer does. */
export interface Served {
  cluster: SimulatedCluster;
  fronts: Front[];
}

/** How the way to an address is cut: connections are refused, or packets are swallowed. */
export type Cut = 'refuse' | 'hang';

interface Listener extends Served {
  tls: KubernetesServer | undefined;
  server: Server | undefined;
  sockets: Map<Socket, Front>;
  /** The API server that each client is connected to, by the client's own address and port. */
  peers: Map<string, Front>;
  /** Connections that nobody answers. */
  held: Set<Socket>;
  next: number;
  closed: boolean;
}

const keyOf = (p: Place): string => `${p.address}:${p.port}`;

/**
 * The TLS servers of workload clusters, one for each address. A client certificate counts when the cluster's own CA signed it.
 */
export class Listeners {
  readonly #open = new Map<string, Listener>();
  readonly #wanted = new Map<string, { place: Place; served: Served }>();
  readonly #cuts = new Map<string, Cut>();
  readonly #say: (what: string) => void;

  constructor(say: (what: string) => void) {
    this.#say = say;
  }

  /** How many addresses are served now. */
  get count(): number {
    return this.#open.size;
  }

  /** Outside addresses that lead to a cluster. */
  addressesOf(cluster: SimulatedCluster): string[] {
    return [...this.#wanted.values()].filter((w) => w.served.cluster === cluster).map((w) => w.place.address);
  }

  /** Lets these answer at this place, or nobody. */
  set(place: Place, served: Served | undefined): void {
    const key = keyOf(place);
    if (served) this.#wanted.set(key, { place, served });
    else this.#wanted.delete(key);
    const isRefused = this.#cuts.get(place.address) === 'refuse';
    const wanted = isRefused ? undefined : served;
    const now = this.#open.get(key);
    if (now && now.cluster === wanted?.cluster) {
      turnTo(now, wanted.fronts);
      return;
    }
    if (now) {
      this.#open.delete(key);
      end(now);
    }
    if (!wanted) return;
    const listener: Listener = {
      ...wanted,
      tls: undefined,
      server: undefined,
      sockets: new Map(),
      peers: new Map(),
      held: new Set(),
      next: 0,
      closed: false,
    };
    this.#open.set(key, listener);
    this.#start(place, listener).catch((error: Error) => {
      if (this.#open.get(key) === listener) this.#open.delete(key);
      this.#say(`cannot serve ${wanted.cluster.name} at ${key}: ${error.message}`);
    });
  }

  /** Cuts the way to an address for everybody outside, or opens it again. Connections that are open end. */
  cut(address: string, how: Cut | undefined): void {
    if (how) this.#cuts.set(address, how);
    else this.#cuts.delete(address);
    for (const { place, served } of [...this.#wanted.values()]) {
      if (place.address !== address) continue;
      const open = this.#open.get(keyOf(place));
      if (open) drop(open, () => true);
      this.set(place, served);
    }
  }

  close(): void {
    for (const listener of this.#open.values()) end(listener);
    this.#open.clear();
    this.#wanted.clear();
  }

  async #start(place: Place, listener: Listener): Promise<void> {
    const { cluster } = listener;
    const { certificate, key } = await cluster.serving();
    if (listener.closed) return;
    const tls = createKubernetesServer(
      {
        cert: certificate,
        key,
        ca: cluster.seed.ca.certificate,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => void this.#answer(listener, request, response),
    );
    tls.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void cluster.server.handleUpgrade(request, socket, head, passageOf(listener, request));
    });
    // A server of its own before that of TLS: what is swallowed must not even shake hands.
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      if (this.#cuts.get(place.address) === 'hang') {
        listener.held.add(socket.pause());
        socket.once('close', () => listener.held.delete(socket));
        return;
      }
      const front = listener.fronts[listener.next++ % listener.fronts.length];
      if (!front) return void socket.destroy();
      const peer = peerOf(socket);
      listener.sockets.set(socket, front);
      listener.peers.set(peer, front);
      socket.once('close', () => {
        listener.sockets.delete(socket);
        listener.peers.delete(peer);
      });
      tls.server.emit('connection', socket);
    });
    listener.tls = tls;
    listener.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(place.port, place.address, resolve);
    });
    if (listener.closed) end(listener);
  }

  #answer(listener: Listener, request: IncomingMessage, response: ServerResponse): Promise<void> {
    return listener.cluster.server.handle(request, response, passageOf(listener, request));
  }
}

const peerOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort}`;

/** The API server that a request's connection leads to: its TLS socket tells the peer of the one below. */
function passageOf(listener: Listener, request: IncomingMessage): Passage {
  const front = listener.peers.get(peerOf(request.socket));
  if (!front) return {};
  const { apiVersion: version, name, startedAtMs } = front;
  return { version, front: { name, startedAtMs } };
}

/** Other API servers are behind a place now: connections to those that went end. */
function turnTo(listener: Listener, fronts: Front[]): void {
  listener.fronts = fronts;
  drop(listener, (front) => !fronts.includes(front));
}

function drop(listener: Listener, which: (front: Front) => boolean): void {
  for (const [socket, front] of listener.sockets) if (which(front)) socket.destroy();
  for (const socket of listener.held) socket.destroy();
}

function end(listener: Listener): void {
  listener.closed = true;
  listener.server?.close();
  listener.tls?.cut();
  drop(listener, () => true);
}
