import { randomUUID } from 'node:crypto';
import type { Cluster } from '@shoto/api';
import type { Command } from 'commander';
import { parseAllDocuments } from 'yaml';
import { type Context, duration, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { clusters } from '../output/kinds.ts';
import { formatOf, show } from '../output/print.ts';
import { follow, ProgressView } from '../progress.ts';

interface Options {
  file?: string;
  template?: string;
  region?: string;
  release?: string;
  controlPlanes?: string;
  controlPlaneFlavor?: string;
  pool: string[];
  addon: string[];
  podCidr?: string;
  serviceCidr?: string;
  nodeCidr?: string;
  label: string[];
  dryRun?: boolean;
  wait: boolean;
  timeout: string;
  output?: string;
}

export const collect = (value: string, all: string[]): string[] => [...all, value];

/** A whole number as it was typed; text that is none is passed on, so that the server names the field. */
export const number = (text: string): number | string => (/^-?\d+$/.test(text) ? Number(text) : text);

/** `name=2,flavor=m1.small,zones=az1+az2` as a node pool. */
export function parsePool(text: string): Record<string, unknown> {
  const pool: Record<string, unknown> = {};
  for (const [i, part] of text.split(',').entries()) {
    const at = part.indexOf('=');
    if (at < 1)
      throw new CliError(
        EXIT.usage,
        `--pool ${text}: ${JSON.stringify(part)} is no key=value; write name=count,flavor=F`,
      );
    const [key, value] = [part.slice(0, at), part.slice(at + 1)];
    if (i === 0) {
      pool.name = key;
      pool.count = number(value);
    } else if (key === 'flavor' || key === 'release') pool[key] = value;
    else if (key === 'zones') pool.zones = value.split('+');
    else
      throw new CliError(
        EXIT.usage,
        `--pool ${text}: there is no ${JSON.stringify(key)}; there are flavor, release and zones`,
      );
  }
  return pool;
}

export function parseLabel(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new CliError(EXIT.usage, `--label ${text}: write key=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The Cluster that flags and file ask for; flags win. Fields that were not given are left out: the template has them. */
export function requestOf(
  name: string | undefined,
  o: Partial<Options>,
  file: string | undefined,
): { metadata: { name?: string; labels?: Record<string, string> }; spec: Record<string, unknown> } {
  const docs =
    file === undefined ? [] : parseAllDocuments(file).filter((d) => !('contents' in d) || d.contents !== null);
  const broken = docs.flatMap((d) => ('errors' in d ? d.errors : []))[0];
  if (broken) throw new CliError(EXIT.usage, `${o.file}: ${broken.message}`);
  if (docs.length > 1)
    throw new CliError(EXIT.usage, `${o.file} holds ${docs.length} documents: give one cluster at a time`);
  const given = (docs[0] && 'toJS' in docs[0] ? docs[0].toJS() : {}) as {
    metadata?: { name?: string; labels?: Record<string, string> };
    spec?: Record<string, unknown>;
  };
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new CliError(EXIT.usage, `${o.file} is no Cluster`);
  if (name && given.metadata?.name && given.metadata.name !== name)
    throw new CliError(EXIT.usage, `${o.file} names the cluster ${given.metadata.name}, the command line ${name}`);
  if (!name && !given.metadata?.name)
    throw new CliError(EXIT.usage, 'no name: write shoto create cluster NAME, or give metadata.name in the file');
  const spec: Record<string, unknown> = { ...given.spec };
  if (o.region) spec.region = o.region;
  if (o.release) spec.release = o.release;
  if (o.controlPlanes !== undefined || o.controlPlaneFlavor !== undefined)
    spec.controlPlane = {
      ...(spec.controlPlane as object | undefined),
      ...(o.controlPlanes === undefined ? {} : { count: number(o.controlPlanes) }),
      ...(o.controlPlaneFlavor === undefined ? {} : { flavor: o.controlPlaneFlavor }),
    };
  if (o.pool?.length) spec.nodePools = o.pool.map(parsePool);
  if (o.addon?.length)
    spec.addons = o.addon.map((a) => ({
      name: a.split('@')[0],
      ...(a.includes('@') ? { version: a.split('@')[1] } : {}),
    }));
  const network = { podCIDR: o.podCidr, serviceCIDR: o.serviceCidr, nodeCIDR: o.nodeCidr };
  if (Object.values(network).some((v) => v !== undefined))
    spec.network = {
      ...(spec.network as object | undefined),
      ...Object.fromEntries(Object.entries(network).filter(([, v]) => v !== undefined)),
    };
  const labels = Object.fromEntries((o.label ?? []).map(parseLabel));
  return {
    ...given,
    metadata: {
      ...given.metadata,
      ...(name ? { name } : {}),
      ...(o.label?.length ? { labels: { ...given.metadata?.labels, ...labels } } : {}),
    },
    spec,
  };
}

/** `shoto create cluster`. @param create - the command `create` */
export function createCommand(create: Command, c: Context): void {
  create
    .command('cluster')
    .description('make a cluster, and watch it until it is ready')
    .argument('[name]', 'name of the cluster; may also stand in the file')
    .option('-f, --file <file>', 'a Cluster as YAML or JSON; - is standard input')
    .option('--template <name>', 'ClusterTemplate to take defaults from (default: the one named default)')
    .option('--region <name>', 'region')
    .option('--release <name>', 'Kubernetes release, such as v1.35.4')
    .option('--control-planes <count>', 'control-plane machines: 1, 3 or 5')
    .option('--control-plane-flavor <flavor>', 'flavor of control-plane machines')
    .option(
      '--pool <name=count,...>',
      'a node pool: name=count[,flavor=F][,release=R][,zones=a+b]; repeat for more',
      collect,
      [],
    )
    .option('--addon <name[@version]>', 'an addon; repeat for more', collect, [])
    .option('--pod-cidr <cidr>', 'addresses of pods')
    .option('--service-cidr <cidr>', 'addresses of Services')
    .option('--node-cidr <cidr>', 'addresses of machines')
    .option('--label <key=value>', 'label of the Cluster; repeat for more', collect, [])
    .option('--dry-run', 'check everything, show what would be made, make nothing')
    .option('--no-wait', 'do not wait until it is ready')
    .option('--timeout <time>', 'how long to wait; 0 for ever', '30m')
    .option('-o, --output <form>', 'print the cluster as table, wide, json, yaml or name')
    .addHelpText(
      'after',
      `
Examples:
  shoto create cluster web
  shoto create cluster web --release v1.35.4 --control-planes 3 --pool default=5,flavor=m1.large
  shoto create cluster web --pool web=3 --pool batch=10,flavor=m1.xlarge --no-wait
  shoto create cluster -f web.yaml --dry-run -o yaml`,
    )
    .action(async (name: string | undefined, o: Options, command: Command) => {
      const s = sessionOf(c, command);
      const format = o.output === undefined ? undefined : formatOf(o.output);
      const timeoutMs = duration(o.timeout);
      const body = requestOf(name, o, o.file === undefined ? undefined : c.read(o.file));
      const query = new URLSearchParams({
        ...(o.template ? { template: o.template } : {}),
        ...(o.dryRun ? { dryRun: 'true' } : {}),
      });
      // The key makes one call of the command one cluster, whatever the network does to it.
      const made = await s.api.call<Cluster>('POST', `${s.clusters()}${query.size > 0 ? `?${query}` : ''}`, body, {
        'idempotency-key': randomUUID(),
      });
      const print = (cluster: Cluster) =>
        format && c.out.write(`${show([cluster], clusters, format, c.now(), true)}\n`);
      if (o.dryRun) {
        if (!format) c.out.write(`cluster/${made.metadata.name} would be made (dry run)\n`);
        print(made);
        return;
      }
      if (!format) c.out.write(`cluster/${made.metadata.name} accepted\n`);
      if (o.wait) {
        await follow(
          s.api,
          s.clusters(made.metadata.name),
          'ready',
          format ? undefined : new ProgressView(c.out, c.now),
          timeoutMs,
        );
        if (!format)
          c.out.write(
            `cluster/${made.metadata.name} ready. Now: shoto kubeconfig ${made.metadata.name} > kubeconfig\n`,
          );
      }
      print(o.wait ? await s.api.call<Cluster>('GET', s.clusters(made.metadata.name)) : made);
    });
}
