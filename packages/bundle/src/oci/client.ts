import { setTimeout as delay } from 'node:timers/promises';
import { sha256 } from '../json.ts';
import type { Credentials } from './auth.ts';
import { pullBlob } from './download.ts';
import { RegistryError } from './error.ts';
import { type Descriptor, MEDIA_TYPES } from './pack.ts';
import { badReference, isReference, parseLocation, type RegistryLocation, repositoryOf } from './reference.ts';
import { type Answer, discard, first, Transport, type TransportOptions } from './transport.ts';
import { persist, pushBlob, type TransferOptions } from './upload.ts';

export interface RegistryOptions extends Omit<TransportOptions, 'host'> {
  /** `oci://host[:port]/prefix` */
  url: string;
  credentials?: Credentials | undefined;
  /** How much is sent in one request, in bytes. Default 5 MiB. */
  chunkBytes?: number | undefined;
  /** How often in a row a request may fail before it is given up. Default 4. */
  attempts?: number | undefined;
  sleep?: ((ms: number) => Promise<void>) | undefined;
}

/** A manifest as a registry keeps it. */
export interface StoredManifest {
  bytes: Uint8Array;
  digest: string;
  mediaType: string;
}

/** As registries have it. */
const LARGEST_MANIFEST = 4 * 1024 * 1024;
const MOST_PAGES = 200;
const ACCEPT = [MEDIA_TYPES.manifest, MEDIA_TYPES.index].join(', ');

/**
 * A client of one registry (OCI distribution specification 1.1), for the repositories under one prefix. Every call tries again by itself what may pass,
 * for some seconds.
 */
export class RegistryClient {
  readonly location: RegistryLocation;
  readonly #t: Transport;
  readonly #o: TransferOptions;

  /** @throws {RegistryError} `BadReference` */
  constructor(o: RegistryOptions) {
    this.location = parseLocation(o.url);
    this.#t = new Transport({ ...o, host: this.location.host });
    this.#o = {
      chunkBytes: o.chunkBytes ?? 5 * 1024 * 1024,
      attempts: o.attempts ?? 4,
      sleep: o.sleep ?? ((ms) => delay(ms, undefined, o.signal ? { signal: o.signal } : {})),
    };
  }

  /** Lets its connections go. */
  close(): Promise<void> {
    return this.#t.close();
  }

  /** For people: `registry.example.com/addons/cinder-csi`. */
  nameOf(addon: string): string {
    return `${this.location.host}/${this.#repository(addon)}`;
  }

  #repository(addon: string): string {
    return repositoryOf(this.location, addon);
  }

  /** Address of a manifest. @throws {RegistryError} `BadReference` */
  #manifestUrl(addon: string, reference: string): string {
    if (!isReference(reference)) throw badReference(reference, 'a version, tag or digest');
    return `/v2/${this.#repository(addon)}/manifests/${reference}`;
  }

  /** Tags of an addon's repository. @throws {RegistryError} `NotFound` where there is no such repository */
  async tags(addon: string): Promise<string[]> {
    const repository = this.#repository(addon);
    const pages = await this.#pages(`/v2/${repository}/tags/list?n=1000`, `tags of ${repository}`);
    return pages.flatMap((p) => strings((p as { tags?: unknown }).tags));
  }

  /** Names of the addons under the prefix, by the registry's catalogue: not every registry gives one. */
  async catalog(): Promise<string[]> {
    const prefix = this.location.prefix ? `${this.location.prefix}/` : '';
    const pages = await this.#pages('/v2/_catalog?n=1000', 'catalogue');
    return pages
      .flatMap((p) => strings((p as { repositories?: unknown }).repositories))
      .filter((r) => r.startsWith(prefix))
      .map((r) => r.slice(prefix.length))
      .filter((r) => r !== '' && !r.includes('/'));
  }

  /** Digest of what a tag names; undefined where there is none. One HEAD, as a rule. */
  async resolve(addon: string, reference: string): Promise<string | undefined> {
    const repository = this.#repository(addon);
    const what = `manifest of ${repository}:${reference}`;
    const digest = await this.#again(async () => {
      const answer = await this.#t.send({
        method: 'HEAD',
        url: this.#manifestUrl(addon, reference),
        headers: { accept: ACCEPT },
        what,
        ok: [200, 404],
      });
      await discard(answer);
      return answer.status === 404 ? undefined : (first(answer.headers['docker-content-digest']) ?? 'unsaid');
    });
    return digest === 'unsaid' ? (await this.manifest(addon, reference)).digest : digest;
  }

  /** A manifest by tag or digest; where by digest, it has that digest. @throws {RegistryError} `NotFound`, `DigestMismatch`, `TooLarge` */
  manifest(addon: string, reference: string): Promise<StoredManifest> {
    const repository = this.#repository(addon);
    const what = `manifest of ${repository}:${reference}`;
    return this.#again(async () => {
      const answer = await this.#t.send({
        method: 'GET',
        url: this.#manifestUrl(addon, reference),
        headers: { accept: ACCEPT },
        what,
        ok: [200],
      });
      const bytes = await this.#t.bytes(answer, what, LARGEST_MANIFEST);
      const digest = sha256(bytes);
      const said = reference.startsWith('sha256:') ? reference : first(answer.headers['docker-content-digest']);
      if (said?.startsWith('sha256:') && said !== digest)
        throw new RegistryError(
          'DigestMismatch',
          `${this.location.host}: ${what}: what comes is not what its digest says`,
          { kind: 'terminal' },
        );
      return { bytes, digest, mediaType: first(answer.headers['content-type']) ?? MEDIA_TYPES.manifest };
    });
  }

  /** Puts a manifest under a tag, in place of what that named. @returns its digest */
  putManifest(addon: string, tag: string, bytes: Uint8Array): Promise<string> {
    const repository = this.#repository(addon);
    return this.#again(async () => {
      const answer = await this.#t.send({
        method: 'PUT',
        url: this.#manifestUrl(addon, tag),
        headers: { 'content-type': MEDIA_TYPES.manifest },
        body: bytes,
        what: `manifest of ${repository}:${tag}`,
        ok: [201],
      });
      await discard(answer);
      return sha256(bytes);
    });
  }

  /** Brings a blob there where it is not yet. @returns bytes that were sent */
  pushBlob(addon: string, bytes: Uint8Array): Promise<number> {
    return pushBlob(this.#t, this.#repository(addon), bytes, this.#o);
  }

  /** A blob with the size and digest of its descriptor. @param max - the most that it may have, in bytes */
  pullBlob(addon: string, d: Descriptor, max: number): Promise<Uint8Array> {
    return pullBlob(this.#t, this.#repository(addon), d, max, this.#o);
  }

  #again<T>(step: () => Promise<T>): Promise<T> {
    return persist(this.#o, () => 0, step);
  }

  /** Pages of a list, by their Link headers. */
  async #pages(from: string, what: string): Promise<unknown[]> {
    const pages: unknown[] = [];
    for (let url: string | undefined = from; url !== undefined; ) {
      const asked: string = url;
      const [page, answer]: [unknown, Answer] = await this.#again(async () => {
        const a = await this.#t.send({ method: 'GET', url: asked, what, ok: [200] });
        return [await this.#t.json(a, what), a];
      });
      pages.push(page ?? {});
      url = this.#next(answer);
      if (pages.length >= MOST_PAGES)
        throw new RegistryError('TooLarge', `${this.location.host}: ${what}: more than ${MOST_PAGES} pages`, {
          kind: 'terminal',
        });
    }
    return pages;
  }

  #next(answer: Answer): string | undefined {
    const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(first(answer.headers.link) ?? '')?.[1];
    if (link === undefined || !URL.canParse(link, answer.url)) return undefined;
    const { pathname, search } = new URL(link, answer.url);
    return pathname + search;
  }
}

const strings = (v: unknown): string[] => (Array.isArray(v) ? v.filter((s) => typeof s === 'string') : []);
