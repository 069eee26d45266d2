import type * as X509 from '@peculiar/x509';

/** The elliptic curve of all keys that Shoto makes: small, quick to make and to check, known to every Kubernetes part. */
export const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

let loading: Promise<typeof X509> | undefined;

/** The certificate library, loaded at first use: it takes a few hundred milliseconds that most processes never need. */
export function loadX509(): Promise<typeof X509> {
  loading ??= (async () => {
    await import('reflect-metadata'); // the library throws on import without it
    const x509 = await import('@peculiar/x509');
    x509.cryptoProvider.set(globalThis.crypto);
    return x509;
  })();
  return loading;
}
