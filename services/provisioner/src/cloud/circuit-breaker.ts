import type { Clock } from '@shoto/service';

/** Settings of a {@link CircuitBreaker}. */
export interface BreakerSettings {
  /** Calls in a row without an answer that open it. */
  failures: number;
  /** How long it stays open the first time, in milliseconds; doubled each further time. */
  openMs: number;
  /** Longest time that it stays open, in milliseconds. */
  maxOpenMs: number;
}

const BREAKER: BreakerSettings = { failures: 5, openMs: 2_000, maxOpenMs: 30_000 };

/** Keeps calls off a cloud that does not answer, so that nobody waits ten seconds for each. After a while one call may try. */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #settings: BreakerSettings;
  #failures = 0;
  #opened = 0;
  #openUntil = 0;
  #trying = false;

  constructor(clock: Clock, settings: BreakerSettings = BREAKER) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Milliseconds until a call may be tried; 0: now. Who gets 0 must report with `succeeded`, `failed` or `abandoned`. */
  enter(): number {
    if (this.#failures < this.#settings.failures) return 0;
    const wait = this.#openUntil - this.#clock.now();
    if (wait > 0) return wait;
    if (this.#trying) return this.#settings.openMs;
    this.#trying = true;
    return 0;
  }

  /** The cloud answered; with an error of its own or not. */
  succeeded(): void {
    this.#failures = 0;
    this.#opened = 0;
    this.#trying = false;
  }

  /** The call was never made, or cut short by us: it says nothing of the cloud. */
  abandoned(): void {
    this.#trying = false;
  }

  /** No answer came. */
  failed(): void {
    this.#trying = false;
    this.#failures++;
    if (this.#failures < this.#settings.failures) return;
    this.#openUntil =
      this.#clock.now() + Math.min(this.#settings.maxOpenMs, this.#settings.openMs * 2 ** Math.min(this.#opened, 20));
    this.#opened++;
  }
}
