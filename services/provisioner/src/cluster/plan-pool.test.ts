import { describe, expect, it } from 'vitest';
import { type MachineOptions, machineNamed, NOW } from '../testing/fleet.ts';
import { type PoolInput, planPool } from './plan-pool.ts';
import { type Standing, standingOf } from './standing.ts';

type Options = MachineOptions & { outdated?: boolean };
const until = (time: string) => ({ annotations: { 'shoto.dev/keep-until': time } });
/** A pool of these: `a` usable, `o` outdated, `j` joining, `J` joining and outdated, `n` not ready, `N` not ready and outdated, `x` to be replaced, `k` kept, `K` no longer kept. */
const KINDS: Record<string, Options> = {
  a: {},
  o: { outdated: true },
  j: { joined: false },
  J: { joined: false, outdated: true },
  n: { ready: false },
  N: { ready: false, outdated: true },
  x: { server: { state: 'Gone' } },
  k: { ready: false, ...until('2027-01-01T00:00:00Z') },
  K: { ready: false, ...until('2026-01-01T00:00:00Z') },
};
const these = (kinds: string): Standing[] =>
  [...kinds].map((k, i) => {
    const o = KINDS[k] as Options;
    return standingOf(machineNamed(`${k.toLowerCase()}${i}`, o), o.outdated ? ['flavor a -> b'] : [], NOW);
  });

const plan = (count: number, kinds: string, o: Partial<PoolInput> = {}) => {
  const p = planPool({
    count,
    surge: 1,
    unavailable: 0,
    standing: these(kinds),
    leaving: 0,
    rolling: true,
    bears: true,
    removals: true,
    cap: 10,
    ...o,
  });
  return { births: p.births, removals: p.removals.map((r) => r.machine.metadata.name), done: p.done };
};
const nothing = { births: 0, removals: [] };
const held = { rolling: false };

describe('a pool of workers', () => {
  it.each<[string, number, string, object, Partial<PoolInput>?]>([
    ['is left alone when it is as asked for', 3, 'aaa', { ...nothing, done: true }],
    ['grows at once', 5, 'aa', { births: 3, removals: [] }],
    ['grows also when nothing may be replaced', 3, 'oo', { births: 1, removals: [] }, held],
    ['shrinks at once', 1, 'aaa', { births: 0, removals: ['a2', 'a1'] }],
    ['shrinks to none', 0, 'aj', { births: 0, removals: ['j1', 'a0'] }],
    ['shrinks by no more than may go at once', 0, 'aaaaa', { removals: ['a4', 'a3'] }, { cap: 2 }],
    ['gives up what is not usable first', 2, 'ana', { removals: ['n1'] }],
    ['replaces what is lost at once', 3, 'aax', { births: 1, removals: ['x2'] }],
    [
      'replaces what is lost also when nothing may be replaced for being outdated',
      3,
      'aax',
      { births: 1, removals: ['x2'] },
      held,
    ],
    [
      'removes nothing where nothing may be removed, and makes nothing in its place',
      3,
      'aax',
      nothing,
      { removals: false },
    ],
    ['makes another in the place of a kept machine, and leaves that one alone', 3, 'aak', { births: 1, removals: [] }],
    ['never chooses a kept machine', 1, 'aak', { births: 0, removals: ['a1'] }],
    ['lets a machine go that is no longer kept', 2, 'aaK', { births: 0, removals: ['k2'] }],
    ['makes none that cannot be made', 3, 'a', nothing, { bears: false }],
  ])('%s', (_, count, kinds, expected, o) => {
    expect(plan(count, kinds, o)).toMatchObject(expected);
  });
});

describe('a pool of outdated workers', () => {
  it.each<[string, number, string, object, Partial<PoolInput>?]>([
    ['begins with one more', 3, 'ooo', { births: 1, removals: [] }],
    ['waits until it has joined', 3, 'oooj', nothing],
    ['waits until it is usable', 3, 'ooon', nothing],
    ['then lets one go', 3, 'oooa', { births: 0, removals: ['o2'] }],
    ['goes on when it is on its way out', 3, 'ooa', { births: 1, removals: [] }, { leaving: 1 }],
    ['ends with the last one', 3, 'oaaa', { births: 0, removals: ['o0'] }],
    ['makes as many more as it may', 4, 'oooo', { births: 3, removals: [] }, { surge: 3 }],
    [
      'takes one away first where it may not grow',
      3,
      'ooo',
      { births: 0, removals: ['o2'] },
      { surge: 0, unavailable: 1 },
    ],
    ['then makes one', 3, 'oo', { births: 1, removals: [] }, { surge: 0, unavailable: 1 }],
    ['then waits for it', 3, 'ooj', nothing, { surge: 0, unavailable: 1 }],
    ['takes those first that are not usable', 3, 'oNo', { removals: ['n1'] }, { surge: 0, unavailable: 1 }],
    ['counts what is not usable as missing already', 3, 'oNN', { removals: ['n2'] }, { surge: 0, unavailable: 1 }],
    ['throws away at once what never joined', 3, 'oooJ', { removals: ['j3'] }],
    ['throws it away also when nothing may be replaced', 3, 'aaaJ', { births: 0, removals: ['j3'] }, held],
    ['does not begin when nothing may be replaced', 3, 'ooo', nothing, held],
    ['ends what was begun when nothing may be replaced', 3, 'oooa', { births: 0, removals: ['o2'] }, held],
    ['waits for what was begun when nothing may be replaced', 3, 'oooj', nothing, held],
    ['turns back: what is new and was never usable is thrown away', 3, 'aaaN', { births: 0, removals: ['n3'] }, held],
    ['shrinks by the outdated', 2, 'ooa', { births: 0, removals: ['o1'] }, held],
    ['does not replace what it could not make again', 3, 'oJo', nothing, { bears: false }],
    ['gives up new ones that are not wanted any more', 0, 'oj', { births: 0, removals: ['j1', 'o0'] }],
    ['removes nothing where nothing may be removed', 3, 'oooa', nothing, { removals: false }],
  ])('%s', (_, count, kinds, expected, o) => {
    expect(plan(count, kinds, o)).toMatchObject(expected);
  });
});

it('asks what a choice would disturb, once, and only where there is one', () => {
  const input = { count: 1, surge: 1, unavailable: 0, leaving: 0, rolling: true, bears: true, removals: true, cap: 10 };
  const standing = these('aaa');
  expect(planPool({ ...input, standing }).undecided).toEqual(['a0', 'a1', 'a2']);
  const disturbance = new Map([
    ['a0', 0],
    ['a1', 9],
    ['a2', 3],
  ]);
  const informed = planPool({ ...input, standing, disturbance });
  expect(informed.removals.map((r) => r.machine.metadata.name)).toEqual(['a0', 'a2']);
  expect(informed.undecided).toEqual([]);
  expect(planPool({ ...input, count: 0, standing }).undecided).toEqual([]);
  expect(planPool({ ...input, standing: these('ann') }).undecided).toEqual([]);
});
