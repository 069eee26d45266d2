import { describe, expect, it } from 'vitest';
import { type MachineOptions, machineNamed, NOW } from '../testing/fleet.ts';
import { chooseRemovals } from './choose-removal.ts';
import { standingOf } from './standing.ts';

const stand = (name: string, o: MachineOptions & { outdated?: boolean } = {}) =>
  standingOf(machineNamed(name, o), o.outdated ? ['release v1.35.4 -> v1.35.5'] : [], NOW);
const names = (list: readonly { name: string }[]) => list.map((s) => s.name);

const healthy = { zone: 'a', created: '2026-01-01T00:00:00Z' };

describe('least wanted is', () => {
  it.each<[string, Parameters<typeof stand>[1], Parameters<typeof stand>[1]]>([
    ['what is not usable, before what is outdated', { ready: false }, { outdated: true }],
    ['what never joined, before what joined and is sick', { joined: false }, { ready: false }],
    ['what is outdated, before what is in the fullest zone', { outdated: true, zone: 'b' }, {}],
    [
      'what is in the fullest zone, before what is newest',
      { created: '2026-01-15T00:00:00Z' },
      { zone: 'b', created: '2026-02-01T00:00:00Z' },
    ],
    ['what is newest, else', { created: '2026-02-01T00:00:00Z' }, {}],
  ])('%s', (_, first, then) => {
    const from = [
      stand('stays', healthy),
      stand('then', { ...healthy, ...then }),
      stand('first', { ...healthy, ...first }),
    ];
    expect(names(chooseRemovals(from, 1))).toEqual(['first']);
  });

  it('what disturbs fewest pods, before what is newest', () => {
    const from = [stand('new', { ...healthy, created: '2026-02-01T00:00:00Z' }), stand('idle', healthy)];
    const disturbance = new Map([
      ['new', 12],
      ['idle', 1],
    ]);
    expect(names(chooseRemovals(from, 1, { disturbance }))).toEqual(['idle']);
  });
});

it('leaves the zones even', () => {
  const from = ['a', 'a', 'a', 'b', 'b', 'c'].map((zone, i) => stand(`m${i}`, { ...healthy, zone }));
  const gone = chooseRemovals(from, 3);
  const left = from.filter((s) => !gone.includes(s)).map((s) => s.zone);
  expect(left.sort()).toEqual(['a', 'b', 'c']);
});

it('chooses no more than there are, and none for less than one', () => {
  expect(chooseRemovals([stand('one')], 5)).toHaveLength(1);
  expect(chooseRemovals([stand('one')], -1)).toEqual([]);
});
