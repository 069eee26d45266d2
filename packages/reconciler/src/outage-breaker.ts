/** Stops a queue whose other side is down as a whole: after `failures` outages in a row, one pass each `openMs`. */
export class OutageBreaker {
  readonly #o: { failures: number; openMs: number };
  readonly #now: () => number;
  #failed = 0;
  #openUntil = 0;

  constructor(o: { failures: number; openMs: number }, now: () => number = () => performance.now()) {
    this.#o = o;
    this.#now = now;
  }

  /** Milliseconds that a pass must wait; 0: it may start (when the circuit is open it is the probe, and others wait). */
  holdMs(): number {
    if (this.#failed < this.#o.failures) return 0;
    const left = this.#openUntil - this.#now();
    if (left > 0) return left;
    this.#openUntil = this.#now() + this.#o.openMs;
    return 0;
  }

  /** @param outage - the pass ended because the other side is down */
  note(outage: boolean): void {
    if (!outage) {
      this.#failed = 0;
      return;
    }
    this.#failed++;
    if (this.#failed === this.#o.failures) this.#openUntil = this.#now() + this.#o.openMs;
  }
}
