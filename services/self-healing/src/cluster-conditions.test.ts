import { findCondition } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster } from '../test/world.ts';
import type { Brake } from './brake.ts';
import { heldConditions, isSaidHeld, stormOf } from './cluster-conditions.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');
const zone: Brake = { reason: 'ZoneShare', message: 'zone az1', storm: true };
const pool: Brake = { reason: 'PoolShare', message: 'pool default', storm: true };
const turn: Brake = { reason: 'OrdersOfCluster', message: 'as many as may be' };

const seen = (list: ReturnType<typeof heldConditions>) =>
  Object.fromEntries((list ?? []).map((c) => [c.type, `${c.status} ${c.reason}: ${c.message}`]));

describe('what a Cluster says of the brake', () => {
  it('is nothing while nothing was ever held', () => {
    expect(heldConditions(undefined, [], NOW)).toBeUndefined();
  });

  it('names every brake once, the widest first, and remembers the storm', () => {
    const list = heldConditions([], [pool, turn, zone, pool], NOW);
    expect(seen(list)).toEqual({
      HealingHeld: 'True ZoneShare: zone az1; pool default; as many as may be',
      Storm: 'True ZoneShare: zone az1',
    });
  });

  it('is the same list, so that nothing is written, when it is said already', () => {
    const list = heldConditions([], [pool, zone], NOW);
    expect(heldConditions(list, [zone, pool, zone], NOW + 60_000)).toBe(list);
  });

  it('makes no storm of a turn that has to be waited for', () => {
    expect(seen(heldConditions([], [turn], NOW))).toEqual({ HealingHeld: 'True OrdersOfCluster: as many as may be' });
  });

  it('ends a storm with its time and its words, and lets go', () => {
    const held = heldConditions([], [zone], NOW);
    const cooling = heldConditions(held, [{ reason: 'CoolingDown', message: 'calm first' }], NOW + 60_000);
    expect(seen(cooling)).toEqual({
      HealingHeld: 'True CoolingDown: calm first',
      Storm: 'False ZoneShare: zone az1',
    });
    const c = aCluster('web', { health: { conditions: cooling } });
    expect(stormOf(c)).toEqual({ message: 'zone az1', ended: NOW + 60_000 });
    expect(isSaidHeld(c)).toBe(true);
    const free = heldConditions(cooling, [], NOW + 700_000);
    expect(findCondition(free, 'HealingHeld')).toMatchObject({ status: 'False', reason: 'Released' });
    expect(isSaidHeld(aCluster('web', { health: { conditions: free } }))).toBe(false);
  });
});
