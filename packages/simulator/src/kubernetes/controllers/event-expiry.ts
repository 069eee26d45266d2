import type { Core } from '../server-core.ts';

const livesMs = 3_600_000;
const everyMs = 60_000;

/** Removes events an hour after their last change, as etcd's lease does. */
export class EventExpiry {
  private readonly core: Core;
  private timer: unknown;

  constructor(core: Core) {
    this.core = core;
    this.next();
  }

  stop(): void {
    this.core.clock.clearTimeout(this.timer);
  }

  private next(): void {
    this.timer = this.core.clock.setTimeout(() => {
      this.sweep();
      this.next();
    }, everyMs);
  }

  private sweep(): void {
    const { store, clock } = this.core;
    if (store.count('events') === 0) return;
    const before = clock.now() - livesMs;
    for (const event of [...store.scan('events', undefined)]) {
      const times = [
        event.lastTimestamp,
        (event.series as { lastObservedTime?: unknown } | undefined)?.lastObservedTime,
        event.metadata.creationTimestamp,
      ];
      const last = Math.max(...times.map((t) => (typeof t === 'string' ? Date.parse(t) : 0)));
      if (last < before) store.remove('events', event.metadata.namespace ?? '', event.metadata.name);
    }
  }
}
