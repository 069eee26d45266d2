import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { BundleError } from '../errors.ts';
import { isSealed, openKey, sealKey } from './secretbox.ts';

/** A pair of keys as files. */
export interface KeyPair {
  /** PEM: PKCS8 in clear, or as cosign seals it where a password was given. */
  privateKey: string;
  /** PEM (SubjectPublicKeyInfo): goes into AddonRegistry.spec.publicKeys. */
  publicKey: string;
  fingerprint: string;
}

const bad = (message: string): BundleError => new BundleError('BadKey', { message });

/** Makes a pair of keys for signing (ECDSA P-256), which cosign reads too. @param password - seals the private key; in clear where empty */
export function generateKeyPair(password = ''): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey:
      password === '' ? (privateKey.export({ format: 'pem', type: 'pkcs8' }) as string) : sealKey(privateKey, password),
    publicKey: publicKey.export({ format: 'pem', type: 'spki' }) as string,
    fingerprint: fingerprintOf(publicKey),
  };
}

/** `sha256:<hex>` of a public key (SubjectPublicKeyInfo in DER): its name in status and messages. */
export const fingerprintOf = (key: KeyObject): string =>
  `sha256:${createHash('sha256')
    .update(key.export({ format: 'der', type: 'spki' }))
    .digest('hex')}`;

/** Reads a public key. @throws {BundleError} `BadKey` where it is no ECDSA key on P-256 */
export function readPublicKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    // A private key would be taken as well, and would then lie where everybody reads.
    if (/PRIVATE KEY/.test(pem)) throw new Error('private');
    key = createPublicKey(pem);
  } catch {
    throw bad('is no public key: give PEM that begins with -----BEGIN PUBLIC KEY-----');
  }
  return onP256(key);
}

/**
 * Reads a private key: PKCS8 in clear, or as cosign seals it.
 *
 * @throws {BundleError} `BadKey`
 */
export function readPrivateKey(pem: string, password = ''): KeyObject {
  try {
    return onP256(isSealed(pem) ? openKey(pem, password) : createPrivateKey(pem));
  } catch (e) {
    if (e instanceof BundleError) throw e;
    throw bad(
      isSealed(pem)
        ? (e as Error).message
        : 'is no private key: give PEM that begins with -----BEGIN PRIVATE KEY-----, or one that cosign made',
    );
  }
}

function onP256(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw bad('is no ECDSA key on the curve P-256, which cosign makes');
  return key;
}
