import { createServer, type Server } from 'node:https';
import type { SimulatedCluster } from './cluster.ts';

/** Where an API server listens: a loopback address and a port. */
export interface Place {
  address: string;
  port: number;
}

interface Listener {
  cluster: SimulatedCluster;
  server: Server | undefined;
  closed: boolean;
}

const keyOf = (p: Place): string => `${p.address}:${p.port}`;

/**
 * The TLS servers of workload clusters, one for each address. A client certificate counts when the cluster's own CA signed it.
 */
export class Listeners {
  readonly #open = new Map<string, Listener>();
  readonly #say: (what: string) => void;

  constructor(say: (what: string) => void) {
    this.#say = say;
  }

  /** How many addresses are served now. */
  get count(): number {
    return this.#open.size;
  }

  /** Lets `cluster` answer at this place, or nobody. */
  set(place: Place, cluster: SimulatedCluster | undefined): void {
    const key = keyOf(place);
    const now = this.#open.get(key);
    if (now?.cluster === cluster) return;
    if (now) {
      this.#open.delete(key);
      end(now);
    }
    if (!cluster) return;
    const listener: Listener = { cluster, server: undefined, closed: false };
    this.#open.set(key, listener);
    this.#start(place, listener).catch((error: Error) => {
      if (this.#open.get(key) === listener) this.#open.delete(key);
      this.#say(`cannot serve ${cluster.seed.configuration.clusterName} at ${key}: ${error.message}`);
    });
  }

  close(): void {
    for (const listener of this.#open.values()) end(listener);
    this.#open.clear();
  }

  async #start(place: Place, listener: Listener): Promise<void> {
    const { cluster } = listener;
    const { certificate, key } = await cluster.serving();
    if (listener.closed) return;
    const server = createServer(
      {
        cert: certificate,
        key,
        ca: cluster.seed.ca.certificate,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
      },
      (request, response) => void cluster.server.handle(request, response),
    );
    listener.server = server;
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(place.port, place.address, resolve);
    });
    if (listener.closed) end(listener);
  }
}

function end(listener: Listener): void {
  listener.closed = true;
  listener.server?.close();
  listener.server?.closeAllConnections();
}
