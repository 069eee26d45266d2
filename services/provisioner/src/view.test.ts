import { manualClock } from '@shoto/service/testing';
import { expect, it } from 'vitest';
import { View } from './view.ts';

interface Thing {
  metadata: { name: string; resourceVersion: string; uid?: string; deletionTimestamp?: string; finalizers?: string[] };
  owner: string;
}
const thing = (name: string, resourceVersion: string, owner = 'web'): Thing => ({
  metadata: { name, resourceVersion },
  owner,
});

function scenario(...cached: Thing[]) {
  const clock = manualClock();
  const items = new Map(cached.map((t) => [t.metadata.name, t]));
  const view = new View<Thing>(
    {
      get: (key) => items.get(key),
      read: async (key) => items.get(key),
      list: () => [...items.values()],
      byIndex: (_, value) => [...items.values()].filter((t) => t.owner === value),
    },
    clock,
  );
  return { clock, items, view, ofWeb: () => view.byIndex('owner', 'web', (t) => t.owner === 'web') };
}

it('shows our write until the cache has it', () => {
  const { view, items } = scenario(thing('a', '9'));
  view.wrote(thing('a', '10'));
  expect(view.get('a')?.metadata.resourceVersion).toBe('10');
  items.set('a', thing('a', '11'));
  expect(view.get('a')?.metadata.resourceVersion).toBe('11');
});

it('counts what was just made among its kind', () => {
  const { view, ofWeb } = scenario(thing('a', '1'));
  view.wrote(thing('b', '2'));
  view.wrote(thing('c', '3', 'other'));
  expect(ofWeb().map((t) => t.metadata.name)).toEqual(['a', 'b']);
});

it('forgets what is gone, and what the cache never showed', async () => {
  const { view, clock, ofWeb } = scenario();
  view.wrote(thing('a', '1'));
  view.forget('a');
  expect(view.get('a')).toBeUndefined();
  view.wrote(thing('b', '2'));
  await clock.advance(60_000);
  expect(ofWeb()).toEqual([]);
});

it('does not bring back what went before the answer to our write came', () => {
  const { view, ofWeb } = scenario();
  view.forget('a', 'u1');
  view.wrote({ metadata: { name: 'a', resourceVersion: '5', uid: 'u1' }, owner: 'web' });
  expect(ofWeb()).toEqual([]);
});

it('takes an object without its last finalizer for gone', () => {
  const { view, ofWeb } = scenario();
  const metadata = { name: 'a', resourceVersion: '5', uid: 'u1', deletionTimestamp: '2026-01-01T00:00:00Z' };
  view.wrote({ metadata: { ...metadata, finalizers: ['x'] }, owner: 'web' });
  expect(ofWeb()).toHaveLength(1);
  view.wrote({ metadata, owner: 'web' });
  expect(ofWeb()).toEqual([]);
});

it('does not show what is gone while the cache still has it, nor hide for ever what came back', async () => {
  const { view, clock, ofWeb } = scenario({ metadata: { name: 'a', resourceVersion: '4', uid: 'u1' }, owner: 'web' });
  view.forget('a', 'u1');
  expect([view.get('a'), ofWeb()]).toEqual([undefined, []]);
  expect(await view.read('a')).toBeUndefined();
  await clock.advance(60_000); // restored from a backup, with its UID
  expect(view.get('a')).toBeDefined();
});
