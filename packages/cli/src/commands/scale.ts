import type { Command } from 'commander';
import { type Context, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { type ChangeOptions, carryOut, poolOf, pools, withChangeOptions } from './change.ts';
import { collect, number } from './create.ts';

interface Options extends ChangeOptions {
  pool: string[];
  controlPlane?: string;
}

/** `default=5` as a name and a count; text that is no number is passed on, so that the server names the field. */
export function parseCount(text: string): [name: string, count: number | string] {
  const at = text.indexOf('=');
  if (at < 1 || at === text.length - 1)
    throw new CliError(EXIT.usage, `--pool ${text}: write name=count, such as --pool default=5`);
  return [text.slice(0, at), number(text.slice(at + 1))];
}

/** `shoto scale`. */
export function scaleCommand(program: Command, c: Context): void {
  withChangeOptions(
    program
      .command('scale')
      .description('change how many machines a cluster has, and watch it until it has them')
      .argument('<cluster>', 'name of the cluster')
      .option('--pool <name=count>', 'machines of a node pool; repeat for more', collect, [])
      .option('--control-plane <count>', 'control-plane machines: 1, 3 or 5'),
  )
    .addHelpText(
      'after',
      `
Machines that go are chosen: sick ones first, then outdated ones, then from the zone with most; never one that is kept.

Examples:
  shoto scale web --pool default=5
  shoto scale web --pool default=5 --pool gpu=2 --no-wait
  shoto scale web --control-plane 3
  shoto scale web --pool default=1 --dry-run       which machines would go`,
    )
    .action(async (name: string, o: Options, command: Command) => {
      if (o.pool.length === 0 && o.controlPlane === undefined)
        throw new CliError(EXIT.usage, 'nothing to scale: give --pool name=count, or --control-plane count');
      const counts = new Map(o.pool.map(parseCount));
      const controlPlane = o.controlPlane === undefined ? undefined : number(o.controlPlane);
      const s = sessionOf(c, command);
      await carryOut(
        c,
        s,
        name,
        (cluster) => {
          for (const pool of counts.keys()) poolOf(cluster, pool);
          return {
            ...(counts.size > 0
              ? { nodePools: pools(cluster).map((p) => ({ ...p, count: counts.get(p.name) ?? p.count })) }
              : {}),
            ...(controlPlane === undefined ? {} : { controlPlane: { count: controlPlane } }),
          };
        },
        o,
        () => {
          const asked = [...(controlPlane === undefined ? [] : [['control plane', controlPlane]]), ...counts];
          return `cluster/${name}: ${asked.map(([what, n]) => `${what} ${n}`).join(', ')}`;
        },
      );
    });
}
