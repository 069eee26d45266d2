import { type Cluster, emergencyStopMessage, findCondition, type Machine } from '@shoto/api';
import { KubeError, keyOf } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import { withConditionOf } from '../check-in/steps.ts';
import { type ControlPlane, controlPlaneOf, type SayCluster } from '../cluster-status.ts';
import { CLUSTER_CONDITIONS, MACHINE_CONDITIONS } from '../conditions.ts';
import type { FleetStop } from '../fleet.ts';
import { changeBootstrap } from '../machine-status.ts';
import type { WorkloadAccess } from '../workload/access.ts';
import { type Kube, MACHINES, uidOf, type World } from '../world.ts';
import {
  awaitsRemoval,
  hasLostQuorum,
  mayLoseMember,
  nameOf,
  nextStep,
  ownerOf,
  type Step,
  type Verdict,
  verdictOf,
  verdictOfSilence,
} from './decide.ts';
import { EtcdctlError, type Member } from './etcdctl.ts';
import { type Look, lookIntoEtcd } from './look.ts';

/** What keeps an etcd in step with the Machines of its Cluster. */
export interface EtcdDeps {
  kube: Kube;
  world: World;
  access: WorkloadAccess;
  /** The emergency stop of the fleet; while it is not known it counts as on. */
  emergencyStop: () => FleetStop;
  clock: Clock;
  log: Logger;
}

/** How soon it is looked again: after a deed, while one may join though it leaves, while something holds it, while nobody can be asked. */
const AGAIN_MS = {
  deed: 200,
  late: 1_000,
  held: 5_000,
  silent: 10_000,
  stopped: 15_000,
  unwell: 30_000,
  unknown: 1_000,
};
/** So long an etcd may be silent until it is called lost: elections and restarts take seconds. */
const LOST_AFTER_MS = 60_000;
const PROBE_MS = 3_000;
/** For so long it is looked often whether a machine that leaves joins all the same. */
const LATE_MS = 60_000;
/** For so long a machine counts as having just joined. */
const JOINED_MS = 60_000;

/** Control-plane Machines of a Cluster, as this process knows them. */
const knownMachines = (world: World, cluster: Cluster): Machine[] =>
  world.machines.byIndex('cluster', uidOf(cluster)).filter((m) => m.spec.role === 'control-plane');

/**
 * Whether the machine that had the turn to join leaves, or has left, and may bring its member in all the same: kubeadm goes on until its server is gone.
 *
 * @param machines - control-plane Machines of the Cluster
 */
export function mayComeLate({ joinMachine }: ControlPlane, machines: readonly Machine[]): boolean {
  if (joinMachine === undefined) return false;
  const holder = machines.find((m) => m.metadata.uid === joinMachine);
  return (
    !holder || (holder.metadata.deletionTimestamp !== undefined && holder.status?.bootstrap.joinedAt === undefined)
  );
}

/** Whether there is a reason to look into a cluster's etcd: a member is to go, a machine is to join or may yet, or it was not well when last seen. */
export function needsLook(map: ControlPlane, machines: readonly Machine[], now: number): boolean {
  const joins = machines.some((m) => {
    if (m.metadata.uid !== map.joinMachine || m.metadata.deletionTimestamp) return false;
    const at = m.status?.bootstrap.joinedAt;
    // One look after it has joined, too: what is said of the members is of before.
    return at === undefined || now - Date.parse(at) < JOINED_MS;
  });
  return (
    joins ||
    mayComeLate(map, machines) ||
    findCondition(map.conditions, CLUSTER_CONDITIONS.etcdHealthy)?.status === 'False' ||
    machines.some((m) => awaitsRemoval(m) && mayLoseMember(m))
  );
}

/**
 * One step towards the etcd members that should be, under the Cluster's key: nobody else takes a member out. Of a Machine whose member is out
 * that is said on it (`MemberRemoved`), and its server may go.
 *
 * @param say - states conditions of the Cluster
 */
export async function keepMembership(
  d: EtcdDeps,
  cluster: Cluster,
  say: SayCluster,
  signal: AbortSignal,
): Promise<Outcome> {
  if (!needsLook(controlPlaneOf(cluster), knownMachines(d.world, cluster), d.clock.now())) return undefined;
  const machines = await liveMachines(d, cluster, signal);
  const look = await lookIntoEtcd(d.access, cluster, machines, signal);
  if (!look.seen) return silent(d, cluster, machines, look.why, say);

  const { members } = look;
  const { joinMachine } = controlPlaneOf(cluster);
  if (!hasLostQuorum(members))
    for (const m of machines)
      if (awaitsRemoval(m) && mayLoseMember(m) && !members.some((x) => ownerOf(x, [m])))
        await sayMember(d, m, { status: 'True', reason: 'Removed', message: 'it has no member in etcd' });
  const step = nextStep(members, machines);
  let said = verdictOf(members, machines);
  let againMs = said.status === 'False' ? AGAIN_MS.unwell : undefined;
  if (step.do === 'wait') {
    if (step.reason !== 'LastMember') said = { status: 'False', reason: step.reason, message: step.message };
    if (step.machine) await sayMember(d, step.machine, { ...step, status: 'False' });
    againMs = AGAIN_MS.held;
  } else if (step.do !== 'nothing') {
    const deed = await act(d, cluster, look, step, signal);
    if (deed.removed)
      said = verdictOf(
        members.filter((m) => m !== deed.removed),
        machines,
      );
    againMs = deed.againMs;
  }
  // What is held is looked at again anyway.
  const isLate = step.do === 'nothing' && mayComeLate(controlPlaneOf(cluster), machines);
  const holder = machines.find((m) => m.metadata.uid === joinMachine);
  // Its Machine is gone, and so is its server: what it had brought in was seen by this look.
  const isOver = isLate && !holder;
  if (isLate && holder) againMs = Math.min(againMs ?? AGAIN_MS.unwell, lateAgainMs(holder, d.clock.now()));
  await say([{ type: CLUSTER_CONDITIONS.etcdHealthy, ...said }], isOver ? { joinMachine: undefined } : {});
  return againMs === undefined ? undefined : { requeueAfterMs: againMs };
}

/** While its server is being deleted, which takes seconds; where something holds that up, now and then. */
function lateAgainMs(holder: Machine, now: number): number {
  const removed = findCondition(holder.status?.bootstrap.conditions, MACHINE_CONDITIONS.memberRemoved);
  return removed && now - Date.parse(removed.lastTransitionTime) > LATE_MS ? AGAIN_MS.unwell : AGAIN_MS.late;
}

/** Control-plane Machines of a Cluster as they are now: a cache that lags would take a member for nobody's. */
async function liveMachines(d: EtcdDeps, cluster: Cluster, signal: AbortSignal): Promise<Machine[]> {
  const namespace = cluster.metadata.namespace ?? '';
  const all = await d.kube.listAll<Machine>(MACHINES, { namespace }, { signal });
  return all.filter((m) => m.spec.cluster.uid === cluster.metadata.uid && m.spec.role === 'control-plane');
}

/** Does the one thing that is to be done, unless the fleet is stopped. */
async function act(
  d: EtcdDeps,
  cluster: Cluster,
  { etcdctl, members }: Extract<Look, { seen: true }>,
  step: Extract<Step, { do: 'remove' | 'move-leader' }>,
  signal: AbortSignal,
): Promise<{ againMs: number; removed?: Member }> {
  const stop = d.emergencyStop();
  if (stop === 'unknown') return { againMs: AGAIN_MS.unknown };
  if (stop) {
    if (step.machine)
      await sayMember(d, step.machine, {
        status: 'False',
        reason: 'EmergencyStop',
        message: emergencyStopMessage(stop),
      });
    return { againMs: AGAIN_MS.stopped };
  }
  const member = step.do === 'remove' ? step.member : step.from;
  const log = d.log.child({ cluster: keyOf(cluster), member: nameOf(member), id: member.id });
  // The intent first, with its revision tested: of two that hold the same key, one goes on.
  if (step.machine) {
    const intent =
      step.do === 'remove'
        ? { reason: 'Removing', message: `its member ${member.id} is being taken out of etcd` }
        : { reason: 'MovingLeader', message: `etcd's leadership moves to ${step.to.name} before its member goes` };
    const now = await sayMember(d, step.machine, { status: 'False', ...intent });
    if (!now) return { againMs: AGAIN_MS.deed };
  }
  // Then once more a look at the machines: of an order of self-healing and our intent, whoever comes second sees the other.
  const still = nextStep(members, await liveMachines(d, cluster, signal));
  if (still.do !== step.do) {
    if (still.do === 'wait' && still.machine) await sayMember(d, still.machine, { ...still, status: 'False' });
    return { againMs: AGAIN_MS.held };
  }
  try {
    if (step.do === 'move-leader') {
      await etcdctl.moveLeader(step.from, step.to);
      log.info({ to: step.to.name }, 'etcd leadership moved');
      return { againMs: AGAIN_MS.deed };
    }
    await etcdctl.remove(member);
  } catch (e) {
    if (!(e instanceof EtcdctlError || e instanceof KubeError)) throw e;
    // An exec that fails is looked at again soon, beside another member perhaps: with a growing pause a machine would stand for minutes.
    log.warn({ err: e }, 'a member is not taken out of etcd');
    const message = withoutNumbers(e.message);
    const why: Verdict =
      e instanceof EtcdctlError
        ? { status: 'False', reason: 'Refused', message }
        : { status: 'False', reason: 'NoAnswer', message };
    if (step.machine) await sayMember(d, step.machine, why);
    return { againMs: AGAIN_MS.held };
  }
  log.info('member taken out of etcd');
  if (step.machine)
    await sayMember(d, step.machine, { status: 'True', reason: 'Removed', message: 'its member is out of etcd' });
  return { againMs: AGAIN_MS.deed, removed: member };
}

/** Nobody can be asked: after a while, or where the machines themselves are down, that is a lost majority. */
async function silent(
  d: EtcdDeps,
  cluster: Cluster,
  machines: readonly Machine[],
  why: string,
  say: SayCluster,
): Promise<Outcome> {
  const before = findCondition(controlPlaneOf(cluster).conditions, CLUSTER_CONDITIONS.etcdHealthy);
  const isSilent = before?.status === 'False' && (before.reason === 'NoAnswer' || before.reason === 'QuorumLost');
  const isLong = isSilent && d.clock.now() - Date.parse(before.lastTransitionTime) >= LOST_AFTER_MS;
  const verdict = verdictOfSilence(machines, withoutNumbers(why), isLong);
  await say([{ type: CLUSTER_CONDITIONS.etcdHealthy, ...verdict }]);
  for (const m of machines)
    if (awaitsRemoval(m) && mayLoseMember(m))
      await sayMember(d, m, { status: 'False', reason: verdict.reason, message: verdict.message });
  return { requeueAfterMs: AGAIN_MS.silent };
}

/** Words that are the same for the same trouble: a time in them would make every look a write. Without the command that could not be run. */
const withoutNumbers = (text: string): string =>
  text
    .replace(/\?[^\s"]*/g, '')
    .replace(/\d+(\.\d+)? ?(ms|s)\b/g, 'some time')
    .slice(0, 300);

/** States `MemberRemoved` of a Machine. @returns the Machine; undefined when it is gone */
const sayMember = (d: EtcdDeps, machine: Machine, v: Verdict): Promise<Machine | undefined> =>
  changeBootstrap({ kube: d.kube, machines: d.world.machines }, machine, (b) =>
    findCondition(b.conditions, MACHINE_CONDITIONS.memberRemoved)?.status === 'True'
      ? undefined
      : withConditionOf(
          b,
          { type: MACHINE_CONDITIONS.memberRemoved, status: v.status, reason: v.reason, message: v.message },
          d.clock.now(),
        ),
  );

/**
 * Says of a cluster whose API is not ready whether it is its etcd that is silent: then no member can be asked, since every question goes
 * through the API. Where the API does not answer at all, nothing is known of etcd.
 */
export async function tellSilence(d: EtcdDeps, cluster: Cluster, say: SayCluster, signal: AbortSignal): Promise<void> {
  const workload = await d.access.client(cluster);
  const machines = knownMachines(d.world, cluster);
  try {
    await workload.raw('GET', '/readyz/etcd', undefined, { signal, timeoutMs: PROBE_MS, accept: '*/*' });
  } catch (e) {
    signal.throwIfAborted();
    if (!(e instanceof KubeError && e.status >= 500)) return;
    await silent(d, cluster, machines, 'its API servers get no answer from it', say);
  }
}
