import { expect, it } from 'vitest';
import { DeletionCap } from './deletion-cap.ts';

it('lets no more than the cap of a living cluster go at once', () => {
  const cap = new DeletionCap({ perRegion: 10, perCluster: 2 });
  expect([cap.enter('m1', 'c', false), cap.enter('m2', 'c', false), cap.enter('m3', 'c', false)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(cap.enter('m1', 'c', false)).toBe(true);
  cap.leave('m1');
  expect(cap.enter('m3', 'c', false)).toBe(true);
  expect(cap.enter('x1', 'other', false)).toBe(true);
});

it('holds a whole cluster only to the cap of the region', () => {
  const cap = new DeletionCap({ perRegion: 3, perCluster: 1 });
  expect(['a', 'b', 'c', 'd'].map((m) => cap.enter(m, 'c', true))).toEqual([true, true, true, false]);
});
