import { type Engine, type QueueOptions, toReconcileError } from '@shoto/reconciler';

/**
 * The queues of an engine within the process: one key at a time, the newest state wins, no Redis. What the engine itself promises is tested in its
 * own package.
 */
export class LocalEngine {
  readonly #queues = new Map<string, LocalQueue>();
  /** Passes that were run, by queue and key. */
  readonly passes: { queue: string; key: string }[] = [];

  /** This as the engine that the wiring wants. */
  get engine(): Engine {
    return this as unknown as Engine;
  }
  queue(name: string, o: QueueOptions): LocalQueue {
    const known = this.#queues.get(name) ?? new LocalQueue(name, o, (key) => this.passes.push({ queue: name, key }));
    this.#queues.set(name, known);
    return known;
  }
  owns(): boolean {
    return true;
  }
  async feed(): Promise<void> {}
  onShareChanged(): void {}
  onStateLost(): void {}
  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((q) => q.close()));
  }
}

class LocalQueue {
  readonly name: string;
  readonly #o: QueueOptions;
  readonly #ran: (key: string) => void;
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #failures = new Map<string, number>();
  #closed = false;

  constructor(name: string, o: QueueOptions, ran: (key: string) => void) {
    this.name = name;
    this.#o = o;
    this.#ran = ran;
  }

  async add(key: string): Promise<void> {
    if (this.#closed) return;
    if (this.#running.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#running.set(key, this.#run(key));
  }

  async addAll(keys: Iterable<string>): Promise<void> {
    for (const key of keys) await this.add(key);
  }

  async addAfter(key: string, ms: number): Promise<void> {
    clearTimeout(this.#timers.get(key));
    this.#timers.set(
      key,
      setTimeout(() => void this.add(key), ms),
    );
  }

  async #run(key: string): Promise<void> {
    clearTimeout(this.#timers.get(key));
    this.#ran(key);
    const attempt = (this.#failures.get(key) ?? 0) + 1;
    try {
      const outcome = await this.#o.reconcile(key, { signal: AbortSignal.timeout(20_000), attempt });
      this.#failures.delete(key);
      if (outcome?.requeueAfterMs !== undefined) await this.addAfter(key, outcome.requeueAfterMs);
    } catch (e) {
      const error = toReconcileError(e);
      this.#failures.set(key, attempt);
      await this.#o.onError?.(key, error, 20);
      if (error.kind !== 'terminal') await this.addAfter(key, error.kind === 'waiting' ? 100 : 20);
    } finally {
      this.#running.delete(key);
      if (this.#again.delete(key)) await this.add(key);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const t of this.#timers.values()) clearTimeout(t);
    await Promise.all(this.#running.values());
    for (const t of this.#timers.values()) clearTimeout(t);
  }
}
