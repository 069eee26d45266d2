import { type BundleContent, helmTemplate, type JsonObject, type Rendered, render, sampleFacts } from '@shoto/bundle';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { mapping, type RenderOptions, readBundle, versionMeant, withRenderOptions } from './bundle.ts';
import { told } from './registry.ts';

/** Renders a bundle with what an author gives: sample facts under those of a file. */
export function rendered(
  bundle: BundleContent,
  o: { values: JsonObject; facts: JsonObject; kubernetesVersion: string },
): Promise<Rendered> {
  const facts = { ...sampleFacts(bundle.manifest.credentials), ...o.facts };
  return told(render(bundle, { ...o, facts }, { helm: helmTemplate() }));
}

/** `shoto addon render`. */
export function renderCommand(addon: Command, c: Context): void {
  withRenderOptions(
    addon
      .command('render')
      .description('print the objects that a bundle becomes')
      .argument('<folder>', 'the bundle')
      .option('--kubernetes <version>', 'for this version; default: the newest known one of its range'),
  )
    .option('-o, --output <form>', 'yaml or json', 'yaml')
    .addHelpText(
      'after',
      `
Examples:
  shoto addon render hello
  shoto addon render hello --kubernetes 1.35 --values values.yaml -o json`,
    )
    .action(async (folder: string, o: RenderOptions & { kubernetes?: string; output: string }) => {
      if (o.output !== 'yaml' && o.output !== 'json')
        throw new CliError(EXIT.usage, `-o ${o.output}: choose yaml or json`);
      const bundle = await readBundle(c, folder);
      const { objects } = await rendered(bundle, {
        values: mapping(c, o.values),
        facts: mapping(c, o.facts),
        kubernetesVersion: await versionMeant(bundle, o.kubernetes),
      });
      c.out.write(
        o.output === 'json'
          ? `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, null, 2)}\n`
          : objects.map((x) => stringify(x, { aliasDuplicateObjects: false })).join('---\n'),
      );
    });
}
