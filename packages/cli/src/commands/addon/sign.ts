import { inspectBundle, type PublishedBundle, signBundle } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { privateKeyOf, type RegistryOptions, referenceOf, withRegistry, withRegistryOptions } from './registry.ts';

/** `shoto addon sign`. */
export function signCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    addon
      .command('sign')
      .description('sign a published bundle, as cosign does')
      .argument('<reference>', 'oci://host[:port]/prefix/name:version, or name@sha256:...')
      .requiredOption('--key <file>', 'the private key; its password: COSIGN_PASSWORD'),
  )
    .addHelpText(
      'after',
      '\nExample:\n  shoto addon sign oci://registry.example.com/addons/hello:0.1.0 --key addons.key',
    )
    .action(async (text: string, o: RegistryOptions & { key: string }) => {
      const key = privateKeyOf(c, o.key);
      const r = await referenceOf(text);
      await withRegistry(c, r.url, o, async (client) => {
        const { digest, manifest }: PublishedBundle = await inspectBundle(client, r.name, r.reference);
        const fingerprint = await signBundle(client, r.name, digest, key);
        c.out.write(`addon/${manifest.name} ${manifest.version} (${digest}) signed by ${fingerprint}\n`);
      });
    });
}
