import type { Addon, Cluster, Machine } from '@shoto/api';
import type { Command } from 'commander';
import { Api, type GlobalOptions, settingsOf } from '../client.ts';
import { type Context, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { addonBundles, addonRegistries, addons } from '../output/addons.ts';
import { type EventLine, eventTable } from '../output/events.ts';
import { clusters, machines, regions, releases, type Shown, templates, tenants } from '../output/kinds.ts';
import { formatOf, show } from '../output/print.ts';

type AnyShown = Shown<{ metadata: { name: string } }>;

/** Kinds that are the same for every tenant. */
const CATALOGUE: [string, AnyShown][] = [
  ['/v1/regions', regions as unknown as AnyShown],
  ['/v1/releases', releases as unknown as AnyShown],
  ['/v1/templates', templates as unknown as AnyShown],
  ['/v1/tenants', tenants as unknown as AnyShown],
  ['/v1/addonbundles', addonBundles as unknown as AnyShown],
  ['/v1/addonregistries', addonRegistries as unknown as AnyShown],
];
/** What `shoto get` knows, by the name of many. */
export const KINDS = [
  clusters,
  machines,
  addons,
  regions,
  releases,
  templates,
  tenants,
  addonBundles,
  addonRegistries,
].map((k) => k.names[0]!);

/** `shoto get`, `shoto events`. */
export function readCommands(program: Command, c: Context): void {
  program
    .command('get')
    .description('list things, or show one')
    .argument('<kind>', `what: ${KINDS.join(', ')}`)
    .argument('[name]', 'one of them')
    .option('-o, --output <form>', 'table, wide, json, yaml or name', 'table')
    .option('-l, --selector <selector>', 'label selector, for clusters and machines')
    .option('--cluster <name>', 'machines or addons of this cluster only')
    .addHelpText(
      'after',
      `
Examples:
  shoto get clusters
  shoto get cluster web -o yaml
  shoto get machines --cluster web -o wide
  shoto get addons --cluster web
  shoto get addonbundles
  shoto get releases`,
    )
    .action(
      async (
        kind: string,
        name: string | undefined,
        o: { output: string; selector?: string; cluster?: string },
        command: Command,
      ) => {
        const format = formatOf(o.output);
        const fixed = CATALOGUE.find(([, k]) => k.names.includes(kind));
        const print = (items: { metadata: { name: string } }[], shown: AnyShown) => {
          const found = name ? items.filter((i) => i.metadata.name === name) : items;
          if (name && found.length === 0) throw new CliError(EXIT.notFound, `there is no ${shown.names[1]} ${name}`);
          if (found.length === 0 && (format === 'table' || format === 'wide'))
            return c.err.write(`no ${shown.names[0]}\n`);
          c.out.write(`${show(found, shown, format, c.now(), name !== undefined)}\n`);
        };
        if (fixed) {
          const api = new Api(settingsOf(command.optsWithGlobals<GlobalOptions>(), c.env));
          return print(await api.all(fixed[0]), fixed[1]);
        }
        const s = sessionOf(c, command);
        const query = o.selector ? `?labelSelector=${encodeURIComponent(o.selector)}` : '';
        if (clusters.names.includes(kind)) {
          const items = name
            ? [await s.api.call<Cluster>('GET', s.clusters(name))]
            : await s.api.all<Cluster>(`${s.clusters()}${query}`);
          return print(items, clusters as unknown as AnyShown);
        }
        if (machines.names.includes(kind)) {
          const of = o.cluster ? [o.cluster] : (await s.api.all<Cluster>(s.clusters())).map((x) => x.metadata.name);
          const items = (
            await Promise.all(of.map((n) => s.api.all<Machine>(`${s.clusters(n)}/machines${query}`)))
          ).flat();
          return print(items, machines as unknown as AnyShown);
        }
        if (addons.names.includes(kind)) {
          const of = o.cluster ? [o.cluster] : (await s.api.all<Cluster>(s.clusters())).map((x) => x.metadata.name);
          const items = (await Promise.all(of.map((n) => s.api.all<Addon>(`${s.clusters(n)}/addons`)))).flat();
          return print(items, addons as unknown as AnyShown);
        }
        throw new CliError(EXIT.usage, `there is no kind ${JSON.stringify(kind)}: there are ${KINDS.join(', ')}`);
      },
    );

  program
    .command('events')
    .description('what happened in a cluster, oldest first')
    .argument('<cluster>', 'name of the cluster')
    .option('-o, --output <form>', 'table or json', 'table')
    .addHelpText('after', '\nExample:\n  shoto events web')
    .action(async (name: string, o: { output: string }, command: Command) => {
      const s = sessionOf(c, command);
      const { items } = await s.api.call<{ items: EventLine[] }>('GET', `${s.clusters(name)}/events`);
      if (o.output === 'json') c.out.write(`${JSON.stringify(items, null, 2)}\n`);
      else if (items.length === 0) c.err.write('no events\n');
      else c.out.write(`${eventTable(items, c.now())}\n`);
    });
}
