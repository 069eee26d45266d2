import { type BundleManifest, inspectBundle, packBundle, readConfig, verifyBundle } from '@shoto/bundle';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { collect } from '../create.ts';
import { readBundle } from './bundle.ts';
import { isLayout, readLayout } from './layout.ts';
import { size } from './pack.ts';
import {
  isReference,
  publicKeysOf,
  type RegistryOptions,
  referenceOf,
  told,
  withRegistry,
  withRegistryOptions,
} from './registry.ts';

interface Options extends RegistryOptions {
  key: string[];
  output?: string;
}
interface Inspected {
  digest: string;
  packedBytes: number;
  signedBy?: string;
  manifest: BundleManifest;
}

async function inspectedAt(c: Context, text: string, o: Options): Promise<Inspected> {
  const r = await referenceOf(text);
  const keys = publicKeysOf(c, o.key);
  return withRegistry(c, r.url, o, async (client) => {
    const { manifest, digest, oci } = await inspectBundle(client, r.name, r.reference);
    const signedBy = keys.length > 0 ? { signedBy: await verifyBundle(client, r.name, digest, keys) } : {};
    return { digest, packedBytes: oci.layers.reduce((n, l) => n + l.size, 0), ...signedBy, manifest };
  });
}

async function inspectedHere(c: Context, from: string): Promise<Inspected> {
  if (await isLayout(from)) {
    const packed = await told(readLayout(from));
    return { digest: packed.digest, packedBytes: packed.layer.length, manifest: readConfig(packed.config) };
  }
  const bundle = await readBundle(c, from);
  const packed = await told((async () => packBundle(bundle))());
  return { digest: packed.digest, packedBytes: packed.layer.length, manifest: bundle.manifest };
}

/** `shoto addon inspect`. */
export function inspectCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    addon
      .command('inspect')
      .description('tell what a bundle is, without fetching its content')
      .argument('<bundle>', 'oci://host[:port]/prefix/name:version, a folder, or what pack made')
      .option('--key <file>', 'a public key that must have signed it; repeat for more, of which one must', collect, []),
  )
    .option('-o, --output <form>', 'json')
    .addHelpText(
      'after',
      '\nExamples:\n  shoto addon inspect oci://registry.example.com/addons/hello:0.1.0 --key addons.pub\n  shoto addon inspect hello -o json',
    )
    .action(async (from: string, o: Options) => {
      if (o.output !== undefined && o.output !== 'json') throw new CliError(EXIT.usage, `-o ${o.output}: choose json`);
      if (o.key.length > 0 && !isReference(from)) throw new CliError(EXIT.usage, '--key is for bundles in a registry');
      const found = isReference(from) ? await inspectedAt(c, from, o) : await inspectedHere(c, from);
      if (o.output) {
        c.out.write(`${JSON.stringify(found, null, 2)}\n`);
        return;
      }
      const { manifest: m, digest, packedBytes, signedBy } = found;
      const shown = {
        name: m.name,
        version: m.version,
        channel: m.channel,
        kubernetes: m.kubernetes,
        ...(m.description ? { description: m.description } : {}),
        ...(m.license ? { license: m.license } : {}),
        ...(m.source ? { source: m.source } : {}),
        digest,
        packed: size(packedBytes),
        ...(o.key.length > 0 ? { signedBy } : {}),
        ...(m.provides.length > 0 ? { provides: m.provides } : {}),
        ...(m.dependsOn.length > 0 ? { dependsOn: m.dependsOn } : {}),
        ...(m.credentials.length > 0 ? { credentials: m.credentials } : {}),
        ...(m.images.length > 0
          ? { images: m.images.map((i) => `${i.name}${i.tag ? `:${i.tag}` : ''}${i.digest ? `@${i.digest}` : ''}`) }
          : {}),
        ...(m.privileged.length > 0 ? { privileged: m.privileged } : {}),
      };
      c.out.write(stringify(shown, { lineWidth: 0 }));
    });
}
