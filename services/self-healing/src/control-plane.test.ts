import { keyOf } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { aMachine, condition } from '../test/world.ts';
import { mayTouch, quorumOf } from './control-plane.ts';

type State = 'serves' | 'sick' | 'leaving' | 'out' | 'new';
const AWAY = '2026-11-01T11:00:00Z';

/** Control-plane machines in these states; the first is the one in question. */
function planes(...states: State[]) {
  const all = states.map((state, i) => {
    const machine = aMachine('web', `cp${i}`, {
      role: 'control-plane',
      ...(state === 'leaving' || state === 'out' ? { deletionTimestamp: AWAY } : {}),
      ...(state === 'new' ? { bootstrap: { joinedAt: undefined } } : {}),
      ...(state === 'out' ? { bootstrap: { conditions: [condition('MemberRemoved', 'True', 'Removed')] } } : {}),
    });
    return { key: keyOf(machine), machine, state };
  });
  return quorumOf(all, new Set(all.filter((m) => m.state === 'sick').map((m) => m.key)));
}
const ask = (action: 'Reboot' | 'Replace', states: State[]) =>
  mayTouch(planes(...states), { key: 'tenant-blue/cp0', joined: states[0] !== 'new', action })?.reason;

describe('a control-plane machine', () => {
  it.each<[string, 'Reboot' | 'Replace', State[], string | undefined]>([
    ['of three, one sick', 'Replace', ['sick', 'serves', 'serves'], undefined],
    ['of three, two sick', 'Replace', ['sick', 'sick', 'serves'], 'QuorumLost'],
    ['of three, two sick, is not rebooted either', 'Reboot', ['sick', 'sick', 'serves'], 'QuorumLost'],
    ['of five, two sick', 'Replace', ['sick', 'sick', 'serves', 'serves', 'serves'], undefined],
    ['of five, three sick', 'Replace', ['sick', 'sick', 'sick', 'serves', 'serves'], 'QuorumLost'],
    ['of two, while the cluster grows', 'Replace', ['sick', 'serves'], 'QuorumLost'],
    ['that is the only one', 'Replace', ['sick'], 'CannotReplaceLoneControlPlane'],
    ['that is the only one may be rebooted', 'Reboot', ['sick'], undefined],
    ['that never joined takes no member with it', 'Replace', ['new', 'serves'], undefined],
    ['while another leaves', 'Replace', ['sick', 'serves', 'serves', 'leaving'], 'ControlPlaneOneAtATime'],
    ['while another has left etcd and not the cloud', 'Replace', ['sick', 'serves', 'out'], 'ControlPlaneOneAtATime'],
  ])('%s: %s', (_title, action, states, expected) => {
    expect(ask(action, states)).toBe(expected);
  });
});
