import { readFile } from 'node:fs/promises';
import {
  type Cluster,
  type KubernetesRelease,
  KubernetesReleaseKind,
  type Machine,
  type Region,
  RegionKind,
  resourceOf,
} from '@shoto/api';
import {
  connectionFromKubeconfig,
  countRequests,
  KubeClient,
  keyOf,
  Reflector,
  recordEvent,
  refOf,
  WorkloadPool,
} from '@shoto/kube';
import { Engine, Feeder } from '@shoto/reconciler';
import { runService, type ServiceContext, startOpsServer, systemClock } from '@shoto/service';
import { CheckInCertificate } from './check-in/certificate.ts';
import { CheckIns } from './check-in/check-ins.ts';
import { RateLimit } from './check-in/rate-limit.ts';
import { startCheckInServer } from './check-in/server.ts';
import { Wakeups } from './check-in/wakeups.ts';
import { readConfig } from './config.ts';
import { DepartedNodes } from './departed.ts';
import { Kubeconfigs } from './internal/kubeconfigs.ts';
import { startInternalServer } from './internal/server.ts';
import { createServiceMetrics } from './metrics.ts';
import { clusterChanged, clusterNeedsWork, machineMovesCluster, reconcileCluster } from './reconcile-cluster.ts';
import { hasExpired, machineChanged, machineNeedsWork, reconcileMachine } from './reconcile-machine.ts';
import { PkiStore } from './secrets/cluster-pki.ts';
import { ensureInstallationSecrets } from './secrets/installation.ts';
import { ServiceKubeconfigs } from './secrets/service-kubeconfigs.ts';
import { WorkloadAccess } from './workload/access.ts';
import { CLUSTERS, clusterKeyOf, Freshest, MACHINE_INDEXES, MACHINES, uidOf, type World } from './world.ts';

const USER_AGENT = 'shoto-bootstrap-worker/0.1.0';
/** How often what only time changes is looked at, in memory: tickets that ended, the certificate. */
const TICK_MS = 30_000;

/** Everything is made here and passed down. */
export async function main(ctx: ServiceContext): Promise<void> {
  const { log, onShutdown } = ctx;
  const config = readConfig(ctx.env);
  const clock = systemClock;
  const metrics = createServiceMetrics(ctx.metrics);
  const [internalCa, internalCertificate, internalKey] = await Promise.all(
    [config.SHOTO_INTERNAL_CA_FILE, config.SHOTO_INTERNAL_CERT_FILE, config.SHOTO_INTERNAL_KEY_FILE].map((f) =>
      readFile(f, 'utf8'),
    ),
  );

  const kube = new KubeClient({
    connection: connectionFromKubeconfig(config.SHOTO_KUBECONFIG ? { file: config.SHOTO_KUBECONFIG } : {}),
    userAgent: USER_AGENT,
    onRequest: countRequests(ctx.metrics, 'management'),
  });
  onShutdown(() => kube.close());
  const countWorkload = countRequests(ctx.metrics, 'workload');
  const pool = new WorkloadPool({ userAgent: USER_AGENT, onRequest: (_uid, e) => countWorkload(e) });
  onShutdown(() => pool.close());
  const engine = new Engine({
    redis: { url: config.SHOTO_REDIS_URL },
    service: 'bootstrap-worker',
    log,
    metrics: ctx.metrics,
  });
  onShutdown(() => engine.close());

  const isReady = { caches: false, servers: false };
  const ops = await startOpsServer({
    ...config.SHOTO_OPS_ADDRESS,
    metrics: ctx.metrics,
    ready: async () => [
      ...engine.problems(),
      ...(isReady.caches
        ? []
        : [{ part: 'kubernetes', message: 'the objects of the management API are not read yet' }]),
      ...(isReady.servers ? [] : [{ part: 'servers', message: 'the check-in server does not listen yet' }]),
    ],
  });
  onShutdown(() => ops.close());

  const wakeups = new Wakeups(clock);
  const systemNamespace = config.SHOTO_SYSTEM_NAMESPACE;
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
        checkIns.forget(uidOf(machine));
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
  const clusterDeps = { kube, world, pki, kubeconfigs, access, systemNamespace, clock, log };
  const departed = new DepartedNodes({ world, access, clock, log });
  const machineDeps = { kube, world, access, departed, events, clock, log };
  const concurrency = config.SHOTO_BOOTSTRAP_CONCURRENCY;
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
    needsWork: () => false,
    changed: machineMovesCluster,
    resyncMs: 0,
  });

  const installation = await ensureInstallationSecrets(kube, systemNamespace);
  const checkIns = new CheckIns({
    kube,
    world,
    pki,
    access,
    ticketKey: installation.ticketKey,
    wakeups,
    events,
    metrics,
    clock,
    log,
  });

  // In this order: what passes and check-ins look at is there when they begin.
  for (const reflector of [regions, releases]) reflector.start();
  await Promise.all([regions.synced, releases.synced]);
  await engine.start(ctx.signal);
  await Promise.all([
    clusterFeeder.start(clusterCache),
    machineFeeder.start(machineCache),
    clusterOfMachineFeeder.start(machineCache),
  ]);
  onShutdown(async () => {
    for (const feeder of [clusterFeeder, machineFeeder, clusterOfMachineFeeder]) feeder.stop();
    await Promise.all([regions, releases, clusterCache, machineCache].map((r) => r.stop()));
  });
  isReady.caches = true;

  const certificate = new CheckInCertificate(installation.checkInCa, clock);
  const first = await certificate.next(regions.list());
  if (!first) throw new Error('no certificate for the check-in server was made');
  const checkInServer = await startCheckInServer({
    ...config.SHOTO_CHECKIN_ADDRESS,
    certificate: first,
    checkIns,
    rateLimit: new RateLimit({
      perSecond: config.SHOTO_CHECKIN_RATE,
      burst: config.SHOTO_CHECKIN_BURST,
      now: () => clock.now(),
    }),
    wakeups,
    metrics,
    log,
  });
  onShutdown(() => checkInServer.close());
  certificateMayChange = () => {
    certificate.next(regions.list()).then(
      (next) => next && checkInServer.setCertificate(next),
      (err: unknown) => log.error({ err }, 'certificate of the check-in server not renewed'),
    );
  };

  const internalServer = await startInternalServer({
    ...config.SHOTO_BOOTSTRAP_ADDRESS,
    own: { certificate: internalCertificate ?? '', key: internalKey ?? '' },
    ca: internalCa ?? '',
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
    steps: (uid) => checkIns.stepsOf(machines.byIndex('cluster', uid)),
    ticketKey: installation.ticketKey,
    checkInCa: installation.checkInCa.certificate,
    log,
  });
  onShutdown(() => internalServer.close());

  const tick = setInterval(() => {
    certificateMayChange();
    const expired = machines.list().filter((m) => engine.owns(shardKey(m)) && hasExpired(m, clock.now()));
    if (expired.length > 0) void machineQueue.addAll(expired.map(keyOf));
  }, TICK_MS);
  onShutdown(() => clearInterval(tick));

  isReady.servers = true;
  log.info({ url: checkInServer.url, internalUrl: internalServer.url, opsUrl: ops.url }, 'ready');
}

if (import.meta.main) await runService({ name: 'bootstrap-worker', main });
