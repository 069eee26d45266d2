import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CloudConfig, createClient } from '../src/index.ts';

let folder: string;
let server: Server;
let authUrl: string;

/** A Keystone that answers only to who trusts its self-signed certificate, and says whether the client showed one. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tls-'));
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', 'cert.pem', '-days', '2', ...subject], {
    cwd: folder,
    stdio: 'pipe',
  });
  const [cert, privateKey] = [readFileSync(join(folder, 'cert.pem')), readFileSync(join(folder, 'key.pem'))];
  server = createServer(
    { cert, key: privateKey, ca: cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const socket = request.socket as typeof request.socket & { authorized: boolean };
      response.writeHead(201, { 'content-type': 'application/json', 'x-subject-token': 't' });
      const project = { id: socket.authorized ? 'known' : 'unknown' };
      response.end(JSON.stringify({ token: { expires_at: '2999-01-01T00:00:00Z', project } }));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  authUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

async function projectSeen(more: Partial<CloudConfig>): Promise<string | undefined> {
  const client = createClient({ authUrl, auth: { type: 'token', token: 't' }, ...more });
  try {
    return await client.projectId();
  } finally {
    await client.close();
  }
}

it('a certificate of an unknown CA is refused at once, with what to do', async () => {
  await expect(projectSeen({})).rejects.toMatchObject({
    name: 'ConnectionError',
    retryable: false,
    mayHaveHappened: false,
  });
  await expect(projectSeen({})).rejects.toThrow(/cacert/);
});

it('the CA of the configuration is trusted, as file and as text', async () => {
  expect(await projectSeen({ caFile: join(folder, 'cert.pem') })).toBe('unknown');
  expect(await projectSeen({ ca: readFileSync(join(folder, 'cert.pem'), 'utf8') })).toBe('unknown');
});

it('verify: false trusts anybody', async () => {
  expect(await projectSeen({ verify: false })).toBe('unknown');
});

it('the client certificate of the configuration is shown', async () => {
  const files = {
    caFile: join(folder, 'cert.pem'),
    certFile: join(folder, 'cert.pem'),
    keyFile: join(folder, 'key.pem'),
  };
  expect(await projectSeen(files)).toBe('known');
});

it('a file that is not there is told by its setting', () => {
  expect(() =>
    createClient({ name: 'a', authUrl, auth: { type: 'token', token: 't' }, caFile: '/nowhere.pem' }),
  ).toThrow("cloud 'a': cacert '/nowhere.pem' cannot be read");
});
