/** What a row is found by: one key, several, or none. */
export type KeyOf<T> = (row: T) => string | readonly string[] | null | undefined;

/** What one needs to ask how many rows there are under a key. */
export interface Countable {
  count(index: string, key: string): number;
}

/**
 * Rows by id, in the order they were added, with secondary indexes and remembered JSON.
 * Rows are changed in place; {@link save} must follow a change.
 */
export class Table<T extends { id: string }> {
  #rows = new Map<string, T>();
  #keyOf: [string, KeyOf<T>][];
  #indexes = new Map<string, Map<string, Map<string, T>>>();
  #placed = new Map<string, string[][]>();
  #json = new Map<string, Map<string, string>>();

  constructor(indexes: Record<string, KeyOf<T>> = {}) {
    this.#keyOf = Object.entries(indexes);
    for (const [name] of this.#keyOf) this.#indexes.set(name, new Map());
  }

  get size(): number {
    return this.#rows.size;
  }

  get(id: string): T | undefined {
    return this.#rows.get(id);
  }

  values(): Iterable<T> {
    return this.#rows.values();
  }

  /** Adds a row, or takes in the changes of one. */
  save(row: T): T {
    const before = this.#placed.get(row.id);
    const after = this.#keyOf.map(([, keyOf]) => {
      const key = keyOf(row);
      return key === null || key === undefined ? [] : typeof key === 'string' ? [key] : [...key];
    });
    for (let i = 0; i < this.#keyOf.length; i++) {
      const index = this.#indexes.get(this.#keyOf[i]![0])!;
      const old = before?.[i] ?? [];
      const now = after[i]!;
      if (old.length === now.length && old.every((key, at) => key === now[at])) continue;
      for (const key of old) this.#drop(index, key, row.id);
      for (const key of now) {
        let set = index.get(key);
        if (!set) {
          set = new Map();
          index.set(key, set);
        }
        set.set(row.id, row);
      }
    }
    this.#placed.set(row.id, after);
    this.#rows.set(row.id, row);
    this.#json.delete(row.id);
    return row;
  }

  /** Takes a row out; false if it was not there. */
  delete(id: string): boolean {
    const placed = this.#placed.get(id);
    if (!placed) return false;
    for (let i = 0; i < this.#keyOf.length; i++) {
      const index = this.#indexes.get(this.#keyOf[i]![0])!;
      for (const key of placed[i]!) this.#drop(index, key, id);
    }
    this.#placed.delete(id);
    this.#json.delete(id);
    return this.#rows.delete(id);
  }

  /** The rows that an index holds under a key, oldest first. */
  by(index: string, key: string): Iterable<T> {
    return this.#indexes.get(index)!.get(key)?.values() ?? [];
  }

  /** How many rows an index holds under a key. */
  count(index: string, key: string): number {
    return this.#indexes.get(index)!.get(key)?.size ?? 0;
  }

  /** The row's JSON in one variant (a microversion, say), made once per change. */
  json(row: T, variant: string, make: (row: T) => unknown): string {
    let variants = this.#json.get(row.id);
    if (!variants) {
      variants = new Map();
      this.#json.set(row.id, variants);
    }
    let text = variants.get(variant);
    if (text === undefined) {
      text = JSON.stringify(make(row));
      variants.set(variant, text);
    }
    return text;
  }

  #drop(index: Map<string, Map<string, T>>, key: string, id: string): void {
    const set = index.get(key);
    if (set?.delete(id) && set.size === 0) index.delete(key);
  }
}
