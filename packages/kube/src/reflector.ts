import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeClient } from './client.ts';
import { KubeError } from './errors.ts';
import { listPath } from './paths.ts';
import { type HasMeta, keyOf, type ListQuery, type ObjectRef, type Page, type ResourceType, refOf } from './types.ts';
import { HTTP1_IDLE_MS } from './watch-call.ts';

export interface ReflectorOptions<T extends HasMeta> extends ListQuery {
  client: KubeClient;
  type: ResourceType;
  /** Objects a page; default 500. */
  pageSize?: number;
  /**
   * Silence after which the watch is begun anew. Default: on HTTP/2 never, since the client looks whether the connection lives; on HTTP/1.1 90 000
   * (API servers send a bookmark about each minute).
   */
  idleMs?: number;
  /** How long a watch may last before it is begun anew, at least; spread up to half as much again. Default 240. */
  watchSeconds?: number;
  /** Asks for metadata only (PartialObjectMetadata): no content is sent, however large or secret. */
  metadataOnly?: boolean;
  /**
   * Cuts an object down to the fields in use, as soon as it is parsed; without its UID it is told from others of its name by `resourceVersion` alone.
   * `managedFields` are dropped before, unless only metadata is asked for: then they are all that tells who changed an object.
   */
  trim?: (obj: T) => T;
  /** A change: `now` undefined = deleted, `before` undefined = new. Not called for an object that is as before. */
  onChange?: (key: string, now: T | undefined, before: T | undefined) => void;
  /** After each full list. */
  onSynced?: () => void;
  /** A list or watch that failed (it is tried again by itself), or a listener that threw. */
  onError?: (e: unknown) => void;
  /** Further ways to find objects: `{ byNode: (pod) => pod.spec.nodeName }`. */
  indexes?: Record<string, (obj: T) => string | readonly string[] | undefined>;
  /** First pause after a failure, doubled up to 30 s, with jitter; default 250. */
  backoffMs?: number;
}

interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T & { code?: number; message?: string; reason?: string };
}

const MAX_BACKOFF_MS = 30_000;
const LIST_TIMEOUT_MS = 60_000;

/**
 * A cache of the objects of one kind, kept up to date by one list and one watch.
 *
 * It survives what happens to watches: closed and reset connections, silence, errors within the stream, 410 (lists
 * again and tells what went in the meantime), 429 and 5xx (waits with jitter). Keys are `namespace/name`, or `name`.
 */
export class Reflector<T extends HasMeta> {
  /** Resolves after the first full list. It never rejects: errors go to `onError`, and it tries on. */
  readonly synced: Promise<void>;
  readonly #o: ReflectorOptions<T>;
  readonly #items = new Map<string, T>();
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  /** Ends the list, watch or pause under way. */
  #cutShort: (() => void) | undefined;
  /** What was under way shall go no further: a new round begins. */
  #cut = false;
  #stopped = false;
  #markSynced: () => void = () => {};
  #running: Promise<void> | undefined;
  #resourceVersion = '';
  #isSynced = false;

  constructor(o: ReflectorOptions<T>) {
    this.#o = o;
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
    for (const name of Object.keys(o.indexes ?? {})) this.#indexes.set(name, new Map());
  }

  /** Begins. Once only. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** The cache holds a full list (an old one, while the server cannot be reached). */
  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** The newest resourceVersion that was seen, by an event, a bookmark or a list. */
  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  list(): T[] {
    return [...this.#items.values()];
  }

  /** All keys with their objects. */
  entries(): IterableIterator<[string, T]> {
    return this.#items.entries();
  }

  /** Objects for which the index of that name gave this value. @throws {RangeError} no such index */
  byIndex(name: string, value: string): T[] {
    const index = this.#indexes.get(name);
    if (!index) throw new RangeError(`reflector of ${this.#o.type.plural} has no index "${name}"`);
    const found: T[] = [];
    for (const key of index.get(value) ?? []) {
      const item = this.#items.get(key);
      if (item) found.push(item);
    }
    return found;
  }

  /**
   * The object from the cache if the cache is as new as `resourceVersion`, else read live (trimmed, not kept).
   * For a worker that was woken by another replica's cache.
   * @throws {KubeError} when the live read fails
   */
  async read(key: string, resourceVersion?: string): Promise<T | undefined> {
    const cached = this.#items.get(key);
    const enough =
      resourceVersion === undefined ||
      !isNewer(resourceVersion, this.#resourceVersion) ||
      (cached !== undefined && !isNewer(resourceVersion, cached.metadata.resourceVersion ?? ''));
    if (enough) return cached;
    const ref: ObjectRef = refOf(key);
    const live = await this.#o.client.get<T>(this.#o.type, ref);
    return live && this.#trim(live);
  }

  /**
   * Takes what a write of ours was answered, as if the watch had brought it: the next pass must not write again what it does not see yet.
   * Left out is an object that the cache does not hold (it may be gone by now), or holds in a newer form.
   */
  note(written: T): void {
    const key = keyOf(written);
    const held = this.#items.get(key);
    if (held?.metadata.uid === written.metadata.uid && !this.#isPast(written)) this.#put(written);
  }

  /** Lists again, as after a 410: what was missed is told, what is as before is not. */
  relist(): void {
    this.#resourceVersion = '';
    this.#endRound();
  }

  /** Ends the watch. The cache stays readable. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#endRound();
    await this.#running;
  }

  #endRound(): void {
    this.#cut = true;
    this.#cutShort?.();
  }

  /** A signal that ends what begins now when the round ends. */
  #signal(): AbortSignal {
    const abort = new AbortController();
    this.#cutShort = () => abort.abort();
    if (this.#cut) abort.abort();
    return abort.signal;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#stopped) {
      this.#cut = false;
      const started = performance.now();
      try {
        if (!this.#resourceVersion) {
          await this.#list();
          failures = 0;
        }
        const events = await this.#watch();
        if (events > 0 || performance.now() - started > 10_000) failures = 0;
        // A watch that ends at once without a word must not spin.
        else await this.#pause(failures++);
      } catch (e) {
        if (this.#stopped) return;
        if (this.#cut) continue;
        // A quiet kind: an API server sends no bookmark while nothing of it changes. Whether the server still lives, the next
        // watch tells; nothing was missed, since it begins where this one stood.
        const silent =
          e instanceof KubeError &&
          e.reason === 'Timeout' &&
          performance.now() - started >= (this.#o.idleMs ?? HTTP1_IDLE_MS);
        if (silent) {
          failures = 0;
          continue;
        }
        if (e instanceof KubeError && e.isGone) this.#resourceVersion = '';
        else this.#o.onError?.(e);
        if (performance.now() - started > 10_000) failures = 0;
        await this.#pause(failures++, e instanceof KubeError ? e.retryAfterMs : undefined);
      }
    }
  }

  async #pause(failures: number, atLeastMs = 0): Promise<void> {
    const backoff = Math.min(MAX_BACKOFF_MS, (this.#o.backoffMs ?? 250) * 2 ** Math.min(failures, 20));
    const ms = Math.max(atLeastMs, backoff * (0.5 + Math.random() / 2));
    await sleep(ms, undefined, { signal: this.#signal() }).catch(() => {});
  }

  get #query(): ListQuery {
    const { namespace, labelSelector, fieldSelector } = this.#o;
    return {
      ...(namespace ? { namespace } : {}),
      ...(labelSelector ? { labelSelector } : {}),
      ...(fieldSelector ? { fieldSelector } : {}),
    };
  }

  async #list(): Promise<void> {
    const { client, type, pageSize = 500, metadataOnly = false } = this.#o;
    const signal = this.#signal();
    const seen = new Set<string>();
    let next: string | undefined;
    let resourceVersion = '';
    do {
      const page: Page<T> = await client.list<T>(
        type,
        { ...this.#query, limit: pageSize, ...(next ? { continue: next } : {}) },
        { signal, timeoutMs: LIST_TIMEOUT_MS, metadataOnly },
      );
      for (const item of page.items) seen.add(this.#put(item));
      next = page.metadata.continue;
      resourceVersion = page.metadata.resourceVersion ?? '';
    } while (next);
    for (const key of [...this.#items.keys()]) if (!seen.has(key)) this.#remove(key);
    this.#resourceVersion = resourceVersion;
    this.#isSynced = true;
    this.#markSynced();
    this.#call(() => this.#o.onSynced?.());
  }

  /** @returns how many events came until the server ended the watch */
  #watch(): Promise<number> {
    const { client, type, metadataOnly = false, idleMs, watchSeconds = 240 } = this.#o;
    const path = listPath(type, this.#query, {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#resourceVersion,
      // Spread, so that the watches of all replicas do not end together.
      timeoutSeconds: String(watchSeconds + Math.floor((Math.random() * watchSeconds) / 2)),
    });
    let events = 0;
    const onLine = (line: string): void => {
      const event = JSON.parse(line) as WatchEvent<T>;
      if (event.type === 'ERROR') {
        const { code = 500, reason = 'Unknown', message = 'error within the watch' } = event.object;
        throw new KubeError({ status: code, reason, method: 'GET', path: path.split('?')[0] ?? path, message });
      }
      events++;
      const resourceVersion = event.object.metadata.resourceVersion ?? '';
      if (event.type === 'DELETED') this.#remove(keyOf(event.object), resourceVersion);
      else if (event.type !== 'BOOKMARK' && !this.#isPast(event.object)) this.#put(event.object, resourceVersion);
      // After the handling: a listener that reads `resourceVersion` must find the object in the cache.
      if (!this.#cut) this.#resourceVersion = resourceVersion || this.#resourceVersion;
    };
    return new Promise((resolve, reject) => {
      const onEnd = (e: KubeError | undefined): void => (e ? reject(e) : resolve(events));
      this.#cutShort = client.watch(path, { idleMs, metadataOnly, onLine, onEnd });
      if (this.#cut) this.#cutShort();
    });
  }

  /** What was noted of a write is ahead of the watch. A list is always right: after a restore versions go back. */
  #isPast(item: T): boolean {
    const held = this.#items.get(keyOf(item));
    return (
      held !== undefined &&
      (held.metadata.uid ?? item.metadata.uid) === item.metadata.uid &&
      isNewer(held.metadata.resourceVersion ?? '', item.metadata.resourceVersion ?? '')
    );
  }

  #trim(item: T): T {
    if (!this.#o.metadataOnly && item.metadata.managedFields) {
      // Not by `delete`: an object that lost a field is kept as a hash table, at four times the memory.
      const { managedFields: _, ...metadata } = item.metadata;
      item.metadata = metadata;
    }
    return this.#o.trim ? this.#o.trim(item) : item;
  }

  #put(raw: T, streamVersion?: string): string {
    const key = keyOf(raw);
    const before = this.#items.get(key);
    const isSame = before && (before.metadata.uid ?? raw.metadata.uid) === raw.metadata.uid;
    if (isSame && before.metadata.resourceVersion === raw.metadata.resourceVersion) return key;
    const now = this.#trim(raw);
    this.#items.set(key, now);
    this.#reindex(key, now, before);
    if (streamVersion) this.#resourceVersion = streamVersion;
    this.#call(() => this.#o.onChange?.(key, now, before));
    return key;
  }

  #remove(key: string, streamVersion?: string): void {
    const before = this.#items.get(key);
    if (!before) return;
    this.#items.delete(key);
    this.#reindex(key, undefined, before);
    if (streamVersion) this.#resourceVersion = streamVersion;
    this.#call(() => this.#o.onChange?.(key, undefined, before));
  }

  #reindex(key: string, now: T | undefined, before: T | undefined): void {
    for (const [name, indexOf] of Object.entries(this.#o.indexes ?? {})) {
      const index = this.#indexes.get(name);
      const values = (obj: T | undefined): readonly string[] => [(obj && indexOf(obj)) ?? []].flat();
      for (const value of values(before)) {
        const keys = index?.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index?.delete(value);
      }
      for (const value of values(now)) {
        const keys = index?.get(value) ?? new Set<string>();
        keys.add(key);
        index?.set(value, keys);
      }
    }
  }

  /** A listener that throws must not end the watch. */
  #call(listener: () => void): void {
    try {
      listener();
    } catch (e) {
      this.#o.onError?.(e);
    }
  }
}

/** Whether resourceVersion `a` is newer than `b` (decimal numbers of one API server; '' is older than all). */
export function isNewer(a: string, b: string): boolean {
  if (a.length !== b.length) return a.length > b.length;
  return a > b;
}
