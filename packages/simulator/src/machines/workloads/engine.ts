import type { Clock, Timer } from '../../core/clock.ts';
import { type ApiServer, StatusError } from '../../kubernetes/index.ts';
import type { Change } from '../../kubernetes/store/store.ts';

/** A controller of a simulated cluster: says which keys a change concerns, and brings one key in order. */
export interface Controller {
  name: string;
  /** Tables of the store whose changes matter, each with the keys that a change concerns. Must not write. */
  sees: Record<string, (change: Change) => Iterable<string>>;
  /** May write. What it throws is tried again later. */
  reconcile(key: string): void;
}

const RETRY_MS = 1000;
const MAX_RETRY_MS = 60_000;

/** Runs the controllers of one cluster: on changes and timers only, each key once however often it was named. */
export class Engine {
  readonly #clock: Clock;
  readonly #controllers = new Map<string, Controller>();
  readonly #byTable = new Map<string, Controller[]>();
  readonly #dirty = new Map<Controller, Set<string>>();
  readonly #timers = new Map<string, { due: number; timer: Timer }>();
  readonly #failures = new Map<string, number>();
  readonly #unlisten: () => void;
  #scheduled = false;
  #suspended = false;
  #closed = false;

  readonly #say: (what: string) => void;

  /** @param say - told of a controller's own mistakes */
  constructor(server: ApiServer, clock: Clock, say: (what: string) => void) {
    this.#clock = clock;
    this.#say = say;
    this.#unlisten = server.store.listenToAll((table, change) => {
      for (const c of this.#byTable.get(table) ?? []) {
        for (const key of c.sees[table]?.(change) ?? []) this.#mark(c, key);
      }
    });
  }

  add(controller: Controller): void {
    this.#controllers.set(controller.name, controller);
    this.#dirty.set(controller, new Set());
    for (const table of Object.keys(controller.sees))
      this.#byTable.set(table, [...(this.#byTable.get(table) ?? []), controller]);
  }

  /** Lets a controller look at a key soon. */
  wake(name: string, key: string): void {
    const controller = this.#controllers.get(name);
    if (controller) this.#mark(controller, key);
  }

  /** Lets it look in `ms`; an earlier look that is planned stays. */
  wakeAfter(name: string, key: string, ms: number): void {
    if (ms <= 0) {
      this.wake(name, key);
      return;
    }
    const id = `${name} ${key}`;
    const due = this.#clock.now() + ms;
    const planned = this.#timers.get(id);
    if (planned && planned.due <= due) return;
    planned?.timer.cancel();
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(id);
      this.wake(name, key);
    }, ms);
    this.#timers.set(id, { due, timer });
  }

  /** The API is away: nothing is done until {@link resume}. */
  suspend(): void {
    this.#suspended = true;
  }

  resume(): void {
    this.#suspended = false;
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    for (const { timer } of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #mark(controller: Controller, key: string): void {
    this.#dirty.get(controller)?.add(key);
    this.#schedule();
  }

  // Later and not at once: a write inside a listener would overtake the change that caused it.
  #schedule(): void {
    if (this.#scheduled || this.#suspended || this.#closed) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#suspended || this.#closed) return;
      for (const [controller, keys] of this.#dirty) {
        if (keys.size === 0) continue;
        const now = [...keys];
        keys.clear();
        for (const key of now) this.#run(controller, key);
      }
    });
  }

  #run(controller: Controller, key: string): void {
    const id = `${controller.name} ${key}`;
    try {
      controller.reconcile(key);
      if (this.#failures.size > 0) this.#failures.delete(id);
    } catch (error) {
      // A mistake of ours in one cluster must not end all the others.
      if (!(error instanceof StatusError))
        this.#say(`controller ${id}: ${error instanceof Error ? error.stack : String(error)}`);
      const failures = (this.#failures.get(id) ?? 0) + 1;
      this.#failures.set(id, failures);
      this.wakeAfter(controller.name, key, Math.min(RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS));
    }
  }
}
