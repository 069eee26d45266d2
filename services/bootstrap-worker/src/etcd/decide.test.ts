import type { Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine, START } from '../../test/builders.ts';
import {
  hasLostQuorum,
  isUnderOrder,
  mayLoseMember,
  nextStep,
  verdictOf,
  verdictOfSilence,
  whyNoJoin,
} from './decide.ts';
import type { Member } from './etcdctl.ts';

const NOW = START + 3_600_000;
const joined = { joinedAt: new Date(START).toISOString(), keyHash: 'k' };
const said = (type: string, reason: string, status = 'False') => ({
  type,
  status,
  reason,
  message: '',
  lastTransitionTime: '',
});
const orderOf = (action: 'Reboot' | 'Replace') => ({
  number: 1,
  action,
  at: '2026-01-01T00:00:00Z',
  reason: 'NodeSilent',
});
const addressOf = (name: string): string => `10.8.0.${name.charCodeAt(0)}`;

/** `a`: a member that is well. `a!`: silent. `a*`: leads. `a~`: a learner. `a?`: a learner that never started, at the
 * address of a; `a?v` with a vote. */
function members(text: string): Member[] {
  return text
    .split(' ')
    .filter(Boolean)
    .map((word, i) => {
      const name = word[0] ?? '';
      const is = (mark: string): boolean => word.includes(mark);
      return {
        id: String(i + 1),
        name: is('?') ? '' : name,
        peers: [addressOf(name)],
        clientUrls: is('?') ? [] : [`https://${addressOf(name)}:2379`],
        learner: is('~') || (is('?') && !is('v')),
        answers: !is('!') && !is('?'),
        healthy: !is('!') && !is('?'),
        leader: is('*'),
      };
    });
}

/** `a`: a machine that stays. `a-`: one that leaves, drained and out of the endpoint. `a=`: leaves, not yet so far. `a+`: joins now.
 * `ar`: it is to be rebooted. `aR`: to be replaced. */
function machines(text: string): Machine[] {
  const cluster = aCluster();
  return text
    .split(' ')
    .filter(Boolean)
    .map((word) => {
      const name = word[0] ?? '';
      const leaves = /[-=]/.test(word);
      const isOut = word.includes('-');
      return aMachine(cluster, {
        name,
        metadata: leaves ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {},
        bootstrap: word.includes('+')
          ? { keyHash: 'k' }
          : { ...joined, ...(isOut ? { conditions: [said('Drained', 'WaitingForMember')] } : {}) },
        server: { addresses: [addressOf(name)], ...(isOut ? { conditions: [said('InEndpoint', 'Removed')] } : {}) },
        ...(/[rR]/.test(word) ? { health: { order: orderOf(word.includes('R') ? 'Replace' : 'Reboot') } } : {}),
      });
    });
}

const show = (step: ReturnType<typeof nextStep>): string => {
  if (step.do === 'remove') return `remove ${step.member.name || `unstarted ${step.member.id}`}`;
  if (step.do === 'move-leader') return `lead ${step.to.name}`;
  return step.do === 'wait' ? step.reason : 'nothing';
};

describe('which member goes now', () => {
  it.each([
    // What happens                                        members          machines       step
    ['nothing is amiss', 'a* b c', 'a b c', 'nothing'],
    ['a machine leaves', 'a* b c', 'a b c-', 'remove c'],
    ['it is not yet drained and out of the endpoint', 'a* b c', 'a b c=', 'nothing'],
    ['the leader leaves: another leads first', 'a* b c', 'a- b c', 'lead b'],
    ['then it goes', 'a b* c', 'a- b c', 'remove a'],
    ['the new leader is one that stays', 'a* b c', 'a- b- c', 'remove b'],
    ['of two that leave the leader is last', 'a* c', 'a- b- c', 'lead c'],
    ['and takes a member that is well', 'a* b! c d e', 'a- b c d e', 'lead c'],
    ['a silent one that leaves goes first', 'a* b! c', 'a- b- c', 'remove b'],
    ['a silent one that stays is not ours to remove', 'a* b c!', 'a b c', 'nothing'],
    ['one without a machine does not answer', 'a* b c!', 'a b', 'remove c'],
    ['one without a machine answers', 'a* b c', 'a b', 'nothing'],
    ['without it too few would be well', 'a* b c!', 'a b- c', 'QuorumAtRisk'],
    ['of two, the silent one goes with the majority', 'a* b!', 'a b-', 'QuorumLost'],
    ['of two, one leaves', 'a* b', 'a b-', 'remove b'],
    ['of two, the leader leaves', 'a b*', 'a b-', 'lead a'],
    ['of three, two are silent', 'a b! c!', 'a b- c', 'QuorumLost'],
    ['of five, two are silent and leave', 'a* b c d! e!', 'a b c d- e-', 'remove d'],
    ['of five, two are silent and one of the well leaves', 'a* b c d! e!', 'a b c- d e', 'QuorumAtRisk'],
    ['without it too few would be well, since one that answers is to be rebooted', 'a* b c', 'a b- cr', 'QuorumAtRisk'],
    ['or to be replaced', 'a* b c', 'a b- cR', 'QuorumAtRisk'],
    ['with the one to be replaced on its way out too, each is waited for in turn', 'a* b c', 'a b- cR-', 'remove b'],
    ['one that is to be replaced, and is silent, goes first', 'a* b c!', 'a b- cR-', 'remove c'],
    ['a silent one goes, though another is to be rebooted', 'a* b c!', 'a br c-', 'remove c'],
    ['of four, one is to be rebooted', 'a* b c d', 'a b cr d-', 'remove d'],
    ['the leadership does not go to one that is to be rebooted', 'a* b c d', 'a- br c d', 'lead c'],
    ['the last one leaves', 'a*', 'a-', 'LastMember'],
    ['the last one leaves while another learns', 'a* b~', 'a- b+', 'LastMember'],
    ['one never started, and its machine is no more', 'a* b c?', 'a b', 'remove unstarted 3'],
    ['one never started, and its machine joins', 'a* b c?', 'a b c+', 'nothing'],
    ['one never started, and its machine leaves', 'a* c?', 'a c-', 'remove unstarted 2'],
    ['one never started, has a vote all the same, and its machine is no more', 'a* b c?v', 'a b', 'remove unstarted 3'],
    ['one never started, and has a vote that is missing', 'a c?v', 'a', 'QuorumLost'],
    ['a learner whose machine leaves, before it has joined', 'a* b~', 'a b-', 'remove b'],
    ['a learner counts for no majority', 'a* b~ c~', 'a- b c', 'LastMember'],
  ])('%s', (_, etcd, of, step) => {
    expect(show(nextStep(members(etcd), machines(of)))).toBe(step);
  });

  it('never leaves fewer than a majority, whoever is silent and whoever leaves', () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    let removals = 0;
    for (let n = 1; n <= 5; n++)
      for (let silent = 0; silent < 2 ** n; silent++)
        for (let leaving = 0; leaving < 2 ** n; leaving++) {
          const own = names.slice(0, n);
          const leader = own.findIndex((_, i) => !(silent & (1 << i)));
          const all = members(
            own.map((x, i) => `${x}${silent & (1 << i) ? '!' : ''}${i === leader ? '*' : ''}`).join(' '),
          );
          const of = machines(own.map((x, i) => `${x}${leaving & (1 << i) ? '-' : ''}`).join(' '));
          const step = nextStep(all, of);
          if (step.do !== 'remove') continue;
          removals++;
          const rest = all.filter((m) => m !== step.member);
          expect(rest.length).toBeGreaterThan(0);
          expect(hasLostQuorum(all)).toBe(false);
          expect(hasLostQuorum(rest)).toBe(false);
          expect(step.member.leader).toBe(false);
          expect(step.machine?.metadata.deletionTimestamp).toBeDefined();
        }
    expect(removals).toBeGreaterThan(100);
  });

  it('says by name what a removal waits for', () => {
    const step = nextStep(members('a* b c!'), machines('a b- c'));
    expect(step).toMatchObject({
      machine: { metadata: { name: 'b' } },
      message:
        'etcd member b stays: without it 1 of 2 would answer, and 2 must. It goes on by itself when c answers again, is healed, or is replaced',
    });
    expect(nextStep(members('a b! c!'), machines('a b- c'))).toMatchObject({
      message: expect.stringContaining('b, c of 3 members do not answer'),
    });
    expect(nextStep(members('a b! c!'), machines('a b- c'))).toMatchObject({
      message: expect.stringContaining('docs/runbooks/etcd-quorum-lost.md'),
    });
  });
});

describe('whether a machine is under an order of self-healing', () => {
  const handled = { handled: 1 };
  const remediation = (status: string) => [said('Remediation', 'x', status)];
  it.each<[string, Parameters<typeof aMachine>[1], boolean]>([
    ['none was ever given', {}, false],
    ['it is not carried out', { health: { order: orderOf('Reboot') } }, true],
    [
      'it was carried out a moment ago',
      { server: handled, health: { order: orderOf('Reboot'), conditions: remediation('Unknown') } },
      true,
    ],
    [
      'it is given its time to help',
      { server: handled, health: { order: orderOf('Reboot'), conditions: remediation('True') } },
      true,
    ],
    [
      'it has helped',
      { server: handled, health: { order: orderOf('Reboot'), conditions: remediation('False') } },
      false,
    ],
    [
      'it leaves in order to be replaced',
      { metadata: { deletionTimestamp: 'x' }, health: { order: orderOf('Replace') } },
      false,
    ],
    [
      'it leaves and is being rebooted',
      { metadata: { deletionTimestamp: 'x' }, health: { order: orderOf('Reboot') } },
      true,
    ],
  ])('%s: %s', (_, o, is) => {
    expect(isUnderOrder(aMachine(aCluster(), o))).toBe(is);
  });
});

describe('when a leaving machine may lose its member', () => {
  const cluster = aCluster();
  const deletion = { metadata: { deletionTimestamp: 'x' } };
  const drained = { ...joined, conditions: [said('Drained', 'WaitingForMember')] };
  const out = { conditions: [said('InEndpoint', 'Removed')] };
  it.each<[string, Machine, boolean]>([
    ['drained and out of the endpoint', aMachine(cluster, { ...deletion, bootstrap: drained, server: out }), true],
    ['still in the endpoint', aMachine(cluster, { ...deletion, bootstrap: drained }), false],
    ['not drained', aMachine(cluster, { ...deletion, bootstrap: joined, server: out }), false],
    ['its server is gone', aMachine(cluster, { ...deletion, bootstrap: joined, server: { state: 'Gone' } }), true],
    ['it never joined', aMachine(cluster, { ...deletion, bootstrap: { keyHash: 'k' } }), true],
    ['it stays', aMachine(cluster, { bootstrap: drained, server: out }), false],
  ])('%s', (_, machine, may) => {
    expect(mayLoseMember(machine)).toBe(may);
  });
});

describe('what is said of an etcd', () => {
  it.each([
    ['a* b c', 'a b c', 'Healthy', '3 of 3 members of etcd answer'],
    ['a* b~', 'a b+', 'Healthy', '1 of 1 members of etcd answer'],
    ['a* b c!', 'a b c', 'MemberUnhealthy', 'etcd members do not answer: c.'],
    ['a* b x', 'a b', 'MemberUnknown', 'belongs to no machine and answers: x.'],
    ['a b! c!', 'a b c', 'QuorumLost', 'b, c of 3 members do not answer'],
  ])('of %s with machines %s: %s', (etcd, of, reason, message) => {
    const verdict = verdictOf(members(etcd), machines(of));
    expect(verdict).toMatchObject({ reason, status: reason === 'Healthy' ? 'True' : 'False' });
    expect(verdict.message).toContain(message);
  });

  it('of which nobody can be asked: lost where most machines are down or it lasts, not before', () => {
    const down = (list: Machine[], names: string): Machine[] =>
      list.map((m) =>
        names.includes(m.metadata.name)
          ? {
              ...m,
              status: { ...(m.status as NonNullable<Machine['status']>), server: { revision: 1, state: 'Stopped' } },
            }
          : m,
      );
    const three = machines('a b c');
    expect(verdictOfSilence(three, 'why', false)).toMatchObject({
      reason: 'NoAnswer',
      message: expect.stringContaining('why'),
    });
    expect(verdictOfSilence(down(three, 'c'), 'why', false).reason).toBe('NoAnswer');
    expect(verdictOfSilence(down(three, 'bc'), 'why', false)).toMatchObject({
      reason: 'QuorumLost',
      message: expect.stringContaining('b, c of 3 control-plane machines are down'),
    });
    expect(verdictOfSilence(three, 'why', true).reason).toBe('QuorumLost');
    // One member alone loses no majority: it is down, and comes back with its machine.
    expect(verdictOfSilence(down(machines('a'), 'a'), 'why', true).reason).toBe('NoAnswer');
  });
});

describe('whether a machine may join', () => {
  const joiner = (of: string): Machine => machines(of).findLast((m) => !m.status?.bootstrap.joinedAt) as Machine;
  it.each([
    ['a*', 'a d+', undefined],
    ['a* b c', 'a b c d+', undefined],
    ['a* b c!', 'a b c d+', 'etcd member c does not answer'],
    ['a* b c!', 'a b d+', 'etcd member c belongs to no machine and does not answer; it is being removed'],
    ['a* b c', 'a b d+', 'etcd member c belongs to no machine: take it out with etcdctl member remove'],
    ['a* b c', 'a b c= d+', 'etcd member c is still to be removed: its machine leaves'],
    ['a* c?', 'a c+ d+', 'etcd member at 10.8.0.99 (never started) joins; etcd takes one at a time'],
    ['a* c~', 'a c+ d+', 'etcd member c joins; etcd takes one at a time'],
    ['a b!', 'a b d+', 'etcd has lost its majority: b of 2 members do not answer.'],
    ['a* d?', 'a d+', undefined], // kubeadm takes up what its own attempt has left
    ['a* d', 'a d+', undefined], // it joined, and could not say so: its kubeadm takes the member out and joins again
    ['a* b d!', 'a b d+', 'etcd has a member of this machine that does not answer'],
  ])('members %s, machines %s: %s', (etcd, of, why) => {
    const said = whyNoJoin(joiner(of), members(etcd), machines(of), NOW);
    if (why === undefined) expect(said).toBeUndefined();
    else expect(said).toContain(why);
  });

  it('waits until the member of the machine before is seen, but not for ever', () => {
    const of = machines('a b d+');
    const before = START + 60_000;
    expect(whyNoJoin(joiner('a b d+'), members('a*'), of, before)).toBe(
      'b has joined, but its etcd member is not seen yet',
    );
    expect(whyNoJoin(joiner('a b d+'), members('a* b'), of, before)).toBeUndefined();
    expect(whyNoJoin(joiner('a b d+'), members('a*'), of, NOW)).toBeUndefined();
  });
});
