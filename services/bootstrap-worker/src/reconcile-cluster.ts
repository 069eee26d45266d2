import { type Cluster, FINALIZERS, findCondition, type Machine, timestamp } from '@shoto/api';
import { KubeError, refOf } from '@shoto/kube';
import { type Outcome, type RunContext, WaitingError } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import { controlPlaneOf, type SayCluster, type Statement, stateCluster } from './cluster-status.ts';
import { CLUSTER_CONDITIONS as C, MACHINE_CONDITIONS } from './conditions.ts';
import { awaitsRemoval } from './etcd/decide.ts';
import { keepMembership, tellSilence } from './etcd/membership.ts';
import type { FleetStop } from './fleet.ts';
import type { PkiStore } from './secrets/cluster-pki.ts';
import { deleteClusterSecrets, type ServiceKubeconfigs } from './secrets/service-kubeconfigs.ts';
import { followAddons } from './upgrade/addons.ts';
import type { WorkloadAccess } from './workload/access.ts';
import { whyNotReady } from './workload/probe.ts';
import { applyRoles } from './workload/roles.ts';
import { CLUSTERS, type Kube, MACHINES, uidOf, type World } from './world.ts';

/** What a pass over a Cluster needs. */
export interface ClusterDeps {
  kube: Kube;
  world: World;
  pki: PkiStore;
  kubeconfigs: ServiceKubeconfigs;
  access: WorkloadAccess;
  systemNamespace: string;
  /** The emergency stop of the fleet; while it is not known it counts as on. */
  emergencyStop: () => FleetStop;
  /** Looks after the Nodes of a cluster whose API answers. */
  sweep: (cluster: Cluster, signal: AbortSignal) => Promise<void>;
  clock: Clock;
  log: Logger;
}

/** After kubeadm ended a load balancer may need a few checks until it lets anybody through: soon at first, then by how long it takes already. */
const PROBE_AGAIN_MS = { first: 150, longest: 1_000 };
const SAY_SO_AFTER_MS = 30_000;
const UNREACHABLE_AGAIN_MS = 10_000;

const NOT_YET: Statement = {
  type: C.initialized,
  status: 'False',
  reason: 'WaitingForMachine',
  message: 'no control-plane machine has joined yet',
};

/** One pass over one Cluster. May be cut short, repeated or late, and must end the same. */
export async function reconcileCluster(
  d: ClusterDeps,
  key: string,
  ctx: Pick<RunContext, 'signal' | 'wake'>,
): Promise<Outcome> {
  const cluster = await readCluster(d, key, ctx.wake?.resourceVersion);
  if (!cluster) return undefined;
  if (cluster.metadata.deletionTimestamp) return finalize(d, cluster, ctx.signal);
  if (cluster.spec.paused) return undefined;
  // Secrets made before the finalizer is stored would outlive a cluster that is deleted meanwhile.
  const held = await ensureFinalizer(d, cluster);
  const pki = await d.pki.ensure(held);
  const hasWord = controlPlaneOf(held).conditions?.some((c) => c.type === C.initialized);
  const known = await stateCluster(d, held, [
    { type: C.pkiReady, status: 'True', reason: 'Created', message: 'certificate authorities and keys are made' },
    ...(hasWord ? [] : [NOT_YET]),
  ]);
  const server = known.status?.infrastructure.endpoint?.external;
  if (!server) return undefined;
  await d.kubeconfigs.ensure(known, pki, server);
  return controlPlaneOf(known).initialized ? keepUp(d, known, ctx.signal) : initialize(d, known, server, ctx.signal);
}

/** Whether a Cluster that is new to this process needs a pass; the rest waits for the resync. */
export function clusterNeedsWork(c: Cluster): boolean {
  if (c.metadata.deletionTimestamp) return c.metadata.finalizers?.includes(FINALIZERS.secrets) ?? false;
  return !controlPlaneOf(c).initialized;
}

/** Whether a change of a Cluster is for us: not our own write, nor another service's conditions but for whether it reaches the API. */
export function clusterChanged(now: Cluster | undefined, before: Cluster): boolean {
  if (!now) return true;
  const relevant = (c: Cluster): string =>
    JSON.stringify([
      c.metadata.uid,
      c.metadata.generation,
      c.metadata.deletionTimestamp,
      c.metadata.finalizers,
      c.status?.infrastructure.endpoint,
      // self-healing watches all the time: what it sees first is worth a look of our own.
      findCondition(c.status?.health?.conditions, 'Reachable')?.status,
      c.status?.controlPlane?.images, // what the addons may have waited for
    ]);
  return relevant(now) !== relevant(before);
}

/** Whether a change of a Machine moves its Cluster: it has joined, can be used, is gone; or its etcd member may go now. */
export function machineMovesCluster(now: Machine | undefined, before: Machine): boolean {
  if (!now) return true;
  const came = (is: (m: Machine) => boolean): boolean => is(now) && !is(before);
  if (came((m) => m.status?.bootstrap.joinedAt !== undefined) || came((m) => m.status?.health.ready === true))
    return true;
  return awaitsRemoval(now) && wayOutOf(now) !== wayOutOf(before);
}

/** Whether a Machine is work for its Cluster when this process starts. */
export const machineNeedsCluster = awaitsRemoval;

/** What the way of a member out of etcd depends on. */
function wayOutOf(m: Machine): string {
  const { server, bootstrap } = m.status ?? {};
  return JSON.stringify([
    m.metadata.deletionTimestamp,
    server?.state === 'Gone',
    findCondition(server?.conditions, 'InEndpoint')?.reason,
    findCondition(bootstrap?.conditions, MACHINE_CONDITIONS.drained)?.reason,
  ]);
}

async function readCluster(
  d: ClusterDeps,
  key: string,
  resourceVersion: string | undefined,
): Promise<Cluster | undefined> {
  const cached = d.world.clusters.get(key);
  if (resourceVersion === undefined || cached?.metadata.resourceVersion === resourceVersion) return cached;
  const live = await d.kube.get<Cluster>(CLUSTERS, refOf(key));
  return live && d.world.clusters.note(live);
}

async function ensureFinalizer(d: ClusterDeps, cluster: Cluster): Promise<Cluster> {
  const finalizers = cluster.metadata.finalizers ?? [];
  if (finalizers.includes(FINALIZERS.secrets)) return cluster;
  const { resourceVersion } = cluster.metadata; // others may add theirs at the same time: the patch fails, the pass is repeated
  const patch = { metadata: { resourceVersion, finalizers: [...finalizers, FINALIZERS.secrets] } };
  return d.world.clusters.note(await d.kube.mergePatch<Cluster>(CLUSTERS, cluster.metadata, patch));
}

/** The first control-plane machine has joined: lets the rest in once the API answers from outside and the services have their roles. */
async function initialize(d: ClusterDeps, cluster: Cluster, server: string, signal: AbortSignal): Promise<Outcome> {
  const { initMachine } = controlPlaneOf(cluster);
  const maker = d.world.machines.byIndex('cluster', uidOf(cluster)).find((m) => m.metadata.uid === initMachine);
  const joinedAt = maker?.status?.bootstrap.joinedAt;
  if (!joinedAt || !(await isStaying(d, maker, signal))) return undefined; // its change wakes us
  const workload = await d.access.client(cluster);
  const why = await whyNotReady(workload, signal);
  if (why !== undefined) {
    const waited = d.clock.now() - Date.parse(joinedAt);
    const isLate = waited > SAY_SO_AFTER_MS;
    if (isLate) {
      const message = `kubeadm has ended, but ${server} does not answer: ${withoutTimes(why)}`;
      await stateCluster(d, cluster, [{ type: C.initialized, status: 'False', reason: 'WaitingForAPI', message }]);
    }
    const again = isLate ? 5_000 : Math.min(PROBE_AGAIN_MS.longest, Math.max(PROBE_AGAIN_MS.first, waited / 10));
    throw new WaitingError('WaitingForAPI', `${server} does not answer yet`, again);
  }
  await applyRoles(workload, signal);
  await stateCluster(
    d,
    cluster,
    [
      {
        type: C.initialized,
        status: 'True',
        reason: 'Initialized',
        message: `${maker.metadata.name} has made the control plane`,
      },
      { type: C.endpointHealthy, status: 'True', reason: 'Answers', message: `the API answers at ${server}` },
    ],
    {
      initialized: true,
      initializedAt: timestamp(d.clock.now()),
      configRelease: maker.spec.release,
      addonsRelease: maker.spec.release,
    },
  );
  d.log
    .child({ cluster: `${cluster.metadata.namespace}/${cluster.metadata.name}` })
    .info({ server }, 'control plane initialised');
  return undefined;
}

/**
 * Whether the maker of a control plane stays, looked at live: what one makes that leaves goes with its server. One that is told to leave after this look
 * finds the cluster initialised, and leaves as a member of etcd does; see `leaving/give-up-making.ts`.
 */
async function isStaying(d: ClusterDeps, maker: Machine, signal: AbortSignal): Promise<boolean> {
  if (maker.metadata.deletionTimestamp) return false;
  const live = await d.kube.get<Machine>(MACHINES, maker.metadata, { signal });
  return live?.metadata.uid === maker.metadata.uid && live?.metadata.deletionTimestamp === undefined;
}

/** A cluster that is up: its endpoint, then its etcd's members, then kubeadm's addons, each only where there is a reason. */
async function keepUp(d: ClusterDeps, cluster: Cluster, signal: AbortSignal): Promise<Outcome> {
  let current = cluster;
  const say: SayCluster = async (said, change) => {
    current = await stateCluster(d, current, said, change);
    return current;
  };
  if (!(await isEndpointUp(d, cluster, say, signal))) {
    await tellSilence(d, current, say, signal);
    return { requeueAfterMs: UNREACHABLE_AGAIN_MS };
  }
  const members = await keepMembership(d, current, say, signal);
  const addons = await followAddons(d, current, say, signal);
  await d.sweep(current, signal);
  return sooner(members, addons);
}

/** Says when the endpoint of a running cluster stops to answer, and when it does again. Comes by with the resync. */
async function isEndpointUp(d: ClusterDeps, cluster: Cluster, say: SayCluster, signal: AbortSignal): Promise<boolean> {
  const server = cluster.status?.infrastructure.endpoint?.external ?? '';
  const stated = (status: 'True' | 'False', reason: string, message: string): Statement[] => [
    { type: C.endpointHealthy, status, reason, message },
  ];
  const workload = await d.access.client(cluster);
  if ((await whyNotReady(workload, signal)) === undefined) {
    await say(stated('True', 'Answers', `the API answers at ${server}`));
    return true;
  }
  const why = await whyNotReady(workload, signal); // one lost packet is no news
  if (why === undefined) return true;
  await say(stated('False', 'Unreachable', `the API does not answer at ${server}: ${withoutTimes(why)}`));
  return false;
}

/** Of two outcomes the one that comes first. */
function sooner(a: Outcome, b: Outcome): Outcome {
  if (!a || !b) return a ?? b;
  return { requeueAfterMs: Math.min(a.requeueAfterMs ?? Infinity, b.requeueAfterMs ?? Infinity) };
}

/** A message that is the same for the same trouble: numbers of milliseconds would make every look a write. */
const withoutTimes = (message: string): string => message.replace(/\d+(\.\d+)? ?m?s\b/g, 'some time').slice(0, 200);

/** Everything else is gone: the cluster's Secrets go, then our finalizer. */
async function finalize(d: ClusterDeps, cluster: Cluster, signal: AbortSignal): Promise<Outcome> {
  const uid = uidOf(cluster);
  const finalizers = cluster.metadata.finalizers ?? [];
  if (!finalizers.includes(FINALIZERS.secrets)) return undefined;
  if (finalizers.includes(FINALIZERS.addons) || finalizers.includes(FINALIZERS.infrastructure)) return undefined;
  // Live: a cache that lags would leave a machine without the keys that it joined with.
  const namespace = cluster.metadata.namespace ?? '';
  const machines = await d.kube.listAll<Machine>(MACHINES, { namespace }, { signal });
  if (machines.some((m) => m.spec.cluster.uid === uid)) {
    throw new WaitingError('MachinesLeft', 'machines of the cluster are still there', 2_000);
  }
  await deleteClusterSecrets(d.kube, d.systemNamespace, uid);
  d.pki.forget(uid);
  d.kubeconfigs.forget(uid);
  await d.access.forget(uid);
  try {
    await d.kube.removeFinalizer(CLUSTERS, cluster, FINALIZERS.secrets, { signal });
  } catch (e) {
    if (!(e instanceof KubeError && e.isNotFound)) throw e;
  }
  return undefined;
}
