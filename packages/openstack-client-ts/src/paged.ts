/**
 * The answer of a list call: pages are fetched while it is iterated, nothing before.
 *
 * ```ts
 * for await (const server of cloud.compute.servers.list({ limit: 100 })) console.log(server.name);
 * const ports = await cloud.network.ports.list({ tags: ['blue'] }).all();
 * ```
 */
export class Paged<T> implements AsyncIterable<T> {
  readonly #pages: () => AsyncIterable<T[]>;

  constructor(pages: () => AsyncIterable<T[]>) {
    this.#pages = pages;
  }

  /** Page by page, as the service sends them. */
  pages(): AsyncIterable<T[]> {
    return this.#pages();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for await (const page of this.#pages()) yield* page;
  }

  /** All of them, in an array. */
  all(): Promise<T[]> {
    return collect(this);
  }

  /** The first one, or undefined; fetches no second page if the first has one. */
  async first(): Promise<T | undefined> {
    return (await collect(this, 1))[0];
  }
}

/** Gathers an async iterable into an array; stops fetching after `max` items. */
export async function collect<T>(items: AsyncIterable<T>, max = Number.POSITIVE_INFINITY): Promise<T[]> {
  const all: T[] = [];
  if (max <= 0) return all;
  for await (const item of items) {
    all.push(item);
    if (all.length >= max) break;
  }
  return all;
}
