import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalJson, isObject } from '../json.ts';
import type { RegistryClient } from '../oci/client.ts';
import { RegistryError } from '../oci/error.ts';
import { type Descriptor, descriptorOf, MEDIA_TYPES, type OciManifest, readOciManifest } from '../oci/pack.ts';
import { fingerprintOf } from './keys.ts';

const PAYLOAD = 'application/vnd.dev.cosign.simplesigning.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const ANNOTATION = 'dev.cosignproject.cosign/signature';
const LARGEST_PAYLOAD = 64 * 1024;
/** More signatures than this of one bundle are not looked at. */
const MOST = 32;

/** Where cosign keeps the signatures of what has this digest. */
export const signatureTag = (digest: string): string => `${digest.replace(':', '-')}.sig`;

/** What is signed: that a digest is this one ("simple signing"). */
const payloadOf = (repository: string, digest: string): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': repository },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  );

/** Signatures that lie beside a bundle; undefined where there are none. */
async function signaturesOf(client: RegistryClient, addon: string, digest: string): Promise<OciManifest | undefined> {
  try {
    return readOciManifest((await client.manifest(addon, signatureTag(digest))).bytes);
  } catch (e) {
    if (e instanceof RegistryError && e.reason === 'NotFound') return undefined;
    throw e;
  }
}

/**
 * Signs a published bundle as `cosign sign --key` does. Signatures of others stay; one of this key is not made twice.
 *
 * @returns the fingerprint of the key
 * @throws {RegistryError}
 */
export async function signBundle(
  client: RegistryClient,
  addon: string,
  digest: string,
  privateKey: KeyObject,
): Promise<string> {
  const publicKey = createPublicKey(privateKey);
  const fingerprint = fingerprintOf(publicKey);
  const before = await signaturesOf(client, addon, digest);
  if (before && (await firstValid(client, addon, digest, before, [publicKey]))) return fingerprint;
  const payload = payloadOf(client.nameOf(addon), digest);
  const layer: Descriptor = {
    ...descriptorOf(PAYLOAD, payload),
    annotations: { [ANNOTATION]: sign('sha256', payload, privateKey).toString('base64') },
  };
  const layers = [...(before?.layers ?? []), layer];
  const config = new TextEncoder().encode(
    canonicalJson({
      architecture: '',
      config: {},
      created: '0001-01-01T00:00:00Z',
      history: layers.map(() => ({ created: '0001-01-01T00:00:00Z' })),
      os: '',
      rootfs: { type: 'layers', diff_ids: layers.map((l) => l.digest) },
    }),
  );
  await client.pushBlob(addon, payload);
  await client.pushBlob(addon, config);
  const manifest = canonicalJson({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest,
    config: descriptorOf(CONFIG, config),
    layers,
  });
  await client.putManifest(addon, signatureTag(digest), new TextEncoder().encode(manifest));
  return fingerprint;
}

/**
 * Verifies that one of the keys signed a bundle.
 *
 * @param digest - of the bundle's manifest, as it was fetched
 * @returns the fingerprint of the key
 * @throws {RegistryError} `NotSigned`, `BadSignature`, and what the client throws
 */
export async function verifyBundle(
  client: RegistryClient,
  addon: string,
  digest: string,
  publicKeys: readonly KeyObject[],
): Promise<string> {
  const name = `${client.nameOf(addon)}@${digest.slice(0, 19)}`;
  const found = await signaturesOf(client, addon, digest);
  if (!found?.layers.some((l) => l.mediaType === PAYLOAD))
    throw new RegistryError('NotSigned', `${name} is not signed: sign it (shoto addon sign, or cosign sign --key)`, {
      kind: 'terminal',
    });
  const key = await firstValid(client, addon, digest, found, publicKeys);
  if (key) return fingerprintOf(key);
  const known = publicKeys.map((k) => fingerprintOf(k).slice(0, 19)).join(', ') || 'none';
  throw new RegistryError(
    'BadSignature',
    `${name} is signed, but by none of the keys that count here (${known}), or was altered`,
    { kind: 'terminal' },
  );
}

async function firstValid(
  client: RegistryClient,
  addon: string,
  digest: string,
  signatures: OciManifest,
  keys: readonly KeyObject[],
): Promise<KeyObject | undefined> {
  for (const layer of signatures.layers.slice(0, MOST)) {
    const signature = layer.annotations?.[ANNOTATION];
    if (layer.mediaType !== PAYLOAD || typeof signature !== 'string' || layer.size > LARGEST_PAYLOAD) continue;
    const payload = await client.pullBlob(addon, layer, LARGEST_PAYLOAD);
    const bytes = Buffer.from(signature, 'base64');
    const key = keys.find((k) => verify('sha256', payload, k, bytes));
    if (key && saysDigest(payload, digest)) return key;
  }
  return undefined;
}

/** A signature is good for the digest that it names only. */
function saysDigest(payload: Uint8Array, digest: string): boolean {
  try {
    const { critical } = JSON.parse(Buffer.from(payload).toString('utf8')) as { critical?: unknown };
    if (!isObject(critical) || !isObject(critical.image)) return false;
    return critical.type === 'cosign container image signature' && critical.image['docker-manifest-digest'] === digest;
  } catch {
    return false;
  }
}
