import { gunzipSync, gzipSync } from 'node:zlib';
import { BundleError } from '../errors.ts';
import { type BundleContent, bundleOf, LIMITS, textOf } from '../format/content.ts';
import type { BundleManifest } from '../format/manifest.ts';
import { checkManifest } from '../format/parse.ts';
import { canonicalJson, isObject, sha256 } from '../json.ts';
import { readYaml } from '../yaml.ts';
import { tar, untar } from './tar.ts';

export const MEDIA_TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  artifact: 'application/vnd.shoto.bundle.v1+json',
  config: 'application/vnd.shoto.bundle.config.v1+json',
  content: 'application/vnd.shoto.bundle.content.v1.tar+gzip',
} as const;

/** Where bytes are found, by their digest (OCI content descriptor). */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

/** An OCI image manifest, as far as it is read here. */
export interface OciManifest {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
}

/** A bundle as a registry keeps it. */
export interface PackedBundle {
  name: string;
  version: string;
  /** Digest of the manifest: the bundle's identity. */
  digest: string;
  manifest: Uint8Array;
  config: Uint8Array;
  layer: Uint8Array;
}

const bytesOf = (v: unknown): Uint8Array => new TextEncoder().encode(canonicalJson(v));

export const descriptorOf = (mediaType: string, bytes: Uint8Array): Descriptor => ({
  mediaType,
  digest: sha256(bytes),
  size: bytes.length,
});

/**
 * Packs a bundle as an OCI artifact: the same files give the same bytes (with the same version of zlib).
 *
 * @throws {BundleError} `BrokenBundle` where it is larger than a bundle may be
 */
export function packBundle(bundle: BundleContent): PackedBundle {
  const { manifest: m, files } = bundle;
  const layer = gzipSync(tar(files), { level: 9 });
  // Which system wrote it: unknown (RFC 1952).
  layer[9] = 255;
  if (layer.length > LIMITS.packedBytes)
    throw new BundleError('BrokenBundle', {
      message: `${mib(layer.length)} MiB packed; a bundle may have ${mib(LIMITS.packedBytes)} MiB`,
    });
  const config = bytesOf(readYaml(textOf(files, 'bundle.yaml'), 'bundle.yaml')[0]!.value);
  const manifest = bytesOf({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    artifactType: MEDIA_TYPES.artifact,
    config: descriptorOf(MEDIA_TYPES.config, config),
    layers: [
      {
        ...descriptorOf(MEDIA_TYPES.content, layer),
        annotations: { 'org.opencontainers.image.title': `${m.name}-${m.version}.tgz` },
      },
    ],
    annotations: {
      'org.opencontainers.image.title': m.name,
      'org.opencontainers.image.version': m.version,
      ...(m.description ? { 'org.opencontainers.image.description': m.description } : {}),
      ...(m.source ? { 'org.opencontainers.image.source': m.source } : {}),
      ...(m.license ? { 'org.opencontainers.image.licenses': m.license } : {}),
    },
  });
  return { name: m.name, version: m.version, digest: sha256(manifest), manifest, config, layer };
}

const mib = (n: number): number => Math.ceil(n / 1024 / 1024);

/** Reads the configuration of an artifact: what `bundle.yaml` says. @throws {BundleError} `InvalidManifest` */
export function readConfig(config: Uint8Array): BundleManifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(config));
  } catch (e) {
    throw new BundleError('InvalidManifest', { file: 'config', message: `is no JSON: ${(e as Error).message}` });
  }
  const checked = checkManifest(value);
  if ('manifest' in checked) return checked.manifest;
  throw new BundleError(
    'InvalidManifest',
    checked.problems.map(({ path, message }) => ({ file: 'config', path: path.join('.'), message })),
  );
}

/**
 * Reads the layer of an artifact.
 *
 * @param config - what the artifact says that it is; `bundle.yaml` in the layer must say the same
 * @throws {BundleError} `BrokenBundle`, `BrokenYaml`, `InvalidManifest`
 */
export function unpackBundle(layer: Uint8Array, config?: BundleManifest): BundleContent {
  let data: Uint8Array;
  try {
    // Headers and padding come on top of what the files have.
    data = gunzipSync(layer, { maxOutputLength: LIMITS.unpackedBytes + 4 * 1024 * 1024 });
  } catch (e) {
    const large = (e as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const message = large
      ? `larger than the ${mib(LIMITS.unpackedBytes)} MiB that a bundle may have unpacked`
      : `cannot be unpacked: ${(e as Error).message}`;
    throw new BundleError('BrokenBundle', { message });
  }
  const bundle = bundleOf(untar(data));
  if (config && canonicalJson(config) !== canonicalJson(bundle.manifest))
    throw new BundleError('BrokenBundle', {
      file: 'bundle.yaml',
      message: 'is not what the configuration of the artifact says',
    });
  return bundle;
}

/** Reads an OCI manifest. @throws {BundleError} `BrokenBundle` */
export function readOciManifest(bytes: Uint8Array): OciManifest {
  const broken = (message: string) => new BundleError('BrokenBundle', { file: 'manifest', message });
  let m: unknown;
  try {
    m = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (e) {
    throw broken(`is no JSON: ${(e as Error).message}`);
  }
  if (
    !isObject(m) ||
    m.schemaVersion !== 2 ||
    !isDescriptor(m.config) ||
    !Array.isArray(m.layers) ||
    !m.layers.every(isDescriptor)
  )
    throw broken('is no OCI image manifest');
  return m as unknown as OciManifest;
}

const isDescriptor = (d: unknown): boolean =>
  isObject(d) &&
  typeof d.mediaType === 'string' &&
  typeof d.digest === 'string' &&
  /^sha256:[0-9a-f]{64}$/.test(d.digest) &&
  Number.isSafeInteger(d.size) &&
  (d.size as number) >= 0;

/** The configuration and the one layer of a bundle's manifest. @throws {BundleError} `BrokenBundle` where it is something else */
export function partsOf(m: OciManifest): { config: Descriptor; layer: Descriptor } {
  const broken = (message: string) => new BundleError('BrokenBundle', { file: 'manifest', message });
  if (m.config.mediaType !== MEDIA_TYPES.config)
    throw broken(`is no bundle: its configuration is ${m.config.mediaType}, not ${MEDIA_TYPES.config}`);
  const [layer, more] = m.layers;
  if (!layer || more || layer.mediaType !== MEDIA_TYPES.content)
    throw broken(`must have one layer, of ${MEDIA_TYPES.content}`);
  return { config: m.config, layer };
}
