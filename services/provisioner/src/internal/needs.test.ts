import type { ChangePlan, Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import type { Pool } from '../cluster/pools.ts';
import { aCluster, aMachine } from '../testing/builders.ts';
import { addressBlockers, quotaBlockers } from './capacity.ts';
import { needsOf, total } from './needs.ts';

type Action = ChangePlan['steps'][number]['actions'][number];
const pool = (name: string, surge: number, flavor = 'small'): Pool => ({
  name,
  role: name === 'control-plane' ? 'control-plane' : 'worker',
  count: 3,
  flavor,
  release: 'v1.35.4',
  pinned: false,
  zones: [],
  ownZones: false,
  serverGroupPolicy: 'soft-anti-affinity',
  drainTimeout: 0,
  detachTimeout: 0,
  surge,
  unavailable: 0,
  path: name === 'control-plane' ? 'spec.controlPlane' : 'spec.nodePools[0]',
});
const SIZES: Record<string, { vcpus: number; ram: number }> = {
  'flavor-1': { vcpus: 2, ram: 2048 },
  small: { vcpus: 2, ram: 2048 },
  large: { vcpus: 8, ram: 16_384 },
  tiny: { vcpus: 1, ram: 512 },
};
const cluster = aCluster();
const machines = ['a', 'b', 'c'].map((name) => aMachine({ cluster, name }));
const create = (n: number, of = 'workers'): Action[] =>
  Array.from({ length: n }, () => ({ action: 'create', pool: of, because: [] }));
const replace = (ms: readonly Machine[], of = 'workers'): Action[] =>
  ms.map((m) => ({ action: 'replace', pool: of, machine: m.metadata.name, because: [] }));
const needs = (pools: Pool[], ...steps: Action[][]) =>
  needsOf({ steps: steps.map((actions) => ({ release: 'v1.35.4', actions })) }, pools, machines, (f) => SIZES[f]);

describe('what a change takes at its height', () => {
  it.each<[string, Pool, Action[][], object]>([
    ['all machines that are added', pool('workers', 1), [create(2)], { instances: 2, cores: 4, ram: 4096, ports: 2 }],
    ['one machine for a surge of one', pool('workers', 1), [replace(machines)], { instances: 1, cores: 2, ports: 1 }],
    ['as many as the surge', pool('workers', 2), [replace(machines)], { instances: 2, cores: 4, ports: 2 }],
    ['no more than there are', pool('workers', 9), [replace(machines.slice(0, 1))], { instances: 1, cores: 2 }],
    ['nothing without a surge', pool('workers', 0), [replace(machines)], { instances: 0, cores: 0, ports: 0 }],
    [
      'what a larger flavor takes more, while the last old one is still there',
      pool('workers', 1, 'large'),
      [replace(machines)],
      { instances: 1, cores: 2 * (8 - 2) + 8 },
    ],
    ['a smaller flavor’s first machine', pool('workers', 1, 'tiny'), [replace(machines)], { instances: 1, cores: 1 }],
    [
      'the same surge again in each step',
      pool('workers', 1),
      [replace(machines), replace(machines)],
      { instances: 1, cores: 2 },
    ],
  ])('is %s', (_, p, steps, amounts) => {
    expect(total(needs([p], ...steps))).toMatchObject(amounts);
  });

  it('is not the surge of control plane and pools together: the one is rolled before the other', () => {
    const both = needs(
      [pool('control-plane', 1), pool('workers', 2)],
      [...replace(machines.slice(0, 1), 'control-plane'), ...replace(machines)],
    );
    expect(total(both)).toMatchObject({ instances: 2, ports: 2 });
  });
});

describe('what stops it', () => {
  const quota = (left: number) => [{ name: 'cores' as const, used: 10 - left, limit: 10, left }];
  it('is a quota that leaves too little, with the field that asks for most', () => {
    const asked = needs([pool('workers', 1)], [...create(2), ...replace(machines)]);
    expect(quotaBlockers(asked, quota(6))).toEqual([]);
    expect(quotaBlockers(asked, quota(5))).toEqual([
      expect.objectContaining({
        reason: 'QuotaExceeded',
        field: 'spec.nodePools[0].count',
        message: expect.stringMatching(/takes 6 more cores, and the project's quota leaves 5 of 10: .*maxSurge/),
      }),
    ]);
  });

  it('is no quota without a limit', () => {
    const asked = needs([pool('workers', 1)], create(2));
    expect(quotaBlockers(asked, [{ name: 'cores', used: 99, limit: null, left: null }])).toEqual([]);
  });

  it('is a subnet that has no address for the surge', () => {
    const asked = needs([pool('workers', 2)], replace(machines));
    expect(addressBlockers(asked, 2, 10)).toEqual([]);
    expect(addressBlockers(asked, 1, 10)).toMatchObject([
      { reason: 'NoAddress', field: 'spec.nodePools[0].maxSurge', message: expect.stringContaining('1 of 10 left') },
    ]);
  });
});
