import { CircuitBreaker } from './circuit-breaker.ts';
import { KubeClient } from './client.ts';
import type { Connection } from './connection.ts';
import type { RequestEvent } from './request-event.ts';

export interface WorkloadPoolOptions {
  userAgent: string;
  /** Default 10 000. */
  requestTimeoutMs?: number;
  /** Sockets a cluster for requests, default 1; watches have another (on HTTP/1.1 each watch one). */
  maxSockets?: number;
  /** Idle sockets are closed after this; default 30 000. */
  keepAliveMs?: number;
  onRequest?: (uid: string, e: RequestEvent) => void;
  /** Failures in a row (no answer) that open a cluster's circuit; default 3. */
  failures?: number;
  /** First time a circuit stays open, doubled up to `maxOpenMs` while probes fail; default 5 000. */
  openMs?: number;
  /** Default 60 000. */
  maxOpenMs?: number;
}

interface Entry {
  client: Promise<KubeClient>;
}

/**
 * Clients of workload clusters, by the Cluster's UID.
 *
 * Each cluster has its own sockets (two: requests and watches) and circuit breaker, so that one that is dead or swallows packets
 * costs its own callers an error at once and others nothing.
 */
export class WorkloadPool {
  readonly #o: WorkloadPoolOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(o: WorkloadPoolOptions) {
    this.#o = o;
  }

  /**
   * The client of a cluster.
   * @param load - reads the connection (from the service's kubeconfig Secret); called when the cluster is not in the pool.
   *   If it fails nothing is kept and the error is passed on
   */
  async get(uid: string, load: () => Promise<Connection>): Promise<KubeClient> {
    const known = this.#entries.get(uid);
    if (known) return await known.client;
    const entry: Entry = { client: load().then((connection) => this.#client(uid, connection)) };
    this.#entries.set(uid, entry);
    try {
      return await entry.client;
    } catch (e) {
      if (this.#entries.get(uid) === entry) this.#entries.delete(uid);
      throw e;
    }
  }

  /** Clusters that have a client now. */
  get size(): number {
    return this.#entries.size;
  }

  /** Forgets a cluster and closes its sockets: it is gone, or its credentials or endpoint changed. */
  async evict(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    this.#entries.delete(uid);
    const client = await entry?.client.catch(() => undefined);
    await client?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((uid) => this.evict(uid)));
  }

  #client(uid: string, connection: Connection): KubeClient {
    const o = this.#o;
    return new KubeClient({
      connection,
      userAgent: o.userAgent,
      requestTimeoutMs: o.requestTimeoutMs ?? 10_000,
      maxSockets: o.maxSockets ?? 1,
      keepAliveMs: o.keepAliveMs ?? 30_000,
      connectTimeoutMs: 5_000,
      gate: new CircuitBreaker({
        failures: o.failures ?? 3,
        openMs: o.openMs ?? 5_000,
        maxOpenMs: o.maxOpenMs ?? 60_000,
      }),
      onRequest: (e) => o.onRequest?.(uid, e),
    });
  }
}
