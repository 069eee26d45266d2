import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAuthority, issue } from '@shoto/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const CIDR = `127.${150 + (process.pid % 90)}.7.0/24`;

let dir: string;
let running: ChildProcess | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'simulator-'));
});
afterEach(() => {
  running?.kill('SIGKILL');
  running = undefined;
  rmSync(dir, { recursive: true, force: true });
});

type Line = Record<string, string> & { problems?: string[] };

/** Starts the program with a configuration; gives its first line of output. */
async function start(config: object): Promise<{ child: ChildProcess; first: Line }> {
  const file = join(dir, 'sim.yaml');
  writeFileSync(file, stringify(config));
  const child = spawn(process.execPath, [MAIN, '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  running = child;
  let text = '';
  for await (const chunk of child.stdout!) {
    text += String(chunk);
    if (text.includes('\n')) break;
  }
  return { child, first: JSON.parse(text.split('\n')[0]!) as Line };
}

async function stop(child: ChildProcess): Promise<{ code: number | null; ms: number }> {
  const began = performance.now();
  const exit = once(child, 'exit') as Promise<[number | null]>;
  child.kill('SIGTERM');
  const [code] = await exit;
  return { code, ms: performance.now() - began };
}

async function management(): Promise<{ config: object; ca: string }> {
  const ca = await createAuthority('simulator-ca');
  const own = await issue(ca, {
    commonName: 'management',
    usages: ['server'],
    ipAddresses: ['127.0.0.1'],
    seconds: 600,
  });
  const [certFile, keyFile, tokensFile] = ['c', 'k', 't'].map((n) => join(dir, n)) as [string, string, string];
  writeFileSync(certFile, own.certificate);
  writeFileSync(keyFile, own.key);
  writeFileSync(tokensFile, '# who\nadmin-token,admin,1,"people,system:masters"\nteam-token,team,2\n');
  const config = {
    openstack: { externalNetwork: { cidr: CIDR } },
    management: { dataDir: join(dir, 'data'), certFile, keyFile, tokensFile },
  };
  return { config, ca: ca.certificate };
}

function get(url: string, ca: string, token: string, method = 'GET', body?: object): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request(url, { ca, method, headers, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end(body && JSON.stringify(body));
  });
}

describe('the program', () => {
  it('serves OpenStack, its admin API and the management cluster, and says where', async () => {
    const { config, ca } = await management();
    const { child, first } = await start(config);
    expect(first).toMatchObject({ msg: 'ready', admin: `${first.openstack}/admin` });
    expect((await fetch(`${first.openstack}/identity/v3`)).status).toBe(200);
    expect((await fetch(`${first.admin}/state`)).status).toBe(200);
    const secrets = `${first.management}/api/v1/namespaces/default/secrets`;
    expect(await get(secrets, ca, 'admin-token')).toBe(200);
    expect(await get(secrets, ca, 'team-token')).toBe(403);
    expect(await get(secrets, ca, 'nonsense')).toBe(401);
    const { code, ms } = await stop(child);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(2000);
  });

  it('lets the management cluster fail as it is told to, and knows of no cluster that is not there', async () => {
    const { config, ca } = await management();
    const { first } = await start(config);
    const admin = (method: string, path: string, body?: object) =>
      fetch(`${first.admin}${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    const secrets = () => get(`${first.management}/api/v1/namespaces/default/secrets`, ca, 'admin-token');
    const rule = { id: 'down', match: { cluster: 'management' }, action: { type: 'status', status: 503 } };
    expect((await admin('POST', '/api-faults', rule)).status).toBe(201);
    expect(await secrets()).toBe(503);
    expect((await admin('DELETE', '/api-faults/down')).status).toBe(204);
    expect(await secrets()).toBe(200);
    const cut = await admin('POST', '/api-cuts', { cluster: 'web' });
    expect(cut.status).toBe(400);
    expect(await cut.text()).toContain('no outside address leads to a cluster web');
    expect((await admin('DELETE', '/api-cuts')).status).toBe(204);
  });

  it('serves a registry that keeps what it has, asks for users, and fails as it is told to', async () => {
    const config = {
      openstack: { externalNetwork: { cidr: CIDR } },
      registry: { dataDir: join(dir, 'registry'), users: [{ name: 'author', password: 'p' }] },
    };
    const { first } = await start(config);
    const authorization = `Basic ${btoa('author:p')}`;
    const ask = (path: string, method = 'GET') =>
      fetch(`${first.registry}${path}`, { method, headers: { authorization } });
    expect((await fetch(`${first.registry}/v2/`)).status).toBe(401);
    expect((await ask('/v2/')).status).toBe(200);
    const upload = new URL((await ask('/v2/a/blobs/uploads/', 'POST')).headers.get('location')!).pathname;
    const rule = { id: 'down', match: { operation: 'upload.status' }, action: { type: 'status', status: 503 } };
    const faults = `${first.admin}/registry-faults`;
    expect((await fetch(faults, { method: 'POST', body: JSON.stringify(rule) })).status).toBe(201);
    expect((await ask(upload)).status).toBe(503);
    expect(await (await fetch(faults)).json()).toMatchObject({ faults: [{ id: 'down', hits: 1 }] });
    expect((await fetch(`${faults}/down`, { method: 'DELETE' })).status).toBe(204);
    expect((await ask(upload)).status).toBe(204);
    const wrong = await fetch(faults, { method: 'POST', body: '{"action":{"type":"cut"}}' });
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('action.afterBytes')]);
    running!.kill('SIGKILL');
    await once(running!, 'exit');
    const again = await start(config);
    expect((await fetch(`${again.first.registry}${upload}`, { headers: { authorization } })).status).toBe(204);
  });

  it('keeps the management cluster on disk', async () => {
    const { config, ca } = await management();
    const before = await start(config);
    const namespaces = '/api/v1/namespaces';
    const made = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'tenant-demo' } };
    expect(await get(`${before.first.management}${namespaces}`, ca, 'admin-token', 'POST', made)).toBe(201);
    before.child.kill('SIGKILL');
    await once(before.child, 'exit');
    const after = await start(config);
    expect(await get(`${after.first.management}${namespaces}/tenant-demo`, ca, 'admin-token')).toBe(200);
  });

  it('names every problem of its configuration at once, and ends with 78', async () => {
    const { child, first } = await start({
      openstack: { regoin: 'x', latency: { profile: 'slow' } },
      management: { certFile: '/nowhere.crt', keyFile: '/nowhere.key', tokensFile: '/nowhere.csv' },
    });
    expect(first.problems?.map((p) => p.split(':')[0])).toEqual([
      'openstack.latency.profile',
      'openstack',
      'management.dataDir',
      'management.certFile',
      'management.keyFile',
      'management.tokensFile',
    ]);
    if (child.exitCode === null) await once(child, 'exit');
    expect(child.exitCode).toBe(78);
  });

  it('says which line of the token file is wrong, and not what is in it', async () => {
    const { config } = await management();
    writeFileSync(join(dir, 't'), 'good-token,admin,1\nsecret-token\n');
    const { first } = await start(config);
    expect(first.problems).toEqual(['line 2: wants token,user,uid,"group,group"']);
    expect(JSON.stringify(first)).not.toContain('secret-token');
  });
});
