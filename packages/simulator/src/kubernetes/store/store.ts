import { expired } from '../status.ts';
import type { KubeObject } from '../types.ts';

/** One change of one object. `previous` is undefined when it was created; for DELETED `object` is its last state at the deletion's resourceVersion. */
export interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  revision: number;
  object: KubeObject;
  previous: KubeObject | undefined;
  /** Serialised forms shared by all watchers, by form. */
  lines?: Map<string, string>;
}

/** Receives every change after it is stored, before the writer is answered, in order. */
export interface Journal {
  put(table: string, object: KubeObject): void;
  remove(table: string, namespace: string, name: string, revision: number): void;
}

type Listener = (change: Change) => void;

interface Bucket {
  objects: Map<string, KubeObject>;
  /** Names in order; undefined after one came or went. */
  names: string[] | undefined;
}

interface Table {
  buckets: Map<string, Bucket>;
  namespaces: string[] | undefined;
  changes: Change[];
  /** Changes up to this resourceVersion are forgotten. */
  floor: number;
  listeners: Set<Listener>;
}

const sorted = (keys: Iterable<string>): string[] => [...keys].sort((a, b) => (a < b ? -1 : 1));

/**
 * All objects of one API server, with one rising resourceVersion and, per kind, a window of past changes from which watches resume and older
 * snapshots are rebuilt. Objects in it are immutable and shared with readers.
 */
export class Store {
  private readonly tables = new Map<string, Table>();
  private readonly window: number;
  private readonly everything = new Set<(table: string, change: Change) => void>();
  private journal: Journal | undefined;
  private last: number;
  /** Where history starts for kinds that were not touched since the load or the last compaction. */
  private floor = 0;

  /** @param window changes kept per kind for watches (kube-apiserver keeps 100 and more); older ones answer 410 Expired */
  constructor(window = 1000) {
    this.window = window;
    this.last = 1;
  }

  /** The newest resourceVersion. */
  get revision(): number {
    return this.last;
  }

  /** Fills an empty store from what was kept on disk; no change is announced, and watches from before answer 410. */
  load(objects: Iterable<{ table: string; object: KubeObject }>, revision: number): void {
    for (const { table, object } of objects) this.place(this.table(table), object);
    this.last = Math.max(this.last, revision);
    this.compact();
  }

  /** From now on every change is also given to `journal`. */
  attach(journal: Journal): void {
    this.journal = journal;
  }

  get(tableName: string, namespace: string, name: string): KubeObject | undefined {
    return this.tables.get(tableName)?.buckets.get(namespace)?.objects.get(name);
  }

  /** Objects of one namespace, or with undefined of all, in the order of namespace and name. `after` skips up to and including that key. */
  *scan(
    tableName: string,
    namespace: string | undefined,
    after?: { namespace: string; name: string },
  ): Generator<KubeObject> {
    const table = this.tables.get(tableName);
    if (!table) return;
    if (namespace === undefined && table.namespaces === undefined) table.namespaces = sorted(table.buckets.keys());
    for (const ns of namespace === undefined ? (table.namespaces ?? []) : [namespace]) {
      if (after && ns < after.namespace) continue;
      const bucket = table.buckets.get(ns);
      if (!bucket) continue;
      if (bucket.names === undefined) bucket.names = sorted(bucket.objects.keys());
      const names = bucket.names;
      let from = 0;
      if (after && ns === after.namespace) {
        let high = names.length;
        while (from < high) {
          const middle = (from + high) >> 1;
          if ((names[middle] as string) <= after.name) from = middle + 1;
          else high = middle;
        }
      }
      for (let i = from; i < names.length; i++) {
        const object = bucket.objects.get(names[i] as string);
        if (object) yield object;
      }
    }
  }

  /** How many objects there are, in one namespace or in all. */
  count(tableName: string, namespace?: string): number {
    const table = this.tables.get(tableName);
    if (!table) return 0;
    if (namespace !== undefined) return table.buckets.get(namespace)?.objects.size ?? 0;
    let n = 0;
    for (const bucket of table.buckets.values()) n += bucket.objects.size;
    return n;
  }

  /**
   * The objects as they were at `revision`, in order.
   * @throws {StatusError} 410 when changes since then are forgotten
   */
  snapshot(tableName: string, namespace: string | undefined, revision: number): KubeObject[] {
    const changes = this.since(tableName, revision);
    if (changes.length === 0) return [...this.scan(tableName, namespace)];
    const now = new Map<string, KubeObject>();
    const key = (o: KubeObject): string => `${o.metadata.namespace ?? ''}/${o.metadata.name}`;
    for (const object of this.scan(tableName, namespace)) now.set(key(object), object);
    for (let i = changes.length - 1; i >= 0; i--) {
      const change = changes[i] as Change;
      if (namespace !== undefined && (change.object.metadata.namespace ?? '') !== namespace) continue;
      if (change.previous) now.set(key(change.object), change.previous);
      else now.delete(key(change.object));
    }
    return sorted(now.keys()).map((k) => now.get(k) as KubeObject);
  }

  /** Stores a new or changed object; gives the stored one, with its resourceVersion. The argument must not be changed afterwards. */
  put(tableName: string, object: KubeObject): KubeObject {
    const table = this.table(tableName);
    const previous = this.get(tableName, object.metadata.namespace ?? '', object.metadata.name);
    this.last += 1;
    object.metadata.resourceVersion = String(this.last);
    this.place(table, object);
    this.journal?.put(tableName, object);
    this.announce(tableName, table, { type: previous ? 'MODIFIED' : 'ADDED', revision: this.last, object, previous });
    return object;
  }

  /** Removes an object; gives its last state, or undefined when it was not there. */
  remove(tableName: string, namespace: string, name: string): KubeObject | undefined {
    const table = this.table(tableName);
    const bucket = table.buckets.get(namespace);
    const previous = bucket?.objects.get(name);
    if (!bucket || !previous) return undefined;
    this.last += 1;
    bucket.objects.delete(name);
    bucket.names = undefined;
    if (bucket.objects.size === 0) {
      table.buckets.delete(namespace);
      table.namespaces = undefined;
    }
    this.journal?.remove(tableName, namespace, name, this.last);
    const object = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(this.last) } };
    this.announce(tableName, table, { type: 'DELETED', revision: this.last, object, previous });
    return object;
  }

  /** Called with every later change of the kind, in order. @returns ends it */
  listen(tableName: string, listener: Listener): () => void {
    const { listeners } = this.table(tableName);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Called with every later change of any kind, in order, after the listeners of the kind. @returns ends it */
  listenToAll(listener: (table: string, change: Change) => void): () => void {
    this.everything.add(listener);
    return () => this.everything.delete(listener);
  }

  /**
   * Changes after `revision`.
   * @throws {StatusError} 410 when some of them are forgotten
   */
  since(tableName: string, revision: number): Change[] {
    const { changes, floor } = this.table(tableName);
    if (revision < floor) throw expired(`too old resource version: ${revision} (${floor})`);
    let low = 0;
    let high = changes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((changes[middle] as Change).revision <= revision) low = middle + 1;
      else high = middle;
    }
    return changes.slice(low);
  }

  /** Forgets all past changes, as a compaction does: resuming a watch from any older version answers 410. */
  compact(): void {
    this.floor = this.last;
    for (const table of this.tables.values()) {
      table.changes = [];
      table.floor = this.last;
    }
  }

  /** Every object with its table, for a snapshot on disk. */
  *all(): Generator<{ table: string; object: KubeObject }> {
    for (const [name, table] of this.tables) {
      for (const bucket of table.buckets.values())
        for (const object of bucket.objects.values()) yield { table: name, object };
    }
  }

  private table(name: string): Table {
    let table = this.tables.get(name);
    if (!table) {
      table = { buckets: new Map(), namespaces: undefined, changes: [], floor: this.floor, listeners: new Set() };
      this.tables.set(name, table);
    }
    return table;
  }

  private place(table: Table, object: KubeObject): void {
    const namespace = object.metadata.namespace ?? '';
    let bucket = table.buckets.get(namespace);
    if (!bucket) {
      bucket = { objects: new Map(), names: undefined };
      table.buckets.set(namespace, bucket);
      table.namespaces = undefined;
    }
    if (!bucket.objects.has(object.metadata.name)) bucket.names = undefined;
    bucket.objects.set(object.metadata.name, object);
  }

  private announce(name: string, table: Table, change: Change): void {
    table.changes.push(change);
    // Trimmed in halves, so that the cost of forgetting is spread over many writes.
    if (table.changes.length > this.window * 1.5) {
      const dropped = table.changes.splice(0, table.changes.length - this.window);
      table.floor = (dropped[dropped.length - 1] as Change).revision;
    }
    for (const listener of [...table.listeners]) listener(change);
    for (const listener of this.everything) listener(name, change);
  }
}
