import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { certify, certifyRequest, createAuthority, issue } from './authority.ts';
import { caCertHash, createKeyPair, notAfter, publicKeyHash, splitPem } from './keys.ts';

const run = promisify(execFile);
const HOUR = 3600;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pki-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('a certificate authority', () => {
  it('is good for ten years, signs certificates, and no certificate outlives it', async () => {
    const now = Date.UTC(2026, 0, 1);
    const ca = await createAuthority('kubernetes', { now });
    const parsed = new X509Certificate(ca.certificate);
    expect(parsed.ca).toBe(true);
    expect(parsed.subject).toBe('CN=kubernetes');
    expect(Math.round((notAfter(ca.certificate) - now) / 86_400_000)).toBe(3650);

    const leaf = await issue(ca, { commonName: 'x', usages: ['client'], seconds: 20 * 365 * 24 * HOUR, now });
    expect(notAfter(leaf.certificate)).toBe(notAfter(ca.certificate));
    expect(new X509Certificate(leaf.certificate).verify(parsed.publicKey)).toBe(true);
  });

  it('refuses to sign when it has ended', async () => {
    const ca = await createAuthority('old', { now: Date.UTC(2010, 0, 1) });
    await expect(issue(ca, { commonName: 'x', usages: ['client'], seconds: HOUR })).rejects.toThrow(/ended at 2019/);
  });

  it('makes what openssl accepts under its strict rules, for servers by name and by address, and for clients', async () => {
    const ca = await createAuthority('kubernetes');
    const server = await issue(ca, {
      commonName: 'kube-apiserver',
      usages: ['server'],
      dnsNames: ['kubernetes.default'],
      ipAddresses: ['10.96.0.1'],
      seconds: HOUR,
    });
    const client = await issue(ca, { commonName: 'jane', organizations: ['team'], usages: ['client'], seconds: HOUR });
    await Promise.all([
      writeFile(join(dir, 'ca.crt'), ca.certificate),
      writeFile(join(dir, 'server.crt'), server.certificate),
      writeFile(join(dir, 'client.crt'), client.certificate),
    ]);
    const verify = (...args: string[]) =>
      run('openssl', ['verify', '-x509_strict', '-CAfile', 'ca.crt', ...args], { cwd: dir });
    await verify('-purpose', 'sslserver', '-verify_hostname', 'kubernetes.default', 'server.crt');
    await verify('-purpose', 'sslserver', '-verify_ip', '10.96.0.1', 'server.crt');
    await verify('-purpose', 'sslclient', 'client.crt');
    await expect(verify('-purpose', 'sslclient', 'server.crt')).rejects.toThrow(/unsuitable|purpose/);
    await expect(verify('-verify_ip', '10.96.0.2', 'server.crt')).rejects.toThrow(/mismatch/);
  });

  it('names groups as they are written, even where the text looks like encoded data', async () => {
    const ca = await createAuthority('kubernetes');
    // The hexadecimal form of "system:masters" as a UTF8String: a library that decodes it would make its bearer an administrator.
    const tricky = `#0c0e${Buffer.from('system:masters').toString('hex')}`;
    const leaf = await issue(ca, {
      commonName: 'a,O=system:masters',
      organizations: [tricky, 'x+CN=root'],
      usages: ['client'],
      seconds: HOUR,
    });
    await writeFile(join(dir, 'leaf.crt'), leaf.certificate);
    const { stdout } = await run('openssl', [
      'x509',
      '-noout',
      '-subject',
      '-nameopt',
      'multiline,utf8',
      '-in',
      join(dir, 'leaf.crt'),
    ]);
    const values = stdout
      .split('\n')
      .slice(1)
      .map((l) => l.trim().replace(/\s*=\s*/, '='))
      .filter(Boolean);
    expect(values).toEqual([
      `organizationName=${tricky}`,
      'organizationName=x+CN=root',
      'commonName=a,O=system:masters',
    ]);
  });

  it('serves a mutual-TLS handshake in which each side knows the other', async () => {
    const ca = await createAuthority('internal');
    const server = await issue(ca, { commonName: 's', usages: ['server'], ipAddresses: ['127.0.0.1'], seconds: HOUR });
    const client = await issue(ca, { commonName: 'provisioner', usages: ['client'], seconds: HOUR });
    const https = createServer(
      { cert: server.certificate, key: server.key, ca: ca.certificate, requestCert: true, rejectUnauthorized: true },
      (req, res) => res.end((req.socket as TLSSocket).getPeerCertificate().subject.CN),
    );
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    const { port } = https.address() as AddressInfo;
    const name = await new Promise<string>((resolve, reject) => {
      request(
        { host: '127.0.0.1', port, ca: ca.certificate, cert: client.certificate, key: client.key, agent: false },
        (res) => {
          res.setEncoding('utf8').on('data', resolve);
        },
      )
        .on('error', reject)
        .end();
    });
    await new Promise((resolve) => https.close(resolve));
    expect(name).toBe('provisioner');
  });
});

describe('certificates for keys of others', () => {
  it('certifies a public key, and leaves the private half where it is', async () => {
    const ca = await createAuthority('kubernetes');
    const pair = await createKeyPair();
    const certificate = await certify(ca, pair.publicKey, { commonName: 'x', usages: ['client'], seconds: HOUR });
    expect(publicKeyHash(certificate)).toBe(publicKeyHash(pair.publicKey));
  });

  it('takes only the key from a signing request, never the name that it asks for', async () => {
    const ca = await createAuthority('kubernetes');
    await run('openssl', [
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      join(dir, 'k'),
      '-out',
      join(dir, 'r'),
      '-subj',
      '/O=system:masters/CN=me',
    ]);
    const { stdout } = await run('cat', [join(dir, 'r')]);
    const certificate = await certifyRequest(ca, stdout, { commonName: 'node', usages: ['client'], seconds: HOUR });
    expect(new X509Certificate(certificate).subject).toBe('CN=node');
  });

  it('refuses a signing request that another key signed', async () => {
    const ca = await createAuthority('kubernetes');
    await run('openssl', [
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      join(dir, 'k'),
      '-outform',
      'DER',
      '-out',
      join(dir, 'r'),
      '-subj',
      '/CN=me',
    ]);
    const { stdout } = await run('openssl', ['base64', '-in', join(dir, 'r')]);
    const der = Buffer.from(stdout, 'base64');
    der[der.indexOf('me') + 1] = 'f'.charCodeAt(0); // another name under the old signature
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(certifyRequest(ca, forged, { commonName: 'n', usages: ['client'], seconds: HOUR })).rejects.toThrow(
      /not signed/,
    );
  });
});

describe('the hash of a public key', () => {
  it('is the pin that kubeadm join takes, as openssl computes it', async () => {
    const ca = await createAuthority('kubernetes');
    await writeFile(join(dir, 'ca.crt'), ca.certificate);
    const { stdout } = await run(
      'sh',
      ['-c', 'openssl x509 -pubkey -noout -in ca.crt | openssl pkey -pubin -outform der | openssl dgst -sha256 -hex'],
      { cwd: dir },
    );
    expect(caCertHash(ca.certificate)).toBe(`sha256:${stdout.trim().split(' ').pop()}`);
  });

  it('is the same for PEM and DER, and differs between keys', async () => {
    const [a, b] = await Promise.all([createAuthority('a'), createAuthority('a')]);
    expect(publicKeyHash(new X509Certificate(a.certificate).raw)).toBe(publicKeyHash(a.certificate));
    expect(publicKeyHash(a.certificate)).not.toBe(publicKeyHash(b.certificate));
  });
});

it('splits a bundle into its certificates', async () => {
  const [a, b] = await Promise.all([createAuthority('a'), createAuthority('b')]);
  expect(splitPem(`# first\n${a.certificate}\nsecond\n${b.certificate}`)).toEqual([a.certificate, b.certificate]);
  expect(splitPem('nothing')).toEqual([]);
});
