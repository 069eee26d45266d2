import { Readable } from 'node:stream';
import { Collection } from '../collection.ts';
import { path } from '../http/query.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions } from '../types.ts';
import type { ImageCreate, ImageInfo, ImagePatch, ImageQuery } from './types.ts';

/** Glance. */
export class Image {
  /** For calls that have no method here. */
  readonly client: ServiceClient;
  readonly images: Images;

  constructor(session: Session) {
    this.client = new ServiceClient(session, 'image');
    this.images = new Images(this.client);
  }
}

/** Glance's images. Unlike the other services it sends and takes them bare, not in a field. */
export class Images extends Collection<ImageInfo, ImageCreate, readonly ImagePatch[], ImageQuery> {
  constructor(client: ServiceClient) {
    super(client, { path: '/images', one: 'image', many: 'images' });
  }

  override get(id: string, options?: CallOptions): Promise<ImageInfo> {
    return this.client.json({ method: 'GET', path: this.pathOf(id) }, undefined, options);
  }

  /** Makes a queued image; its content comes with `upload`. */
  override create(body: ImageCreate, options?: CallOptions): Promise<ImageInfo> {
    return this.client.json({ method: 'POST', path: this.spec.path, body }, undefined, options);
  }

  /** Applies the steps in order, all or none. See `setProperties` for the common case. */
  override update(id: string, steps: readonly ImagePatch[], options?: CallOptions): Promise<ImageInfo> {
    const headers = { ...options?.headers, 'content-type': 'application/openstack-images-v2.1-json-patch' };
    return this.client.json({ method: 'PATCH', path: this.pathOf(id), body: steps }, undefined, {
      ...options,
      headers,
    });
  }

  /** Sets fields and custom properties; undefined removes a custom property. */
  async setProperties(
    id: string,
    properties: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ): Promise<ImageInfo> {
    const now = await this.get(id, options);
    const steps: ImagePatch[] = [];
    for (const [name, value] of Object.entries(properties)) {
      const pointer = `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      if (value !== undefined) steps.push({ op: name in now ? 'replace' : 'add', path: pointer, value });
      else if (name in now) steps.push({ op: 'remove', path: pointer });
    }
    return steps.length === 0 ? now : this.update(id, steps, options);
  }

  /** Sends the content. Without a time limit unless `timeoutMs` is given; never repeated. */
  async upload(
    id: string,
    content: Readable | Uint8Array | AsyncIterable<Uint8Array>,
    options?: CallOptions,
  ): Promise<void> {
    const stream = content instanceof Uint8Array ? Readable.from([content]) : Readable.from(content);
    const headers = { ...options?.headers, 'content-type': 'application/octet-stream' };
    const request = { method: 'PUT', path: path`/images/${id}/file`, body: stream } as const;
    await this.client.request(request, { timeoutMs: 0, ...options, headers });
  }

  /** The content as a stream, which must be read or destroyed. `timeoutMs` is for the answer's head only. */
  async download(id: string, options?: CallOptions): Promise<Readable> {
    const answer = await this.client.request({ method: 'GET', path: path`/images/${id}/file`, raw: true }, options);
    return answer.body instanceof Readable ? answer.body : Readable.from([]);
  }

  async addTag(id: string, tag: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'PUT', path: path`/images/${id}/tags/${tag}` }, options);
  }

  async removeTag(id: string, tag: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'DELETE', path: path`/images/${id}/tags/${tag}` }, options);
  }

  /** Nobody but an administrator can download it until it is active again. */
  async deactivate(id: string, options?: CallOptions): Promise<void> {
    await this.client.request(
      { method: 'POST', path: path`/images/${id}/actions/deactivate`, idempotent: true },
      options,
    );
  }

  async reactivate(id: string, options?: CallOptions): Promise<void> {
    await this.client.request(
      { method: 'POST', path: path`/images/${id}/actions/reactivate`, idempotent: true },
      options,
    );
  }
}
