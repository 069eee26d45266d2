import { describe, expect, it } from 'vitest';
import { aCluster, condition } from '../test/world.ts';
import { Observer } from './observer.ts';

const MIN = 60_000;
const START = Date.parse('2026-11-01T12:00:00Z');

function scenario() {
  const s = { now: START, lists: 0, down: false };
  const observer = new Observer({
    now: () => s.now,
    gapMs: MIN,
    sight: {
      nodes: async () => {
        s.lists++;
        if (s.down) throw new Error('connect timeout');
        return [];
      },
      node: async (_c, name) => {
        if (s.down) throw new Error('connect timeout');
        return { metadata: { name } };
      },
    },
  });
  return { s, observer };
}
const web = aCluster('web');

describe('the last look before a deed', () => {
  it('needs two full observations, some time apart, and no more of them afterwards', async () => {
    const { s, observer } = scenario();
    expect(await observer.look(web, 'w1')).toEqual({ state: 'again', ms: MIN });
    s.now += 40_000;
    expect(await observer.look(web, 'w1')).toEqual({ state: 'again', ms: 20_000 });
    s.now += 20_000;
    for (const _ of [1, 2, 3]) expect(await observer.look(web, 'w1')).toMatchObject({ state: 'seen' });
    expect(s.lists).toBe(2);
  });

  it('begins anew after the cluster did not answer', async () => {
    const { s, observer } = scenario();
    await observer.look(web, 'w1');
    s.now += MIN;
    s.down = true;
    expect(await observer.look(web, 'w1')).toEqual({ state: 'unreachable', message: 'connect timeout' });
    s.down = false;
    const { lists } = s;
    s.now += 29_000;
    // It is not asked meanwhile: each call to a cluster that swallows packets costs a pass its time.
    expect(await observer.look(web, 'w1')).toMatchObject({ state: 'unreachable' });
    expect(s.lists).toBe(lists);
    s.now += 1_000;
    expect(await observer.look(web, 'w1')).toMatchObject({ state: 'again' });
  });

  it('counts nothing that was seen before the cluster was last out of reach, whichever replica saw that', async () => {
    const { s, observer } = scenario();
    await observer.look(web, 'w1');
    s.now += MIN;
    await observer.look(web, 'w1');
    const back = aCluster('web', {
      health: { conditions: [condition('Reachable', 'True', 'Watching', new Date(s.now + MIN).toISOString())] },
    });
    s.now += 2 * MIN;
    expect(await observer.look(back, 'w1')).toMatchObject({ state: 'again' });
  });
});
