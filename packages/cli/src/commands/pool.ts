import type { NodePool } from '@shoto/api';
import type { Command } from 'commander';
import { type Context, duration, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { type ChangeOptions, carryOut, poolOf, pools, withChangeOptions } from './change.ts';
import { collect, number } from './create.ts';

interface PoolOptions {
  flavor?: string;
  count?: string;
  zones?: string;
  label: string[];
  taint: string[];
  release?: string;
  maxSurge?: string;
  maxUnavailable?: string;
  rootVolume?: string;
  drainTimeout?: string;
  volumeDetachTimeout?: string;
}

type Taint = NonNullable<NodePool['taints']>[number];

/** Options of a pool. Text that is wrong is passed on, so that the server names field and mend. */
const withPoolOptions = (command: Command): Command =>
  command
    .option('--flavor <flavor>', 'flavor of its machines')
    .option('--count <count>', 'how many machines')
    .option('--zones <a,b>', "zones to spread over; none: the region's")
    .option('--label <key=value>', 'label of its nodes; key- takes it away; repeat for more', collect, [])
    .option(
      '--taint <key=value:effect>',
      'taint of its nodes (key:effect without a value); key:effect- takes it away; repeat for more',
      collect,
      [],
    )
    .option('--release <release>', "a release of its own; none: the cluster's")
    .option('--max-surge <count>', 'machines above its count while they are replaced: 1, or 25%')
    .option('--max-unavailable <count>', 'machines that may be missing while they are replaced: 0, or 25%')
    .option('--root-volume <GiB>', "boot from a volume of this size; none: the flavor's disk")
    .option('--drain-timeout <time>', 'a drain is given up after this; 0: never')
    .option('--volume-detach-timeout <time>', 'volumes that do not detach are given up after this; 0: never');

const seconds = (text: string): number => Math.round(duration(text) / 1000);
/** `none` takes a field away. */
const orNone = <T>(text: string, read: (text: string) => T): T | undefined =>
  text === 'none' ? undefined : read(text);

/** Labels with changes of the form `key=value` and `key-`. */
export function withLabels(
  labels: Record<string, string> | undefined,
  changes: string[],
): Record<string, string> | undefined {
  const out = { ...labels };
  for (const text of changes) {
    const at = text.indexOf('=');
    if (at > 0) out[text.slice(0, at)] = text.slice(at + 1);
    else if (/^[^=]+-$/.test(text)) delete out[text.slice(0, -1)];
    else throw new CliError(EXIT.usage, `--label ${text}: write key=value, or key- to take it away`);
  }
  return Object.keys(out).length > 0 ? out : undefined;
}

/** Taints with changes of the form `key=value:effect`, `key:effect` and `key:effect-`; as of `kubectl taint`. */
export function withTaints(taints: Taint[] | undefined, changes: string[]): Taint[] | undefined {
  let out = [...(taints ?? [])];
  for (const text of changes) {
    const m = /^([^=:]+)(?:=([^:]*))?:([A-Za-z]+)(-)?$/.exec(text);
    if (!m)
      throw new CliError(EXIT.usage, `--taint ${text}: write key=value:NoSchedule, or key:NoSchedule- to take it away`);
    const [, key = '', value, effect = '', away] = m;
    out = out.filter((t) => t.key !== key || t.effect !== effect);
    if (!away) out.push({ key, ...(value ? { value } : {}), effect: effect as Taint['effect'] });
  }
  return out.length > 0 ? out : undefined;
}

/** A pool with what the flags ask for; what they do not name stays. */
export function changedPool(before: Partial<NodePool> & { name: string }, o: PoolOptions): Record<string, unknown> {
  const given: Record<string, unknown> = {
    ...(o.flavor === undefined ? {} : { flavor: o.flavor }),
    ...(o.count === undefined ? {} : { count: number(o.count) }),
    ...(o.zones === undefined ? {} : { zones: orNone(o.zones, (t) => t.split(',')) }),
    ...(o.label.length === 0 ? {} : { labels: withLabels(before.labels, o.label) }),
    ...(o.taint.length === 0 ? {} : { taints: withTaints(before.taints, o.taint) }),
    ...(o.release === undefined ? {} : { release: orNone(o.release, (t) => t) }),
    ...(o.maxSurge === undefined ? {} : { maxSurge: number(o.maxSurge) }),
    ...(o.maxUnavailable === undefined ? {} : { maxUnavailable: number(o.maxUnavailable) }),
    ...(o.rootVolume === undefined
      ? {}
      : { rootVolume: orNone(o.rootVolume, (t) => ({ ...before.rootVolume, sizeGiB: number(t) })) }),
    ...(o.drainTimeout === undefined ? {} : { nodeDrainTimeoutSeconds: seconds(o.drainTimeout) }),
    ...(o.volumeDetachTimeout === undefined ? {} : { nodeVolumeDetachTimeoutSeconds: seconds(o.volumeDetachTimeout) }),
  };
  return Object.fromEntries(Object.entries({ ...before, ...given }).filter(([, v]) => v !== undefined));
}

/** `shoto create pool`, `shoto set pool`, `shoto delete pool`. */
export function poolCommands(at: { create: Command; set: Command; remove: Command }, c: Context): void {
  withChangeOptions(
    withPoolOptions(
      at.create
        .command('pool')
        .description('add a node pool to a cluster')
        .argument('<cluster>', 'name of the cluster')
        .argument('<name>', 'name of the pool'),
    ),
  )
    .addHelpText(
      'after',
      `
Examples:
  shoto create pool web gpu --flavor g1.large --count 2
  shoto create pool web batch --flavor m1.large --zones az1,az2 --label tier=batch --taint dedicated=batch:NoSchedule
  shoto create pool web big --flavor m1.xlarge --root-volume 100 --max-surge 25% --drain-timeout 10m --dry-run`,
    )
    .action(async (name: string, pool: string, o: PoolOptions & ChangeOptions, command: Command) => {
      const added = changedPool({ name: pool }, o);
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        (cluster) => {
          if (pools(cluster).some((p) => p.name === pool))
            throw new CliError(
              EXIT.invalid,
              `cluster ${name} has a pool ${pool} already: choose another name, or change it with shoto set pool ${name} ${pool}`,
            );
          return { nodePools: [...pools(cluster), added] };
        },
        o,
        () => `cluster/${name}: pool ${pool} added`,
      );
    });

  withChangeOptions(
    withPoolOptions(
      at.set
        .command('pool')
        .description('change a node pool; machines that are made from something else then are replaced')
        .argument('<cluster>', 'name of the cluster')
        .argument('<name>', 'name of the pool'),
    ),
  )
    .addHelpText(
      'after',
      `
Count, labels, taints and time-outs are changed in place. Another flavor, release, root volume or zones replace machines, within
the maintenance window.

Examples:
  shoto set pool web default --flavor m1.large --dry-run
  shoto set pool web default --label tier=front --label old- --taint dedicated:NoSchedule-
  shoto set pool web batch --max-surge 0 --max-unavailable 25%
  shoto set pool web batch --release none       follows the cluster again`,
    )
    .action(async (name: string, pool: string, o: PoolOptions & ChangeOptions, command: Command) => {
      const { flavor, count, zones, label, taint, release, maxSurge, maxUnavailable, rootVolume } = o;
      const given = [flavor, count, zones, release, maxSurge, maxUnavailable, rootVolume, o.drainTimeout];
      if ([...given, o.volumeDetachTimeout, label[0], taint[0]].every((x) => x === undefined))
        throw new CliError(EXIT.usage, 'nothing to set: give --flavor, --count or another option (--help shows them)');
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        (cluster) => {
          poolOf(cluster, pool);
          return { nodePools: pools(cluster).map((p) => (p.name === pool ? changedPool(p, o) : p)) };
        },
        o,
        () => `cluster/${name}: pool ${pool} changed`,
      );
    });

  withChangeOptions(
    at.remove
      .command('pool')
      .description('take a node pool away; its machines are drained and go')
      .argument('<cluster>', 'name of the cluster')
      .argument('<name>', 'name of the pool'),
  )
    .addHelpText('after', '\nExamples:\n  shoto delete pool web gpu --dry-run\n  shoto delete pool web gpu --no-wait')
    .action(async (name: string, pool: string, o: ChangeOptions, command: Command) => {
      await carryOut(
        c,
        sessionOf(c, command),
        name,
        (cluster) => {
          poolOf(cluster, pool);
          return { nodePools: pools(cluster).filter((p) => p.name !== pool) };
        },
        o,
        () => `cluster/${name}: pool ${pool} is being taken away`,
      );
    });
}
