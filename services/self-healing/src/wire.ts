import {
  type Cluster,
  ClusterKind,
  type EmergencyStop,
  emergencyStopOf,
  FLEET_SWITCH,
  type Machine,
  MachineKind,
  type Region,
  RegionKind,
  resourceOf,
} from '@shoto/api';
import { CONFIGMAPS, type HasMeta, type KubeClient, Reflector, recordEvent, WatchedObject } from '@shoto/kube';
import { type Engine, Feeder, type KeyQueue, type RunContext } from '@shoto/reconciler';
import type { Clock, Logger, Registry } from '@shoto/service';
import { Census, isSuspect } from './census.ts';
import { JoinBackoff } from './join-backoff.ts';
import { createServiceMetrics } from './metrics.ts';
import {
  clusterChanged,
  clusterMovesRegion,
  clusterNeedsWork,
  machineChanged,
  machineNeedsWork,
  movesRegion,
  regionChanged,
} from './needs.ts';
import { Observer } from './observer.ts';
import { reconcileCluster } from './reconcile-cluster.ts';
import { reconcileMachine } from './reconcile-machine.ts';
import { reconcileRegion } from './reconcile-region.ts';
import type { RegionDeps } from './region-pass.ts';
import { DEFAULTS, type Settings } from './settings.ts';
import { NodeWatches } from './watches.ts';

/** News of a region is gathered for so long: in a storm it comes by the hundred. */
const GATHER_MS = 1_000;

/** What self-healing is wired of. Whoever made the client closes it. */
export interface WireOptions {
  client: KubeClient;
  engine: Engine;
  systemNamespace: string;
  /** Passes at once, for each region. */
  concurrency: number;
  /** Times and limits of healing; default {@link DEFAULTS}. */
  settings?: Settings;
  /** Where the metrics go; default: nowhere. */
  metrics?: Registry;
  clock: Clock;
  log: Logger;
}

/** Self-healing, ready to be started. */
export interface SelfHealing {
  /**
   * Starts the engine, fills the caches and feeds it.
   *
   * @param signal - gives up waiting for the engine
   */
  start: (signal?: AbortSignal) => Promise<void>;
  /** Whether all caches are full. */
  synced: () => boolean;
  /** Ends the watches and the engine, also after half a start. */
  close: () => Promise<void>;
}

/** Connects caches, watches of nodes, queues and passes. */
export function wire(o: WireOptions): SelfHealing {
  const { client, engine, clock, log } = o;
  const now = () => clock.now();
  const onError = (err: unknown) => log.warn({ err }, 'watch of the management cluster');
  const settings = o.settings ?? DEFAULTS;
  const metrics = createServiceMetrics(o.metrics);
  const census = new Census();

  const watches: NodeWatches = new NodeWatches({
    client,
    systemNamespace: o.systemNamespace,
    clock,
    log,
    onLost: (uid) => observer.forget(uid),
    onNode: (namespace, machine) => {
      const m = machines.get(`${namespace}/${machine}`);
      if (m) void machineQueue(m.spec.region).add(`${namespace}/${machine}`);
    },
    onCluster: (namespace, cluster) => {
      const c = clusters.get(`${namespace}/${cluster}`);
      if (!c) return;
      void clusterQueue(c.spec.region).add(`${namespace}/${cluster}`);
      // A node that went while nobody looked makes no event.
      for (const m of machines.byIndex('cluster', c.metadata.uid!))
        if (machineNeedsWork(m) || !watches.node(c.metadata.uid!, m.metadata.name))
          void machineQueue(m.spec.region).add(`${namespace}/${m.metadata.name}`);
    },
  });
  const observer = new Observer({
    sight: { nodes: (c) => watches.nodes(c), node: (c, name) => watches.liveNode(c, name) },
    now,
    gapMs: settings.observeMs,
  });

  // Regions that have news, until they are fed.
  const stirred = new Map<string, () => void>();
  const stir = (region: string, clusterUid: string): void => {
    // Each replica sees the change; the one that feeds the cluster tells.
    if (stirred.has(region) || !regions.isSynced || !engine.owns(clusterUid)) return;
    const cancel = clock.after(GATHER_MS, () => {
      stirred.delete(region);
      void healingQueue(region).add(region);
    });
    stirred.set(region, cancel);
  };

  // UIDs of Clusters that are gone, until their watch is ended.
  const gone = new Map<string, string>();
  const clusterFeeder: Feeder<Cluster> = new Feeder<Cluster>({
    engine,
    queue: (_key, c) => clusterQueue(c.spec.region),
    shardKey: (c) => c.metadata.uid!,
    needsWork: clusterNeedsWork,
    changed: clusterChanged,
  });
  const clusters = new Reflector<Cluster>({
    client,
    type: resourceOf(ClusterKind),
    indexes: { region: (c) => c.spec.region },
    onError,
    onChange: (key, after, before) => {
      if (!after && before?.metadata.uid) gone.set(key, before.metadata.uid);
      clusterFeeder.onChange(key, after, before);
      const known = after ?? before;
      if (known && clusterMovesRegion(after, before)) stir(known.spec.region, known.metadata.uid!);
    },
  });
  const machineFeeder: Feeder<Machine> = new Feeder<Machine>({
    engine,
    queue: (_key, m) => machineQueue(m.spec.region),
    shardKey: (m) => m.spec.cluster.uid,
    needsWork: machineNeedsWork,
    changed: machineChanged,
  });
  const machines = new Reflector<Machine>({
    client,
    type: resourceOf(MachineKind),
    indexes: { cluster: (m) => m.spec.cluster.uid },
    onError,
    onChange: (key, after, before) => {
      census.onChange(after, before);
      machineFeeder.onChange(key, after, before);
      const known = after ?? before;
      if (known && movesRegion(after, before, isSuspect)) stir(known.spec.region, known.spec.cluster.uid);
    },
  });
  const regionFeeder: Feeder<Region> = new Feeder<Region>({
    engine,
    queue: (name) => healingQueue(name),
    changed: regionChanged,
  });
  const regions = new Reflector<Region>({
    client,
    type: resourceOf(RegionKind),
    onError,
    onChange: regionFeeder.onChange,
  });
  const fleetSwitch = new WatchedObject<HasMeta & { data?: Record<string, string> }>({
    client,
    type: CONFIGMAPS,
    ref: { namespace: o.systemNamespace, name: FLEET_SWITCH },
    onError,
    onChange: () => {
      for (const r of regions.list()) void healingQueue(r.metadata.name).add(r.metadata.name);
    },
  });
  const emergencyStop = (): { stop: EmergencyStop } | 'unknown' | undefined => {
    if (!fleetSwitch.isSynced) return 'unknown';
    const stop = emergencyStopOf(fleetSwitch.get());
    return stop && { stop };
  };
  const regionDeps: RegionDeps = {
    kube: client,
    census,
    region: (name) => regions.get(name),
    clusters: (name) => clusters.byIndex('region', name),
    machinesOf: (uid) => machines.byIndex('cluster', uid),
    observer,
    backoff: new JoinBackoff(settings.joinMs, now),
    emergencyStop,
    wrote: { machine: (m) => machines.note(m), cluster: (c) => clusters.note(c) },
    events: (e) => void recordEvent(client, e, now()),
    metrics,
    settings,
    now,
  };
  // All that is decided in a region is decided under one key.
  const healingQueue = (region: string): KeyQueue =>
    engine.queue(`healing/${region}`, {
      concurrency: 1,
      maxDelayMs: 30_000,
      reconcile: (name: string) => reconcileRegion(regionDeps, name),
      onError: (name, error, nextMs) =>
        log.warn({ region: name, reason: error.reason, err: error.message, nextMs }, 'pass over a region'),
    });

  const clusterQueue = (region: string): KeyQueue =>
    engine.queue(`clusters/${region}`, {
      concurrency: o.concurrency,
      reconcile: async (key: string, ctx: RunContext) => {
        const outcome = await reconcileCluster(
          {
            client,
            watches,
            now,
            wrote: (c) => clusters.note(c),
            read: (k) => clusters.read(k, ctx.wake?.resourceVersion),
            goneUid: (k) => gone.get(k),
            owns: (uid) => engine.owns(uid),
          },
          key,
        );
        gone.delete(key);
        return outcome;
      },
      onError: (key, error, nextMs) =>
        log.warn({ cluster: key, reason: error.reason, err: error.message, nextMs }, 'pass over a cluster'),
    });
  const machineQueue = (region: string): KeyQueue =>
    engine.queue(`machines/${region}`, {
      concurrency: o.concurrency,
      reconcile: (key: string, ctx: RunContext) =>
        reconcileMachine(
          {
            client,
            watches,
            owns: (uid) => engine.owns(uid),
            silentMs: settings.silentMs,
            now,
            wrote: (m) => machines.note(m),
            read: (k) => machines.read(k, ctx.wake?.resourceVersion),
          },
          key,
        ),
      onError: (key, error, nextMs) =>
        log.warn({ machine: key, reason: error.reason, err: error.message, nextMs }, 'pass over a machine'),
    });

  return {
    async start(signal) {
      await engine.start(signal);
      // A watch belongs to whoever owns the cluster's share of the work.
      engine.onShareChanged(() => {
        for (const uid of watches.uids()) if (!engine.owns(uid)) void watches.forget(uid);
      });
      fleetSwitch.start();
      await machineFeeder.start(machines);
      await clusterFeeder.start(clusters);
      // Last: a region is judged by all its machines and clusters.
      await regionFeeder.start(regions);
    },
    synced: () => [clusters, machines, regions, fleetSwitch].every((r) => r.isSynced),
    async close() {
      clusterFeeder.stop();
      machineFeeder.stop();
      regionFeeder.stop();
      for (const cancel of stirred.values()) cancel();
      await engine.close();
      await Promise.all([clusters, machines, regions, fleetSwitch].map((r) => r.stop()));
      await watches.close();
    },
  };
}
