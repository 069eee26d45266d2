import { etcdMemberOf, keepOf, type Machine } from '@shoto/api';
import { openOrder } from '../machine/decide-order.ts';

/** A node that has just joined may take so long to become ready before it counts as sick. */
const NEWCOMER_MS = 600_000;

/** A Machine that is not on its way out, and how it stands. */
export interface Standing {
  machine: Machine;
  name: string;
  zone: string | undefined;
  /** Its node has joined. */
  joined: boolean;
  /** Its node has joined, is Ready, and its pod network works. */
  usable: boolean;
  /** It is not coming back: its server is gone, or self-healing wants it replaced. */
  lost: boolean;
  /** It is sick, or something is being done about it: no replacement begins meanwhile. */
  sick: boolean;
  /** Kept for study, or was: it does not count. */
  keep: 'no' | 'kept' | 'over';
  /** Why it is outdated, in words; empty: it is not. */
  outdated: readonly string[];
}

export const isLeaving = (m: Machine): boolean => m.metadata.deletionTimestamp !== undefined;
export const hasJoined = (m: Machine): boolean => m.status?.bootstrap?.joinedAt !== undefined;
/** Whether a control-plane Machine has a vote in etcd, as far as was said. */
export const isMember = (m: Machine): boolean => etcdMemberOf(m) !== 'none';
const ordersReplacement = (m: Machine): boolean => m.status?.health?.order?.action === 'Replace';

/**
 * How a Machine stands.
 *
 * @param outdated - as outdated.ts says
 * @param now - milliseconds since the epoch
 */
export function standingOf(machine: Machine, outdated: readonly string[], now: number): Standing {
  const { server, health, bootstrap } = machine.status ?? {};
  const joined = hasJoined(machine);
  // Only workers can be kept: a kept control-plane machine would be a member of etcd that nobody heals.
  const keep = machine.spec.role === 'worker' ? keepOf(machine, now).state : 'no';
  const lost = server?.state === 'Gone' || ordersReplacement(machine);
  const usable = joined && !lost && health?.ready === true;
  const ordered = openOrder(machine) !== undefined;
  const isNewcomer =
    health?.sickSince === undefined &&
    (health?.ready === undefined || Date.parse(bootstrap?.joinedAt ?? '') > now - NEWCOMER_MS);
  return {
    machine,
    name: machine.metadata.name,
    zone: machine.spec.zone,
    joined,
    usable,
    lost,
    sick: keep === 'no' && (lost || ordered || (joined && !usable && !isNewcomer)),
    keep,
    outdated,
  };
}

/** The machine may be replaced in order to mend it: it is the only sick one, nothing is being tried with it, and it is outdated anyway. */
export const isMendedByReplacement = (s: Standing): boolean =>
  s.joined && !s.lost && s.outdated.length > 0 && openOrder(s.machine) === undefined;
