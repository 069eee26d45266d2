/**
 * What gives a request up: its time is over, its caller does not want it any more, or the client is closed.
 *
 * By hand, since each `AbortSignal.any` leaves entries in tables of Node's that grow with the busiest hour of a process and never shrink.
 */
export class Ending {
  readonly #abort = new AbortController();
  readonly #all: Set<Ending>;
  readonly #caller: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #giveUp = (): void => this.abort(this.#caller?.reason);

  /**
   * @param all - those of the client that are under way; this one is among them until it is {@link done}
   * @param ms - how long the request may take; undefined: for ever
   */
  constructor(all: Set<Ending>, caller: AbortSignal | undefined, ms: number | undefined) {
    this.#all = all;
    this.#caller = caller;
    all.add(this);
    if (ms !== undefined) {
      this.#timer = setTimeout(() => this.abort(new DOMException(`no answer in ${ms} ms`, 'TimeoutError')), ms);
      this.#timer.unref();
    }
    if (caller?.aborted) this.#giveUp();
    else caller?.addEventListener('abort', this.#giveUp, { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  abort(reason: unknown): void {
    this.#abort.abort(reason);
  }

  /** The request has ended, its answer was read. To be called in any case. */
  done(): void {
    this.#all.delete(this);
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#giveUp);
  }
}
