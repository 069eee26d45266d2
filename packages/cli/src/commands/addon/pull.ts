import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pullBundle, verifyBundle } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { collect } from '../create.ts';
import { publicKeysOf, type RegistryOptions, referenceOf, withRegistry, withRegistryOptions } from './registry.ts';

interface Options extends RegistryOptions {
  key: string[];
  output?: string;
}

/** `shoto addon pull`. */
export function pullCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    addon
      .command('pull')
      .description('fetch a bundle from a registry, every digest verified')
      .argument('<reference>', 'oci://host[:port]/prefix/name:version, or name@sha256:...')
      .option('--output <folder>', 'where its files go; default: <name>/<version>')
      .option('--key <file>', 'a public key that must have signed it; repeat for more, of which one must', collect, []),
  )
    .addHelpText(
      'after',
      `
Examples:
  shoto addon pull oci://registry.example.com/addons/hello:0.1.0 --key addons.pub
  shoto addon pull oci://127.0.0.1:5000/addons/hello:0.1.0 --plain-http --output hello`,
    )
    .action(async (text: string, o: Options) => {
      const r = await referenceOf(text);
      const keys = publicKeysOf(c, o.key);
      await withRegistry(c, r.url, o, async (client) => {
        const { manifest, digest, content } = await pullBundle(client, r.name, r.reference);
        const signedBy = keys.length > 0 ? await verifyBundle(client, r.name, digest, keys) : undefined;
        const folder = o.output ?? join(manifest.name, manifest.version);
        await mkdir(folder, { recursive: true });
        if ((await readdir(folder)).length > 0)
          throw new CliError(EXIT.usage, `${folder} is not empty: name a new folder with --output`);
        for (const [file, bytes] of content.files) {
          await mkdir(dirname(join(folder, file)), { recursive: true });
          await writeFile(join(folder, file), bytes);
        }
        c.out.write(
          `${digest}\naddon/${manifest.name} ${manifest.version} is in ${folder}: ${content.files.size} files\n`,
        );
        if (signedBy) c.out.write(`signed by ${signedBy}\n`);
      });
    });
}
