import { type Cluster, findCondition, isTrue, keepOf, type Machine, timestamp } from '@shoto/api';
import { NODE_PROBLEMS, type NodeProblem } from './node.ts';
import type { Settings } from './settings.ts';

/** What may ail a machine, by who says so: the cloud, the way in, the node. */
export type Ailment =
  | 'ServerGone'
  | 'ServerFailed'
  | 'ServerStopped'
  | 'TicketMisused'
  | 'TicketExpired'
  | 'NeverJoined'
  | 'NodeMissing'
  | 'NodeSilent'
  | 'NodeNotReady'
  | NodeProblem;

/** One sign of sickness. Times in milliseconds since the epoch. */
export interface Symptom {
  reason: Ailment;
  /** `node`: seen in its cluster, and worth nothing while we cannot reach that cluster. */
  kind: 'server' | 'join' | 'node';
  /** Since when. */
  since: number;
  /** When it has lasted long enough to do something. */
  dueAt: number;
}

/** Why a machine is left alone although it is sick. `until`: in milliseconds, where it ends by itself. */
export interface Exemption {
  reason: 'Kept' | 'Paused' | 'HealingDisabled' | 'Leaving';
  message: string;
  until?: number;
}

const DOWN: ReadonlySet<string> = new Set(['NodeMissing', 'NodeSilent', 'NodeNotReady']);
const BROKEN: ReadonlySet<string> = new Set(['ReadonlyFilesystem', 'KernelDeadlock']);
const PROBLEMS: ReadonlySet<string> = new Set(NODE_PROBLEMS);

/** What sort of sickness a reason of `Healthy` is; undefined: none that healing knows. `sickSince` runs on within one sort. */
export const sortOf = (reason: string | undefined): 'down' | NodeProblem | undefined => {
  if (reason === undefined) return undefined;
  if (DOWN.has(reason)) return 'down';
  return PROBLEMS.has(reason) ? (reason as NodeProblem) : undefined;
};

const at = (time: string | undefined): number | undefined => (time === undefined ? undefined : Date.parse(time));
const since = (c: { lastTransitionTime: string } | undefined): number => at(c?.lastTransitionTime) ?? 0;

/** The cloud's word. It counts whether we reach the cluster or not. */
function serverSymptom(m: Machine, s: Settings, now: number): Symptom | undefined {
  const server = m.status?.server;
  const reason = ({ Gone: 'ServerGone', Error: 'ServerFailed', Stopped: 'ServerStopped' } as const)[
    server?.state as 'Gone' | 'Error' | 'Stopped'
  ];
  if (!reason) return undefined;
  const from = at(findCondition(server?.conditions, 'ServerReady')?.lastTransitionTime) ?? now;
  return { reason, kind: 'server', since: from, dueAt: from + s.settleMs };
}

/** The machine that was told to make the control plane and has not: all others wait for it. Nobody was let into the cluster, so nothing is lost with it. */
function makingSymptom({ metadata, status }: Machine, c: Cluster, s: Settings): Symptom | undefined {
  const { initMachine, initMachineAt, initialized } = c.status?.controlPlane ?? {};
  const activeAt = at(status?.server?.activeAt);
  if (initialized || initMachine !== metadata.uid || activeAt === undefined) return undefined;
  // kubeadm may have ended there without its API ever answering.
  const from = Math.max(activeAt, at(initMachineAt) ?? 0, at(status?.bootstrap?.joinedAt) ?? 0);
  return { reason: 'NeverJoined', kind: 'join', since: from, dueAt: from + s.joinMs };
}

/** A machine that does not come in. What keeps a whole cluster from taking machines in is not the machine's fault. */
function joinSymptom(m: Machine, c: Cluster, s: Settings): Symptom | undefined {
  const { server, bootstrap, health } = m.status ?? {};
  const making = makingSymptom(m, c, s);
  // A Ready node has joined: a management cluster that was restored may not know when.
  if (bootstrap?.joinedAt || health?.ready) return making;
  const misused = findCondition(bootstrap?.conditions, 'TicketMisused');
  if (misused?.status === 'True')
    return { reason: 'TicketMisused', kind: 'join', since: since(misused), dueAt: since(misused) + s.settleMs };
  const joined = findCondition(bootstrap?.conditions, 'Joined');
  if (joined?.reason === 'TicketExpired')
    return { reason: 'TicketExpired', kind: 'join', since: since(joined), dueAt: since(joined) + s.settleMs };
  const controlPlane = c.status?.controlPlane;
  if (!server?.activeAt || !controlPlane?.initialized) return making;
  const gates = [
    findCondition(c.status?.health?.conditions, 'Reachable'),
    findCondition(controlPlane.conditions, 'EndpointHealthy'),
    ...(m.spec.role === 'control-plane' ? [findCondition(controlPlane.conditions, 'EtcdHealthy')] : []),
  ];
  if (gates.some((g) => g?.status === 'False')) return undefined;
  const from = Math.max(Date.parse(server.activeAt), at(controlPlane.initializedAt) ?? 0, ...gates.map(since));
  const turns = m.spec.role === 'control-plane' ? 2 : 1;
  return { reason: 'NeverJoined', kind: 'join', since: from, dueAt: from + s.joinMs * turns };
}

/** What its cluster says of its node, as it was mirrored. Nothing while we do not reach the cluster: then it is we who are blind. */
function nodeSymptom(m: Machine, c: Cluster, s: Settings): Symptom | undefined {
  const { health, bootstrap } = m.status ?? {};
  if (!bootstrap?.joinedAt || !health?.sickSince) return undefined;
  if (!isTrue(c.status?.health?.conditions, 'Reachable')) return undefined;
  const reason = findCondition(health.conditions, 'Healthy')?.reason;
  const sort = sortOf(reason);
  if (!sort) return undefined;
  const from = Date.parse(health.sickSince);
  const wait = sort === 'down' ? s.silentMs : BROKEN.has(sort) ? s.brokenMs : s.pressureMs;
  return { reason: reason as Ailment, kind: 'node', since: from, dueAt: from + wait };
}

/**
 * Everything that ails a machine, the worst first: the cloud's word, then the way in, then the node. One that is not due yet says when it will be.
 *
 * @param now - milliseconds since the epoch
 */
export const symptomsOf = (m: Machine, c: Cluster, s: Settings, now: number): Symptom[] =>
  [serverSymptom(m, s, now), joinSymptom(m, c, s), nodeSymptom(m, c, s)].filter((x) => x !== undefined);

/** The symptom to act on: the worst of those that are due, else the one that will be next. */
export function foremost(symptoms: readonly Symptom[], now: number): Symptom | undefined {
  const due = symptoms.find((x) => x.dueAt <= now);
  return due ?? [...symptoms].sort((a, b) => a.dueAt - b.dueAt)[0];
}

/**
 * Whether a symptom says that the machine is sick at this moment. A machine that merely has not joined yet is not sick before its time is over.
 *
 * @param now - milliseconds since the epoch
 */
export const isSick = (x: Symptom, now: number): boolean => x.reason !== 'NeverJoined' || x.dueAt <= now;

/**
 * Whether a machine is left alone, and why. A cluster that is paused or whose owner wants no healing still counts in storms.
 *
 * @param now - milliseconds since the epoch
 */
export function exemptionOf(m: Machine, c: Cluster | undefined, now: number): Exemption | undefined {
  if (m.metadata.deletionTimestamp || !c || c.metadata.deletionTimestamp)
    return { reason: 'Leaving', message: 'it is being deleted' };
  const keep = keepOf(m, now);
  if (keep.state === 'kept') {
    const end = Number.isFinite(keep.until);
    return {
      reason: 'Kept',
      message: `it is kept for study${end ? ` until ${timestamp(keep.until)}` : ''}${keep.reason ? `: ${keep.reason}` : ''}`,
      ...(end ? { until: keep.until } : {}),
    };
  }
  if (c.spec.paused)
    return { reason: 'Paused', message: 'the cluster is paused: shoto resume cluster lets healing go on' };
  if (c.spec.healing?.enabled === false)
    return {
      reason: 'HealingDisabled',
      message: 'spec.healing.enabled of the cluster is false: nothing is done about it',
    };
  return undefined;
}
