import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  generateKeyPair,
  packBundle,
  pushBundle,
  RegistryClient,
  readBundleDir,
  readPrivateKey,
  signBundle,
} from '@shoto/bundle';
import type { Seed } from './seed.ts';

/** Where the bundles lie in the registry of this machine. */
const PREFIX = 'addons';

/** What was published, and the object that tells the management cluster of it. */
export interface Published {
  bundles: number;
  registry: Seed;
}

/**
 * Publishes bundles in a registry without TLS, signed with a key that is made the first time. What is there already is left as it is.
 *
 * @param o.from - folder of the addons, such as `deploy/addons`
 * @param o.registryUrl - `http://127.0.0.1:5000`
 * @param o.keyDir - where `addons.key` and `addons.pub` are kept
 * @param o.without - addons that are left out: those that are in the catalogue by another way
 */
export async function publishAddons(o: {
  from: string;
  registryUrl: string;
  keyDir: string;
  without?: readonly string[];
}): Promise<Published> {
  const [keyFile, publicFile] = [join(o.keyDir, 'addons.key'), join(o.keyDir, 'addons.pub')];
  if (!existsSync(keyFile)) {
    const pair = generateKeyPair();
    await writeFile(keyFile, pair.privateKey, { mode: 0o600 });
    await writeFile(publicFile, pair.publicKey);
  }
  const key = readPrivateKey(await readFile(keyFile, 'utf8'));
  const url = `${o.registryUrl.replace(/^http:/, 'oci:')}/${PREFIX}`;
  const client = new RegistryClient({ url, plainHttp: true, userAgent: 'shoto-supervisor' });
  const addons = (await readdir(o.from)).filter((a) => !o.without?.includes(a)).sort();
  let bundles = 0;
  try {
    for (const addon of addons)
      for (const version of (await readdir(join(o.from, addon))).sort()) {
        const { digest } = await pushBundle(client, packBundle(await readBundleDir(join(o.from, addon, version))));
        await signBundle(client, addon, digest, key);
        bundles++;
      }
  } finally {
    await client.close();
  }
  const spec = { url, addons, plainHttp: true, intervalSeconds: 30, publicKeys: [await readFile(publicFile, 'utf8')] };
  return {
    bundles,
    registry: { apiVersion: 'shoto.dev/v1alpha1', kind: 'AddonRegistry', metadata: { name: 'local' }, spec },
  };
}
