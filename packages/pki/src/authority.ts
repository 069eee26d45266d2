import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { Name } from '@peculiar/x509';
import { createKeyPair, type KeyedCertificate } from './keys.ts';
import { ALGORITHM, loadX509 } from './x509.ts';

const SECOND = 1000;
const YEAR_SECONDS = 365 * 24 * 3600;
/** How far certificates reach back, for machines whose clocks are late. */
const BACKDATE_MS = 5 * 60 * SECOND;

/** What a certificate says. */
export interface CertificateRequest {
  /** Subject CN: the user of a client, the name of a server. */
  commonName: string;
  /** Subject O: a client's groups. */
  organizations?: readonly string[];
  /** What it may be used for. */
  usages: readonly ('client' | 'server')[];
  dnsNames?: readonly string[];
  ipAddresses?: readonly string[];
  /** How long it is good for, in seconds, from `now`. It never outlives its CA. */
  seconds: number;
  /** Milliseconds since the epoch; default: now. */
  now?: number;
}

/** The subject, with every value as a plain UTF-8 string: no text in it is read as anything but itself. */
async function subjectOf(commonName: string, organizations: readonly string[] = []): Promise<Name> {
  const x509 = await loadX509();
  return new x509.Name([
    ...organizations.map((o) => ({ O: [{ utf8String: o }] })),
    { CN: [{ utf8String: commonName }] },
  ]);
}

const importSigningKey = (pem: string): Promise<CryptoKey> =>
  crypto.subtle.importKey('pkcs8', createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }), ALGORITHM, false, [
    'sign',
  ]);

const importPublicKey = (spki: ArrayBuffer | Uint8Array<ArrayBuffer>): Promise<CryptoKey> =>
  crypto.subtle.importKey('spki', spki, ALGORITHM, true, ['verify']);

const derOfPublicKey = (pem: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(createPublicKey(pem).export({ type: 'spki', format: 'der' }));

/**
 * A new certificate authority, EC P-256, signed by itself. The private key is in the answer and nowhere else.
 *
 * @param seconds - how long it is good for; default ten years
 */
export async function createAuthority(
  commonName: string,
  o: { seconds?: number; now?: number } = {},
): Promise<KeyedCertificate> {
  const x509 = await loadX509();
  const pair = await createKeyPair();
  const publicKey = await importPublicKey(derOfPublicKey(pair.publicKey));
  const now = o.now ?? Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: await subjectOf(commonName),
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + (o.seconds ?? 10 * YEAR_SECONDS) * SECOND),
    signingAlgorithm: ALGORITHM,
    keys: { publicKey, privateKey: await importSigningKey(pair.privateKey) },
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificate: `${certificate.toString('pem')}\n`, key: pair.privateKey };
}

/**
 * A certificate (PEM) for a public key that somebody else holds the private half of.
 *
 * @param ca - certificate and key of the authority; EC P-256
 * @param publicKey - `BEGIN PUBLIC KEY` PEM, EC P-256
 * @throws Error when the key is of another kind, or the authority has ended
 */
export async function certify(ca: KeyedCertificate, publicKey: string, r: CertificateRequest): Promise<string> {
  const x509 = await loadX509();
  const authority = new x509.X509Certificate(ca.certificate);
  const now = r.now ?? Date.now();
  const end = Math.min(now + r.seconds * SECOND, authority.notAfter.getTime());
  if (end <= now)
    throw new Error(`the certificate authority ${authority.subject} ended at ${authority.notAfter.toISOString()}`);
  const names = [
    ...(r.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(r.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: await subjectOf(r.commonName, r.organizations),
    issuer: authority.subjectName,
    notBefore: new Date(Math.max(now - BACKDATE_MS, authority.notBefore.getTime())),
    notAfter: new Date(end),
    signingAlgorithm: ALGORITHM,
    publicKey: await importPublicKey(derOfPublicKey(publicKey)),
    signingKey: await importSigningKey(ca.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(
        r.usages.map((u) => (u === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth)),
      ),
      await x509.AuthorityKeyIdentifierExtension.create(authority),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** A certificate with a new key of its own, EC P-256. */
export async function issue(ca: KeyedCertificate, r: CertificateRequest): Promise<KeyedCertificate> {
  const pair = await createKeyPair();
  return { certificate: await certify(ca, pair.publicKey, r), key: pair.privateKey };
}

/**
 * A certificate (PEM) for a signing request (PKCS #10, PEM). Only its public key is taken from the request:
 * what the certificate says is the caller's decision.
 *
 * @throws Error when the request is not signed by its own key, or the key is not EC P-256
 */
export async function certifyRequest(ca: KeyedCertificate, request: string, r: CertificateRequest): Promise<string> {
  const x509 = await loadX509();
  const csr = new x509.Pkcs10CertificateRequest(request);
  if (!(await csr.verify())) throw new Error('the signing request is not signed by the key that it names');
  return certify(ca, csr.publicKey.toString('pem'), r);
}
