import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createRegistry } from '@shoto/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLabRegistry } from '../../../e2e/lab/registry.ts';
import {
  bundleOf,
  generateKeyPair,
  inspectBundle,
  packBundle,
  parseReference,
  pullBundle,
  pushBundle,
  RegistryClient,
  type RegistryOptions,
  readPrivateKey,
  readPublicKey,
  signatureTag,
  signBundle,
  verifyBundle,
} from '../src/index.ts';

const bundle = (version = '1.0.0', more: Record<string, string | Uint8Array> = {}) =>
  bundleOf(
    Object.entries({
      'bundle.yaml': `apiVersion: bundle.shoto.dev/v1alpha1\nkind: Bundle\nname: agent\nversion: ${version}\nkubernetes: ">=1.35 <1.37"\ndescription: An agent\nlicense: Apache-2.0\ncontent: { manifests: manifests }\n`,
      'manifests/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n',
      ...more,
    }),
  );
const large = () => bundle('2.0.0', { 'data.bin': randomBytes(3 * 1024 * 1024) });

const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'shoto/registry');
const REAL = existsSync(CACHE) && existsSync(join(CACHE, 'v3.1.2/registry'));

const registries = [
  [
    'the simulated registry',
    async (users: boolean) => {
      const r = await createRegistry(users ? { users: [{ name: 'alice', password: 'wonderland' }] } : {});
      const { url } = await r.listen('127.0.0.1', 0);
      return { host: new URL(url).host, stop: () => r.close() };
    },
  ],
  ...(REAL ? [['distribution, the real one', (users: boolean) => startLabRegistry({ users })] as const] : []),
] as const;

describe.each(registries)('on %s, a bundle', (_name, start) => {
  let registry: { host: string; stop: () => Promise<void> };
  const clients: RegistryClient[] = [];
  let serial = 0;
  const connect = (o: Partial<RegistryOptions> = {}): RegistryClient => {
    const c = new RegistryClient({ url: `oci://${registry.host}/team/addons-${serial}`, plainHttp: true, ...o });
    clients.push(c);
    return c;
  };
  /** A client for a prefix where nothing is. */
  const fresh = (o: Partial<RegistryOptions> = {}): RegistryClient => {
    serial += 1;
    return connect(o);
  };
  beforeAll(async () => {
    registry = await start(false);
  });
  afterAll(async () => {
    for (const c of clients) await c.close();
    await registry.stop();
  });

  it('comes back as it went, byte for byte', async () => {
    const client = fresh();
    const packed = packBundle(large());
    const pushed = await pushBundle(client, packed);
    expect(pushed).toMatchObject({ digest: packed.digest, isNew: true });
    const pulled = await pullBundle(client, 'agent', '2.0.0');
    expect(pulled.digest).toBe(packed.digest);
    expect(packBundle(pulled.content).digest).toBe(packed.digest);
    expect(await client.tags('agent')).toEqual(['2.0.0']);
    expect(await client.catalog()).toEqual(['agent']);
  });

  it('is sent in pieces', async () => {
    const client = fresh({ chunkBytes: 1024 * 1024 });
    const packed = packBundle(large());
    expect((await pushBundle(client, packed)).sent).toBeGreaterThan(3 * 1024 * 1024);
    expect((await pullBundle(client, 'agent', packed.digest)).manifest.version).toBe('2.0.0');
  });

  it('is not sent again where it is there, and never replaced by another of the same version', async () => {
    const client = fresh();
    await pushBundle(client, packBundle(bundle()));
    expect(await pushBundle(client, packBundle(bundle()))).toMatchObject({ isNew: false, sent: 0 });
    const other = packBundle(bundle('1.0.0', { 'README.md': 'other' }));
    await expect(pushBundle(client, other)).rejects.toMatchObject({
      reason: 'VersionExists',
      kind: 'terminal',
      message: expect.stringContaining('/agent:1.0.0 is published with other content'),
    });
    expect(await client.resolve('agent', '1.0.0')).toBe(packBundle(bundle()).digest);
  });

  it('is told of without its content, a version with a plus under a tag that can be', async () => {
    const client = fresh();
    const packed = packBundle(bundle('1.0.0+build.5'));
    await pushBundle(client, packed);
    expect(await client.tags('agent')).toEqual(['1.0.0_build.5']);
    const { manifest, oci } = await inspectBundle(client, 'agent', '1.0.0+build.5');
    expect(manifest).toMatchObject({ name: 'agent', version: '1.0.0+build.5', kubernetes: '>=1.35 <1.37' });
    expect(oci.annotations).toEqual({
      'org.opencontainers.image.title': 'agent',
      'org.opencontainers.image.version': '1.0.0+build.5',
      'org.opencontainers.image.description': 'An agent',
      'org.opencontainers.image.licenses': 'Apache-2.0',
    });
    const { reference } = parseReference(`oci://${client.nameOf('agent')}:1.0.0+build.5`);
    expect(await client.resolve('agent', reference)).toBe(packed.digest);
  });

  it('that is not there is said to be not there', async () => {
    const client = fresh();
    await expect(pullBundle(client, 'agent', '1.0.0')).rejects.toMatchObject({
      reason: 'NotFound',
      kind: 'terminal',
      status: 404,
    });
    await expect(client.tags('agent')).rejects.toMatchObject({ reason: 'NotFound' });
    expect(await client.resolve('agent', '1.0.0')).toBeUndefined();
  });

  it('at a place that is not its own is refused', async () => {
    const client = fresh();
    const packed = packBundle(bundle());
    await pushBundle(client, { ...packed, version: '9.9.9' });
    await expect(inspectBundle(client, 'agent', '9.9.9')).rejects.toThrow(
      "agent:9.9.9 holds agent 1.0.0: a bundle's place is its name and version",
    );
  });

  it('is signed and verified by key, and another key or another bundle is told apart', async () => {
    const client = fresh();
    const { digest } = await pushBundle(client, packBundle(bundle()));
    const [mine, other] = [generateKeyPair(), generateKeyPair()];
    const key = readPublicKey(mine.publicKey);
    await expect(verifyBundle(client, 'agent', digest, [key])).rejects.toMatchObject({
      reason: 'NotSigned',
      kind: 'terminal',
    });
    expect(await signBundle(client, 'agent', digest, readPrivateKey(mine.privateKey))).toBe(mine.fingerprint);
    expect(await verifyBundle(client, 'agent', digest, [readPublicKey(other.publicKey), key])).toBe(mine.fingerprint);
    await expect(verifyBundle(client, 'agent', digest, [readPublicKey(other.publicKey)])).rejects.toMatchObject({
      reason: 'BadSignature',
    });

    // Two may sign; the same does not sign twice.
    await signBundle(client, 'agent', digest, readPrivateKey(other.privateKey));
    const before = await client.resolve('agent', signatureTag(digest));
    await signBundle(client, 'agent', digest, readPrivateKey(mine.privateKey));
    expect(await client.resolve('agent', signatureTag(digest))).toBe(before);
    expect(await verifyBundle(client, 'agent', digest, [readPublicKey(other.publicKey)])).toBe(other.fingerprint);

    // A signature that is laid beside another bundle is none.
    const second = await pushBundle(client, packBundle(bundle('1.0.1')));
    const stolen = await client.manifest('agent', signatureTag(digest));
    await client.putManifest('agent', signatureTag(second.digest), stolen.bytes);
    await expect(verifyBundle(client, 'agent', second.digest, [key])).rejects.toMatchObject({ reason: 'BadSignature' });
  });

  it('is only for those whom the registry knows, where it asks', async () => {
    const closed = await start(true);
    const as = (credentials?: { username: string; password: string }) => {
      const c = new RegistryClient({ url: `oci://${closed.host}/a`, plainHttp: true, credentials });
      clients.push(c);
      return c;
    };
    try {
      const packed = packBundle(bundle());
      await expect(pushBundle(as(), packed)).rejects.toMatchObject({
        reason: 'Unauthorized',
        kind: 'terminal',
        status: 401,
      });
      const wrong = pushBundle(as({ username: 'alice', password: 'hunter2' }), packed);
      await expect(wrong).rejects.toMatchObject({
        reason: 'Unauthorized',
        message: expect.not.stringContaining('hunter2'),
      });
    } finally {
      await closed.stop();
    }
  });
});
