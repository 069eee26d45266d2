import { createHash, createPublicKey, generateKeyPair, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);

/** A key pair in PEM. */
export interface KeyPair {
  /** `BEGIN PRIVATE KEY` (PKCS #8). Secret. */
  privateKey: string;
  /** `BEGIN PUBLIC KEY` (SubjectPublicKeyInfo). */
  publicKey: string;
}

/** A certificate and its private key, both in PEM. */
export interface KeyedCertificate {
  certificate: string;
  /** `BEGIN PRIVATE KEY` (PKCS #8). Secret. */
  key: string;
}

/**
 * A new EC P-256 key pair, made off the event loop. Also fit to sign service-account tokens (ES256): kubeadm,
 * kube-apiserver and kube-controller-manager take EC keys there, and one costs a hundredth of an RSA key.
 */
export async function createKeyPair(): Promise<KeyPair> {
  const pair = await generate('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return { privateKey: pair.privateKey, publicKey: pair.publicKey };
}

/** DER of the SubjectPublicKeyInfo of a certificate (PEM or DER) or of a public key in PEM. */
function subjectPublicKeyInfo(pemOrDer: string | Buffer): Buffer {
  const isKey = typeof pemOrDer === 'string' && pemOrDer.includes('BEGIN PUBLIC KEY');
  const key = isKey ? createPublicKey(pemOrDer) : new X509Certificate(pemOrDer).publicKey;
  return key.export({ type: 'spki', format: 'der' });
}

/**
 * SHA-256 of the SubjectPublicKeyInfo, in hexadecimal: names a key, whatever certificate carries it.
 *
 * @param pemOrDer - a certificate (PEM or DER), or a public key (PEM)
 */
export const publicKeyHash = (pemOrDer: string | Buffer): string =>
  createHash('sha256').update(subjectPublicKeyInfo(pemOrDer)).digest('hex');

/** The pin of a CA as `kubeadm join --discovery-token-ca-cert-hash` takes it: `sha256:<hex>`. */
export const caCertHash = (certificate: string): string => `sha256:${publicKeyHash(certificate)}`;

/** When a certificate (PEM) ends, in milliseconds since the epoch. */
export const notAfter = (certificate: string): number => new X509Certificate(certificate).validToDate.getTime();

/**
 * The certificates of a PEM bundle, one PEM each; text between them is dropped.
 */
export const splitPem = (bundle: string): string[] =>
  bundle.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)?.map((c) => `${c}\n`) ?? [];
