import type { Addon, Cluster, ClusterTemplate, Machine } from '@shoto/api';
import type { Command } from 'commander';
import { Api, type GlobalOptions, settingsOf } from '../client.ts';
import { type Context, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { addons } from '../output/addons.ts';
import { describeCluster } from '../output/describe.ts';
import { describeAddon } from '../output/describe-addon.ts';
import { describeTemplate } from '../output/describe-template.ts';
import type { EventLine } from '../output/events.ts';
import { clusters, templates } from '../output/kinds.ts';
import type { Progress } from '../progress.ts';

/** What `shoto describe` knows. */
export const DESCRIBED = ['cluster', 'addon', 'template'];

async function cluster(c: Context, command: Command, name: string): Promise<string> {
  const s = sessionOf(c, command);
  const [found, own, events, progress] = await Promise.all([
    s.api.call<Cluster>('GET', s.clusters(name)),
    s.api.all<Machine>(`${s.clusters(name)}/machines`),
    s.api.call<{ items: EventLine[] }>('GET', `${s.clusters(name)}/events`),
    // The page is worth printing without what happens this second.
    s.api.call<Progress>('GET', `${s.clusters(name)}/progress`).catch((e: unknown) => {
      if (e instanceof CliError) return undefined;
      throw e;
    }),
  ]);
  return describeCluster(found, own, events.items, progress?.machines, c.now());
}

async function addon(c: Context, command: Command, of: string, name: string | undefined): Promise<string> {
  if (!name) throw new CliError(EXIT.usage, `which addon of cluster ${of}? shoto describe addon ${of} NAME`);
  const s = sessionOf(c, command);
  const [found, own] = await Promise.all([
    s.api.call<Cluster>('GET', s.clusters(of)),
    s.api.all<Addon>(`${s.clusters(of)}/addons`),
  ]);
  const there = own.find((a) => a.spec.addon === name);
  const wanted = found.spec.addons.find((a) => a.name === name);
  if (!there && !wanted) {
    const names = found.spec.addons.map((a) => a.name).join(', ') || 'none';
    throw new CliError(EXIT.notFound, `cluster ${of} has no addon ${name}: it has ${names}`);
  }
  return describeAddon({ cluster: of, name, addon: there, wanted }, c.now());
}

async function template(c: Context, command: Command, name: string): Promise<string> {
  const api = new Api(settingsOf(command.optsWithGlobals<GlobalOptions>(), c.env));
  const found = (await api.all<ClusterTemplate>('/v1/templates')).find((t) => t.metadata.name === name);
  if (!found) throw new CliError(EXIT.notFound, `there is no template ${name}`);
  return describeTemplate(found, c.now());
}

/** `shoto describe`. */
export function describeCommand(program: Command, c: Context): void {
  program
    .command('describe')
    .description('everything about a cluster, an addon of it, or a template')
    .argument('<kind>', `what: ${DESCRIBED.join(', ')}`)
    .argument('<name>', 'its name; of an addon: that of its cluster')
    .argument('[addon]', 'name of the addon')
    .addHelpText(
      'after',
      `
Examples:
  shoto describe cluster web
  shoto describe addon web grafana
  shoto describe template standard`,
    )
    .action(async (kind: string, name: string, more: string | undefined, _o: object, command: Command) => {
      const isAddon = addons.names.includes(kind);
      if (more !== undefined && !isAddon)
        throw new CliError(EXIT.usage, `${JSON.stringify(more)} is too much: describe takes one name`);
      const text = isAddon
        ? await addon(c, command, name, more)
        : clusters.names.includes(kind)
          ? await cluster(c, command, name)
          : templates.names.includes(kind)
            ? await template(c, command, name)
            : undefined;
      if (text === undefined)
        throw new CliError(EXIT.usage, `describe knows ${DESCRIBED.join(', ')}, not ${JSON.stringify(kind)}`);
      c.out.write(`${text}\n`);
    });
}
