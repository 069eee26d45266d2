import { readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cluster, ClusterKind, resourceOf, tenantNamespace } from '@shoto/api';
import { type HasMeta, Reflector } from '@shoto/kube';
import { makeFleet } from '../fleet.ts';
import { heapUsed } from '../heap.ts';
import type { BenchOptions } from '../options.ts';
import { peakRssMiB, sumOf } from '../processes.ts';
import { samplesOf } from '../prometheus.ts';
import { percentile, round } from '../statistics.ts';
import { isOurs } from '../sums.ts';
import { begin, quiet, together, type Window } from '../window.ts';
import type { BenchWorld } from '../world.ts';
import { addonName, publish } from './addon-bundles.ts';

const MANAGER = 'services/addon-manager';
const SYSTEM = 'shoto-system';
/** Workloads are looked at once more within this after the last change of their status: that is part of what changed them. */
const LOOKS_MS = 20_000;
const [FIRST, SECOND] = ['1.0.0', '1.1.0'];

/** Of one cluster unless its name says otherwise. */
interface Cost {
  seconds: number;
  /** Of the addon-manager. */
  managerCpuSeconds: number;
  /** Of all services and Redis, for all clusters together. */
  ownCpuSecondsInAll: number;
  /** Requests of the addon-manager to workload clusters, and to the management cluster. */
  workloadRequests: number;
  managementRequests: number;
}

/** What addons cost. */
export interface AddonsFigures {
  scenario: 'addons';
  clusters: number;
  addons: number;
  kube: string;
  install: Cost & { p50: number; p95: number };
  idle: Cost & {
    requestsPerAddonAndMinute: number;
    socketsPerCluster: number;
    /** Of V8's heap, after a garbage collection, above what there was before the addons. */
    kBPerCluster: number;
  };
  /** One addon's new version, from its publication to applied and healthy on each. */
  update: Cost & { p50: number; p95: number };
  peakRssMiB: number;
}

/** Gives clusters addons, leaves them alone, publishes a version of one, and measures each. @throws {Error} where a cluster is not there in time */
export async function measureAddons(
  world: BenchWorld,
  o: BenchOptions,
  say: (text: string) => void,
): Promise<AddonsFigures> {
  const pid = world.processes[MANAGER];
  if (pid === undefined) throw new Error('the addon-manager is no process of this system');
  const socketsBefore = socketsOf(pid);
  const { team, names, counts } = await makeFleet(world, o, say);
  const clusters = await watchClusters(world);
  for (let n = 0; n < o.addons; n++) await publish(world.kube, SYSTEM, n, FIRST);
  const wanted = Array.from({ length: o.addons }, (_, n) => addonName(n));
  await quiet(world);
  const log = `${world.system.dir}/logs/addon-manager.log`;
  const heapBefore = await heapUsed(pid, log);

  /** Waits for all clusters, each timed from the start. */
  const timed = async (goal: string, act: (name: string, signal: AbortSignal) => Promise<void>, afterMs = 0) => {
    const window = await begin(world, counts);
    const before = await requests(world);
    const started = Date.now();
    const seconds: number[] = [];
    await together(goal, names, o.timeoutSeconds, say, async (name, signal) => {
      await act(name, signal);
      seconds.push((Date.now() - started) / 1000);
    });
    await sleep(afterMs);
    await quiet(world);
    const cost = costOf(await window(), before, await requests(world), o.clusters);
    return { ...cost, p50: round(percentile(seconds, 0.5) ?? 0), p95: round(percentile(seconds, 0.95) ?? 0) };
  };

  say(`${o.addons} addons on each of ${o.clusters} clusters`);
  const fit = async (name: string, signal: AbortSignal): Promise<void> => {
    await team.change(name, { addons: [{ name: 'flannel' }, ...wanted.map((a) => ({ name: a }))] });
    await clusters.until(name, signal, (c) => wanted.every((a) => isHealthy(c, a, FIRST)));
  };
  const install = await timed('fitted with addons', fit, LOOKS_MS);

  say(`idle for ${o.idleSeconds} s`);
  const idling = await begin(world, counts);
  const before = await requests(world);
  await sleep(o.idleSeconds * 1000);
  const after = await requests(world);
  const idle = costOf(await idling(), before, after, o.clusters);
  const sockets = socketsOf(pid) - socketsBefore;
  const grown = (await heapUsed(pid, log)) - heapBefore;

  const moved = Math.min(7, o.addons - 1);
  say(`a new version of ${addonName(moved)}`);
  let published: Promise<void> | undefined;
  const update = await timed('updated', async (name, signal) => {
    published ??= publish(world.kube, SYSTEM, moved, SECOND);
    await published;
    await clusters.until(name, signal, (c) => isHealthy(c, addonName(moved), SECOND));
  });
  await clusters.stop();
  return {
    scenario: 'addons',
    clusters: o.clusters,
    addons: o.addons,
    kube: o.kube,
    install,
    idle: {
      ...idle,
      requestsPerAddonAndMinute: round(
        (after.workload - before.workload) / (o.clusters * o.addons) / (idle.seconds / 60),
        3,
      ),
      socketsPerCluster: round(sockets / o.clusters),
      kBPerCluster: round(grown / 1000 / o.clusters),
    },
    update,
    peakRssMiB: Math.round(peakRssMiB(pid)),
  };
}

const isHealthy = (c: Cluster, addon: string, version: string): boolean =>
  c.status?.addons?.items?.some((i) => i.name === addon && i.version === version && i.healthy) ?? false;

/** Requests that the addon-manager made so far. */
async function requests(world: BenchWorld): Promise<{ workload: number; management: number }> {
  const url = world.system.opsUrls['addon-manager'];
  const body = await (await fetch(`${url}/metrics`)).text();
  const of = (cluster: string): number =>
    samplesOf(body, 'shoto_kube_requests_total')
      .filter((s) => s.labels.cluster === cluster)
      .reduce((sum, s) => sum + s.value, 0);
  return { workload: of('workload'), management: of('management') };
}

const costOf = (
  w: Window,
  before: { workload: number; management: number },
  after: { workload: number; management: number },
  clusters: number,
): Cost => ({
  seconds: round(w.seconds),
  managerCpuSeconds: round((w.cpu[MANAGER] ?? 0) / clusters, 4),
  ownCpuSecondsInAll: round(sumOf(w.cpu, isOurs)),
  workloadRequests: round((after.workload - before.workload) / clusters),
  managementRequests: round((after.management - before.management) / clusters),
});

/** Sockets that a process holds open. */
const socketsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;

/** One watch of all Clusters. */
async function watchClusters(world: BenchWorld): Promise<{
  until(name: string, signal: AbortSignal, holds: (c: Cluster) => boolean): Promise<void>;
  stop(): Promise<void>;
}> {
  const waiting = new Map<string, (c: Cluster) => void>();
  const clusters = new Reflector<Cluster & HasMeta>({
    client: world.kube,
    type: resourceOf(ClusterKind),
    onChange: (key, now) => {
      if (now) waiting.get(key)?.(now);
    },
  });
  clusters.start();
  await clusters.synced;
  return {
    until: async (name, signal, holds) => {
      const key = `${tenantNamespace(world.system.tenant)}/${name}`;
      await new Promise<void>((resolve, reject) => {
        const look = (c: Cluster): void => {
          if (holds(c)) resolve();
        };
        waiting.set(key, look);
        signal.addEventListener(
          'abort',
          () => reject(new Error(`not in time: ${JSON.stringify(clusters.get(key)?.status?.addons).slice(0, 500)}`)),
          { once: true },
        );
        const now = clusters.get(key);
        if (now) look(now);
      });
    },
    stop: () => clusters.stop(),
  };
}
