import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { fingerprintOf, generateKeyPair, readPrivateKey, readPublicKey } from './keys.ts';

/** Sealed by go-securesystemslib/encrypted, which cosign seals keys with. The password is "correct horse". */
const SEALED = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJtV3EvNVZQTGVjU3JqZFpZTStXKzFpeitUaGRQVG9C
TS9DZTNZeEtidXJjPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJDRjIxeDFudWZDdzN0U2QzaGF0ZU1jalJoUnpZUHBydyJ9LCJj
aXBoZXJ0ZXh0Ijoicmoxa0grQmx5SjBoc1NUQS9QTHd5dWN2ek8zeEdPMkFKOGZu
aDhGUE14Q2hNYllmdDEyem9HKzJUakJ5V2R3bXlVUWVWQnp0eUZ6c3A2c3dFUFkr
UE9sNlZxU1dPejdoeWZhVm5tSXpTbm81U2hxR1o0elg5TENYTXRsaHZoU0hwc2VJ
cS9vemJaM0VlTHZmS000bU9zdXFjODJpQXppa3RoT2x4MmJpNE5hSzNHS1pwM25V
SVEyb3V0T1o5ZW9TOUpmZEplcURnaStPVUE9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
`;
const ITS_PUBLIC_KEY = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBVQ7g9QANgdHfA8pEd6ZFLi6D7mG
LfFet597FGMXf9ZF8/n3GMqr4+VFp8kwhiC6v5Eb1KwPqT/n/CgwKOfMiQ==
-----END PUBLIC KEY-----
`;

const publicOf = (pem: string, password?: string): string =>
  createPublicKey(readPrivateKey(pem, password)).export({ format: 'pem', type: 'spki' }) as string;

describe('a pair of keys', () => {
  it('is PEM in clear, and its fingerprint is that of the public one', () => {
    const pair = generateKeyPair();
    expect(pair.privateKey).toMatch(/^-----BEGIN PRIVATE KEY-----/);
    expect(publicOf(pair.privateKey)).toBe(pair.publicKey);
    expect(fingerprintOf(readPublicKey(pair.publicKey))).toBe(pair.fingerprint);
    expect(pair.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
  it('is sealed where there is a password, and opened by that one only', () => {
    const pair = generateKeyPair('open sesame');
    expect(pair.privateKey).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----/);
    expect(publicOf(pair.privateKey, 'open sesame')).toBe(pair.publicKey);
    expect(() => readPrivateKey(pair.privateKey, 'hunter2')).toThrow('the password of the private key is wrong');
    expect(() => readPrivateKey(pair.privateKey)).toThrow('the password of the private key is wrong');
  });
});

describe('a private key', () => {
  it('that cosign sealed is opened', () => {
    expect(publicOf(SEALED, 'correct horse')).toBe(ITS_PUBLIC_KEY);
  });
  const sealedWith = (change: object): string => {
    const [, body] = /KEY-----\n([\s\S]+)\n-----END/.exec(SEALED)!;
    const sealed = { ...JSON.parse(Buffer.from(body!, 'base64').toString()), ...change };
    return SEALED.replace(body!, Buffer.from(JSON.stringify(sealed)).toString('base64'));
  };
  it.each([
    ['nothing', '', 'is no private key'],
    ['a public key', ITS_PUBLIC_KEY, 'is no private key'],
    [
      'one of another kind',
      generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      'is no ECDSA key on the curve P-256',
    ],
    [
      'one on another curve',
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
      'is no ECDSA key on the curve P-256',
    ],
    ['one sealed otherwise', sealedWith({ cipher: { name: 'aes' } }), 'sealed with scrypt and aes'],
    [
      'one that would cost gigabytes to open',
      sealedWith({ kdf: { name: 'scrypt', params: { N: 2 ** 30, r: 8, p: 1 }, salt: '' } }),
      'scrypt and nacl/secretbox are known here',
    ],
    ['one whose nonce is damaged', sealedWith({ cipher: { name: 'nacl/secretbox', nonce: 'AA==' } }), 'is damaged'],
  ])('that is %s is refused', (_what, pem, message) => {
    expect(() => readPrivateKey(pem, 'correct horse')).toThrow(message);
  });
});

describe('a public key', () => {
  it.each([
    ['nothing', ''],
    ['a private key', generateKeyPair().privateKey],
  ])('that is %s is refused', (_what, pem) => {
    expect(() => readPublicKey(pem)).toThrow('is no public key: give PEM that begins with -----BEGIN PUBLIC KEY-----');
  });
});
