import { keyOf } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { aMachine, condition } from '../test/world.ts';
import { mayTouch, quorumOf } from './control-plane.ts';

/** `leaving` serves until its member goes; `removing`: that goes now; `dying` leaves and does not serve; `out`: its member is out of etcd. */
type State = 'serves' | 'sick' | 'leaving' | 'removing' | 'dying' | 'out' | 'new';
const LEAVES: ReadonlySet<State> = new Set(['leaving', 'removing', 'dying', 'out']);
const SAID: Partial<Record<State, object>> = {
  out: condition('MemberRemoved', 'True', 'Removed'),
  removing: condition('MemberRemoved', 'False', 'Removing'),
  leaving: condition('MemberRemoved', 'False', 'QuorumAtRisk'),
};
const AWAY = '2026-11-01T11:00:00Z';

/** Control-plane machines in these states; the first is the one in question. */
function planes(...states: State[]) {
  const all = states.map((state, i) => {
    const machine = aMachine('web', `cp${i}`, {
      role: 'control-plane',
      ...(LEAVES.has(state) ? { deletionTimestamp: AWAY } : {}),
      ...(state === 'dying' ? { health: { ready: false } } : {}),
      ...(state === 'new' ? { bootstrap: { joinedAt: undefined } } : {}),
      ...(SAID[state] ? { bootstrap: { conditions: [SAID[state]] } } : {}),
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
    ['while another leaves and serves', 'Reboot', ['sick', 'serves', 'leaving'], undefined],
    ['while another leaves and serves, to be replaced', 'Replace', ['sick', 'serves', 'leaving'], undefined],
    [
      'while another leaves that has a quorum without it',
      'Replace',
      ['sick', 'serves', 'serves', 'leaving'],
      undefined,
    ],
    ['while two leave', 'Reboot', ['sick', 'leaving', 'leaving'], undefined],
    ['while too few serve, the leaving one among them', 'Reboot', ['sick', 'sick', 'leaving'], 'QuorumLost'],
    ['while etcd lets another go', 'Reboot', ['sick', 'serves', 'removing'], 'ControlPlaneOneAtATime'],
    [
      'while another leaves that is dead',
      'Replace',
      ['sick', 'serves', 'serves', 'serves', 'dying'],
      'ControlPlaneOneAtATime',
    ],
    ['while another has left etcd and not the cloud', 'Replace', ['sick', 'serves', 'serves', 'out'], undefined],
    ['while another has left etcd, and one is left', 'Reboot', ['sick', 'serves', 'out'], 'QuorumLost'],
    ['that never joined, while another leaves and serves', 'Replace', ['new', 'serves', 'leaving'], undefined],
    [
      'that never joined, while etcd lets another go',
      'Replace',
      ['new', 'serves', 'removing'],
      'ControlPlaneOneAtATime',
    ],
  ])('%s: %s', (_title, action, states, expected) => {
    expect(ask(action, states)).toBe(expected);
  });
});
