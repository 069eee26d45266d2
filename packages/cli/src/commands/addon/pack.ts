import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packBundle, type RegistryClient } from '@shoto/bundle';
import type { Command } from 'commander';
import { parseDocument } from 'yaml';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { readBundle } from './bundle.ts';
import { writeLayout } from './layout.ts';
import { type RegistryOptions, told, withRegistry, withRegistryOptions } from './registry.ts';

interface Options extends RegistryOptions {
  output?: string;
  resolve?: boolean;
}

/** Bytes as people read them. */
export const size = (bytes: number): string =>
  bytes < 1024
    ? `${bytes} B`
    : bytes < 1024 ** 2
      ? `${(bytes / 1024).toFixed(1)} KiB`
      : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

/** Where an image is asked for: its registry, the folder in it, its name. Names without a registry are those of Docker Hub. */
export function placeOf(image: string): { url: string; name: string } {
  const parts = image.split('/');
  const isHost = parts.length > 1 && /[.:]|^localhost$/.test(parts[0]!);
  const host = isHost ? parts.shift()! : 'docker.io';
  if (host === 'docker.io' && parts.length === 1) parts.unshift('library');
  const name = parts.pop()!;
  const registry = host === 'docker.io' ? 'registry-1.docker.io' : host;
  return { url: `oci://${registry}${parts.length > 0 ? `/${parts.join('/')}` : ''}`, name };
}

/** Asks for the digests of images that have none, and writes them into bundle.yaml. @returns what was done, a line for each */
async function resolveImages(c: Context, folder: string, o: RegistryOptions): Promise<string[]> {
  const { images } = (await readBundle(c, folder)).manifest;
  const file = join(folder, 'bundle.yaml');
  const document = parseDocument(await readFile(file, 'utf8'));
  const lines: string[] = [];
  for (const [i, { name, tag, digest }] of images.entries()) {
    if (digest || !tag) continue;
    if (name.includes('{{')) {
      lines.push(`${name}:${tag}: left as it is, since its registry is the cluster's`);
      continue;
    }
    const place = placeOf(name);
    const found = await withRegistry(c, place.url, o, (client: RegistryClient) => client.resolve(place.name, tag));
    if (found === undefined) throw new CliError(EXIT.notFound, `images[${i}]: ${name}:${tag} is not in its registry`);
    document.setIn(['images', i, 'digest'], found);
    lines.push(`${name}:${tag}: ${found}`);
  }
  if (lines.some((l) => / sha256:/.test(l))) await writeFile(file, document.toString({ lineWidth: 0 }));
  return lines;
}

/** `shoto addon pack`. */
export function packCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    addon
      .command('pack')
      .description('pack a bundle as an OCI artifact, into a folder that other tools read too (OCI image layout)')
      .argument('<folder>', 'the bundle')
      .option('--output <folder>', 'where; default: <name>-<version>.oci')
      .option(
        '--resolve',
        'first ask registries for the digests of images that have none, and write them into bundle.yaml',
      ),
  )
    .addHelpText(
      'after',
      `
The same files give the same digest.

Examples:
  shoto addon pack hello
  shoto addon pack hello --resolve --output /tmp/hello.oci`,
    )
    .action(async (folder: string, o: Options) => {
      if (o.resolve) for (const line of await resolveImages(c, folder, o)) c.out.write(`${line}\n`);
      const bundle = await readBundle(c, folder);
      const packed = await told((async () => packBundle(bundle))());
      const output = o.output ?? `${packed.name}-${packed.version}.oci`;
      await writeLayout(output, packed);
      c.out.write(
        `${packed.digest}\naddon/${packed.name} ${packed.version} packed in ${output} (${size(packed.layer.length)})\n`,
      );
    });
}
