import { Collection, type CollectionSpec } from '../collection.ts';
import type { ServiceClient } from '../service-client.ts';
import { Tags } from '../tags.ts';
import type { CallOptions } from '../types.ts';
import type { NetworkQuery } from './types.ts';

/** Options of an update in Neutron. */
export interface NetworkUpdateOptions extends CallOptions {
  /** Only if it still has this revision_number; ConflictError (412) otherwise. */
  ifRevision?: number | undefined;
}

/** A resource of Neutron. */
export class NetworkCollection<T, C, U, Q = NetworkQuery> extends Collection<T, C, U, Q> {
  override update(id: string, body: U, options: NetworkUpdateOptions = {}): Promise<T> {
    const { ifRevision, ...rest } = options;
    if (ifRevision === undefined) return super.update(id, body, rest);
    return super.update(id, body, {
      ...rest,
      headers: { ...rest.headers, 'if-match': `revision_number=${ifRevision}` },
    });
  }

  /** All or none of them, in one call. */
  createMany(bodies: readonly C[], options?: CallOptions): Promise<T[]> {
    const { path, many } = this.spec;
    return this.client.json<T[]>({ method: 'POST', path, body: { [many]: bodies } }, many, options);
  }
}

/** A resource of Neutron that has tags. Neutron takes them in a call of their own, after the create. */
export class TaggedCollection<T, C, U, Q = NetworkQuery> extends NetworkCollection<T, C, U, Q> {
  readonly tags: Tags;

  constructor(client: ServiceClient, spec: CollectionSpec) {
    super(client, spec);
    this.tags = new Tags(client, spec.path);
  }
}
