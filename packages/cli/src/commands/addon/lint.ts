import { helmTemplate, kubernetesData, lint } from '@shoto/bundle';
import type { Command } from 'commander';
import type { Context } from '../../context.ts';
import { CliError, EXIT } from '../../errors.ts';
import { collect } from '../create.ts';
import { mapping, type RenderOptions, readBundle, withRenderOptions } from './bundle.ts';
import { type RegistryOptions, told, withRegistryOptions } from './registry.ts';

interface Options extends RenderOptions, RegistryOptions {
  mirror: string[];
  against?: string;
  output?: string;
}

/** `shoto addon lint`. */
export function lintCommand(addon: Command, c: Context): void {
  withRegistryOptions(
    withRenderOptions(
      addon
        .command('lint')
        .description('look a bundle over for what breaks people')
        .argument('<folder>', 'the bundle')
        .option('--mirror <prefix>', 'registry and folder that images must come from; repeat for more', collect, [])
        .option('--against <bundle>', 'the version before, in a folder or a registry: its CRDs must still hold'),
    ),
  )
    .option('-o, --output <form>', 'json')
    .addHelpText(
      'after',
      `
Ends with 1 where there is an error. It is checked against what each Kubernetes of the range serves.

Examples:
  shoto addon lint hello
  shoto addon lint addons/hello/0.2.0 --against oci://registry.example.com/addons/hello:0.1.0 --mirror registry.example.com/mirror`,
    )
    .action(async (folder: string, o: Options) => {
      if (o.output !== undefined && o.output !== 'json') throw new CliError(EXIT.usage, `-o ${o.output}: choose json`);
      const bundle = await readBundle(c, folder);
      const against = o.against === undefined ? undefined : await readBundle(c, o.against, o);
      const facts = mapping(c, o.facts);
      const findings = await told(
        lint(bundle, {
          kubernetes: await kubernetesData(),
          mirrors: o.mirror,
          against,
          values: mapping(c, o.values),
          facts: o.facts === undefined ? undefined : facts,
          helm: helmTemplate(),
        }),
      );
      const errors = findings.filter((f) => f.severity === 'error').length;
      if (o.output) c.out.write(`${JSON.stringify({ findings }, null, 2)}\n`);
      else {
        for (const f of findings) {
          const where = `${f.file}${f.line === undefined ? '' : `:${f.line}`}`;
          c.out.write(`${where}: ${f.severity} ${f.rule}: ${f.path ? `${f.path}: ` : ''}${f.message}\n    ${f.fix}\n`);
        }
        const { name, version } = bundle.manifest;
        c.out.write(`addon/${name} ${version}: ${errors} errors, ${findings.length - errors} warnings\n`);
      }
      if (errors > 0) throw new CliError(EXIT.failed, `${errors} errors in ${folder}`);
    });
}
