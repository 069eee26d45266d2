import { path } from './http/query.ts';
import type { ServiceClient } from './service-client.ts';
import type { CallOptions } from './types.ts';

/** The tags of resources of one kind; Nova and Neutron have the same calls. */
export class Tags {
  readonly #client: ServiceClient;
  readonly #parent: string;
  readonly #need: { minimum?: string; what?: string };

  /** `parent` is the collection's path: `/ports`. */
  constructor(client: ServiceClient, parent: string, need: { minimum?: string; what?: string } = {}) {
    this.#client = client;
    this.#parent = parent;
    this.#need = need;
  }

  list(id: string, options?: CallOptions): Promise<string[]> {
    return this.#client.json<string[]>({ method: 'GET', path: this.#path(id), ...this.#need }, 'tags', options);
  }

  /** Makes these the only tags. Gives them as stored. */
  replaceAll(id: string, tags: readonly string[], options?: CallOptions): Promise<string[]> {
    const request = { method: 'PUT', path: this.#path(id), body: { tags }, ...this.#need } as const;
    return this.#client.json<string[]>(request, 'tags', options);
  }

  /** No harm when it is there already. */
  async add(id: string, tag: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'PUT', path: this.#path(id) + path`/${tag}`, ...this.#need }, options);
  }

  /** NotFoundError when it is not there. */
  async remove(id: string, tag: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: this.#path(id) + path`/${tag}`, ...this.#need }, options);
  }

  async removeAll(id: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: this.#path(id), ...this.#need }, options);
  }

  #path(id: string): string {
    return this.#parent + path`/${id}/tags`;
  }
}
