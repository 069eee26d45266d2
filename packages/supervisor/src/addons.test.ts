import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseLocation, RegistryClient, readPublicKey, verifyBundle } from '@shoto/bundle';
import { createRegistry } from '@shoto/simulator';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { publishAddons } from './addons.ts';
import { ROOT } from './system.ts';

const FROM = join(ROOT, 'deploy/addons');
let dir: string;
let registry: Awaited<ReturnType<typeof createRegistry>>;
let registryUrl: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shoto-publish-'));
  registry = await createRegistry();
  registryUrl = (await registry.listen('127.0.0.1', 0)).url;
});
afterEach(async () => {
  await registry.close();
  await rm(dir, { recursive: true });
});

it('publishes every bundle, signed with a key of its own, and tells the management cluster where', async () => {
  const { bundles, registry: object } = await publishAddons({
    from: FROM,
    registryUrl,
    keyDir: dir,
    without: ['flannel'],
  });
  const spec = object.spec as { url: string; addons: string[]; publicKeys: string[] };
  const addons = (await readdir(FROM)).filter((a) => a !== 'flannel').sort();
  expect(spec).toMatchObject({ addons, plainHttp: true });
  expect(parseLocation(spec.url)).toEqual({ host: new URL(registryUrl).host, prefix: 'addons' });
  expect((await stat(join(dir, 'addons.key'))).mode & 0o777).toBe(0o600);
  const client = new RegistryClient({ url: spec.url, plainHttp: true });
  try {
    expect(await client.catalog()).toEqual(addons);
    const keys = spec.publicKeys.map(readPublicKey);
    let seen = 0;
    for (const addon of addons)
      for (const version of await readdir(join(FROM, addon))) {
        await verifyBundle(client, addon, (await client.resolve(addon, version))!, keys);
        seen++;
      }
    expect(seen).toBe(bundles);
  } finally {
    await client.close();
  }
}, 120_000);

it('keeps its key when it is asked again', async () => {
  const o = { from: FROM, registryUrl, keyDir: dir, without: (await readdir(FROM)).filter((a) => a !== 'flannel') };
  const first = await publishAddons(o);
  const key = await readFile(join(dir, 'addons.key'), 'utf8');
  expect(await publishAddons(o)).toEqual(first);
  expect(await readFile(join(dir, 'addons.key'), 'utf8')).toBe(key);
});
