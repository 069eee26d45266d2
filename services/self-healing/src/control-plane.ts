import { isTrue, type Machine } from '@shoto/api';

/** The control plane of one cluster, as far as etcd's quorum goes. */
export interface Quorum {
  /** Machines that joined, those on their way out among them until their member is out. */
  members: number;
  /** Keys of those that serve: Ready, their server runs, nothing ails them. */
  serving: ReadonlySet<string>;
  /** Keys of those that are on their way out. */
  leaving: ReadonlySet<string>;
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
  const members = machines.filter(
    ({ machine: { status } }) => status?.bootstrap?.joinedAt && !isTrue(status.bootstrap.conditions, 'MemberRemoved'),
  );
  const serves = ({ key, machine: { status, metadata } }: (typeof members)[number]): boolean =>
    status?.health?.ready === true &&
    status.server?.state === 'Active' &&
    !metadata.deletionTimestamp &&
    !sick.has(key);
  return {
    members: members.length,
    serving: new Set(members.filter(serves).map((m) => m.key)),
    leaving: new Set(machines.filter((m) => m.machine.metadata.deletionTimestamp).map((m) => m.key)),
  };
}

/**
 * Whether a control-plane machine may be rebooted or replaced: one at a time, and only if the others have the quorum without it. A lone one may be
 * rebooted, since it is down already, but never replaced: the cluster's state is on its disk.
 *
 * @param joined - it is a member; one that never joined takes nothing with it
 */
export function mayTouch(
  q: Quorum,
  { key, joined, action }: { key: string; joined: boolean; action: 'Reboot' | 'HardReboot' | 'Replace' },
): Refusal | undefined {
  const isOtherLeaving = [...q.leaving].some((k) => k !== key);
  if (isOtherLeaving)
    return {
      reason: 'ControlPlaneOneAtATime',
      message: 'another control-plane machine of the cluster is on its way out',
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
