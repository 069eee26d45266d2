import { describe, expect, it } from 'vitest';
import { type MachineOptions, machineNamed, NOW } from '../testing/fleet.ts';
import { type ControlPlaneInput, planControlPlane } from './plan-control-plane.ts';
import { type Standing, standingOf } from './standing.ts';

type Options = MachineOptions & { outdated?: boolean };
const stand = (name: string, o: Options = {}): Standing =>
  standingOf(
    machineNamed(name, { pool: 'control-plane', ...o }),
    o.outdated ? ['release v1.35.4 -> v1.36.3'] : [],
    NOW,
  );
/** A control plane of these: `a` usable, `o` outdated, `j` joining, `J` joining and outdated, `n` not ready, `x` to be replaced, `X` its server gone. */
const KINDS: Record<string, Options> = {
  a: {},
  o: { outdated: true },
  j: { joined: false },
  J: { joined: false, outdated: true },
  n: { ready: false },
  x: {
    ready: false,
    health: { order: { number: 1, action: 'Replace', at: '2026-03-02T11:00:00Z', reason: 'NodeSilent' } },
  },
  X: { ready: false, server: { state: 'Gone' } },
};
const these = (kinds: string): Standing[] => [...kinds].map((k, i) => stand(`${k.toLowerCase()}${i}`, KINDS[k]));

type Input = Partial<Omit<ControlPlaneInput, 'leaving'>> & { leaving?: string };
/** @param o - `leaving`: those on their way out: `a` usable still, `n` not, `-` its member is out of etcd */
const plan = (count: number, kinds: string, { leaving = '', ...o }: Input = {}) => {
  const p = planControlPlane({
    count,
    standing: these(kinds),
    leaving: [...leaving].map((k) => ({ isMember: k !== '-', usable: k === 'a' })),
    initialized: true,
    rolling: true,
    bears: true,
    removals: true,
    ...o,
  });
  return {
    births: p.births,
    removals: p.removals.map((r) => r.machine.metadata.name),
    held: p.held?.reason,
    done: p.done,
  };
};
const nothing = { births: 0, removals: [] };

describe('a control plane that runs', () => {
  it.each<[string, number, string, object, Input?]>([
    ['is left alone when it is as asked for', 3, 'aaa', { ...nothing, done: true }],
    ['is scaled up at once', 3, 'a', { births: 2, removals: [] }],
    ['is scaled up at once by as many as lack', 5, 'aaaj', { births: 1, removals: [] }],
    ['is scaled down one at a time', 1, 'aaa', { births: 0, removals: ['a2'] }],
    ['is not scaled down while one is on its way out', 1, 'aa', nothing, { leaving: 'a' }],
    ['is not scaled down while a machine that stays is not usable', 3, 'aaaan', { births: 0, removals: ['n4'] }],
    ['gives up what never joined first', 3, 'aaajn', { births: 0, removals: ['j3'] }],
    ['loses no usable member while others are a bare quorum', 1, 'an', { births: 0, removals: ['n1'] }],
  ])('%s', (_, count, kinds, expected, o) => {
    expect(plan(count, kinds, o)).toMatchObject(expected);
  });

  it.each<[string, number, string, object, Input?]>([
    ['begins with one machine more than asked for', 3, 'ooo', { births: 1, removals: [] }],
    ['waits until that one has joined', 3, 'oooj', nothing],
    ['waits until that one is usable', 3, 'ooon', nothing],
    ['then lets one outdated machine go', 3, 'oooa', { births: 0, removals: ['o2'] }],
    ['does not go on before that one is gone', 3, 'ooa', nothing, { leaving: 'a' }],
    ['goes on with the next', 3, 'ooa', { births: 1, removals: [] }],
    ['surges a single control plane to two', 1, 'o', { births: 1, removals: [] }],
    ['and back to one', 1, 'oa', { births: 0, removals: ['o0'] }],
    ['does not begin while one is not usable', 3, 'oon', nothing],
    ['does not begin while one joins', 3, 'ooj', nothing],
    ['does not begin while it may not', 3, 'ooo', nothing, { rolling: false }],
    ['does not begin with what cannot be made', 3, 'ooo', nothing, { bears: false }],
    ['ends what was begun, also when nothing may begin', 3, 'oooa', { removals: ['o2'] }, { rolling: false }],
    ['throws away at once what is outdated and never joined', 3, 'oooJ', { births: 0, removals: ['j3'] }],
    ['makes it anew at once where it is needed', 3, 'ooJ', { births: 1, removals: ['j2'] }],
    ['removes nothing where nothing may be removed', 3, 'oooa', nothing, { removals: false }],
    ['scales down the outdated first, all others being usable', 3, 'aaao', { births: 0, removals: ['o3'] }],
  ])('that is outdated %s', (_, count, kinds, expected, o) => {
    expect(plan(count, kinds, o)).toMatchObject(expected);
  });

  it.each<[string, number, string, object, Input?]>([
    ['is replaced at once, birth and removal together', 3, 'aax', { births: 1, removals: ['x2'] }],
    ['so is one whose server is gone', 3, 'aaX', { births: 1, removals: ['x2'] }],
    ['comes before what is outdated', 3, 'oox', { births: 1, removals: ['x2'] }],
    ['is replaced while its replacement is still joining', 3, 'aaxj', { births: 0, removals: ['x2'] }],
    [
      'goes beside another that leaves and serves, which may wait for it',
      3,
      'aax',
      { removals: ['x2'] },
      { leaving: 'a' },
    ],
    ['also where that makes the quorum', 3, 'ax', { births: 2, removals: ['x1'] }, { leaving: 'a' }],
    ['also where fewer are asked for', 1, 'ax', { births: 0, removals: ['x1'] }, { leaving: 'a' }],
    ['also where its server is gone', 1, 'aX', { births: 0, removals: ['x1'] }, { leaving: 'a' }],
    ['waits for another that leaves and does not serve', 5, 'aaax', { births: 1, removals: [] }, { leaving: 'n' }],
    ['goes beside another that is out of etcd', 3, 'aax', { removals: ['x2'] }, { leaving: '-' }],
    [
      'stays where the one that leaves is out of etcd and one is left',
      3,
      'nx',
      { removals: [], held: 'QuorumLost' },
      { leaving: '-' },
    ],
    ['stays where with the leaving one too few serve', 3, 'nx', { removals: [], held: 'QuorumLost' }, { leaving: 'a' }],
    [
      'goes before what never joined and is outdated, which waits',
      3,
      'aJ',
      { births: 1, removals: [] },
      { leaving: 'a' },
    ],
    ['goes alone, though there are two', 5, 'aaaxx', { births: 1, removals: ['x3'] }],
    ['stays where the others are no quorum', 3, 'axx', { ...nothing, held: 'QuorumLost' }],
    ['stays where another is not usable', 3, 'anx', { ...nothing, held: 'QuorumLost' }],
    ['stays where it is the only one', 1, 'x', { ...nothing, held: 'QuorumLost' }],
    ['stays where nothing may be removed', 3, 'aax', { ...nothing, held: undefined }, { removals: false }],
  ])('and has a sick machine: it %s', (_, count, kinds, expected, o) => {
    expect(plan(count, kinds, o)).toMatchObject(expected);
  });
});

describe('a control plane that does not run yet', () => {
  it.each<[string, number, string, object, Input?]>([
    ['is born at once', 3, '', { births: 3, removals: [] }],
    ['is left alone while it boots', 3, 'jjj', nothing],
    ['replaces freely what is outdated, one at a time', 3, 'JJJ', { births: 1, removals: ['j0'] }],
    ['does so only when the last one is gone', 3, 'JJj', nothing, { leaving: 'a' }],
    // It joined, but its API never answered: nobody was let in.
    ['replaces what self-healing gave up', 1, 'x', { births: 1, removals: ['x0'] }],
    ['replaces one whose server is gone', 3, 'jX', { births: 2, removals: ['x1'] }],
    [
      'gives up the one that was told to begin last of all',
      1,
      'jjj',
      { births: 0, removals: ['j2'] },
      { initMachine: 'uid-j0' },
    ],
  ])('%s', (_, count, kinds, expected, o) => {
    expect(plan(count, kinds, { initialized: false, ...o })).toMatchObject(expected);
  });

  it('makes anew what was lost before it joined', () => {
    for (const kind of ['x', 'X']) {
      const given = stand('g', { ...KINDS[kind], joined: false });
      expect(plan(1, '', { initialized: false, standing: [given] })).toMatchObject({ births: 1, removals: ['g'] });
    }
  });
});
