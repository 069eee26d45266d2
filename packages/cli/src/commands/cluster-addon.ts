import type { Addon, Cluster } from '@shoto/api';
import type { Command } from 'commander';
import { parseDocument } from 'yaml';
import { Api, type GlobalOptions, settingsOf } from '../client.ts';
import { type Context, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { type ChangeOptions, carryOut, withChangeOptions } from './change.ts';
import { collect } from './create.ts';

interface AddonOptions {
  version?: string;
  channel?: string;
  values?: string;
  set: string[];
  valuesFrom: string[];
  drift?: string;
  paused?: string;
}

type ClusterAddon = Cluster['spec']['addons'][number];
type Values = Record<string, unknown>;

const withAddonOptions = (command: Command): Command =>
  command
    .option('--version <version>', 'stay on this version; none: follow the cluster again')
    .option('--channel <channel>', 'take versions from stable, candidate or edge; none: stable')
    .option('--values <file>', 'values of the addon as YAML, in place of those before; - is standard input')
    .option('--set <path=value>', 'one value, such as retention=7d; path- takes it away; repeat for more', collect, [])
    .option(
      '--values-from <secret/key>',
      "more values, from a Secret in the tenant's namespace; none takes all away; repeat for more",
      collect,
      [],
    )
    .option('--drift <policy>', 'what is done about what others change: Correct, Report or Ignore')
    .option('--paused <on|off>', 'leave the addon as it is');

const isMapping = (v: unknown): v is Values => typeof v === 'object' && v !== null && !Array.isArray(v);

/** A file of values. @throws {CliError} with line and column where it is no YAML mapping */
export function parseValues(file: string, text: string): Values {
  const doc = parseDocument(text);
  const broken = doc.errors[0];
  if (broken) throw new CliError(EXIT.usage, `${file}: ${broken.message}`);
  const values: unknown = doc.toJS() ?? {};
  if (!isMapping(values)) throw new CliError(EXIT.usage, `${file}: values are a mapping, such as "replicas: 2"`);
  return values;
}

/** Values with changes of the form `a.b=c` (c as YAML has it: 3, true, [a, b], text) and `a.b-`. */
export function withValues(before: Values | undefined, changes: string[]): Values {
  const out = structuredClone(before ?? {});
  for (const text of changes) {
    const at = text.indexOf('=');
    const isRemoval = at < 0 && text.endsWith('-');
    const path = (isRemoval ? text.slice(0, -1) : text.slice(0, Math.max(at, 0))).split('.');
    if ((!isRemoval && at < 1) || path.some((p) => p === '' || p === '__proto__'))
      throw new CliError(EXIT.usage, `--set ${text}: write path.to=value, or path.to- to take it away`);
    let here = out;
    for (const key of path.slice(0, -1)) {
      if (!isMapping(here[key])) here[key] = {};
      here = here[key] as Values;
    }
    const last = path.at(-1) as string;
    if (isRemoval) delete here[last];
    else here[last] = parseDocument(text.slice(at + 1)).toJS() as unknown;
  }
  return out;
}

function secretKey(text: string): { secretName: string; key: string } {
  const [secretName, key, more] = text.split('/');
  if (!secretName || !key || more !== undefined)
    throw new CliError(
      EXIT.usage,
      `--values-from ${text}: write the Secret's name and its key, as grafana/values.yaml`,
    );
  return { secretName, key };
}

function onOff(text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new CliError(EXIT.usage, `--paused ${text}: choose on or off`);
  return text === 'on';
}

/** An addon with what the flags ask for; what they do not name stays. */
export function changedAddon(before: ClusterAddon, o: AddonOptions, read: (file: string) => string): ClusterAddon {
  const orNone = (text: string): string | undefined => (text === 'none' ? undefined : text);
  const given = {
    ...(o.version === undefined ? {} : { version: orNone(o.version) }),
    ...(o.channel === undefined ? {} : { channel: orNone(o.channel) }),
    ...(o.values === undefined && o.set.length === 0
      ? {}
      : { values: withValues(o.values === undefined ? before.values : parseValues(o.values, read(o.values)), o.set) }),
    ...(o.valuesFrom.length === 0
      ? {}
      : { valuesFrom: o.valuesFrom.includes('none') ? undefined : o.valuesFrom.map(secretKey) }),
    ...(o.drift === undefined ? {} : { drift: o.drift }),
    ...(o.paused === undefined ? {} : { paused: onOff(o.paused) }),
  };
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, v]) => v !== undefined)) as ClusterAddon;
}

const addonsOf = (cluster: Cluster): ClusterAddon[] => cluster.spec.addons ?? [];

function mustHave(cluster: Cluster, name: string): void {
  const names = addonsOf(cluster).map((a) => a.name);
  if (!names.includes(name))
    throw new CliError(
      EXIT.notFound,
      `cluster ${cluster.metadata.name} has no addon ${name}: ${names.length > 0 ? `it has ${names.join(', ')}` : 'it has none'}`,
    );
}

/** `shoto create addon`, `shoto set addon`, `shoto delete addon`, `shoto retry addon`, `shoto poll addonregistry`. */
export function clusterAddonCommands(
  at: { program: Command; create: Command; set: Command; remove: Command },
  c: Context,
): void {
  const onCluster = (group: Command, description: string): Command =>
    group
      .command('addon')
      .description(description)
      .argument('<cluster>', 'name of the cluster')
      .argument('<name>', 'name of the addon');

  withChangeOptions(withAddonOptions(onCluster(at.create, 'give a cluster an addon')))
    .addHelpText(
      'after',
      `
The newest version of its channel that fits the cluster's Kubernetes version is taken, and follows it. shoto get addonbundles shows what
there is. Values are no place for secrets: put these in a Secret and name it with --values-from.

Examples:
  shoto create addon web prometheus
  shoto create addon web grafana --values grafana.yaml --values-from grafana-admin/values.yaml
  shoto create addon web prometheus --set retention=7d --channel candidate`,
    )
    .action(async (name: string, addon: string, o: AddonOptions & ChangeOptions, command: Command) => {
      const added = changedAddon({ name: addon }, o, c.read);
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        (cluster) => {
          if (addonsOf(cluster).some((a) => a.name === addon))
            throw new CliError(
              EXIT.invalid,
              `cluster ${name} has addon ${addon} already: change it with shoto set addon ${name} ${addon}`,
            );
          return { addons: [...addonsOf(cluster), added] };
        },
        o,
        () => `cluster/${name}: addon ${addon} added`,
      );
    });

  withChangeOptions(withAddonOptions(onCluster(at.set, 'change an addon of a cluster: version, channel, values')))
    .addHelpText(
      'after',
      `
Examples:
  shoto set addon web prometheus --set retention=30d
  shoto set addon web flannel --version 0.28.4       stay on it; --version none follows the cluster again
  shoto set addon web grafana --drift Report`,
    )
    .action(async (name: string, addon: string, o: AddonOptions & ChangeOptions, command: Command) => {
      const given = [o.version, o.channel, o.values, o.set[0], o.valuesFrom[0], o.drift, o.paused];
      if (given.every((x) => x === undefined))
        throw new CliError(EXIT.usage, 'nothing to set: give --version, --set or another option (--help shows them)');
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        (cluster) => {
          mustHave(cluster, addon);
          return { addons: addonsOf(cluster).map((a) => (a.name === addon ? changedAddon(a, o, c.read) : a)) };
        },
        o,
        () => `cluster/${name}: addon ${addon} changed`,
      );
    });

  withChangeOptions(
    onCluster(at.remove, 'take an addon away; what it brought is removed, but no volumes and no CRDs in use'),
  )
    .addHelpText('after', '\nExample:\n  shoto delete addon web grafana')
    .action(async (name: string, addon: string, o: ChangeOptions, command: Command) => {
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        (cluster) => {
          mustHave(cluster, addon);
          return { addons: addonsOf(cluster).filter((a) => a.name !== addon) };
        },
        o,
        () => `cluster/${name}: addon ${addon} is being taken away`,
      );
    });

  onCluster(
    at.program.command('retry').description('try again what failed'),
    'try the update of an addon again that failed and was taken back',
  )
    .addHelpText('after', '\nExample:\n  shoto retry addon web grafana')
    .action(async (name: string, addon: string, _o: object, command: Command) => {
      const s = sessionOf(c, command);
      await s.api.call<Addon>('POST', `${s.clusters(name)}/addons/${encodeURIComponent(addon)}/retry`);
      c.out.write(`cluster/${name}: addon ${addon} is tried again\n`);
    });

  at.program
    .command('poll')
    .description('look now, not when it is due')
    .command('addonregistry')
    .description('look into a registry of addon bundles now; needs an administrator')
    .argument('<name>', 'its name')
    .addHelpText('after', '\nExample:\n  shoto poll addonregistry main')
    .action(async (name: string, _o: object, command: Command) => {
      const api = new Api(settingsOf(command.optsWithGlobals<GlobalOptions>(), c.env));
      await api.call('POST', `/v1/addonregistries/${encodeURIComponent(name)}/poll`);
      c.out.write(`addonregistry/${name} is asked\n`);
    });
}
