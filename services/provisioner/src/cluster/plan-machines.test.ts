import type { Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine } from '../testing/builders.ts';
import { type Pool, planMachines, poolsOf } from './plan-machines.ts';

const cluster = aCluster({ name: 'web', uid: 'u-web', workers: 3 });
const ref = { name: 'web', uid: 'u-web' };
const pools = (workers: number, zones: string[] = []): Pool[] =>
  poolsOf(aCluster({ name: 'web', uid: 'u-web', workers }), zones);

/** Carries a plan out in memory. */
function settle(pools: Pool[], machines: Machine[] = []): Machine[] {
  const { births, removals } = planMachines(ref, pools, machines);
  return [
    ...machines.filter((m) => !removals.includes(m)),
    ...births.map((b) => aMachine({ cluster, name: b.name, pool: b.pool.name, zone: b.zone })),
  ];
}

describe('plan of machines', () => {
  it('asks for the control plane and every pool of a new cluster at once', () => {
    const { births, removals } = planMachines(ref, pools(3), []);
    expect(births.map((b) => b.pool.name)).toEqual(['control-plane', 'workers', 'workers', 'workers']);
    expect(new Set(births.map((b) => b.name)).size).toBe(4);
    expect(removals).toEqual([]);
  });

  it('asks for the same names when the first answer was lost', () => {
    expect(planMachines(ref, pools(3), []).births.map((b) => b.name)).toEqual(
      planMachines(ref, pools(3), []).births.map((b) => b.name),
    );
  });

  it('is content with what is there', () => {
    const there = settle(pools(3));
    expect(planMachines(ref, pools(3), there)).toEqual({ births: [], removals: [] });
  });

  it('spreads a pool over zones', () => {
    const zones = settle(pools(3, ['a', 'b']))
      .filter((m) => m.spec.role === 'worker')
      .map((m) => m.spec.zone);
    expect(zones).toEqual(['a', 'b', 'a']);
  });

  it('replaces a machine that leaves by one of another name', () => {
    const there = settle(pools(1));
    const leaving = { ...there[1]!, metadata: { ...there[1]!.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    const { births } = planMachines(ref, pools(1), [there[0]!, leaving]);
    expect(births).toHaveLength(1);
    expect(births[0]?.name).not.toBe(leaving.metadata.name);
  });

  it('removes what is not ready first, then the newest of the fullest zone', () => {
    const m = (name: string, zone: string, created: string, ready: boolean) =>
      aMachine({ cluster, name, pool: 'workers', zone, created, ready });
    const cp = settle(pools(0));
    const sick = m('sick', 'b', '2026-01-01T00:00:00Z', false);
    const old = m('old', 'a', '2026-01-02T00:00:00Z', true);
    const young = m('young', 'a', '2026-01-03T00:00:00Z', true);
    const other = m('other', 'b', '2026-01-04T00:00:00Z', true);
    const all = [...cp, old, young, other, sick];
    expect(planMachines(ref, pools(2), all).removals.map((x) => x.metadata.name)).toEqual(['sick', 'young']);
  });

  it('removes the machines of a pool that is gone, and never a control-plane machine', () => {
    const there = settle(pools(2));
    const alone = pools(2)
      .filter((p) => p.role === 'control-plane')
      .map((p) => ({ ...p, count: 0 }));
    expect(planMachines(ref, alone, there).removals.map((x) => x.spec.pool)).toEqual(['workers', 'workers']);
  });

  it('never has more on their way out than the cap', () => {
    const there = settle(pools(30));
    const first = planMachines(ref, pools(0), there, 4).removals;
    expect(first).toHaveLength(4);
    const now = there.map((m) =>
      first.slice(0, 3).includes(m)
        ? { ...m, metadata: { ...m.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
        : m,
    );
    expect(planMachines(ref, pools(0), now, 4).removals).toHaveLength(1);
  });
});
