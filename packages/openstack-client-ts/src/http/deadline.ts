import type { Clock } from './clock.ts';

/** The end of a call's time and the caller's own signal, as one signal. */
export class Deadline {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #caller: AbortSignal | undefined;
  readonly #endsAt: number;
  readonly #cancel: () => void;
  #over = false;

  /** `timeoutMs` 0 is without limit. Call `dispose` when the call has ended. */
  constructor(clock: Clock, timeoutMs: number, caller: AbortSignal | undefined) {
    const controller = new AbortController();
    const onAbort = () => controller.abort(caller?.reason);
    this.#clock = clock;
    this.#caller = caller;
    this.#endsAt = timeoutMs > 0 ? clock.now() + timeoutMs : Number.POSITIVE_INFINITY;
    const stopTimer =
      timeoutMs > 0
        ? clock.setTimer(() => {
            this.#over = true;
            controller.abort(new Error(`no answer within ${timeoutMs} ms`));
          }, timeoutMs)
        : () => {};
    if (caller?.aborted) onAbort();
    else caller?.addEventListener('abort', onAbort, { once: true });
    this.#cancel = () => {
      stopTimer();
      caller?.removeEventListener('abort', onAbort);
    };
    this.signal = controller.signal;
  }

  /** Why the signal fired, or undefined while it has not. */
  get ended(): 'timeout' | 'aborted' | undefined {
    if (this.#over) return 'timeout';
    return this.#caller?.aborted ? 'aborted' : undefined;
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - this.#clock.now());
  }

  dispose(): void {
    this.#cancel();
  }
}
