import {
  type AddonBundle,
  AddonBundleKind,
  type Cluster,
  ClusterKind,
  type KubernetesRelease,
  KubernetesReleaseKind,
  type Machine,
  MachineKind,
  type Region,
  RegionKind,
  resourceOf,
  type Tenant,
  TenantKind,
  tenantNamespace,
} from '@shoto/api';
import { type KubeClient, keyOf, Reflector, recordEvent, SECRETS } from '@shoto/kube';
import { type Engine, Feeder, type KeyQueue, type ReconcileError } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import type { BootstrapClient } from './bootstrap-client.ts';
import { credentialsWant } from './cluster/addon-credentials/needs.ts';
import { reconcileCluster } from './cluster/reconcile.ts';
import { canonical } from './cluster/store.ts';
import { clusterKeyOf, type Deps, type Times } from './deps.ts';
import {
  clusterChanged,
  clusterNeedsWork,
  Gather,
  isUnderway,
  isUnlisted,
  machineChanged,
  machineForCluster,
  machineNeedsWork,
  newsForCluster,
  pkiCameUp,
  serverNeedsPass,
} from './feed.ts';
import { watchFleet } from './fleet.ts';
import { reconcileMachine } from './machine/reconcile.ts';
import { Memory } from './memory.ts';
import { Reservations } from './quota/reservations.ts';
import type { CredentialsSecret } from './region/open-cloud.ts';
import { Regions } from './region/regions.ts';
import type { PollTimes } from './region/server-poller.ts';
import { View } from './view.ts';

/** What the provisioner is wired of. */
export interface WireOptions {
  kube: KubeClient;
  engine: Engine;
  bootstrap: Pick<BootstrapClient, 'userData' | 'disturbance'>;
  installation: string;
  /** Where the fleet's emergency stop lies. */
  systemNamespace: string;
  concurrency: number;
  /** Longest time of one call to a cloud, in milliseconds; default 10 000. */
  callTimeoutMs?: number;
  times: Times;
  pollTimes: Omit<PollTimes, 'activeMs'>;
  clock: Clock;
  log: Logger;
}

/** How long a start waits to know of the fleet's emergency stop. */
const FLEET_WAIT_MS = 2_000;

/** The provisioner, ready to be started. */
export interface Provisioner {
  regions: Regions;
  clusters: Reflector<Cluster>;
  machines: Reflector<Machine>;
  /** What passes work with; the internal server plans with the same. */
  deps: Deps;
  start: () => Promise<void>;
  /** Whether all caches are full. */
  synced: () => boolean;
  close: () => Promise<void>;
}

/** Connects caches, queues, regions and passes. Only wiring: what wakes what is decided in feed.ts. */
export function wire(o: WireOptions): Provisioner {
  const { kube, engine, clock, log } = o;
  const memory = new Memory();
  const onError = (what: string) => (err: unknown) => log.warn({ err, what }, 'watch of the management cluster');
  const secretWatches = new Map<string, Reflector<CredentialsSecret>>();

  const regions = new Regions({
    kube,
    clock,
    log,
    installation: o.installation,
    pollTimes: o.pollTimes,
    ...(o.callTimeoutMs === undefined ? {} : { callTimeoutMs: o.callTimeoutMs }),
    owns: (name) => engine.owns(name),
    onReady: (name) => wakeRegion(name),
    onServer: (_region, server) => {
      const m = machineView.get(server.machineKey);
      if (m && engine.owns(m.spec.cluster.uid) && serverNeedsPass(server, m)) wakeMachine(server.machineKey, m);
    },
    onFullList: (region, ids) => {
      // No Machine is made before it is known which names the cloud has.
      for (const c of clusters.list()) if (c.spec.region === region) wakeStuck(c);
      for (const m of machines.list()) {
        if (m.spec.region !== region || !engine.owns(m.spec.cluster.uid) || !isUnlisted(m, ids)) continue;
        memory.machine(m.metadata.uid as string).unlisted = true;
        wakeMachine(keyOf(m), m);
      }
    },
  });

  const clusterFeeder: Feeder<Cluster> = new Feeder<Cluster>({
    engine,
    queue: (_, c) => clusterQueue(c.spec.region),
    shardKey: (c) => c.metadata.uid ?? keyOf(c),
    needsWork: (c) => clusterWants(c),
    changed: clusterChanged,
  });
  const clusters = new Reflector<Cluster>({
    client: kube,
    type: resourceOf(ClusterKind),
    onError: onError('clusters'),
    indexes: { namespace: (c) => c.metadata.namespace },
    onChange: (key, now, before) => {
      if (!now) {
        clusterView.forget(key, before?.metadata.uid);
        if (before?.metadata.uid) memory.forgetCluster(before.metadata.uid);
        wakeTenant(before?.metadata.namespace, (c) => memory.cluster(c.metadata.uid as string).waitsForQuota);
      } else if (pkiCameUp(now, before)) wakeMachinesOf(now, (m) => !m.status?.server?.id);
      else if (before?.spec.paused && !now.spec.paused) wakeMachinesOf(now);
      clusterFeeder.onChange(key, now, before);
    },
  });
  const machineFeeder: Feeder<Machine> = new Feeder<Machine>({
    engine,
    queue: (_, m) => machineQueue(m.spec.region),
    shardKey: (m) => m.spec.cluster.uid,
    needsWork: (m) => needsWork(m),
    changed: machineChanged,
  });
  const machines = new Reflector<Machine>({
    client: kube,
    type: resourceOf(MachineKind),
    onError: onError('machines'),
    indexes: { cluster: clusterKeyOf },
    onChange: (key, now, before) => {
      if (!now) {
        machineView.forget(key, before?.metadata.uid);
        if (before?.metadata.uid) memory.forgetMachine(before.metadata.uid);
      }
      machineFeeder.onChange(key, now, before);
      const object = now ?? before;
      if (!object || !machines.isSynced || !engine.owns(object.spec.cluster.uid)) return;
      const news = newsForCluster(now, before);
      if (news === 'no') return;
      if (news === 'now' || isLast(object)) gather.now(clusterKeyOf(object));
      else gather.soon(clusterKeyOf(object));
    },
  });
  const releases = new Reflector<KubernetesRelease>({
    client: kube,
    type: resourceOf(KubernetesReleaseKind),
    onError: onError('releases'),
    onChange: (key, now, before) => {
      // What machines are made from never changes in a release; whether it is on offer does, and with it the way of an upgrade.
      if (!now || !before) {
        for (const c of clusters.list())
          if (c.spec.release === key || c.spec.nodePools.some((p) => p.release === key)) wakeStuck(c);
      }
      if (canonical(now?.spec) !== canonical(before?.spec))
        for (const c of clusters.list()) if (isUnderway(c)) wakeStuck(c);
    },
  });
  const regionReflector = new Reflector<Region>({
    client: kube,
    type: resourceOf(RegionKind),
    onError: onError('regions'),
    onChange: (name, now) => {
      if (!now) {
        void regions.delete(name);
        return;
      }
      regions.set(now);
      watchSecret(now);
      for (const c of clusters.list()) if (c.spec.region === name) wakeStuck(c);
    },
  });

  const bundles = new Reflector<AddonBundle>({
    client: kube,
    type: resourceOf(AddonBundleKind),
    onError: onError('addon bundles'),
    onChange: (_key, now, before) => {
      if (!now?.spec.credentials?.length || before) return;
      for (const c of clusters.list()) if (c.spec.addons.some((a) => a.name === now.spec.addon)) wakeStuck(c);
    },
  });

  const tenants = new Reflector<Tenant>({
    client: kube,
    type: resourceOf(TenantKind),
    onError: onError('tenants'),
    onChange: (name, now, before) => {
      if (!now) tenantView.forget(name, before?.metadata.uid);
      const isOther = now?.spec.quota?.machines !== before?.spec.quota?.machines;
      const isFreed = (now?.status?.reserved?.machines ?? 0) < (before?.status?.reserved?.machines ?? 0);
      if (isOther) wakeTenant(tenantNamespace(name));
      else if (isFreed)
        wakeTenant(tenantNamespace(name), (c) => memory.cluster(c.metadata.uid as string).waitsForQuota);
    },
  });

  const clusterView = new View<Cluster>(clusters, clock);
  const machineView = new View<Machine>(machines, clock);
  const tenantView = new View<Tenant>(tenants, clock);
  const quota = new Reservations({
    kube,
    tenants: tenantView,
    clustersIn: (namespace) => clusters.byIndex('namespace', namespace),
    machinesOf: (c) => machines.byIndex('cluster', keyOf(c)).length,
  });
  const gather = new Gather(clock, o.times.gatherMs, (key) => wakeCluster(key));

  const fleet = watchFleet({
    kube,
    systemNamespace: o.systemNamespace,
    onError: onError('the emergency stop'),
    onChange: () => wakeFleet(),
  });

  const deps: Deps = {
    kube,
    clusters: clusterView,
    machines: machineView,
    release: (name) => releases.get(name),
    releaseNames: () => releases.list().map((r) => r.metadata.name),
    releases: () => releases.list(),
    bundles: () => bundles.list(),
    emergencyStop: () => fleet.stop(),
    region: (name) => regions.usable(name),
    hasRegion: (name) => regions.has(name),
    userData: (m, signal) => o.bootstrap.userData(m, signal),
    events: (e) => recordEvent(kube, e, clock.now()),
    disturbance: (c, names, signal) => o.bootstrap.disturbance(c, names, signal),
    quota,
    memory,
    wake: { cluster: (key) => wakeCluster(key), machine: (key, m) => wakeMachine(key, m) },
    clock,
    log,
    systemNamespace: o.systemNamespace,
    installation: o.installation,
    times: o.times,
  };

  // Clusters that name no Region share one queue, so that a typing error makes no queue of its own.
  const queueName = (kind: string, region: string) => `${kind}/${regions.has(region) ? region : '_none'}`;
  const onPassError =
    (what: 'cluster' | 'machine') => (key: string, error: ReconcileError, nextMs: number | undefined) =>
      log.warn(
        {
          cluster: what === 'cluster' ? key : undefined,
          machine: what === 'machine' ? key : undefined,
          reason: error.reason,
          problem: error.message,
          nextMs,
        },
        'pass did not succeed',
      );
  const clusterQueue = (region: string): KeyQueue =>
    engine.queue(queueName('clusters', region), {
      concurrency: o.concurrency,
      maxDelayMs: 60_000,
      reconcile: (key, ctx) => reconcileCluster(deps, key, ctx),
      onError: onPassError('cluster'),
    });
  const machineQueue = (region: string): KeyQueue =>
    engine.queue(queueName('machines', region), {
      concurrency: o.concurrency,
      maxDelayMs: 60_000,
      reconcile: (key, ctx) => reconcileMachine(deps, key, ctx),
      onError: onPassError('machine'),
    });

  function wakeCluster(key: string): void {
    const c = clusterView.get(key);
    if (c) void clusterQueue(c.spec.region).add(key);
  }
  function wakeMachine(key: string, m: Machine): void {
    void machineQueue(m.spec.region).add(key);
  }
  function wakeMachinesOf(c: Cluster, which: (m: Machine) => boolean = () => true): void {
    if (!engine.owns(c.metadata.uid ?? '')) return;
    for (const m of machines.byIndex('cluster', keyOf(c))) if (which(m) && needsWork(m)) wakeMachine(keyOf(m), m);
  }
  function wakeStuck(c: Cluster): void {
    if (engine.owns(c.metadata.uid ?? '') && clusterWants(c)) wakeCluster(keyOf(c));
  }
  /** The emergency stop was pulled or let go of: each cluster says so, and what waits goes on. */
  function wakeFleet(): void {
    if (!started) return;
    for (const c of clusters.list()) if (engine.owns(c.metadata.uid ?? '')) wakeCluster(keyOf(c));
    for (const m of machines.list()) if (engine.owns(m.spec.cluster.uid) && needsWork(m)) wakeMachine(keyOf(m), m);
  }
  function clusterWants(c: Cluster): boolean {
    return (
      clusterNeedsWork(c, fleet.stop()) ||
      machines.byIndex('cluster', keyOf(c)).some(machineForCluster) ||
      credentialsWant(c, memory.infrastructure(c).addonCredentials, bundles.list(), clock.now())
    );
  }
  /** Clusters of a tenant's namespace. */
  function wakeTenant(namespace: string | undefined, which: (c: Cluster) => boolean | undefined = () => true): void {
    if (!started || namespace === undefined) return;
    for (const c of clusters.byIndex('namespace', namespace))
      if (engine.owns(c.metadata.uid ?? '') && which(c)) wakeCluster(keyOf(c));
  }
  function wakeRegion(name: string): void {
    for (const c of clusters.list()) if (c.spec.region === name) wakeStuck(c);
    for (const m of machines.list())
      if (m.spec.region === name && engine.owns(m.spec.cluster.uid) && needsWork(m)) wakeMachine(keyOf(m), m);
  }
  function needsWork(m: Machine): boolean {
    const c = clusterView.get(clusterKeyOf(m));
    return machineNeedsWork(m, c ? memory.infrastructure(c) : {});
  }
  /** Nothing is left to gather for: each machine of the Cluster is ready. */
  function isLast(m: Machine): boolean {
    return machines.byIndex('cluster', clusterKeyOf(m)).every((x) => x.status?.health?.ready);
  }
  /** Watches the one Secret that a Region names, and no other: there are others' keys beside it. */
  function watchSecret(region: Region): void {
    const { namespace, name } = region.spec.openstack.credentialsSecretRef;
    const key = `${namespace}/${name}`;
    if (secretWatches.has(key)) return;
    const watch = new Reflector<CredentialsSecret>({
      client: kube,
      type: SECRETS,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      trim: ({ metadata }) => ({ metadata }),
      onError: onError('credentials'),
      onChange: () => regions.secretChanged(namespace, name),
    });
    secretWatches.set(key, watch);
    watch.start();
  }

  let started = false;
  return {
    regions,
    clusters,
    machines,
    deps,
    async start() {
      fleet.start();
      // No pass begins before all caches are full: one that misses the Machines of a Cluster would make them again, and one that
      // misses a Machine's Cluster would take it for gone.
      for (const r of [clusters, machines, releases, bundles, tenants]) r.start();
      await Promise.all([clusters.synced, machines.synced, releases.synced, bundles.synced, tenants.synced]);
      regionReflector.start();
      await regionReflector.synced;
      // Without it nothing is destroyed, but all else goes on: so it is waited for only a little.
      const waited = new AbortController();
      await Promise.race([fleet.known, clock.sleep(FLEET_WAIT_MS, waited.signal)]);
      waited.abort();
      started = true;
      await machineFeeder.start(machines);
      await clusterFeeder.start(clusters);
    },
    synced: () => [clusters, machines, releases, bundles, tenants, regionReflector].every((r) => r.isSynced),
    async close() {
      machineFeeder.stop();
      clusterFeeder.stop();
      gather.close();
      await fleet.close();
      await engine.close();
      await Promise.all(
        [clusters, machines, releases, bundles, tenants, regionReflector, ...secretWatches.values()].map((r) =>
          r.stop(),
        ),
      );
      await regions.close();
    },
  };
}
