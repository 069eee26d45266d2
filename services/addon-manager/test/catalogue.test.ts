import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AddonBundle, AddonRegistry } from '@shoto/api';
import {
  bundleOf,
  generateKeyPair,
  packBundle,
  pushBundle,
  RegistryClient,
  readPrivateKey,
  sha256,
  signBundle,
} from '@shoto/bundle';
import { createRegistry, type Registry } from '@shoto/simulator';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clientOf } from '../src/catalogue/client-of.ts';
import { poll } from '../src/catalogue/poll.ts';
import { BlobCache, readOci } from '../src/content/oci.ts';
import { small } from './bundles.ts';
import { startWorld, type World } from './world.ts';

let w: World;
let registry: Registry;
let url: string;
let dir: string;
let author: RegistryClient;
let now: number;
const KEYS = generateKeyPair();
const kind = (plural: string) => w.management.api.resource({ group: 'shoto.dev', version: 'v1alpha1', plural });

beforeEach(async () => {
  now = Date.parse('2026-01-01T00:00:00Z');
  w = await startWorld([]);
  registry = await createRegistry();
  url = (await registry.listen('127.0.0.1', 0)).url.replace('http://', 'oci://');
  dir = await mkdtemp(join(tmpdir(), 'shoto-blobs-'));
  author = new RegistryClient({ url: `${url}/addons`, plainHttp: true });
});
afterEach(async () => {
  await author.close();
  await Promise.all([registry.close(), w.close(), rm(dir, { recursive: true })]);
});

const publish = async (name: string, version: string, o: Parameters<typeof small>[2] = {}) =>
  await pushBundle(author, packBundle(bundleOf(Object.entries(small(name, version, o)))));
const watch = (spec: object = {}, metadata: object = {}) =>
  kind('addonregistries').create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'AddonRegistry',
    metadata: { name: 'main', ...metadata },
    spec: { url: `${url}/addons`, plainHttp: true, ...spec },
  } as never);
const stored = () => kind('addonregistries').get({ name: 'main' }) as unknown as AddonRegistry;
const bundles = () => kind('addonbundles').list() as unknown as AddonBundle[];
const look = () =>
  poll(
    {
      client: w.management.client,
      registry: () => stored(),
      bundle: (name) => bundles().find((b) => b.metadata.name === name),
      bundles,
      clientOf: (r, signal) => clientOf(w.management.client, r, signal),
      cache: new BlobCache(dir),
      wrote: () => {},
      now: () => now,
    },
    'main',
  );
const said = () => stored().status?.manager;
const reachable = () => said()?.conditions?.map((c) => `${c.status} ${c.reason}`);

describe('a registry', () => {
  it('is asked when it is due: each version that is new becomes an AddonBundle', async () => {
    await publish('log', '1.0.0', {
      more: { channel: 'candidate', dependsOn: [{ name: 'net' }], provides: ['metrics'] },
    });
    watch();
    expect(await look()).toEqual({ requeueAfterMs: 300_000 });
    expect(bundles()).toMatchObject([
      {
        metadata: { name: 'log-1.0.0' },
        spec: {
          addon: 'log',
          version: '1.0.0',
          channel: 'candidate',
          kubernetes: '>=1.35 <1.37',
          dependsOn: [{ name: 'net' }],
          provides: ['metrics'],
          oci: {
            repository: `${url.slice(6)}/addons/log`,
            registry: 'main',
            digest: expect.stringMatching(/^sha256:/),
          },
        },
      },
    ]);
    await publish('log', '1.1.0');
    now += 1000;
    expect(await look()).toEqual({ requeueAfterMs: 299_000 });
    expect(bundles()).toHaveLength(1);
    now += 299_000;
    await look();
    expect(bundles().map((b) => b.metadata.name)).toEqual(['log-1.0.0', 'log-1.1.0']);
    now += 300_000;
    await look();
    expect([said()?.bundles, said()?.refused, reachable()]).toEqual([2, undefined, ['True Polled']]);
  });

  it('is asked at once where somebody asks for that, once', async () => {
    watch();
    await look();
    await publish('log', '1.0.0');
    kind('addonregistries').patch({ name: 'main' }, { metadata: { annotations: { 'shoto.dev/poll-now': '1' } } });
    await look();
    expect([bundles().length, said()?.pollNow]).toEqual([1, '1']);
    now += 1000;
    expect(await look()).toEqual({ requeueAfterMs: 299_000 });
  });

  it('that publishes a version twice is refused the second, by name', async () => {
    await publish('log', '1.0.0');
    watch();
    await look();
    const first = bundles()[0]?.spec.oci?.digest;
    // Another registry would do so; ours refuses it in `pushBundle`.
    const other = packBundle(bundleOf(Object.entries(small('log', '1.0.0', { maps: ['other'] }))));
    for (const blob of [other.config, other.layer]) await author.pushBlob('log', blob);
    await author.putManifest('log', '1.0.0', other.manifest);
    now += 300_000;
    await look();
    expect(said()?.refused).toEqual([
      {
        reference: `${url.slice(6)}/addons/log:1.0.0`,
        reason: `published twice with other content: AddonBundle log-1.0.0 has ${first}, the registry ${other.digest}; a version never changes, publish a new one`,
      },
    ]);
    expect(bundles()[0]?.spec.oci?.digest).toBe(first);
  });

  it('with keys gives what one of them signed, and nothing else', async () => {
    const signed = await publish('log', '1.0.0');
    await signBundle(author, 'log', signed.digest, readPrivateKey(KEYS.privateKey));
    await publish('log', '1.1.0');
    const foreign = await publish('log', '1.2.0');
    await signBundle(author, 'log', foreign.digest, readPrivateKey(generateKeyPair().privateKey));
    watch({ publicKeys: [KEYS.publicKey] });
    await look();
    expect(bundles().map((b) => [b.metadata.name, b.spec.signedBy])).toEqual([
      ['log-1.0.0', expect.stringMatching(/^sha256:/)],
    ]);
    expect(said()?.refused?.map((r) => r.reason)).toEqual([
      expect.stringContaining('is not signed'),
      expect.stringContaining('signed, but by none of the keys'),
    ]);
  });

  it('may give unsigned bundles where that is asked for', async () => {
    await publish('log', '1.0.0');
    watch({ publicKeys: [KEYS.publicKey], requireSignature: false });
    await look();
    expect(bundles().map((b) => b.spec.signedBy)).toEqual([undefined]);
  });

  it('gives nothing that is no bundle, or too large: it is said, and the others come', async () => {
    await publish('log', '1.0.0');
    const good = packBundle(bundleOf(Object.entries(small('big', '1.0.0'))));
    const manifest = JSON.parse(Buffer.from(good.manifest).toString()) as { layers: { size: number }[] };
    manifest.layers[0]!.size = 200 * 1024 * 1024;
    for (const blob of [good.config, good.layer]) await author.pushBlob('big', blob);
    await author.putManifest('big', '1.0.0', Buffer.from(JSON.stringify(manifest)));
    const config = Buffer.from('{}');
    await author.pushBlob('image', config);
    const image = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: 2 },
      layers: [],
    };
    await author.putManifest('image', '1.0.0', Buffer.from(JSON.stringify(image)));
    watch();
    await look();
    expect(bundles().map((b) => b.metadata.name)).toEqual(['log-1.0.0']);
    expect(said()?.refused?.map((r) => r.reference.replace(/.*\//, ''))).toEqual(['big:1.0.0', 'image:1.0.0']);
    expect(said()?.refused?.[0]?.reason).toContain('209715200 bytes');
  });

  it('that does not answer is said, keeps what came of it, and is asked again', { timeout: 60_000 }, async () => {
    await publish('log', '1.0.0');
    watch();
    await look();
    const { lastPolledAt } = said()!;
    const port = Number(url.split(':').at(-1));
    await registry.close();
    now += 300_000;
    expect(await look()).toEqual({ requeueAfterMs: 60_000 });
    expect([reachable(), said()?.lastPolledAt, said()?.bundles]).toEqual([
      ['False RegistryUnreachable'],
      lastPolledAt,
      1,
    ]);
    // What was there before is there still.
    const away = new RegistryClient({ url: `${url}/addons`, plainHttp: true, attempts: 1 });
    const content = await readOci(away, new BlobCache(dir), bundles()[0]!);
    expect([...content.files.keys()]).toContain('manifests/all.yaml');
    // Not where it was altered.
    for (const file of await readdir(dir)) await writeFile(join(dir, file), 'tampered');
    await expect(readOci(away, new BlobCache(dir), bundles()[0]!)).rejects.toMatchObject({
      reason: 'RegistryUnreachable',
    });
    await away.close();
    registry = await createRegistry();
    await registry.listen('127.0.0.1', port);
    now += 60_000;
    await look();
    expect(reachable()).toEqual(['True Polled']);
  });

  it('waits for its credentials', async () => {
    watch({ credentialsSecretRef: { namespace: 'shoto-system', name: 'robot' } });
    await look();
    expect([reachable(), said()?.conditions?.[0]?.message]).toEqual([
      ['False CredentialsMissing'],
      'Secret shoto-system/robot is not there: make it, with the keys username and password',
    ]);
  });
});
