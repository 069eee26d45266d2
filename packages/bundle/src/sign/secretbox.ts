import { createPrivateKey, type KeyObject, randomBytes, scryptSync } from 'node:crypto';
import nacl from 'tweetnacl';

/** A private key as `cosign generate-key-pair` writes it: PKCS8 in a secretbox (XSalsa20-Poly1305) under a key out of a password (scrypt). */
const TYPE = 'ENCRYPTED SIGSTORE PRIVATE KEY';
/** What go-securesystemslib takes, and nothing dearer: parameters come with the file. */
const SCRYPT = { N: 65536, r: 8, p: 1 };
const MAX_N = 1 << 20;

interface Sealed {
  kdf: { name: string; params: { N: number; r: number; p: number }; salt: string };
  cipher: { name: string; nonce: string };
  ciphertext: string;
}

const PEM = /-----BEGIN (ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY)-----\s+([A-Za-z0-9+/=\s]+?)-----END \1-----/;

export const isSealed = (pem: string): boolean => PEM.test(pem);

const keyOf = (password: string, salt: Uint8Array, { N, r, p }: Sealed['kdf']['params']): Uint8Array =>
  scryptSync(password, salt, nacl.secretbox.keyLength, { N, r, p, maxmem: 256 * N * r });

/** @throws {Error} where the password is wrong, or the file damaged */
export function openKey(pem: string, password: string): KeyObject {
  const [, , body] = PEM.exec(pem) ?? [];
  let sealed: Sealed;
  try {
    sealed = JSON.parse(Buffer.from(body ?? '', 'base64').toString('utf8')) as Sealed;
  } catch {
    throw new Error('the private key is damaged');
  }
  const { kdf, cipher } = sealed;
  const { N, r, p } = kdf?.params ?? {};
  if (kdf?.name !== 'scrypt' || cipher?.name !== 'nacl/secretbox' || !(N <= MAX_N && r <= 16 && p <= 4))
    throw new Error(
      `the private key is sealed with ${kdf?.name} and ${cipher?.name}: scrypt and nacl/secretbox are known here`,
    );
  const [salt, nonce, text] = [kdf.salt, cipher.nonce, sealed.ciphertext].map(
    (s) => new Uint8Array(Buffer.from(s, 'base64')),
  );
  if (nonce!.length !== nacl.secretbox.nonceLength) throw new Error('the private key is damaged');
  const der = nacl.secretbox.open(text!, nonce!, keyOf(password, salt!, kdf.params));
  if (!der) throw new Error('the password of the private key is wrong');
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
}

/** Seals a private key so that cosign opens it too. */
export function sealKey(key: KeyObject, password: string): string {
  const der = key.export({ format: 'der', type: 'pkcs8' });
  const [salt, nonce] = [randomBytes(32), randomBytes(nacl.secretbox.nonceLength)];
  const ciphertext = nacl.secretbox(new Uint8Array(der), new Uint8Array(nonce), keyOf(password, salt, SCRYPT));
  const sealed: Sealed = {
    kdf: { name: 'scrypt', params: SCRYPT, salt: salt.toString('base64') },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(ciphertext).toString('base64'),
  };
  const body = Buffer.from(JSON.stringify(sealed)).toString('base64').replace(/.{64}/g, '$&\n').trimEnd();
  return `-----BEGIN ${TYPE}-----\n${body}\n-----END ${TYPE}-----\n`;
}
