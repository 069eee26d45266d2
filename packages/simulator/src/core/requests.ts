/** One line of the request count. */
export interface RequestCount {
  service: string;
  method: string;
  path: string;
  count: number;
  /** How many of them had which status; 0 stands for no answer. */
  statuses: Record<string, number>;
}

/** Counts requests by service, method and path template. */
export class RequestCounter {
  #counts = new Map<string, RequestCount>();

  add(service: string, method: string, path: string, status: number): void {
    const key = `${service} ${method} ${path}`;
    let entry = this.#counts.get(key);
    if (!entry) {
      entry = { service, method, path, count: 0, statuses: {} };
      this.#counts.set(key, entry);
    }
    entry.count++;
    entry.statuses[status] = (entry.statuses[status] ?? 0) + 1;
  }

  reset(): void {
    this.#counts.clear();
  }

  /** Most frequent first. */
  list(): RequestCount[] {
    return [...this.#counts.values()].sort((a, b) => b.count - a.count);
  }
}
