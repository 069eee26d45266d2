import { BundleError } from '../errors.ts';
import { type BundleContent, LIMITS } from '../format/content.ts';
import type { BundleManifest } from '../format/manifest.ts';
import type { RegistryClient } from './client.ts';
import { RegistryError } from './error.ts';
import { type OciManifest, type PackedBundle, partsOf, readConfig, readOciManifest, unpackBundle } from './pack.ts';
import { tagOf, versionOfTag } from './reference.ts';

/** A bundle in a registry, without its content. */
export interface PublishedBundle {
  /** What its `bundle.yaml` says. */
  manifest: BundleManifest;
  digest: string;
  oci: OciManifest;
}

/**
 * Publishes a bundle: blobs first, then the manifest under the version's tag. What is there already is not sent again; a version that is there with
 * other content is left as it is.
 *
 * @returns whether it is new, and the bytes that were sent
 * @throws {RegistryError} `VersionExists`
 */
export async function pushBundle(
  client: RegistryClient,
  p: PackedBundle,
): Promise<{ digest: string; isNew: boolean; sent: number }> {
  const tag = tagOf(p.version);
  if (await isThere(client, p, tag)) return { digest: p.digest, isNew: false, sent: 0 };
  let sent = 0;
  for (const blob of [p.config, p.layer]) sent += await client.pushBlob(p.name, blob);
  // Somebody may have published it meanwhile. A registry has no way to put a tag only where there is none.
  if (await isThere(client, p, tag)) return { digest: p.digest, isNew: false, sent };
  await client.putManifest(p.name, tag, p.manifest);
  return { digest: p.digest, isNew: true, sent: sent + p.manifest.length };
}

async function isThere(client: RegistryClient, p: PackedBundle, tag: string): Promise<boolean> {
  const there = await client.resolve(p.name, tag);
  if (there === undefined) return false;
  if (there === p.digest) return true;
  throw new RegistryError(
    'VersionExists',
    `${client.nameOf(p.name)}:${tag} is published with other content (${there.slice(0, 19)}, this is ${p.digest.slice(0, 19)}): a version never changes, publish a new one`,
    { kind: 'terminal' },
  );
}

/**
 * Looks at a bundle without fetching its content: the manifest and its configuration.
 *
 * @param reference - version, tag or digest
 * @throws {RegistryError}, {BundleError} where it is no bundle, or another than its place says
 */
export async function inspectBundle(
  client: RegistryClient,
  addon: string,
  reference: string,
): Promise<PublishedBundle> {
  const { bytes, digest } = await client.manifest(
    addon,
    reference.startsWith('sha256:') ? reference : tagOf(reference),
  );
  const oci = readOciManifest(bytes);
  const { config, layer } = partsOf(oci);
  if (layer.size > LIMITS.packedBytes)
    throw new RegistryError(
      'TooLarge',
      `${client.nameOf(addon)}: the layer has ${layer.size} bytes, a bundle may have ${LIMITS.packedBytes}`,
      { kind: 'terminal' },
    );
  const manifest = readConfig(await client.pullBlob(addon, config, LIMITS.configBytes));
  const version = versionOfTag(reference);
  if (manifest.name !== addon || (version !== undefined && manifest.version !== version))
    throw new BundleError('BrokenBundle', {
      message: `${client.nameOf(addon)}:${reference} holds ${manifest.name} ${manifest.version}: a bundle's place is its name and version`,
    });
  return { manifest, digest, oci };
}

/** Fetches a bundle whole; every byte is checked against the manifest's digests, and those against `digest` where it is given by one. */
export async function pullBundle(
  client: RegistryClient,
  addon: string,
  reference: string,
): Promise<PublishedBundle & { content: BundleContent }> {
  const published = await inspectBundle(client, addon, reference);
  const layer = await client.pullBlob(addon, partsOf(published.oci).layer, LIMITS.packedBytes);
  return { ...published, content: unpackBundle(layer, published.manifest) };
}
