import { KubeError } from './errors.ts';
import type { Gate } from './request-event.ts';

/**
 * Stops asking a server that does not answer: after `failures` requests in a row without an answer the circuit is open and
 * requests fail at once; after `openMs` (doubled up to `maxOpenMs` while probes fail) one request may try.
 * An answer of any status closes it.
 */
export class CircuitBreaker implements Gate {
  readonly #o: { failures: number; openMs: number; maxOpenMs: number; now?: () => number };
  #failed = 0;
  #openings = 0;
  #openUntil = 0;
  #probing = false;

  constructor(o: { failures: number; openMs: number; maxOpenMs: number; now?: () => number }) {
    this.#o = o;
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#failed < this.#o.failures) return 'closed';
    return this.#now() < this.#openUntil ? 'open' : 'half-open';
  }

  enter(method: string, path: string): void {
    const state = this.state;
    if (state === 'closed') return;
    if (state === 'half-open' && !this.#probing) {
      this.#probing = true;
      return;
    }
    const retryAfterMs = Math.max(100, this.#openUntil - this.#now());
    throw new KubeError({
      status: 0,
      reason: 'CircuitOpen',
      method,
      path,
      message: `not tried: the server did not answer ${this.#failed} times in a row`,
      retryAfterMs,
    });
  }

  leave(reached: boolean | undefined): void {
    this.#probing = false;
    if (reached === undefined) return;
    if (reached) {
      this.#failed = 0;
      this.#openings = 0;
      return;
    }
    this.#failed++;
    if (this.#failed < this.#o.failures || this.#now() < this.#openUntil) return;
    const ms = Math.min(this.#o.maxOpenMs, this.#o.openMs * 2 ** Math.min(this.#openings++, 20));
    this.#openUntil = this.#now() + ms * (0.75 + Math.random() / 4);
  }

  #now(): number {
    return this.#o.now?.() ?? performance.now();
  }
}
