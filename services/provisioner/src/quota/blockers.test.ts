import { describe, expect, it } from 'vitest';
import { machineNamed, NOW, several } from '../testing/fleet.ts';
import { tenantBlockers } from './blockers.ts';

const machines = [machineNamed('cp1'), ...several('w', 3)];
const takes = (n: number) => [
  {
    path: 'spec.nodePools[0]',
    why: 'replacement' as const,
    amounts: { instances: n, cores: 0, ram: 0, ports: n },
  },
];
const room = (others: number) => ({ tenant: { name: 'blue', quota: 10 }, others });

describe('what is in the way of a change', () => {
  it('is a quota of the tenant that leaves too little, with the field that asks for most', () => {
    expect(tenantBlockers(room(5), takes(1), machines, NOW)).toEqual([]);
    expect(tenantBlockers(room(5), takes(2), machines, NOW)).toEqual([
      {
        reason: 'TenantQuotaExceeded',
        field: 'spec.nodePools[0].maxSurge',
        message: expect.stringMatching(/takes 2 more machines, and the quota of tenant blue leaves 1 of 10: /),
      },
    ]);
  });

  it('is no quota where there is none, or nothing is made', () => {
    expect(tenantBlockers(undefined, takes(99), machines, NOW)).toEqual([]);
    expect(tenantBlockers(room(50), [], machines, NOW)).toEqual([]);
  });

  it('counts a machine that is lost, or leaves, for nothing', () => {
    const leaving = [
      ...machines.slice(0, 2),
      machineNamed('w8', { leaving: true }),
      machineNamed('w9', { server: { state: 'Gone' } }),
    ];
    expect(tenantBlockers(room(5), takes(3), leaving, NOW)).toEqual([]);
  });
});
