import {
  type Cluster,
  ClusterKind,
  findCondition,
  type Machine,
  MachineKind,
  resourceOf,
  tenantNamespace,
} from '@shoto/api';
import { type HasMeta, keyOf, Reflector } from '@shoto/kube';
import { POLLING } from '../counts.ts';
import { makeFleet } from '../fleet.ts';
import type { BenchOptions } from '../options.ts';
import { peakRssMiB, sumOf } from '../processes.ts';
import { each, round } from '../statistics.ts';
import { type Groups, groups, isApiServer, isOurs, writesByUs } from '../sums.ts';
import { begin, quiet, together } from '../window.ts';
import type { BenchWorld } from '../world.ts';

/** What a rolling replacement costs; each figure is of one replaced machine unless its name says otherwise. */
export interface ReplaceFigures {
  scenario: 'replace';
  clusters: number;
  workers: number;
  kube: string;
  replaced: number;
  wallSeconds: number;
  cpuSeconds: Groups;
  perMachine: { apiWrites: number; cloudCalls: number; cpuSeconds: number; reconciles: number };
  peakRssMiB: Groups;
  detail: Record<string, Record<string, number>>;
}

const FLAVOR = 'm1.medium';

/** Gives every pool another flavor, and measures until the last machine is replaced. @throws {Error} where one is not */
export async function measureReplace(
  world: BenchWorld,
  o: BenchOptions,
  say: (text: string) => void,
): Promise<ReplaceFigures> {
  const { team, names, counts } = await makeFleet(world, o, say);
  const before = await machinesOf(world);

  say(`replacing ${o.clusters * o.workers} workers: another flavor`);
  const clusters = await settledClusters(world);
  const rolling = await begin(world, counts);
  const started = Date.now();
  await together('replaced', names, o.timeoutSeconds, say, async (name, signal) => {
    await team.change(name, { nodePools: [{ name: 'default', count: o.workers, flavor: FLAVOR }] });
    await clusters.settled(name, signal);
  });
  const wallSeconds = (Date.now() - started) / 1000;
  await quiet(world);
  const seen = await rolling();
  await clusters.stop();

  const old = new Set(before.map((m) => m.metadata.uid));
  const workers = (await machinesOf(world)).filter((m) => m.spec.role === 'worker');
  const stayed = workers.filter((m) => old.has(m.metadata.uid));
  const replaced = o.clusters * o.workers;
  if (workers.length !== replaced || stayed.length > 0)
    throw new Error(
      `${workers.length} workers, ${stayed.length} of them not new: ${stayed.map((m) => m.metadata.name).join(', ')}`,
    );

  say('deleting');
  await together('gone', names, o.timeoutSeconds, say, async (name, signal, told) => {
    await team.delete(name);
    await team.follow(name, 'gone', signal, told);
  });
  return {
    scenario: 'replace',
    clusters: o.clusters,
    workers: o.workers,
    kube: o.kube,
    replaced,
    wallSeconds: round(wallSeconds),
    cpuSeconds: groups(seen.cpu),
    perMachine: {
      // The change itself is the user's own write.
      apiWrites: round((writesByUs(seen) - o.clusters) / replaced),
      cloudCalls: round(sumOf(seen.counts.cloudCalls, (n) => !POLLING.test(n)) / replaced),
      cpuSeconds: round(sumOf(seen.cpu, (n) => isOurs(n) || isApiServer(n)) / replaced, 3),
      reconciles: round(sumOf(seen.counts.reconciles) / replaced),
    },
    peakRssMiB: groups(
      Object.fromEntries(Object.entries(world.processes).map(([name, pid]) => [name, peakRssMiB(pid)])),
    ),
    detail: {
      cpuSeconds: each(seen.cpu, replaced, 3),
      apiWrites: each(seen.counts.apiWrites, replaced),
      ownWrites: each(seen.counts.ownWrites, replaced),
      apiReads: each(seen.counts.apiReads, replaced),
      cloudCalls: each(seen.counts.cloudCalls, replaced),
      reconciles: each(seen.counts.reconciles, replaced),
    },
  };
}

const machinesOf = async (world: BenchWorld): Promise<(Machine & HasMeta)[]> =>
  await world.kube.listAll<Machine & HasMeta>(resourceOf(MachineKind), {
    namespace: tenantNamespace(world.system.tenant),
  });

/** Watches Clusters until the machines of each are as its spec asks for. One watch for all: it costs the API server next to nothing. */
async function settledClusters(world: BenchWorld): Promise<{
  settled(name: string, signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}> {
  const waiting = new Map<string, () => void>();
  const isSettled = (c: Cluster): boolean =>
    c.status?.observedGeneration === c.metadata.generation &&
    findCondition(c.status?.infrastructure.conditions, 'UpToDate')?.status === 'True' &&
    (c.status?.infrastructure.pools ?? []).every((p) => p.machines === p.desired && p.ready === p.desired);
  const clusters = new Reflector<Cluster & HasMeta>({
    client: world.kube,
    type: resourceOf(ClusterKind),
    onChange: (key, now) => {
      if (now && isSettled(now)) waiting.get(key)?.();
    },
  });
  clusters.start();
  await clusters.synced;
  return {
    settled: async (name, signal) => {
      const key = keyOf({ metadata: { namespace: tenantNamespace(world.system.tenant), name } });
      // What is stored is of the spec before the change until the provisioner has seen it, and so says another generation.
      await new Promise<void>((resolve, reject) => {
        waiting.set(key, resolve);
        signal.addEventListener('abort', () => reject(new Error('not in time')), { once: true });
        const now = clusters.get(key);
        if (now && isSettled(now) && now.spec.nodePools[0]?.flavor === FLAVOR) resolve();
      });
    },
    stop: () => clusters.stop(),
  };
}
