/** A token bucket for each source; a source that was quiet long enough to be full again is forgotten. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  #sweepAt = 0;

  /** @param now - milliseconds */
  constructor(o: { perSecond: number; burst: number; now: () => number }) {
    this.#perSecond = o.perSecond;
    this.#burst = o.burst;
    this.#now = o.now;
  }

  /** Takes one request. @returns 0 when it may go on, else the seconds after which it may be tried again */
  take(source: string): number {
    const now = this.#now();
    this.#sweep(now);
    const known = this.#buckets.get(source);
    const tokens = known
      ? Math.min(this.#burst, known.tokens + ((now - known.at) / 1000) * this.#perSecond)
      : this.#burst;
    if (tokens < 1) {
      this.#buckets.set(source, { tokens, at: now });
      return Math.max(1, Math.ceil((1 - tokens) / this.#perSecond));
    }
    this.#buckets.set(source, { tokens: tokens - 1, at: now });
    return 0;
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  #sweep(now: number): void {
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + 60_000;
    const fullAfterMs = (this.#burst / this.#perSecond) * 1000;
    for (const [source, b] of this.#buckets) if (now - b.at > fullAfterMs) this.#buckets.delete(source);
  }
}
