import type { ChangePlan, Cluster, NodePool } from '@shoto/api';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import { type Context, duration, type Session } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import { clusters } from '../output/kinds.ts';
import { planText } from '../output/plan.ts';
import { type Format, formatOf, show } from '../output/print.ts';
import { follow, ProgressView } from '../progress.ts';

/** Options of every command that changes a cluster. */
export interface ChangeOptions {
  dryRun?: boolean;
  wait: boolean;
  timeout: string;
  output?: string;
}

/** What a change makes of a cluster: a merge patch of its spec. A list is sent as a whole. */
export type Edit = (cluster: Cluster) => Record<string, unknown>;

/** How often a change is made anew that met another one. */
const ATTEMPTS = 5;

/** Gives a command the options of {@link ChangeOptions}; it waits unless it is told not to. */
export const withChangeOptions = (command: Command): Command =>
  command
    .option('--dry-run', 'check everything, show what it would do, change nothing')
    .option('--no-wait', 'do not wait until it is done')
    .option('--timeout <time>', 'how long to wait; 0 for ever', '30m')
    .option('-o, --output <form>', 'print the cluster as table, wide, json, yaml or name; a plan as json or yaml');

/** Pools as a patch sends them: every one that there is, changed by name. */
export const pools = (cluster: Cluster): NodePool[] => cluster.spec.nodePools ?? [];

/** @throws {CliError} `notFound`, naming the pools that there are */
export function poolOf(cluster: Cluster, name: string): NodePool {
  const found = pools(cluster).find((p) => p.name === name);
  if (found) return found;
  const names = pools(cluster).map((p) => p.name);
  throw new CliError(
    EXIT.notFound,
    `cluster ${cluster.metadata.name} has no pool ${name}: there ${names.length > 0 ? `are ${names.join(', ')}` : 'is none'}`,
  );
}

/**
 * Changes a cluster's spec. Lists are replaced as a whole, so the change is for the cluster as it was read; where somebody changed it in
 * between it is read again.
 */
export async function changeCluster(s: Session, name: string, edit: Edit): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    const before = await s.api.call<Cluster>('GET', s.clusters(name));
    const { resourceVersion } = before.metadata;
    try {
      return await s.api.call<Cluster>(
        'PATCH',
        s.clusters(name),
        { spec: edit(before) },
        resourceVersion ? { 'if-match': `"${resourceVersion}"` } : {},
      );
    } catch (e) {
      if (!(e instanceof CliError && e.status === 412) || attempt === ATTEMPTS) throw e;
    }
  }
}

/** What a change would do, as the server tells. */
export async function planOf(s: Session, name: string, edit: Edit): Promise<ChangePlan> {
  const before = await s.api.call<Cluster>('GET', s.clusters(name));
  return s.api.call<ChangePlan>('POST', `${s.clusters(name)}/plan`, edit(before));
}

/** Prints a plan: for programs as it is, for people in words. */
export function printPlan(c: Context, name: string, plan: ChangePlan, format: Format | undefined): void {
  if (format === 'json') c.out.write(`${JSON.stringify(plan, null, 2)}\n`);
  else if (format === 'yaml') c.out.write(stringify(plan));
  else c.out.write(`${planText(name, plan)}\n`);
}

/**
 * Makes a change, or with --dry-run shows its plan; waits until it is carried out.
 *
 * @param done - what is told when it is accepted
 */
export async function carryOut(
  c: Context,
  s: Session,
  name: string,
  edit: Edit,
  o: ChangeOptions,
  done: (now: Cluster) => string,
): Promise<void> {
  const format = o.output === undefined ? undefined : formatOf(o.output);
  const timeoutMs = duration(o.timeout);
  if (o.dryRun) {
    printPlan(c, name, await planOf(s, name, edit), format);
    if (!format) c.out.write('nothing was changed (dry run)\n');
    return;
  }
  const changed = await changeCluster(s, name, edit);
  if (!format) c.out.write(`${done(changed)}\n`);
  const waits = o.wait && !isPaused(c, changed);
  if (waits) await waitFor(c, s, changed, timeoutMs, format === undefined);
  if (format) {
    const now = waits ? await s.api.call<Cluster>('GET', s.clusters(name)) : changed;
    c.out.write(`${show([now], clusters, format, c.now(), true)}\n`);
  }
}

/** Waits until a changed cluster is as its spec asks for. @param tells - whether progress is drawn */
export async function waitFor(
  c: Context,
  s: Session,
  changed: Cluster,
  timeoutMs: number,
  tells: boolean,
): Promise<void> {
  const { name, generation = 0 } = changed.metadata;
  await follow(s.api, s.clusters(name), { generation }, tells ? new ProgressView(c.out, c.now) : undefined, timeoutMs);
  if (tells) c.out.write(`cluster/${name} is as asked for\n`);
}

/** Whether nothing will happen to a cluster, which is said. */
export function isPaused(c: Context, { spec, metadata }: Cluster): boolean {
  if (spec.paused)
    c.err.write(
      `cluster/${metadata.name} is paused: nothing happens until somebody runs shoto resume cluster ${metadata.name}\n`,
    );
  return spec.paused;
}
