import { POLLING } from './counts.ts';
import type { Observations } from './measure.ts';
import type { BenchOptions } from './options.ts';
import { sumOf } from './processes.ts';
import { each, percentile, round } from './statistics.ts';
import { type Groups, groups, isApiServer, isOurs, writesByUs } from './sums.ts';
import type { BenchWorld } from './world.ts';

/** What is printed; `bench/README.md` says what each figure means. */
export interface Figures {
  clusters: number;
  workers: number;
  kube: string;
  latency: string;
  wallSeconds: number;
  cpuSeconds: Groups;
  peakRssMiB: Groups;
  perCluster: {
    cpuSeconds: number;
    apiWrites: number;
    apiWritesBesideMachines: number;
    apiReads: number;
    cloudCalls: number;
    reconciles: number;
  };
  perMachine: {
    apiWrites: number;
    cloudCalls: number;
    reconciles: number;
    bytes: number;
    bytesWithManagedFields: number;
  };
  readySeconds: { p50: number; p95: number; p99: number };
  ownCriticalPathSeconds: { p50: number; p95: number };
  idle: {
    seconds: number;
    cpuPercent: number;
    apiServerPercent: number;
    emptyApiServerPercent: number;
    reconciles: number;
    apiWrites: number;
  };
  deletion: {
    seconds: number;
    cpuSecondsPerCluster: number;
    apiWritesPerCluster: number;
    cloudCallsPerCluster: number;
  };
  /** Where it goes: a cluster's share of each counter. */
  detail: Record<string, Record<string, number>>;
}

/** Calls to the cloud that are about one machine: its port, its server, its volume. A list of ports is how a router's own is found. */
const ABOUT_MACHINE = /^(?!neutron GET .*\/ports$).*\/(servers|ports|volumes)(\/|$)/;
/** Queues whose keys are Machines. */
const MACHINE_QUEUE = /machine/;
/** Resources of the management API that are about Machines; Events are told by what they regard. */
const ABOUT_MACHINES = /^machines(\/|$)/;

/** Makes figures of what was seen. */
export function report(o: BenchOptions, world: Pick<BenchWorld, 'empty'>, seen: Observations): Figures {
  const machines = o.clusters * (1 + o.workers);
  const { creation, idle, deletion } = seen;
  const { counts } = creation;
  // Polling is asked at a fixed rate, whatever there is to be made.
  const isCall = (name: string): boolean => !POLLING.test(name);
  const aboutMachines = sumOf(counts.apiWrites, (r) => ABOUT_MACHINES.test(r)) + eventsOfMachines(seen);
  const allWrites = writesByUs(creation) - o.clusters;
  const ready = seen.clusters.map((c) => (c.ready - c.asked) / 1000);
  const at = (values: number[], share: number): number => round(percentile(values, share) ?? 0);
  return {
    clusters: o.clusters,
    workers: o.workers,
    kube: o.kube,
    latency: o.latency,
    wallSeconds: round(seen.wallSeconds),
    cpuSeconds: groups(creation.cpu),
    peakRssMiB: groups(seen.peakRssMiB),
    perCluster: {
      cpuSeconds: round(sumOf(creation.cpu, (n) => isOurs(n) || isApiServer(n)) / o.clusters, 3),
      apiWrites: round(allWrites / o.clusters),
      apiWritesBesideMachines: round((allWrites - aboutMachines) / o.clusters),
      apiReads: round(sumOf(counts.apiReads) / o.clusters),
      cloudCalls: round(sumOf(counts.cloudCalls, isCall) / o.clusters),
      reconciles: round(sumOf(counts.reconciles) / o.clusters),
    },
    perMachine: {
      apiWrites: round(aboutMachines / machines),
      cloudCalls: round(sumOf(counts.cloudCalls, (n) => isCall(n) && ABOUT_MACHINE.test(n)) / machines),
      reconciles: round(sumOf(counts.reconciles, (n) => MACHINE_QUEUE.test(n)) / machines),
      bytes: Math.round(mean(seen.machines.map((m) => m.bytes))),
      bytesWithManagedFields: Math.round(mean(seen.machines.map((m) => m.bytesWithManagedFields))),
    },
    readySeconds: { p50: at(ready, 0.5), p95: at(ready, 0.95), p99: at(ready, 0.99) },
    ownCriticalPathSeconds: { p50: at(seen.ownSeconds, 0.5), p95: at(seen.ownSeconds, 0.95) },
    idle: {
      seconds: round(idle.seconds),
      cpuPercent: round((100 * sumOf(idle.cpu, isOurs)) / idle.seconds),
      apiServerPercent: round((100 * sumOf(idle.cpu, isApiServer)) / idle.seconds - world.empty.percent),
      emptyApiServerPercent: round(world.empty.percent),
      reconciles: sumOf(idle.counts.reconciles),
      apiWrites: sumOf(idle.counts.ownWrites),
    },
    deletion: {
      seconds: round(deletion.seconds),
      cpuSecondsPerCluster: round(sumOf(deletion.cpu, (n) => isOurs(n) || isApiServer(n)) / o.clusters, 3),
      apiWritesPerCluster: round(writesByUs(deletion) / o.clusters),
      cloudCallsPerCluster: round(sumOf(deletion.counts.cloudCalls, isCall) / o.clusters),
    },
    detail: {
      cpuSeconds: each(creation.cpu, o.clusters, 3),
      apiWrites: each(counts.apiWrites, o.clusters),
      ownWrites: each(counts.ownWrites, o.clusters),
      apiReads: each(counts.apiReads, o.clusters),
      events: each(seen.events, o.clusters),
      cloudCalls: each(counts.cloudCalls, o.clusters),
      reconciles: each(counts.reconciles, o.clusters),
      deletionApiWrites: each(deletion.counts.apiWrites, o.clusters),
      deletionCloudCalls: each(deletion.counts.cloudCalls, o.clusters),
      idleCpuPercent: each(idle.cpu, idle.seconds / 100),
      idleOwnWrites: each(idle.counts.ownWrites, 1),
      idleReconciles: each(idle.counts.reconciles, 1),
      idleReads: each(idle.counts.apiReads, 1),
      idleCloudCalls: each(idle.counts.cloudCalls, 1),
      peakRssMiB: each(seen.peakRssMiB, 1, 0),
    },
  };
}

/** Writes of Events about Machines: their share of the Events that there are, of all writes of Events (repeated ones and refused ones, too). */
function eventsOfMachines(seen: Observations): number {
  const all = sumOf(seen.events);
  return all === 0
    ? 0
    : ((seen.events.Machine ?? 0) / all) * sumOf(seen.creation.counts.apiWrites, (r) => r === 'events');
}

const mean = (values: number[]): number =>
  values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
