import type { HasMeta, Reflector } from '@shoto/kube';
import type { Engine } from './engine.ts';
import type { KeyQueue } from './key-queue.ts';
import { turnOf } from './shards.ts';

export interface FeederOptions<T extends HasMeta> {
  engine: Engine;
  /** Where a key goes; undefined: nowhere (not ours). For a deleted object it gets the last known state. */
  queue: (key: string, object: T) => KeyQueue | undefined;
  /** Keys to look at because of this object; default its own. */
  keys?: (key: string, object: T) => readonly string[];
  /** What holds together is fed by one replica: the Cluster's UID. Default: the key. */
  shardKey?: (object: T) => string;
  /** Pure: does an object that is new to us (start, a new share, lost Redis) need a pass? Default: all do. */
  needsWork?: (object: T) => boolean;
  /** Pure: does this change need a pass? Say no to our own writes. Default: all do, deletions too. */
  changed?: (now: T | undefined, before: T) => boolean;
  /** Everything is looked at once in this time, spread over it, at low priority; default 600 000. 0: never. */
  resyncMs?: number;
}

const RESYNC_PARTS = 64;

/**
 * Feeds a queue from a reflector, so that over all replicas a change costs one pass: each replica feeds the shards that
 * it owns (see docs/decisions/0003-feeder-shards.md). What it feeds twice or late by a change of owners is harmless: passes are
 * level-based, and whoever gains a shard looks through its cache.
 *
 * Give `onChange` to the reflector, then call `start` with it.
 */
export class Feeder<T extends HasMeta> {
  readonly #o: FeederOptions<T>;
  #reflector: Reflector<T> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #owned = new Set<string>();
  #part = 0;
  #live = false;

  constructor(o: FeederOptions<T>) {
    this.#o = o;
  }

  /** For the reflector's `onChange`. */
  readonly onChange = (key: string, now: T | undefined, before: T | undefined): void => {
    // Until the cache is full nothing is fed: `start` then feeds all at once.
    if (!this.#live) return;
    const object = now ?? before;
    if (!object || !this.#o.engine.owns(this.#shardKey(key, object))) return;
    const wanted = before === undefined ? this.#needsWork(object) : (this.#o.changed?.(now, before) ?? true);
    if (wanted) void this.#add(key, object, now?.metadata.resourceVersion);
  };

  /** Starts the reflector, waits for its cache and feeds what needs work of this replica's share. */
  async start(reflector: Reflector<T>): Promise<void> {
    this.#reflector = reflector;
    reflector.start();
    await reflector.synced;
    await this.#o.engine.feed();
    this.#live = true;
    this.#o.engine.onShareChanged(() => this.#feedGained());
    this.#o.engine.onStateLost(() => this.#feedAll());
    this.#feedGained();
    const resyncMs = this.#o.resyncMs ?? 600_000;
    if (resyncMs > 0) {
      this.#timer = setInterval(() => this.#resyncPart(), resyncMs / RESYNC_PARTS);
      this.#timer.unref();
    }
  }

  /** Feeds no more. The reflector is not stopped. */
  stop(): void {
    this.#live = false;
    clearInterval(this.#timer);
  }

  #shardKey(key: string, object: T): string {
    return this.#o.shardKey?.(object) ?? key;
  }

  #needsWork(object: T): boolean {
    return this.#o.needsWork?.(object) ?? true;
  }

  async #add(key: string, object: T, resourceVersion?: string): Promise<void> {
    const queue = this.#o.queue(key, object);
    if (!queue) return;
    for (const wanted of this.#o.keys?.(key, object) ?? [key]) {
      await queue.add(wanted, resourceVersion ? { resourceVersion } : {});
    }
  }

  /** Objects of shards that were another's until now: changes may have been fed by nobody in between. */
  #feedGained(): void {
    const owned = new Set<string>();
    const gained: [string, T][] = [];
    for (const [key, object] of this.#entries()) {
      owned.add(key);
      if (!this.#owned.has(key) && this.#needsWork(object)) gained.push([key, object]);
    }
    this.#owned = owned;
    void this.#addMany(gained, 'event');
  }

  /** Queue and timers are gone: what needs work first, then everything, for its timers. */
  async #feedAll(): Promise<void> {
    const all = this.#entries();
    await this.#addMany(
      all.filter(([, object]) => this.#needsWork(object)),
      'event',
    );
    await this.#addMany(
      all.filter(([, object]) => !this.#needsWork(object)),
      'resync',
    );
  }

  #resyncPart(): void {
    const part = this.#part++ % RESYNC_PARTS;
    const turn = this.#entries().filter(([key]) => turnOf(key, RESYNC_PARTS) === part);
    void this.#addMany(turn, 'resync');
  }

  /** What this replica feeds. */
  #entries(): [string, T][] {
    const entries: [string, T][] = [];
    for (const [key, object] of this.#reflector?.entries() ?? []) {
      if (this.#o.engine.owns(this.#shardKey(key, object))) entries.push([key, object]);
    }
    return entries;
  }

  async #addMany(entries: readonly [string, T][], priority: 'event' | 'resync'): Promise<void> {
    const byQueue = new Map<KeyQueue, Map<string, string>>();
    for (const [key, object] of entries) {
      const queue = this.#o.queue(key, object);
      if (!queue) continue;
      const versions = byQueue.get(queue) ?? new Map<string, string>();
      for (const wanted of this.#o.keys?.(key, object) ?? [key])
        versions.set(wanted, object.metadata.resourceVersion ?? '');
      byQueue.set(queue, versions);
    }
    for (const [queue, versions] of byQueue) {
      // A resync needs no version: it is about what nobody told.
      await queue.addAll(
        versions.keys(),
        priority === 'event' ? { priority, resourceVersions: versions } : { priority },
      );
    }
  }
}
