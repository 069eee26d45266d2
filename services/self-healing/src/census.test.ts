import type { Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aMachine, condition } from '../test/world.ts';
import { Census, GROUP, isSuspect } from './census.ts';

const order = (action: 'Reboot' | 'Replace') => ({
  number: 2,
  action,
  at: '2026-11-01T12:00:00Z',
  reason: 'NodeSilent',
});
const born = { bootstrap: { joinedAt: undefined, conditions: [] }, health: { ready: undefined, conditions: [] } };

describe('a machine that healing has to look at', () => {
  it.each<[string, Machine, boolean]>([
    ['a healthy one is none', aMachine('web', 'w'), false],
    ['one that is sick', aMachine('web', 'w', { health: { sickSince: '2026-11-01T12:00:00Z' } }), true],
    ['one whose server is off', aMachine('web', 'w', { server: { state: 'Stopped' } }), true],
    ['one that has not joined', aMachine('web', 'w', born), true],
    [
      'one whose server is being built is none',
      aMachine('web', 'w', { ...born, server: { activeAt: undefined } }),
      false,
    ],
    [
      'one with an open order',
      aMachine('web', 'w', { health: { order: order('Reboot') }, server: { handled: 1 } }),
      true,
    ],
    [
      'one whose order is carried out is none',
      aMachine('web', 'w', { health: { order: order('Reboot') }, server: { handled: 2 } }),
      false,
    ],
    [
      'one of which something is said that is no longer so',
      aMachine('web', 'w', { health: { conditions: [condition('Remediation', 'False', 'Waiting')] } }),
      true,
    ],
    ['one that leaves is none', aMachine('web', 'w', { deletionTimestamp: '2026-11-01T12:00:00Z' }), false],
    [
      'one that is being replaced',
      aMachine('web', 'w', { deletionTimestamp: '2026-11-01T12:00:00Z', health: { order: order('Replace') } }),
      true,
    ],
  ])('%s', (_title, m, expected) => {
    expect(isSuspect(m)).toBe(expected);
  });
});

describe('the census', () => {
  it('counts by cluster, pool, zone and region as machines come, move and go', () => {
    const c = new Census();
    const a = aMachine('web', 'a', { zone: 'az1' });
    const b = aMachine('web', 'b', { zone: 'az1', pool: 'other' });
    c.onChange(a, undefined);
    c.onChange(b, undefined);
    const moved = aMachine('web', 'b', { zone: 'az2', pool: 'other' });
    c.onChange(moved, b);
    expect([GROUP.region(a), GROUP.cluster(a), GROUP.pool(a), GROUP.zone(a)].map((g) => c.count(g))).toEqual([
      2, 2, 1, 1,
    ]);
    c.onChange(undefined, a);
    expect([GROUP.region(a), GROUP.cluster(a), GROUP.pool(a), GROUP.zone(a)].map((g) => c.count(g))).toEqual([
      1, 1, 0, 0,
    ]);
  });

  it('does not count machines that are not in service yet, or on their way out', () => {
    const c = new Census();
    const building = aMachine('web', 'a', { ...born, server: { activeAt: undefined } });
    c.onChange(building, undefined);
    c.onChange(aMachine('web', 'b', { deletionTimestamp: '2026-11-01T12:00:00Z' }), undefined);
    expect(c.count(GROUP.cluster(building))).toBe(0);
  });

  it('holds the suspects, and those that the cloud refuses', () => {
    const c = new Census();
    const well = aMachine('web', 'a');
    const off = aMachine('web', 'a', { server: { state: 'Stopped' } });
    c.onChange(well, undefined);
    expect(c.suspects('one')).toEqual([]);
    c.onChange(off, well);
    expect(c.suspects('one')).toEqual([off]);
    c.onChange(undefined, off);
    expect(c.suspects('one')).toEqual([]);
    const refused = aMachine('web', 'b', {
      server: { state: 'Pending', conditions: [condition('ServerReady', 'False', 'NoValidHost')] },
    });
    c.onChange(refused, undefined);
    expect(c.troubled('one')).toBe(1);
    c.onChange(undefined, refused);
    expect(c.troubled('one')).toBe(0);
  });
});
