import type { Clock } from '@shoto/service';

/** Lets requests wait for a change of an object without asking for it again and again. */
export class Wakeups {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something about this UID has changed. */
  wake(uid: string): void {
    for (const go of [...(this.#waiting.get(uid) ?? [])]) go();
  }

  /** Ends every wait: the server stops. */
  wakeAll(): void {
    for (const uid of [...this.#waiting.keys()]) this.wake(uid);
  }

  /**
   * Starts to listen at once, so that a change between looking and waiting is not lost.
   *
   * @returns `wait(ms, signal)` resolves at the first change since `listen`, after `ms`, or when the signal is aborted; `stop` must be called in the end
   */
  listen(uids: readonly string[]): { wait: (ms: number, signal: AbortSignal) => Promise<void>; stop: () => void } {
    const changed = new AbortController();
    const go = (): void => changed.abort();
    for (const uid of uids) {
      const set = this.#waiting.get(uid) ?? new Set();
      this.#waiting.set(uid, set.add(go));
    }
    return {
      wait: (ms, signal) => this.#clock.sleep(ms, AbortSignal.any([changed.signal, signal])),
      stop: () => {
        for (const uid of uids) {
          const set = this.#waiting.get(uid);
          set?.delete(go);
          if (set?.size === 0) this.#waiting.delete(uid);
        }
      },
    };
  }
}
