import { findCondition } from './conditions.ts';
import type { Machine } from './kinds/machine.ts';

/**
 * What a control-plane Machine is to its cluster's etcd, as bootstrap-worker states it (condition `MemberRemoved`).
 *
 * `none`: it has not joined, or its member is out. `leaving`: the member is being taken out at this moment, which is stated before it is done.
 */
export function etcdMemberOf({ status }: Pick<Machine, 'status'>): 'none' | 'member' | 'leaving' {
  if (status?.bootstrap?.joinedAt === undefined) return 'none';
  const removed = findCondition(status.bootstrap.conditions, 'MemberRemoved');
  if (removed?.status === 'True') return 'none';
  return removed?.reason === 'Removing' || removed?.reason === 'MovingLeader' ? 'leaving' : 'member';
}
