import {
  type Cluster,
  type ConditionInput,
  type EmergencyStop,
  emergencyStopMessage,
  findCondition,
  isTrue,
  type Machine,
  MachineKind,
  type Region,
  resourceOf,
} from '@shoto/api';
import { type EventRecord, type KubeClient, keyOf } from '@shoto/kube';
import type { Candidate, ClusterFacts, Patient, Scene } from './brake.ts';
import type { Census } from './census.ts';
import { stormOf } from './cluster-conditions.ts';
import { mayTouch, type Quorum, quorumOf } from './control-plane.ts';
import type { JoinBackoff } from './join-backoff.ts';
import { type Action, isOpen, ladderOf, type Step } from './ladder.ts';
import type { Metrics } from './metrics.ts';
import type { Observer } from './observer.ts';
import * as say from './remediation.ts';
import type { Settings } from './settings.ts';
import { exemptionOf, foremost, isSick, type Symptom, symptomsOf } from './symptoms.ts';

const MACHINES = resourceOf(MachineKind);

/** What a pass over a region needs. */
export interface RegionDeps {
  kube: Pick<KubeClient, 'get' | 'patchStatusMap'>;
  census: Pick<Census, 'suspects' | 'count' | 'troubled'>;
  region: (name: string) => Region | undefined;
  /** All Clusters of a region, from the cache. */
  clusters: (region: string) => readonly Cluster[];
  /** All Machines of a Cluster, from the cache. */
  machinesOf: (clusterUid: string) => readonly Machine[];
  observer: Pick<Observer, 'look'>;
  /** Pools whose new machines do not come in. */
  backoff: Pick<JoinBackoff, 'until' | 'note'>;
  /** `unknown`: not read yet, which counts as on. */
  emergencyStop: () => { stop: EmergencyStop } | 'unknown' | undefined;
  /** Told what a write gave, so that the next pass sees it. */
  wrote: { machine: (m: Machine) => void; cluster: (c: Cluster) => void };
  events: (e: EventRecord) => void;
  metrics: Metrics;
  settings: Settings;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/** What a pass thinks of one machine. Times in milliseconds since the epoch. */
export interface Finding {
  key: string;
  machine: Machine;
  cluster: Cluster | undefined;
  /** What to act on. */
  symptom?: Symptom;
  /** What its condition `Remediation` should say; undefined: what it says. */
  say?: ConditionInput;
  /** Its open order is taken back. */
  withdraw?: true;
  /** A rung is due. */
  next?: Extract<Step, { kind: 'next' }>;
  /** When to look again. */
  again?: number;
  /** Counts as sick in storms. */
  patient?: Patient;
}

const ROLLING: ReadonlySet<string> = new Set(['RollingOut', 'WaitingForHealth', 'WaitingForAddons']);

/** The ladder of a machine, from what is stored. */
export function stepOf(machine: Machine, symptom: Symptom, from: number, settings: Settings, now: number): Step {
  const { server, health } = machine.status ?? {};
  const handled = server?.handled ?? 0;
  const said = findCondition(health?.conditions, 'Remediation');
  // What was ordered is carried out as of now, when nobody said so before.
  const justNow = said?.status === 'Unknown' && !isOpen(health?.order, handled) ? now : undefined;
  return ladderOf({
    symptom,
    from,
    order: health?.order,
    handled,
    carriedOutAt: say.carriedOutAt(machine) ?? justNow,
    ran: server?.activeAt !== undefined,
    settings,
  });
}

/** What is the matter with a machine, and what the ladder would do about it. Pure. */
export function examine(machine: Machine, cluster: Cluster | undefined, settings: Settings, now: number): Finding {
  const { server, health, bootstrap } = machine.status ?? {};
  const finding: Finding = { key: keyOf(machine), machine, cluster };
  if (!cluster || cluster.metadata.deletionTimestamp) return finding;
  const open = isOpen(health?.order, server?.handled ?? 0) ? health?.order : undefined;
  const symptoms = symptomsOf(machine, cluster, settings, now);
  const sick = symptoms.filter((x) => isSick(x, now));
  const exemption = exemptionOf(machine, cluster, now);
  const from = Math.min(...sick.map((x) => x.since), open ? Date.parse(open.at) : Number.POSITIVE_INFINITY);
  if ((sick.length > 0 || open) && exemption?.reason !== 'Kept')
    finding.patient = { key: finding.key, machine, from, ...(open ? { open: open.action } : {}) };
  if (machine.metadata.deletionTimestamp) return finding;

  const symptom = foremost(symptoms, now);
  if (!symptom) {
    const said = findCondition(health?.conditions, 'Remediation');
    const isUnseen =
      bootstrap?.joinedAt && health?.sickSince && !isTrue(cluster.status?.health?.conditions, 'Reachable');
    if (isUnseen) return said ? { ...finding, say: say.unreachable() } : finding;
    if (said && said.reason !== 'Recovered') finding.say = say.recovered();
    if (open) finding.withdraw = true;
    return finding;
  }
  finding.symptom = symptom;
  if (exemption) {
    finding.again = symptom.dueAt > now ? symptom.dueAt : exemption.until;
    if (symptom.dueAt <= now) finding.say = say.exempt(exemption);
    // A cluster that is paused has its orders carried out afterwards.
    if (open && exemption.reason !== 'Paused') finding.withdraw = true;
    return finding;
  }
  return climb(finding, symptom, from, settings, now);
}

function climb(f: Finding, symptom: Symptom, from: number, settings: Settings, now: number): Finding {
  const step = stepOf(f.machine, symptom, Number.isFinite(from) ? from : symptom.since, settings, now);
  if (step.kind === 'ordered') {
    if (now < step.stuckAt) return { ...f, again: step.stuckAt };
    return { ...f, say: say.stuck(step.order) };
  }
  if (step.at <= now) return { ...f, next: step };
  const said = findCondition(f.machine.status?.health?.conditions, 'Remediation');
  const isCarriedOut = said?.status === 'Unknown' || said?.status === 'True';
  // A machine that is only about to join is told of when its time is over.
  if (isCarriedOut && step.after) {
    const { after } = step;
    const patient = f.patient && { ...f.patient, open: after.action };
    return { ...f, again: step.at, say: say.carriedOut(after, step), ...(patient ? { patient } : {}) };
  }
  return isSick(symptom, now) ? { ...f, again: step.at, say: say.waiting(symptom, step) } : { ...f, again: step.at };
}

/** What the brake looks at, from the caches. */
export function sceneOf(
  d: RegionDeps,
  name: string,
  findings: readonly Finding[],
  stop: EmergencyStop | undefined,
): Scene {
  const now = d.now();
  const clusters = d.clusters(name);
  const calm = new Map<string, number>();
  for (const c of clusters) {
    const storm = stormOf(c);
    if (storm?.ended !== undefined)
      calm.set(storm.message, Math.max(storm.ended, calm.get(storm.message) ?? Number.NEGATIVE_INFINITY));
  }
  const sick = findings.flatMap((f) => f.patient ?? []);
  const sickKeys = new Set(sick.map((p) => p.key));
  const facts = new Map<string, ClusterFacts>();
  for (const f of findings)
    if (f.next && f.cluster && !facts.has(f.cluster.metadata.uid as string))
      facts.set(f.cluster.metadata.uid as string, factsOf(d, f.cluster, sickKeys));
  return {
    now,
    settings: d.settings,
    sick,
    count: (group) => d.census.count(group),
    clusters: facts,
    stop: stop && emergencyStopMessage(stop),
    cloudReady: isTrue(d.region(name)?.status?.provisioner?.conditions, 'Ready'),
    troubled: d.census.troubled(name),
    calm,
  };
}

function factsOf(d: RegionDeps, c: Cluster, sick: ReadonlySet<string>): ClusterFacts {
  const machines = d.machinesOf(c.metadata.uid as string);
  const isReachable = isTrue(c.status?.health?.conditions, 'Reachable');
  const quorum = quorumAmong(machines, sick);
  const upToDate = findCondition(c.status?.infrastructure?.conditions, 'UpToDate');
  const storm = stormOf(c);
  return {
    name: c.metadata.name,
    // Who serves in a cluster that we do not reach, nobody can tell us.
    quorum: isReachable ? quorum : { ...quorum, serving: new Set() },
    isRolling: upToDate?.status === 'False' && ROLLING.has(upToDate.reason),
    leaving: new Set(
      machines
        .filter((m) => m.metadata.deletionTimestamp && m.status?.health?.order?.action !== 'Replace')
        .map((m) => m.spec.role),
    ),
    ...(storm ? { storm: { ended: storm.ended } } : {}),
  };
}

const quorumAmong = (machines: readonly Machine[], sick: ReadonlySet<string>): Quorum =>
  quorumOf(
    machines.filter((m) => m.spec.role === 'control-plane').map((machine) => ({ key: keyOf(machine), machine })),
    sick,
  );

/**
 * Looks once more, past the cache, whether the others of its control plane have the quorum: one that leaves may have gone out of etcd meanwhile.
 *
 * @param sick - keys of all that ail in the region
 */
export async function mayStillTouch(
  d: Pick<RegionDeps, 'kube' | 'machinesOf'>,
  machine: Machine,
  action: Action,
  sick: ReadonlySet<string>,
): Promise<boolean> {
  if (machine.spec.role !== 'control-plane') return true;
  const known = d.machinesOf(machine.spec.cluster.uid).filter((m) => m.spec.role === 'control-plane');
  const live = await Promise.all(known.map((m) => d.kube.get<Machine>(MACHINES, m.metadata)));
  const there = live.filter((m, i) => m !== undefined && m.metadata.uid === known[i]?.metadata.uid) as Machine[];
  const joined = machine.status?.bootstrap?.joinedAt !== undefined;
  return !mayTouch(quorumAmong(there, sick), { key: keyOf(machine), joined, action });
}

/** A machine that did not come in is not replaced at once when its forerunners in the pool did not either. */
export function backOff(f: Finding, backoff: Pick<JoinBackoff, 'until'>, now: number): Finding {
  if (!f.next || f.symptom?.kind !== 'join') return f;
  const until = backoff.until(f.machine);
  if (until <= now) return f;
  const { next, ...rest } = f;
  return { ...rest, again: until, say: say.waiting(f.symptom, { ...next, at: until }) };
}

/** The orders that are due. */
export const candidatesOf = (findings: readonly Finding[]): Candidate[] =>
  findings.flatMap((f) =>
    f.next && f.symptom
      ? [{ key: f.key, machine: f.machine, from: f.patient?.from ?? f.symptom.since, action: f.next.action }]
      : [],
  );
