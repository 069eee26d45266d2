import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A key and a certificate as a machine makes them for itself. */
export async function machineKey(): Promise<{ key: string; cert: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'machine-'));
  try {
    const [key, cert] = [join(dir, 'k'), join(dir, 'c')];
    await run('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key]);
    await run('openssl', [
      'req',
      '-x509',
      '-new',
      '-key',
      key,
      '-sha256',
      '-days',
      '3650',
      '-subj',
      '/CN=shoto-machine',
      '-out',
      cert,
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** One request over TLS with that key. */
export function post(
  url: string,
  path: string,
  body: unknown,
  o: { ca: string; key?: string; cert?: string; signal?: AbortSignal; method?: string },
): Promise<{ status: number; headers: Record<string, unknown>; body: Record<string, unknown> }> {
  const { hostname, port } = new URL(url);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: hostname,
        port,
        path,
        method: o.method ?? 'POST',
        ca: o.ca,
        key: o.key,
        cert: o.cert,
        agent: false,
        signal: o.signal,
      },
      (res) => {
        const parts: Buffer[] = [];
        res.on('data', (p: Buffer) => parts.push(p));
        res.on('end', () => {
          const said = Buffer.concat(parts).toString();
          resolve({ status: res.statusCode ?? 0, headers: res.headers, body: said ? JSON.parse(said) : {} });
        });
      },
    );
    req.on('error', reject);
    req.end(text);
  });
}
