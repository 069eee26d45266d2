import { type Cluster, compareReleases, isOffered, type KubernetesRelease, parseRelease } from '@shoto/api';
import type { Command } from 'commander';
import { type Context, duration, sessionOf } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { clusters } from '../output/kinds.ts';
import { formatOf, show } from '../output/print.ts';
import { changeCluster, type Edit, isPaused, planOf, poolOf, pools, printPlan, waitFor } from './change.ts';

interface Options {
  to: string;
  pool?: string;
  dryRun?: boolean;
  wait?: boolean;
  yes?: boolean;
  force?: boolean;
  timeout: string;
  output?: string;
}

/**
 * The release that is meant: by its name, or by its minor, of which the newest one on offer.
 *
 * @param now - milliseconds since the epoch
 * @throws {CliError} naming the releases on offer
 */
export function releaseMeant(to: string, releases: KubernetesRelease[], region: string, now: number): string {
  const name = to.startsWith('v') ? to : `v${to}`;
  // What is no minor is the server's to judge: it says what is wrong with it.
  const minor = /^v1\.(\d{1,3})$/.exec(name)?.[1];
  if (minor === undefined) return name;
  const offered = releases
    .filter((r) => isOffered(r, region, now))
    .map((r) => r.metadata.name)
    .sort(compareReleases);
  const newest = offered.filter((r) => parseRelease(r)?.minor === Number(minor)).at(-1);
  if (newest) return newest;
  throw new CliError(
    EXIT.notFound,
    `no release of ${name} is on offer in region ${region}: ${offered.length > 0 ? `there are ${offered.join(', ')}` : 'there is none'}`,
  );
}

/** What an upgrade changes. A pool that is brought to the cluster's own release follows the cluster from then on. */
export const upgradeOf =
  (release: string, pool: string | undefined): Edit =>
  (cluster) => {
    if (pool === undefined) return { release };
    poolOf(cluster, pool);
    const moved = (p: Cluster['spec']['nodePools'][number]) => {
      const { release: _, ...rest } = p;
      return release === cluster.spec.release ? rest : { ...rest, release };
    };
    return { nodePools: pools(cluster).map((p) => (p.name === pool ? moved(p) : p)) };
  };

/** `shoto upgrade cluster`. */
export function upgradeCommand(program: Command, c: Context): void {
  program
    .command('upgrade')
    .description('bring a cluster to a newer Kubernetes release')
    .command('cluster')
    .description('bring a cluster to a newer Kubernetes release: shows the plan, asks, and begins')
    .argument('<name>', 'its name')
    .requiredOption('--to <release>', 'v1.36 (its newest release), v1.36.3, or v1.36.3-2')
    .option('--pool <name>', 'only this pool; also back to an older release')
    .option('--dry-run', 'show the plan, change nothing')
    .option('--wait', 'watch it until it is done')
    .option('--timeout <time>', 'how long to wait; 0 for ever', '2h')
    .option('-y, --yes', 'do not ask')
    .option('--force', 'begin although something is in the way')
    .option('-o, --output <form>', 'print the plan (with --dry-run) or the cluster: json or yaml')
    .addHelpText(
      'after',
      `
Every machine is replaced by one of the new release: the control plane first, one at a time, then the pools. Several minors are walked one by one.
What waits for a maintenance window begins when it opens. A pool can be turned back, the control plane cannot.

Examples:
  shoto upgrade cluster web --to v1.36 --dry-run        the plan: which machines, in which order, what is in the way
  shoto upgrade cluster web --to v1.36 --wait
  shoto upgrade cluster web --to v1.36.3-2 --yes
  shoto upgrade cluster web --pool gpu --to v1.35.4     one pool alone, here back`,
    )
    .action(async (name: string, o: Options, command: Command) => {
      const s = sessionOf(c, command);
      const format = o.output === undefined ? undefined : formatOf(o.output);
      const timeoutMs = duration(o.timeout);
      const [cluster, releases] = await Promise.all([
        s.api.call<Cluster>('GET', s.clusters(name)),
        s.api.all<KubernetesRelease>('/v1/releases'),
      ]);
      const release = releaseMeant(o.to, releases, cluster.spec.region, c.now());
      const edit = upgradeOf(release, o.pool);
      const plan = await planOf(s, name, edit);
      if (o.dryRun || !format) printPlan(c, name, plan, format);
      if (o.dryRun) {
        if (!format) c.out.write('nothing was changed (dry run)\n');
        return;
      }
      if (plan.blockers.length > 0 && !o.force)
        throw new CliError(
          EXIT.invalid,
          `cluster ${name} is not upgraded: ${plan.blockers.map((b) => `${b.reason}: ${b.message}`).join('\n  ')}\nmend what is in the way, or begin all the same with --force`,
        );
      const what = o.pool === undefined ? `cluster ${name}` : `pool ${o.pool} of cluster ${name}`;
      if (!o.yes) {
        if (!c.confirm) throw new CliError(EXIT.usage, 'nobody is there to be asked: give --yes to begin');
        if (!(await c.confirm(`Bring ${what} to ${release}?`))) {
          c.err.write('nothing was changed\n');
          return;
        }
      }
      const changed = await changeCluster(s, name, edit);
      if (!format) c.out.write(`cluster/${name}: ${o.pool ? `pool ${o.pool} goes` : 'goes'} to ${release}\n`);
      const waits = o.wait && !isPaused(c, changed);
      if (waits) await waitFor(c, s, changed, timeoutMs, !format);
      else if (!format) c.out.write(`how far it is: shoto describe cluster ${name}\n`);
      if (format) c.out.write(`${show([changed], clusters, format, c.now(), true)}\n`);
    });
}
