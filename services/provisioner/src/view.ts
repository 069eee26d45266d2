import { type HasMeta, isNewer, keyOf } from '@shoto/kube';
import type { Clock } from '@shoto/service';

/** What of a Reflector a {@link View} reads. */
export interface Cache<T extends HasMeta> {
  get(key: string): T | undefined;
  read(key: string, resourceVersion?: string): Promise<T | undefined>;
  list(): T[];
  byIndex(name: string, value: string): T[];
}

/** How long a write of ours is remembered when the cache never shows it. */
const KEPT_MS = 30_000;

/**
 * A cache, with our own last writes on top: a pass that begins before the watch has brought them must not act on what was
 * before, or it would write again and conflict with itself.
 */
export class View<T extends HasMeta> {
  readonly #cache: Cache<T>;
  readonly #clock: Clock;
  readonly #written = new Map<string, { object: T; at: number }>();
  /** UIDs of what is gone, with when: the answer to a write may come after the news that its object went. */
  readonly #gone = new Map<string, number>();

  constructor(cache: Cache<T>, clock: Clock) {
    this.#cache = cache;
    this.#clock = clock;
  }

  /** The newest state known. */
  get(key: string): T | undefined {
    return this.#newest(key, this.#cache.get(key));
  }

  /** As {@link get}; reads live when the cache is older than what caused the pass. */
  async read(key: string, resourceVersion?: string): Promise<T | undefined> {
    return this.#newest(key, await this.#cache.read(key, resourceVersion));
  }

  /** All objects of an index's value, those just made included. */
  byIndex(name: string, value: string, belongs: (object: T) => boolean): T[] {
    const found = new Map(this.#cache.byIndex(name, value).map((o) => [keyOf(o), o]));
    for (const [key, { object }] of this.#written) if (belongs(object) && !found.has(key)) found.set(key, object);
    const out: T[] = [];
    for (const [key, object] of found) {
      const newest = this.#newest(key, this.#cache.get(key) ?? (this.#written.has(key) ? undefined : object));
      if (newest) out.push(newest);
    }
    return out.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Remembers what a write of ours gave. */
  wrote(object: T): void {
    const { uid, deletionTimestamp, finalizers } = object.metadata;
    if (uid && this.#gone.has(uid)) return;
    // The answer to taking off the last finalizer is the object as it was; there is none any more.
    if (deletionTimestamp && !finalizers?.length) {
      this.forget(keyOf(object), uid);
      return;
    }
    this.#written.set(keyOf(object), { object, at: this.#clock.now() });
  }

  /** The object is gone. */
  forget(key: string, uid?: string): void {
    this.#written.delete(key);
    const now = this.#clock.now();
    for (const [old, at] of this.#gone) {
      if (now - at <= KEPT_MS) break; // in order of time
      this.#gone.delete(old);
    }
    if (uid) this.#gone.set(uid, now);
  }

  #newest(key: string, seen: T | undefined): T | undefined {
    // What is known to be gone may stand in the cache until the watch has brought that.
    const goneAt = this.#gone.get(seen?.metadata.uid ?? '');
    const cached = goneAt !== undefined && this.#clock.now() - goneAt <= KEPT_MS ? undefined : seen;
    const written = this.#written.get(key);
    if (!written) return cached;
    const age = this.#clock.now() - written.at;
    const isSeen =
      cached !== undefined &&
      !isNewer(written.object.metadata.resourceVersion ?? '', cached.metadata.resourceVersion ?? '');
    if (isSeen || age > KEPT_MS) {
      this.#written.delete(key);
      return cached;
    }
    return written.object;
  }
}
