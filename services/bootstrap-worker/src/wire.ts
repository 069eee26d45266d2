import {
  type Cluster,
  type KubernetesRelease,
  KubernetesReleaseKind,
  type Machine,
  type Region,
  RegionKind,
  resourceOf,
} from '@shoto/api';
import { type KubeClient, keyOf, Reflector, recordEvent, refOf, type WorkloadPool } from '@shoto/kube';
import { type Engine, Feeder } from '@shoto/reconciler';
import type { Clock, InternalServer, Logger, Registry } from '@shoto/service';
import { CheckInCertificate } from './check-in/certificate.ts';
import { CheckIns } from './check-in/check-ins.ts';
import { RateLimit } from './check-in/rate-limit.ts';
import { type CheckInServer, startCheckInServer } from './check-in/server.ts';
import { Wakeups } from './check-in/wakeups.ts';
import { DepartedNodes } from './departed.ts';
import { watchFleet } from './fleet.ts';
import { Kubeconfigs } from './internal/kubeconfigs.ts';
import { startInternalServer } from './internal/server.ts';
import type { MachineDeps } from './machine-deps.ts';
import { createServiceMetrics } from './metrics.ts';
import { sweepNodes } from './node-sweep.ts';
import {
  clusterChanged,
  clusterNeedsWork,
  machineMovesCluster,
  machineNeedsCluster,
  reconcileCluster,
} from './reconcile-cluster.ts';
import {
  clusterMovesMachines,
  hasExpired,
  machineChanged,
  machineNeedsWork,
  reconcileMachine,
} from './reconcile-machine.ts';
import { PkiStore } from './secrets/cluster-pki.ts';
import { ensureInstallationSecrets } from './secrets/installation.ts';
import { ServiceKubeconfigs } from './secrets/service-kubeconfigs.ts';
import { WorkloadAccess } from './workload/access.ts';
import { CLUSTERS, clusterKeyOf, Freshest, MACHINE_INDEXES, MACHINES, uidOf, type World } from './world.ts';

/** How often what only time changes is looked at, in memory: tickets that ended, the certificate. */
const TICK_MS = 30_000;

/** What the bootstrap-worker is wired of. Whoever made the client, the pool and the engine closes the first two. */
export interface WireOptions {
  kube: KubeClient;
  /** Clients of workload clusters. */
  pool: WorkloadPool;
  engine: Engine;
  systemNamespace: string;
  /** Clusters, and machines, that are worked on at once. */
  concurrency: number;
  /** Where machines check in, and how many requests a second and at once one address may make. */
  checkIn: { host: string; port: number; rate: number; burst: number };
  /** Where other services ask, and the PEM texts of mutual TLS. */
  internal: { host: string; port: number; ca: string; certificate: string; key: string };
  metrics: Registry;
  clock: Clock;
  log: Logger;
}

/** The bootstrap-worker, ready to be started. */
export interface BootstrapWorker {
  /**
   * Fills the caches, starts the engine, feeds it and opens both servers.
   *
   * @param signal - gives up waiting for the engine
   * @returns where the servers listen
   */
  start: (signal?: AbortSignal) => Promise<{ url: string; internalUrl: string }>;
  /** Whether all caches are full. */
  synced: () => boolean;
  /** Whether both servers listen. */
  listens: () => boolean;
  /** Closes the servers, ends the watches and the engine, also after half a start. */
  close: () => Promise<void>;
}

/** Connects caches, queues, passes and servers. Only wiring: what wakes what is decided beside the passes. */
export function wire(o: WireOptions): BootstrapWorker {
  const { kube, pool, engine, clock, log, systemNamespace } = o;
  const metrics = createServiceMetrics(o.metrics);
  const isReady = { caches: false, servers: false };
  const wakeups = new Wakeups(clock);
  const onError = (what: string) => (err: unknown) => log.warn({ err, what }, 'watch failed; it is tried again');
  let certificateMayChange = (): void => {};

  const releases = new Reflector<KubernetesRelease>({
    client: kube,
    type: resourceOf(KubernetesReleaseKind),
    onError: onError('releases'),
  });
  const regions = new Reflector<Region>({
    client: kube,
    type: resourceOf(RegionKind),
    onError: onError('regions'),
    onChange: () => certificateMayChange(),
  });
  const clusterCache = new Reflector<Cluster>({
    client: kube,
    type: CLUSTERS,
    onError: onError('clusters'),
    onChange: (key, now, before) => {
      clusters.seen(key, now);
      clusterFeeder.onChange(key, now, before);
      machinesOfClusterFeeder.onChange(key, now, before);
      wakeups.wake(uidOf(now ?? (before as Cluster)));
    },
  });
  const machineCache = new Reflector<Machine>({
    client: kube,
    type: MACHINES,
    indexes: MACHINE_INDEXES,
    onError: onError('machines'),
    onChange: (key, now, before) => {
      const machine = now ?? (before as Machine);
      machines.seen(key, now);
      machineFeeder.onChange(key, now, before);
      clusterOfMachineFeeder.onChange(key, now, before);
      if (!now) {
        checkIns?.forget(uidOf(machine));
        if (departed.note(machine) && engine.owns(shardKey(machine))) void machineQueue.add(key);
      }
      wakeups.wake(uidOf(machine));
      // Only these change what other machines of the cluster may do.
      const movesOthers = !now || now.metadata.deletionTimestamp || now.status?.bootstrap.joinedAt;
      if (movesOthers) wakeups.wake(machine.spec.cluster.uid);
    },
  });
  const clusters = new Freshest(clusterCache);
  const machines = new Freshest(machineCache);
  const world: World = { clusters, machines, regions, releases };

  const pki = new PkiStore(kube, systemNamespace);
  const access = new WorkloadAccess(pool, pki, clock);
  const events = (e: Parameters<typeof recordEvent>[1]): Promise<void> => recordEvent(kube, e);
  const kubeconfigs = new ServiceKubeconfigs(kube, systemNamespace, clock);
  const fleet = watchFleet({
    kube,
    systemNamespace,
    onError: onError('the emergency stop'),
    onChange: () => wakeStopped(),
  });
  const emergencyStop = fleet.stop;
  const sweepDeps = {
    kube,
    world,
    access,
    emergencyStop,
    wakeMachine: (key: string) => void machineQueue.add(key),
    clock,
    log,
  };
  const sweep = (cluster: Cluster, until: AbortSignal): Promise<void> => sweepNodes(sweepDeps, cluster, until);
  const clusterDeps = {
    kube,
    world,
    pki,
    kubeconfigs,
    access,
    systemNamespace,
    emergencyStop,
    sweep,
    clock,
    log,
  };
  const departed = new DepartedNodes({ world, access, emergencyStop, clock, log });
  const machineDeps: MachineDeps = {
    kube,
    world,
    access,
    departed,
    events,
    emergencyStop,
    wakeCluster: (key) => void clusterQueue.add(key),
    clock,
    log,
  };
  const { concurrency } = o;
  const clusterQueue = engine.queue('clusters', {
    concurrency,
    reconcile: (key, run) => reconcileCluster(clusterDeps, key, run),
  });
  const machineQueue = engine.queue('machines', {
    concurrency,
    reconcile: (key, run) => reconcileMachine(machineDeps, key, run),
  });
  const clusterFeeder = new Feeder<Cluster>({
    engine,
    queue: () => clusterQueue,
    shardKey: uidOf,
    needsWork: clusterNeedsWork,
    changed: clusterChanged,
  });
  const shardKey = (m: Machine): string => m.spec.cluster.uid;
  const machineFeeder = new Feeder<Machine>({
    engine,
    queue: () => machineQueue,
    shardKey,
    needsWork: machineNeedsWork,
    changed: machineChanged,
    resyncMs: 0,
  });
  const clusterOfMachineFeeder = new Feeder<Machine>({
    engine,
    queue: () => clusterQueue,
    keys: (_, m) => [clusterKeyOf(m)],
    shardKey,
    needsWork: machineNeedsCluster,
    changed: machineMovesCluster,
    resyncMs: 0,
  });
  /** Machines of these Clusters that wait for something, or may. */
  const waitingOf = (uid: string): string[] => machines.byIndex('cluster', uid).filter(machineNeedsWork).map(keyOf);
  const machinesOfClusterFeeder = new Feeder<Cluster>({
    engine,
    queue: () => machineQueue,
    keys: (_, c) => waitingOf(uidOf(c)),
    shardKey: uidOf,
    needsWork: () => false,
    changed: clusterMovesMachines,
    resyncMs: 0,
  });
  /** The emergency stop is on or off, or known: what leaves looks again at once. */
  const wakeStopped = (): void => {
    const leaving = machines
      .list()
      .filter((m) => m.metadata.deletionTimestamp && machineNeedsWork(m) && engine.owns(shardKey(m)));
    if (leaving.length > 0) void machineQueue.addAll(leaving.map(keyOf));
  };

  let checkIns: CheckIns | undefined;
  let checkInServer: CheckInServer | undefined;
  let internalServer: InternalServer | undefined;
  let tick: NodeJS.Timeout | undefined;

  async function start(signal?: AbortSignal): Promise<{ url: string; internalUrl: string }> {
    const installation = await ensureInstallationSecrets(kube, systemNamespace);
    const ins = new CheckIns({
      kube,
      world,
      pki,
      access,
      wakeCluster: (key) => void clusterQueue.add(key),
      ticketKey: installation.ticketKey,
      wakeups,
      events,
      metrics,
      clock,
      log,
    });
    checkIns = ins;

    // In this order: what passes and check-ins look at is there when they begin.
    for (const reflector of [regions, releases]) reflector.start();
    fleet.start();
    await Promise.all([regions.synced, releases.synced]);
    await engine.start(signal);
    await Promise.all([
      clusterFeeder.start(clusterCache),
      machineFeeder.start(machineCache),
      machinesOfClusterFeeder.start(clusterCache),
      clusterOfMachineFeeder.start(machineCache),
    ]);
    isReady.caches = true;

    const certificate = new CheckInCertificate(installation.checkInCa, clock);
    const first = await certificate.next(regions.list());
    if (!first) throw new Error('no certificate for the check-in server was made');
    const server = await startCheckInServer({
      host: o.checkIn.host,
      port: o.checkIn.port,
      certificate: first,
      checkIns: ins,
      rateLimit: new RateLimit({
        perSecond: o.checkIn.rate,
        burst: o.checkIn.burst,
        now: () => clock.now(),
      }),
      wakeups,
      metrics,
      log,
    });
    checkInServer = server;
    certificateMayChange = () => {
      certificate.next(regions.list()).then(
        (next) => next && server.setCertificate(next),
        (err: unknown) => log.error({ err }, 'certificate of the check-in server not renewed'),
      );
    };

    const internal = await startInternalServer({
      host: o.internal.host,
      port: o.internal.port,
      own: { certificate: o.internal.certificate, key: o.internal.key },
      ca: o.internal.ca,
      machine: async (key) => {
        const known = machines.get(key);
        if (known) return known;
        const live = await kube.get<Machine>(MACHINES, refOf(key));
        return live && machines.note(live); // it may check in before the watch tells of it
      },
      cluster: async (key) => clusters.get(key) ?? kube.get<Cluster>(CLUSTERS, refOf(key)),
      region: (name) => regions.get(name),
      hasPki: async (uid) => (await pki.get(uid)) !== undefined,
      kubeconfigs: new Kubeconfigs({ pki, clock, log, metrics }),
      steps: (uid) => ins.stepsOf(machines.byIndex('cluster', uid)),
      workload: (cluster) => access.client(cluster),
      ticketKey: installation.ticketKey,
      checkInCa: installation.checkInCa.certificate,
      log,
    });
    internalServer = internal;

    tick = setInterval(() => {
      certificateMayChange();
      const expired = machines.list().filter((m) => engine.owns(shardKey(m)) && hasExpired(m, clock.now()));
      if (expired.length > 0) void machineQueue.addAll(expired.map(keyOf));
    }, TICK_MS);
    isReady.servers = true;
    return { url: server.url, internalUrl: internal.url };
  }

  return {
    start,
    synced: () => isReady.caches,
    listens: () => isReady.servers,
    async close() {
      clearInterval(tick);
      await internalServer?.close();
      await checkInServer?.close();
      for (const feeder of [clusterFeeder, machineFeeder, clusterOfMachineFeeder, machinesOfClusterFeeder])
        feeder.stop();
      await fleet.close();
      await Promise.all([regions, releases, clusterCache, machineCache].map((r) => r.stop()));
      await engine.close();
    },
  };
}
