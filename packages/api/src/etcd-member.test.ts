import { expect, it } from 'vitest';
import { etcdMemberOf } from './etcd-member.ts';
import type { Machine } from './kinds/machine.ts';

const AT = '2026-03-02T12:00:00Z';
const machine = (joined: boolean, said?: [status: 'True' | 'False', reason: string]): Pick<Machine, 'status'> =>
  ({
    status: {
      bootstrap: {
        revision: 1,
        ...(joined ? { joinedAt: AT } : {}),
        conditions: said
          ? [{ type: 'MemberRemoved', status: said[0], reason: said[1], message: '', lastTransitionTime: AT }]
          : [],
      },
    },
  }) as unknown as Machine;

it.each([
  ['has not joined', machine(false), 'none'],
  ['has joined', machine(true), 'member'],
  ['is to leave etcd and may not yet', machine(true, ['False', 'QuorumAtRisk']), 'member'],
  ['leaves etcd now', machine(true, ['False', 'Removing']), 'leaving'],
  ['leaves etcd now, leading it still', machine(true, ['False', 'MovingLeader']), 'leaving'],
  ['is out of etcd', machine(true, ['True', 'Removed']), 'none'],
  ['has no status', {}, 'none'],
])('a control-plane machine that %s', (_, m, expected) => {
  expect(etcdMemberOf(m)).toBe(expected);
});
