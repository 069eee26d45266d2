import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AddonBundle } from '@shoto/api';
import {
  type BundleContent,
  type Descriptor,
  LIMITS,
  partsOf,
  type RegistryClient,
  RegistryError,
  readConfig,
  readOciManifest,
  sha256,
  unpackBundle,
} from '@shoto/bundle';
import { RetryableError, TerminalError } from '@shoto/reconciler';

/** Blobs by their digest, kept on disk: a registry that is away holds nobody back who was there before. */
export class BlobCache {
  readonly #dir: string | undefined;

  /** @param dir - made where it is not there; without one nothing is kept */
  constructor(dir: string | undefined) {
    this.#dir = dir;
  }

  /** A blob, from the disk where it is there and unaltered. */
  async get(digest: string, fetch: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const path = this.#dir && join(this.#dir, digest.replace(':', '-'));
    const kept = path && (await readFile(path).catch(() => undefined));
    if (kept && sha256(kept) === digest) return kept;
    const bytes = await fetch();
    if (path && sha256(bytes) === digest) await this.#keep(path, bytes);
    return bytes;
  }

  /** Whole or not at all; a disk that is full is no reason to fail. */
  async #keep(path: string, bytes: Uint8Array): Promise<void> {
    const part = `${path}.${randomUUID()}`;
    await mkdir(this.#dir!, { recursive: true, mode: 0o700 })
      .then(() => writeFile(part, bytes, { mode: 0o600 }))
      .then(() => rename(part, path))
      .catch(() => {});
  }
}

/**
 * Reads a bundle of a registry by its digest.
 *
 * @throws {TerminalError} where it is not what its digest says, or no bundle
 * @throws {RetryableError} while the registry does not answer
 */
export async function readOci(client: RegistryClient, cache: BlobCache, bundle: AddonBundle): Promise<BundleContent> {
  const { digest } = bundle.spec.oci!;
  const { addon } = bundle.spec;
  try {
    const bytes = await cache.get(digest, async () => (await client.manifest(addon, digest)).bytes);
    const { config, layer } = partsOf(readOciManifest(bytes));
    const blob = (d: Descriptor, max: number) => cache.get(d.digest, () => client.pullBlob(addon, d, max));
    const manifest = readConfig(await blob(config, LIMITS.configBytes));
    return unpackBundle(await blob(layer, LIMITS.packedBytes), manifest);
  } catch (e) {
    if (!(e instanceof RegistryError)) throw e;
    const message = `bundle ${bundle.metadata.name}: ${e.message}`;
    if (e.kind === 'terminal') throw new TerminalError(e.reason, message, { cause: e });
    throw new RetryableError(e.reason, message, { cause: e, retryAfterMs: e.retryAfterMs });
  }
}
