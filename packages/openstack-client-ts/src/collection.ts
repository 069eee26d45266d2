import { ConflictError } from './errors.ts';
import { path } from './http/query.ts';
import type { Paged } from './paged.ts';
import type { ServiceClient } from './service-client.ts';
import type { CallOptions, Query } from './types.ts';

/** Where a kind of resource lives in its service. */
export interface CollectionSpec {
  /** `/networks` */
  path: string;
  /** Field of a single one: `network`. */
  one: string;
  /** Field of a list: `networks`. */
  many: string;
  /** Path of the list, where it is not `path`: `/servers/detail`. */
  listPath?: string;
  /** Default PUT. */
  updateMethod?: 'PUT' | 'PATCH';
}

/** The calls that nearly every resource has. `T` is what the service answers; `C` and `U` what create and update take, `R` what create answers. */
export class Collection<T, C, U, Q = Query, R = T> {
  protected readonly client: ServiceClient;
  protected readonly spec: CollectionSpec;

  constructor(client: ServiceClient, spec: CollectionSpec) {
    this.client = client;
    this.spec = spec;
  }

  /** Those that match all filters; `limit` is the size of a page. */
  list(query?: Q & Query, options?: CallOptions): Paged<T> {
    return this.client.list<T>({ path: this.spec.listPath ?? this.spec.path, key: this.spec.many, query }, options);
  }

  /** NotFoundError when there is none; see `ignoreNotFound`. */
  get(id: string, options?: CallOptions): Promise<T> {
    return this.client.json<T>({ method: 'GET', path: this.pathOf(id) }, this.spec.one, options);
  }

  /** The only one of that name, or undefined. Names are not unique in OpenStack: ConflictError when there are several. */
  async findByName(name: string, options?: CallOptions): Promise<T | undefined> {
    const all: T[] = [];
    for await (const item of this.list({ name } as unknown as Q & Query, options)) {
      // Nova takes the filter for a regular expression.
      if ((item as { name?: unknown }).name === name) all.push(item);
    }
    if (all.length > 1) {
      throw new ConflictError(
        `${this.client.service}: there are ${all.length} ${this.spec.many} named '${name}'; use an id`,
        { service: this.client.service },
      );
    }
    return all[0];
  }

  create(body: C, options?: CallOptions): Promise<R> {
    return this.client.json<R>(
      { method: 'POST', path: this.spec.path, body: { [this.spec.one]: body } },
      this.spec.one,
      options,
    );
  }

  update(id: string, body: U, options?: CallOptions): Promise<T> {
    const method = this.spec.updateMethod ?? 'PUT';
    return this.client.json<T>(
      { method, path: this.pathOf(id), body: { [this.spec.one]: body } },
      this.spec.one,
      options,
    );
  }

  /** Asks for the deletion; NotFoundError when it is not there (unless a repeat of this very call found it gone). */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'DELETE', path: this.pathOf(id) }, options);
  }

  protected pathOf(id: string): string {
    return this.spec.path + path`/${id}`;
  }
}
