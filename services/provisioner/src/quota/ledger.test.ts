import { describe, expect, it } from 'vitest';
import { type Ask, settle } from './ledger.ts';

const ask = (uid: string, o: Partial<Ask> = {}): Ask => {
  const wants = o.wants ?? 0;
  return { cluster: { uid, name: `c-${uid}` }, has: 0, there: 0, wants, keeps: wants, releases: true, ...o };
};
const held = (of: Record<string, number>) =>
  Object.fromEntries(Object.entries(of).map(([uid, machines]) => [uid, { name: `c-${uid}`, machines }]));
const machines = (clusters: ReturnType<typeof settle>['clusters']) =>
  Object.fromEntries(Object.entries(clusters).map(([uid, c]) => [uid, c.machines]));

describe('what clusters hold of a quota', () => {
  it('is what they ask for, while it lasts, and the rest of it when it does not', () => {
    const s = settle(10, held({ a: 4 }), [ask('b', { wants: 5 }), ask('c', { wants: 5 })], []);
    expect(machines(s.clusters)).toEqual({ a: 4, b: 5, c: 1 });
    expect(s.grants.get('c')?.machines).toBe(1);
    expect(s.isChanged).toBe(true);
  });

  it('is nothing new where they hold what they need already', () => {
    const s = settle(10, held({ a: 4 }), [ask('a', { has: 4, there: 4, wants: 4 })], []);
    expect(s).toMatchObject({ isChanged: false });
    expect(machines(s.clusters)).toEqual({ a: 4 });
  });

  it('is nothing, and no entry, where nothing is left', () => {
    const s = settle(4, held({ a: 4 }), [ask('b', { wants: 2 })], []);
    expect(s).toMatchObject({ isChanged: false });
    expect(machines(s.clusters)).toEqual({ a: 4 });
  });

  it('stays when the quota falls below it, and does not grow', () => {
    const s = settle(3, held({ a: 6 }), [ask('a', { has: 6, there: 6, wants: 8 })], []);
    expect(machines(s.clusters)).toEqual({ a: 6 });
    expect(s.grants.get('a')?.machines).toBe(6);
  });

  it('is at least what is there, whatever the quota says', () => {
    expect(machines(settle(3, {}, [ask('a', { has: 6, there: 6, wants: 8 })], []).clusters)).toEqual({ a: 6 });
  });

  it('is given back down to what is there still, and gone with the last of it', () => {
    const shrinks = (there: number) =>
      machines(settle(9, held({ a: 6 }), [ask('a', { has: 2, there, wants: 2 })], []).clusters);
    expect(shrinks(4)).toEqual({ a: 4 });
    expect(shrinks(2)).toEqual({ a: 2 });
    expect(machines(settle(9, held({ a: 6 }), [ask('a')], []).clusters)).toEqual({});
  });

  it('is given back later where more is about to go, and kept for a rollout', () => {
    const before = held({ a: 6 });
    const later = settle(9, before, [ask('a', { has: 2, there: 4, wants: 2, releases: false })], []);
    expect(later.grants.get('a')).toEqual({ machines: 6, isSurplus: true });
    expect(later.isChanged).toBe(false);
    const rolls = settle(9, before, [ask('a', { has: 5, there: 5, wants: 5, keeps: 6 })], []);
    expect(rolls.grants.get('a')).toEqual({ machines: 6, isSurplus: false });
  });

  it('counts clusters that are older than the quota by what they have', () => {
    const s = settle(
      10,
      {},
      [ask('b', { wants: 5 })],
      [
        { uid: 'a', name: 'c-a', machines: 7 },
        { uid: 'e', name: 'c-e', machines: 0 },
      ],
    );
    expect(machines(s.clusters)).toEqual({ a: 7, b: 3 });
  });
});
