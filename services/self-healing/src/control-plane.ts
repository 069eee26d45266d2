import { etcdMemberOf, type Machine } from '@shoto/api';

/** The control plane of one cluster, as far as etcd's quorum goes. */
export interface Quorum {
  /** Machines that joined, those on their way out among them until their member is out. */
  members: number;
  /** Keys of those that serve: Ready, their server runs, nothing ails them. One on its way out serves until its member is out. */
  serving: ReadonlySet<string>;
  /** Keys of those on their way out whose member is being taken out now, or that do not serve: they are waited for. */
  going: ReadonlySet<string>;
}

/** Why a control-plane machine is not touched. */
export interface Refusal {
  reason: 'CannotReplaceLoneControlPlane' | 'QuorumLost' | 'ControlPlaneOneAtATime';
  message: string;
}

/**
 * @param machines - control-plane Machines of one cluster, leaving ones too
 * @param sick - keys of those that ail
 */
export function quorumOf(machines: readonly { key: string; machine: Machine }[], sick: ReadonlySet<string>): Quorum {
  const members = machines.filter((m) => etcdMemberOf(m.machine) !== 'none');
  const serves = ({ key, machine: { status } }: (typeof members)[number]): boolean =>
    status?.health?.ready === true && status.server?.state === 'Active' && !sick.has(key);
  const isGoing = (m: (typeof members)[number]): boolean =>
    m.machine.metadata.deletionTimestamp !== undefined && (etcdMemberOf(m.machine) === 'leaving' || !serves(m));
  return {
    members: members.length,
    serving: new Set(members.filter(serves).map((m) => m.key)),
    going: new Set(members.filter(isGoing).map((m) => m.key)),
  };
}

/**
 * Whether a control-plane machine may be rebooted or replaced: one at a time, and only if the others have the quorum without it. A lone one may be
 * rebooted, since it is down already, but never replaced: the cluster's state is on its disk.
 *
 * One on its way out that still serves holds nothing: it may itself wait for the sick one, without which etcd would have no quorum when it goes.
 *
 * @param joined - it is a member; one that never joined takes nothing with it
 */
export function mayTouch(
  q: Quorum,
  { key, joined, action }: { key: string; joined: boolean; action: 'Reboot' | 'HardReboot' | 'Replace' },
): Refusal | undefined {
  const isOtherGoing = [...q.going].some((k) => k !== key);
  if (isOtherGoing)
    return {
      reason: 'ControlPlaneOneAtATime',
      message: 'another control-plane machine of the cluster is on its way out of etcd',
    };
  if (!joined) return undefined;
  if (q.members <= 1)
    return action === 'Replace'
      ? {
          reason: 'CannotReplaceLoneControlPlane',
          message:
            "it is the cluster's only control-plane machine, and the cluster's state is on its disk: a person must mend the server (docs/runbooks/control-plane-unhealthy.md)",
        }
      : undefined;
  const others = [...q.serving].filter((k) => k !== key).length;
  const needed = Math.floor(q.members / 2) + 1;
  return others < needed
    ? {
        reason: 'QuorumLost',
        message: `etcd's quorum is lost or would be: of ${q.members} control-plane machines ${needed} must serve without this one. Nothing is done by itself; docs/runbooks/control-plane-unhealthy.md says what to do`,
      }
    : undefined;
}
