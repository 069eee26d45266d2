import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Json } from '../types.ts';

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const algorithm = (key: KeyObject): 'RS256' | 'ES256' => (key.asymmetricKeyType === 'rsa' ? 'RS256' : 'ES256');

/** Signs and checks service-account tokens with a cluster's `sa.key` (RSA or EC P-256). */
export class TokenSigner {
  private readonly privateKey: KeyObject;
  private readonly publicKey: KeyObject;

  /** @param pem the private key */
  constructor(pem: string) {
    this.privateKey = createPrivateKey(pem);
    this.publicKey = createPublicKey(this.privateKey);
  }

  /** A signed token with these claims. */
  sign(claims: Json): string {
    const alg = algorithm(this.privateKey);
    const data = `${encode({ alg, kid: 'sa' })}.${encode(claims)}`;
    const key = alg === 'ES256' ? { key: this.privateKey, dsaEncoding: 'ieee-p1363' as const } : this.privateKey;
    return `${data}.${sign('sha256', Buffer.from(data), key).toString('base64url')}`;
  }

  /** The claims of a token signed by this key, or undefined. Says nothing of its expiry. */
  verify(token: string): Json | undefined {
    const [header, payload, signature] = token.split('.');
    if (!header || !payload || !signature) return undefined;
    const alg = algorithm(this.publicKey);
    const key = alg === 'ES256' ? { key: this.publicKey, dsaEncoding: 'ieee-p1363' as const } : this.publicKey;
    try {
      if ((JSON.parse(Buffer.from(header, 'base64url').toString()) as Json).alg !== alg) return undefined;
      if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')))
        return undefined;
      return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Json;
    } catch {
      return undefined;
    }
  }

  /** The public key as JWK, for `/openid/v1/jwks`. */
  jwk(): Json {
    return { use: 'sig', kid: 'sa', alg: algorithm(this.publicKey), ...this.publicKey.export({ format: 'jwk' }) };
  }
}
