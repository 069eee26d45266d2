import { packBundle, pushBundle, signBundle } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { readBundle } from './bundle.ts';
import { isLayout, readLayout } from './layout.ts';
import { size } from './pack.ts';
import { privateKeyOf, type RegistryOptions, told, withRegistry, withRegistryOptions } from './registry.ts';

interface Options extends RegistryOptions {
  key?: string;
  output?: string;
}

/** `shoto addon push`. */
export function pushCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    addon
      .command('push')
      .description('publish a bundle in a registry')
      .argument('<bundle>', 'its folder, or what pack made of it')
      .argument('<registry>', 'oci://host[:port]/prefix; the name of the addon comes after it')
      .option('--key <file>', 'sign it with this private key; its password: COSIGN_PASSWORD'),
  )
    .option('-o, --output <form>', 'json')
    .addHelpText(
      'after',
      `
A version is published once: with other content it is refused. What a broken connection left there is gone on with.
Credentials: SHOTO_REGISTRY_USER and SHOTO_REGISTRY_PASSWORD, or those of docker login.

Examples:
  shoto addon push hello oci://registry.example.com/addons --key addons.key
  shoto addon push hello-0.1.0.oci oci://127.0.0.1:5000/addons --plain-http`,
    )
    .action(async (from: string, registry: string, o: Options) => {
      if (o.output !== undefined && o.output !== 'json') throw new CliError(EXIT.usage, `-o ${o.output}: choose json`);
      const key = o.key === undefined ? undefined : privateKeyOf(c, o.key);
      const packed = (await isLayout(from))
        ? await told(readLayout(from))
        : await told(readBundle(c, from).then((bundle) => packBundle(bundle)));
      const { name, version } = packed;
      const began = c.now();
      await withRegistry(c, registry, o, async (client) => {
        const where = `${client.nameOf(name)}:${version}`;
        if (!o.output) c.err.write(`sending ${size(packed.layer.length + packed.config.length)} to ${where}\n`);
        const { digest, isNew, sent } = await pushBundle(client, packed);
        const signedBy = key && (await signBundle(client, name, digest, key));
        const seconds = (c.now() - began) / 1000;
        if (o.output) {
          c.out.write(
            `${JSON.stringify({ name, version, repository: client.nameOf(name), digest, isNew, sent, signedBy }, null, 2)}\n`,
          );
          return;
        }
        c.out.write(`${digest}\n`);
        const done = isNew
          ? `published: ${size(sent)} sent in ${seconds.toFixed(1)} s`
          : 'is there already, with this content';
        c.out.write(`addon/${name} ${version} ${done}\n`);
        if (signedBy) c.out.write(`signed by ${signedBy}\n`);
      });
    });
}
