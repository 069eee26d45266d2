import { isUsable, type Truth } from './truth.ts';
import { poolsOf } from './watch.ts';
import type { World } from './world.ts';

/**
 * What a cluster still lacks to be as its spec asks; empty when it is settled.
 *
 * Every pool has its count of usable machines made as asked for and no other, every Machine one server and every server its Machine, each etcd
 * member its machine, and no node without one.
 */
export function lacking(world: World, truth: Truth, name: string): string[] {
  const cluster = truth.cluster(name);
  if (!cluster) return [`there is no cluster ${name}`];
  const machines = truth.machines(name);
  const flavors = new Map([...world.cloud.state.compute.flavors.values()].map((f) => [f.id, f.name]));
  const out: string[] = [];
  for (const m of machines) if (m.metadata.deletionTimestamp) out.push(`${m.metadata.name} is leaving`);
  const pools = poolsOf(cluster);
  for (const m of machines)
    if (!pools.some((p) => p.name === m.spec.pool)) out.push(`${m.metadata.name} is of no pool`);
  for (const pool of pools) {
    const own = machines.filter((m) => m.spec.pool === pool.name && !m.metadata.deletionTimestamp);
    if (own.length !== pool.count) out.push(`${pool.name} has ${own.length} machines of ${pool.count}`);
    for (const m of own) {
      if (!isUsable(m)) out.push(`${m.metadata.name} is not usable`);
      else if (!truth.works(m)) out.push(`${m.metadata.name} is said to be usable and does not work`);
      if (m.spec.release !== pool.release) out.push(`${m.metadata.name} is of ${m.spec.release}, not ${pool.release}`);
      const flavor = flavors.get(m.spec.flavor);
      if (flavor !== pool.flavor) out.push(`${m.metadata.name} has flavor ${flavor}, not ${pool.flavor}`);
    }
  }
  const reserved = truth.reserved()[cluster.metadata.uid ?? ''];
  if (reserved !== machines.length) out.push(`${reserved} machines are reserved for ${machines.length}`);
  const servers = [...world.cloud.state.compute.servers.values()];
  for (const s of servers)
    if (!machines.some((m) => m.metadata.uid === s.metadata['shoto-machine']))
      out.push(`server ${s.name} has no Machine`);
  for (const m of machines) {
    const own = servers.filter((s) => s.metadata['shoto-machine'] === m.metadata.uid);
    if (own.length !== 1) out.push(`${m.metadata.name} has ${own.length} servers`);
    else if (m.status?.server?.id !== own[0]!.id) out.push(`${m.metadata.name} names another server than its own`);
  }
  const workload = truth.workload(name);
  const names = new Set(machines.map((m) => m.metadata.name));
  const nodes = workload?.server.resource({ group: '', version: 'v1', plural: 'nodes' }).list() ?? [];
  for (const n of nodes) {
    if (!names.has(n.metadata.name)) out.push(`node ${n.metadata.name} has no Machine`);
    if ((n as { spec?: { unschedulable?: boolean } }).spec?.unschedulable)
      out.push(`node ${n.metadata.name} is cordoned`);
  }
  const members = workload?.etcd.members ?? [];
  for (const m of members)
    if (!servers.some((x) => x.id === m.serverId)) out.push(`etcd member ${m.name} has no server`);
  if (members.length !== cluster.spec.controlPlane.count)
    out.push(`etcd has ${members.length} members of ${cluster.spec.controlPlane.count}`);
  if (workload && !workload.etcd.isHealthy) out.push('etcd is not healthy');
  if (workload && !workload.up) out.push('the API does not answer');
  return out;
}

/** What is left when a cluster was deleted; empty when nothing is. */
export function leftovers(world: World, truth: Truth, name: string): string[] {
  const out = Object.entries(truth.holdings()).map(([kind, n]) => `${n} ${kind}`);
  if (truth.cluster(name)) out.push('the Cluster');
  const machines = truth.machines(name).length;
  if (machines > 0) out.push(`${machines} Machines`);
  const secrets = world.management
    .resource({ group: '', version: 'v1', plural: 'secrets' })
    .list({ namespace: 'shoto-system' })
    .filter((s) => /^(cluster|workload|pki|kubeconfig)-/.test(s.metadata.name));
  const reserved = Object.values(truth.reserved()).reduce((n, m) => n + m, 0);
  if (reserved > 0) out.push(`${reserved} machines of the quota`);
  if (secrets.length > 0) out.push(`${secrets.length} Secrets`);
  return out;
}

/** How long a settled world is looked at, so that nothing is found to go on after all. */
const STAYS_MS = 120_000;

/** Waits until a cluster is settled and stays so. @returns what it lacks at the end of `withinMs`, and what it took */
export async function settle(
  world: World,
  truth: Truth,
  name: string,
  withinMs: number,
): Promise<{ lacks: string[]; tookMs: number; passes: number }> {
  const before = world.passes.length;
  const start = world.time.elapsed;
  const end = start + withinMs;
  let lacks: string[] = [];
  for (;;) {
    await world.time.until(() => lacking(world, truth, name).length === 0, Math.max(0, end - world.time.elapsed), 2000);
    const at = world.time.elapsed;
    const passes = world.passes.length;
    lacks = lacking(world, truth, name);
    if (lacks.length === 0) {
      await world.time.advance(STAYS_MS);
      lacks = lacking(world, truth, name);
    }
    if (lacks.length === 0) return { lacks, tookMs: at - start, passes: passes - before };
    if (world.time.elapsed >= end) return { lacks, tookMs: at - start, passes: passes - before };
  }
}
