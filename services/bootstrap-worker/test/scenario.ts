import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import type { Cluster, KubernetesRelease, Machine } from '@shoto/api';
import { KubernetesReleaseKind, resourceOf } from '@shoto/api';
import { type EventRecord, keyOf } from '@shoto/kube';
import { createLogger, createMetrics } from '@shoto/service';
import { manualClock } from '@shoto/service/testing';
import { CheckIns } from '../src/check-in/check-ins.ts';
import { Wakeups } from '../src/check-in/wakeups.ts';
import { DepartedNodes } from '../src/departed.ts';
import type { FleetStop } from '../src/fleet.ts';
import { createServiceMetrics } from '../src/metrics.ts';
import { sweepNodes } from '../src/node-sweep.ts';
import { PkiStore } from '../src/secrets/cluster-pki.ts';
import { ServiceKubeconfigs } from '../src/secrets/service-kubeconfigs.ts';
import { WorkloadAccess } from '../src/workload/access.ts';
import { CLUSTERS, Freshest, MACHINE_INDEXES, MACHINES, uidOf } from '../src/world.ts';
import { aRegion, aRelease, START } from './builders.ts';
import { FakeKube } from './fake-kube.ts';

/** A management API with these objects, workload clusters, and the parts of this service over them. */
export async function scenario(o: { clusters: Cluster[]; machines?: Machine[]; release?: KubernetesRelease }) {
  const kube = new FakeKube();
  const clock = manualClock(START + 60_000);
  const ticketKey = randomBytes(32);
  const lines: string[] = [];
  const log = createLogger({
    service: 'bootstrap-worker',
    level: 'debug',
    destination: new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    }),
  });
  const events: EventRecord[] = [];
  const registry = createMetrics('bootstrap-worker');
  const metrics = createServiceMetrics(registry);
  for (const c of o.clusters) kube.put(CLUSTERS, c);
  for (const m of o.machines ?? []) kube.put(MACHINES, m);
  const release = o.release ?? aRelease();
  kube.put(resourceOf(KubernetesReleaseKind), release);

  const workloads = new Map<string, FakeKube>();
  const workload = (cluster: Cluster): FakeKube => {
    const uid = uidOf(cluster);
    const found = workloads.get(uid) ?? new FakeKube();
    workloads.set(uid, found);
    return found;
  };
  const evicted: string[] = [];
  /** How the emergency stop stands; off unless a test turns it on. */
  const fleet: { stop: FleetStop } = { stop: undefined };
  const emergencyStop = (): FleetStop => fleet.stop;
  /** Keys of Clusters, and of Machines, that a pass asked for. */
  const woken: string[] = [];

  /** One replica of the service, with caches of its own. */
  const replica = () => {
    const wakeups = new Wakeups(clock);
    const clusterCache = kube.cache<Cluster>(CLUSTERS);
    const machineCache = kube.cache<Machine>(MACHINES, MACHINE_INDEXES);
    const world = {
      clusters: new Freshest(clusterCache),
      machines: new Freshest(machineCache),
      regions: { get: () => aRegion(), list: () => [aRegion()], byIndex: () => [] },
      releases: kube.cache<KubernetesRelease>(resourceOf(KubernetesReleaseKind)),
    };
    kube.watch(CLUSTERS, (now, before) => wakeups.wake(uidOf(now ?? before ?? { metadata: { name: '' } })));
    kube.watch(MACHINES, (now, before) => {
      const m = (now ?? before) as unknown as Machine;
      wakeups.wake(uidOf(m));
      wakeups.wake(m.spec.cluster.uid);
    });
    const pki = new PkiStore(kube, 'shoto-system');
    const access = new WorkloadAccess(
      {
        get: async (uid, load) => {
          await load();
          const found = workloads.get(uid) ?? new FakeKube();
          workloads.set(uid, found);
          return found;
        },
        evict: async (uid) => void evicted.push(uid),
      },
      pki,
      clock,
    );
    const kubeconfigs = new ServiceKubeconfigs(kube, 'shoto-system', clock);
    const record = async (e: EventRecord): Promise<void> => void events.push(e);
    const checkIns = new CheckIns({
      kube,
      world,
      pki,
      access,
      wakeCluster: (key) => void woken.push(key),
      ticketKey,
      wakeups,
      events: record,
      metrics,
      clock,
      log,
    });
    const departed = new DepartedNodes({ world, access, emergencyStop, clock, log });
    const sweepDeps = {
      kube,
      world,
      access,
      emergencyStop,
      wakeMachine: (key: string) => void woken.push(key),
      clock,
      log,
    };
    const sweep = (c: Cluster): Promise<void> => sweepNodes(sweepDeps, c, never);
    return { wakeups, world, pki, access, departed, sweep, kubeconfigs, record, checkIns, clusterCache, machineCache };
  };
  const first = replica();
  for (const c of o.clusters) await first.pki.ensure(c);
  kube.writes.length = 0;

  return {
    kube,
    clock,
    ticketKey,
    log,
    /** Everything that was logged. */
    logged: () => lines.join(''),
    events,
    metrics,
    registry,
    workload,
    evicted,
    fleet,
    woken,
    replica,
    ...first,
    clusterDeps: { kube, systemNamespace: 'shoto-system', emergencyStop, clock, log, ...first },
    machineDeps: {
      kube,
      emergencyStop,
      wakeCluster: (key: string) => void woken.push(key),
      clock,
      log,
      events: first.record,
      ...first,
    },
    clusterNow: (c: Cluster) => kube.now<Cluster>(CLUSTERS, c.metadata) as Cluster,
    machineNow: (m: Machine) => kube.now<Machine>(MACHINES, m.metadata) as Machine,
    key: keyOf,
  };
}

export const never = new AbortController().signal;
