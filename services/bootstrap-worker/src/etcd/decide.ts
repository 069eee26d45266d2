import { findCondition, type Machine } from '@shoto/api';
import { MACHINE_CONDITIONS } from '../conditions.ts';
import type { Member } from './etcdctl.ts';

/** What is to be done about the members of an etcd now: one thing at most. */
export type Step =
  | { do: 'nothing' }
  | { do: 'move-leader'; from: Member; to: Member; machine: Machine | undefined }
  | { do: 'remove'; member: Member; machine: Machine | undefined }
  | { do: 'wait'; reason: Held['reason']; message: string; machine: Machine | undefined };

/** Why no member is taken out. */
export interface Held {
  reason: 'QuorumLost' | 'QuorumAtRisk' | 'LastMember';
  message: string;
}

/** A condition as it is to be stated. */
export interface Verdict {
  status: 'True' | 'False';
  reason: string;
  message: string;
}

/** How long a machine that has joined may take until its member is seen: kubeadm ends after it was promoted. */
const SETTLE_MS = 120_000;
const RUNBOOK = 'docs/runbooks/etcd-quorum-lost.md';

/** Votes that it takes to decide anything. */
const quorumOf = (voters: number): number => Math.floor(voters / 2) + 1;

const votersOf = (members: readonly Member[]): Member[] => members.filter((m) => !m.learner);
const names = (members: readonly Member[]): string => members.map(nameOf).sort().join(', ');
/** What a person calls a member: its machine, or where it should be while it has not started. */
export const nameOf = (m: Member): string => m.name || `at ${m.peers[0] ?? m.id} (never started)`;

/** The Machine of a member: of its name; of its address while it has not started. */
export const ownerOf = (m: Member, machines: readonly Machine[]): Machine | undefined =>
  machines.find((x) =>
    m.name ? x.metadata.name === m.name : x.status?.server.addresses?.some((a) => m.peers.includes(a)),
  );

/** Whether a Machine goes and its etcd member is, as far as was said, not yet out. */
export const awaitsRemoval = (m: Machine): boolean =>
  m.spec.role === 'control-plane' &&
  m.metadata.deletionTimestamp !== undefined &&
  findCondition(m.status?.bootstrap.conditions, MACHINE_CONDITIONS.memberRemoved)?.status !== 'True';

/** Whether a leaving Machine serves nobody any more, so that its member may go: drained, and out of the API's endpoint; or never joined, or gone. */
export function mayLoseMember(m: Machine): boolean {
  const { server, bootstrap } = m.status ?? {};
  if (!m.metadata.deletionTimestamp) return false;
  if (server?.state === 'Gone' || !bootstrap?.joinedAt) return true;
  const endpoint = findCondition(server?.conditions, 'InEndpoint');
  const drained = findCondition(bootstrap.conditions, MACHINE_CONDITIONS.drained);
  return endpoint?.status === 'False' && endpoint.reason === 'Removed' && drained?.reason === 'WaitingForMember';
}

/** Whether too few members answer to decide anything; members without a vote count for nothing. */
export function hasLostQuorum(members: readonly Member[]): boolean {
  const voters = votersOf(members);
  return voters.filter((m) => m.healthy).length < quorumOf(voters.length);
}

/**
 * Whether self-healing has the machine rebooted or replaced, so that its member counts as silent though it may answer still: an order is not carried
 * out yet, or is given its time to help. One that leaves in order to be replaced is not touched before its member is out.
 */
export function isUnderOrder({ metadata, status }: Machine): boolean {
  const order = status?.health?.order;
  if (!order || (metadata.deletionTimestamp && order.action === 'Replace')) return false;
  const said = findCondition(status.health.conditions, 'Remediation')?.status;
  return order.number > (status.server?.handled ?? 0) || said === 'Unknown' || said === 'True';
}

/**
 * The next step towards the members that should be: those of Machines that stay.
 *
 * A member goes when its Machine does, or when it has none and does not answer; those that do not answer first, the leader last and only
 * after another leads. Never below a majority by our hand, and never the last one. Who stays and is being healed counts as not answering.
 *
 * @param machines - control-plane Machines of the Cluster, read live
 */
export function nextStep(members: readonly Member[], machines: readonly Machine[]): Step {
  const leaving = members
    .map((member) => ({ member, machine: ownerOf(member, machines) }))
    .filter(({ member, machine }) => (machine ? mayLoseMember(machine) : !member.answers))
    .sort((a, b) => rank(a.member) - rank(b.member) || (a.member.id < b.member.id ? -1 : 1));
  const [first] = leaving;
  if (!first) return { do: 'nothing' };
  const { member, machine } = first;
  if (hasLostQuorum(members)) return { do: 'wait', ...lost(members), machine };
  if (member.learner) return { do: 'remove', member, machine };

  const rest = votersOf(members).filter((m) => m !== member);
  if (rest.length === 0) {
    const message = `${nameOf(member)} is the last etcd member: with it the cluster's data would go. Delete the cluster, or let another control-plane machine join first`;
    return { do: 'wait', reason: 'LastMember', message, machine };
  }
  const isWell = (m: Member): boolean => {
    const owner = ownerOf(m, machines);
    // With one that is silent itself nothing is lost, whoever is about to be silent too.
    return m.healthy && !(member.healthy && owner && isUnderOrder(owner));
  };
  const healthy = rest.filter(isWell);
  if (healthy.length < quorumOf(rest.length)) {
    const sick = rest.filter((m) => !isWell(m));
    const message = `etcd member ${nameOf(member)} stays: without it ${healthy.length} of ${rest.length} would answer, and ${quorumOf(rest.length)} must. It goes on by itself when ${names(sick)} answers again, is healed, or is replaced`;
    return { do: 'wait', reason: 'QuorumAtRisk', message, machine };
  }
  if (!member.leader) return { do: 'remove', member, machine };
  const going = new Set(leaving.map((l) => l.member));
  const stays = (m: Member): boolean => !going.has(m) && !ownerOf(m, machines)?.metadata.deletionTimestamp;
  const to = healthy.find(stays) ?? healthy[0];
  return to ? { do: 'move-leader', from: member, to, machine } : { do: 'nothing' };
}

/** Dead ones first: each makes the majority safer that goes. The leader last. */
const rank = (m: Member): number => (m.leader ? 2 : m.answers ? 1 : 0);

function lost(members: readonly Member[]): Held {
  const voters = votersOf(members);
  const silent = voters.filter((m) => !m.healthy);
  return {
    reason: 'QuorumLost',
    message: `etcd has lost its majority: ${names(silent)} of ${voters.length} members do not answer. Nothing is changed by Shoto until a person has decided; what to do: ${RUNBOOK}`,
  };
}

/** What is to be said of an etcd: the condition EtcdHealthy. The same words as long as the same is the matter. */
export function verdictOf(members: readonly Member[], machines: readonly Machine[]): Verdict {
  if (hasLostQuorum(members)) return { status: 'False', ...lost(members) };
  const silent = members.filter((m) => !m.healthy && (m.name !== '' || !m.learner));
  const strange = members.filter((m) => m.answers && !ownerOf(m, machines));
  if (strange.length > 0)
    return {
      status: 'False',
      reason: 'MemberUnknown',
      message: `etcd has a member that belongs to no machine and answers: ${names(strange)}. Shoto removes no member that lives and is not its own; take it out with etcdctl member remove`,
    };
  if (silent.length > 0)
    return {
      status: 'False',
      reason: 'MemberUnhealthy',
      message: `etcd members do not answer: ${names(silent)}. The majority does; no further control-plane machine may join meanwhile`,
    };
  const voters = votersOf(members).length;
  return { status: 'True', reason: 'Healthy', message: `${voters} of ${voters} members of etcd answer` };
}

/**
 * Whether a control-plane machine may join now: kubeadm waits without a word on any member that does not answer, and etcd takes one new
 * member at a time.
 *
 * @param now - milliseconds since the epoch
 * @returns why not; undefined where it may
 */
export function whyNoJoin(
  joiner: Machine,
  members: readonly Member[],
  machines: readonly Machine[],
  now: number,
): string | undefined {
  if (hasLostQuorum(members)) return lost(members).message;
  for (const m of members) {
    const owner = ownerOf(m, machines);
    const name = nameOf(m);
    if (!owner)
      return m.answers
        ? `etcd member ${name} belongs to no machine: take it out with etcdctl member remove`
        : `etcd member ${name} belongs to no machine and does not answer; it is being removed`;
    // What an attempt of its own has left, kubeadm takes up again or removes; but not where its data is lost.
    if (owner.metadata.uid === joiner.metadata.uid) {
      if (m.name === '' || m.healthy) continue;
      return `etcd has a member of this machine that does not answer, from an attempt to join that failed: it waits until the machine is replaced`;
    }
    if (owner.metadata.deletionTimestamp) return `etcd member ${name} is still to be removed: its machine leaves`;
    if (m.name === '' || m.learner) return `etcd member ${name} joins; etcd takes one at a time`;
    if (!m.healthy) return `etcd member ${name} does not answer`;
  }
  const unseen = machines.find((x) => {
    const joinedAt = x.status?.bootstrap.joinedAt;
    return (
      joinedAt &&
      !x.metadata.deletionTimestamp &&
      now - Date.parse(joinedAt) < SETTLE_MS &&
      !members.some((m) => m.name === x.metadata.name)
    );
  });
  return unseen ? `${unseen.metadata.name} has joined, but its etcd member is not seen yet` : undefined;
}

/** What is to be said of an etcd of which nobody can be asked. @param isLong - it has been so for a while */
export function verdictOfSilence(machines: readonly Machine[], why: string, isLong: boolean): Verdict {
  const joined = machines.filter((m) => m.status?.bootstrap.joinedAt);
  const dead = joined.filter(isDead);
  const isLost = joined.length - dead.length < quorumOf(joined.length);
  if (joined.length > 1 && (isLost || isLong)) {
    const who = dead.map((m) => m.metadata.name).sort();
    const seen = who.length > 0 ? `, and ${who.join(', ')} of ${joined.length} control-plane machines are down` : '';
    return {
      status: 'False',
      reason: 'QuorumLost',
      message: `no member of etcd can be asked${seen}: it has probably lost its majority. Nothing is changed by Shoto until a person has decided; what to do: ${RUNBOOK}`,
    };
  }
  return { status: 'False', reason: 'NoAnswer', message: `no member of etcd can be asked: ${why}` };
}

/** Whether a machine runs nothing, as far as cloud and nodes say. */
export function isDead(m: Machine): boolean {
  const { server, health } = m.status ?? {};
  return (
    server?.state === 'Gone' ||
    server?.state === 'Stopped' ||
    server?.state === 'Error' ||
    server?.state === 'Deleting' ||
    health?.unreachable === true
  );
}
