import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SimulatorClock } from '../core/clock.ts';
import { Random } from '../core/random.ts';
import { RequestCounter } from '../core/requests.ts';
import { type RegistryFaultAction, RegistryFaults } from './faults.ts';
import { digestOf } from './names.ts';
import { createRegistry, type Registry, type RegistryOptions } from './registry.ts';

const IMAGE = 'application/vnd.oci.image.manifest.v1+json';
const HELLO = Buffer.from('hello, registry');
const CONFIG = Buffer.from('{}');

/** A body without a content type. */
const bytes = (content: string | Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.from(content));

const clock = new SimulatorClock();
const running: Registry[] = [];
const dirs: string[] = [];
afterEach(async () => {
  for (const r of running.splice(0)) await r.close();
  for (const d of dirs.splice(0)) rmSync(d, { recursive: true });
});

async function start(o: RegistryOptions = {}): Promise<string> {
  const registry = await createRegistry(o);
  running.push(registry);
  return (await registry.listen('127.0.0.1', 0)).url;
}

async function begin(url: string): Promise<string> {
  const answer = await fetch(`${url}/v2/a/b/blobs/uploads/`, { method: 'POST' });
  return answer.headers.get('location')!;
}

async function push(url: string, content: Buffer): Promise<Response> {
  const at = await begin(url);
  return fetch(`${at}&digest=${digestOf(content)}`, { method: 'PUT', body: bytes(content) });
}

const blobUrl = (url: string): string => `${url}/v2/a/b/blobs/${digestOf(HELLO)}`;
const descriptor = (mediaType: string, content: Buffer) => ({
  mediaType,
  digest: digestOf(content),
  size: content.length,
});

async function pushManifest(url: string, reference: string, more: object = {}): Promise<string> {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: IMAGE,
    config: descriptor('application/vnd.example.config', CONFIG),
    layers: [descriptor('text/plain', HELLO)],
    ...more,
  });
  const answer = await fetch(`${url}/v2/a/b/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': IMAGE },
    body: manifest,
  });
  expect(answer.status).toBe(201);
  return answer.headers.get('docker-content-digest')!;
}

const pull = (url: string, reference: string): Promise<Response> =>
  fetch(`${url}/v2/a/b/manifests/${reference}`, { headers: { accept: IMAGE } });

describe('with a data folder', () => {
  it('keeps contents, tags, and uploads that are not over', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'registry-'));
    dirs.push(dataDir);
    let url = await start({ dataDir });
    await push(url, HELLO);
    await push(url, CONFIG);
    const digest = await pushManifest(url, '1.0.0');
    const half = await begin(url);
    const patched = await fetch(half, { method: 'PATCH', body: bytes('half ') });
    const { pathname, search } = new URL(patched.headers.get('location')!);
    await running.pop()!.close();

    url = await start({ dataDir });
    expect(await (await fetch(blobUrl(url))).text()).toBe('hello, registry');
    expect((await pull(url, '1.0.0')).headers.get('docker-content-digest')).toBe(digest);
    const whole = digestOf(Buffer.from('half whole'));
    const ended = await fetch(`${url}${pathname}${search}&digest=${whole}`, { method: 'PUT', body: bytes('whole') });
    expect(ended.status).toBe(201);
    expect(await (await fetch(`${url}/v2/_catalog`)).json()).toEqual({ repositories: ['a/b'] });
  });
});

describe('referrers', () => {
  it('are the manifests with that subject, filtered by artifact type', async () => {
    const url = await start();
    await push(url, HELLO);
    await push(url, CONFIG);
    const digest = await pushManifest(url, '1.0.0');
    const subject = { mediaType: IMAGE, digest, size: 1 };
    const signature = await pushManifest(url, 'sig', { subject, artifactType: 'x/signature', annotations: { a: 'b' } });
    await pushManifest(url, 'sbom', { subject, artifactType: 'x/sbom' });
    const list = async (query: string) => {
      const answer = await fetch(`${url}/v2/a/b/referrers/${digest}${query}`);
      expect(answer.headers.get('content-type')).toBe('application/vnd.oci.image.index.v1+json');
      return {
        applied: answer.headers.get('oci-filters-applied'),
        ...((await answer.json()) as { manifests: object[] }),
      };
    };
    expect((await list('')).manifests).toHaveLength(2);
    expect(await list('?artifactType=x/signature')).toMatchObject({
      applied: 'artifactType',
      manifests: [{ digest: signature, artifactType: 'x/signature', mediaType: IMAGE, annotations: { a: 'b' } }],
    });
  });

  it('are none where nothing refers, and are not served where that is said', async () => {
    const none = `/v2/a/b/referrers/${digestOf(HELLO)}`;
    expect(await (await fetch((await start()) + none)).json()).toMatchObject({ schemaVersion: 2, manifests: [] });
    expect((await fetch((await start({ referrers: false })) + none)).status).toBe(404);
  });
});

describe('an ordered fault', () => {
  let faults: RegistryFaults;
  const ordered = async (
    operation: 'blob.get' | 'upload.patch' | 'upload.put' | 'manifest.put',
    action: RegistryFaultAction,
  ) => {
    faults = new RegistryFaults(clock, new Random(1));
    const url = await start({ faults });
    await push(url, HELLO);
    await push(url, CONFIG);
    faults.add({ match: { operation, repository: '^a/b$' }, count: 1, action });
    return url;
  };

  it('status refuses once, in the words of registries', async () => {
    const url = await ordered('blob.get', { type: 'status', status: 503, retryAfter: 2 });
    const refused = await fetch(blobUrl(url));
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await refused.json()).toEqual({ errors: [{ code: 'UNAVAILABLE', message: 'service unavailable' }] });
    expect((await fetch(blobUrl(url))).status).toBe(200);
  });

  it('cut ends a download in the middle', async () => {
    const url = await ordered('blob.get', { type: 'cut', afterBytes: 5 });
    const answer = await fetch(blobUrl(url));
    expect(answer.headers.get('content-length')).toBe('15');
    await expect(answer.text()).rejects.toThrow();
    const rest = await fetch(blobUrl(url), { headers: { range: 'bytes=5-' } });
    expect([rest.status, await rest.text()]).toEqual([206, ', registry']);
  });

  it('cut ends an upload in the middle; what arrived is kept, and it goes on from there', async () => {
    const url = await ordered('upload.patch', { type: 'cut', afterBytes: 4 });
    const at = await begin(url);
    await expect(fetch(at, { method: 'PATCH', body: bytes('to be cut') })).rejects.toThrow();
    const status = await fetch(at.split('?')[0]!);
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-3']);
    const whole = digestOf(Buffer.from('to be whole'));
    const ended = await fetch(`${status.headers.get('location')}&digest=${whole}`, {
      method: 'PUT',
      body: bytes('e whole'),
    });
    expect(ended.status).toBe(201);
  });

  it('corrupt gives other bytes than those of the digest', async () => {
    const url = await ordered('blob.get', { type: 'corrupt' });
    const content = Buffer.from(await (await fetch(blobUrl(url))).arrayBuffer());
    expect(content).toHaveLength(HELLO.length);
    expect(digestOf(content)).not.toBe(digestOf(HELLO));
  });

  it('lostAnswer does the deed', async () => {
    const url = await ordered('manifest.put', { type: 'lostAnswer' });
    await expect(pushManifest(url, '1.0.0')).rejects.toThrow();
    expect((await pull(url, '1.0.0')).status).toBe(200);
  });

  it('reset does nothing', async () => {
    const url = await ordered('manifest.put', { type: 'reset' });
    await expect(pushManifest(url, '1.0.0')).rejects.toThrow();
    expect((await pull(url, '1.0.0')).status).toBe(404);
  });

  it('hang never answers', async () => {
    const url = await ordered('blob.get', { type: 'hang' });
    await expect(fetch(blobUrl(url), { signal: AbortSignal.timeout(200) })).rejects.toThrow();
    expect((await fetch(blobUrl(url))).status).toBe(200);
  });

  it('of another repository or reference leaves this one alone', async () => {
    const url = await ordered('blob.get', { type: 'reset' });
    faults.remove();
    faults.add({ match: { repository: '^other' }, action: { type: 'reset' } });
    faults.add({ match: { reference: '9.9.9' }, action: { type: 'reset' } });
    expect((await fetch(blobUrl(url))).status).toBe(200);
    expect(faults.list().map((f) => f.seen)).toEqual([0, 0]);
  });
});

it('counts requests by operation', async () => {
  const requests = new RequestCounter();
  const url = await start({ requests });
  await push(url, HELLO);
  await fetch(blobUrl(url));
  await fetch(`${url}/v2/a/b/manifests/none`);
  expect(requests.list().map((r) => [r.service, r.method, r.path, r.statuses])).toEqual([
    ['registry', 'POST', 'upload.start', { 202: 1 }],
    ['registry', 'PUT', 'upload.put', { 201: 1 }],
    ['registry', 'GET', 'blob.get', { 200: 1 }],
    ['registry', 'GET', 'manifest.get', { 404: 1 }],
  ]);
});
