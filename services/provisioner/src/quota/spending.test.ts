import type { Cluster, Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { poolsOf } from '../cluster/pools.ts';
import { aFleet, inShort, machineNamed, NOW, planOf, several } from '../testing/fleet.ts';
import { cutToQuota, spendingOf } from './spending.ts';

const TENANT = { name: 'blue', quota: 4 };

function spent(
  cluster: Cluster,
  machines: Machine[],
  o: { plan?: Parameters<typeof planOf>[2]; rolling?: boolean } = {},
) {
  const plan = planOf(cluster, machines, o.plan);
  return { plan, spending: spendingOf(plan, poolsOf(cluster, []), machines, o.rolling ?? false, NOW) };
}

const running = () => [machineNamed('cp1'), ...several('w', 3)];
const order = { number: 1, action: 'Replace', at: '2026-03-02T11:00:00Z', reason: 'NodeSilent' };

describe('what a plan spends', () => {
  it('is every machine that a new cluster asks for', () => {
    const { spending } = spent(aFleet(), [], { plan: { progress: { initialized: false } } });
    expect(spending).toMatchObject({ has: 0, there: 0, wants: 4, keeps: 4 });
    expect(spending.fills.map((b) => b.pool.name)).toEqual(['control-plane', 'workers', 'workers', 'workers']);
    expect(spending.surges).toEqual([]);
  });

  it('is what is there where all is as asked for', () => {
    expect(spent(aFleet(), running()).spending).toMatchObject({ has: 4, there: 4, wants: 4, keeps: 4 });
  });

  it('is nothing more for the successor of a lost machine', () => {
    const machines = [machineNamed('cp1'), machineNamed('w1', { health: { order } }), ...several('x', 2)];
    const { plan, spending } = spent(aFleet(), machines);
    expect(inShort(plan)).toEqual({ births: ['workers'], removals: ['w1'] });
    expect(spending).toMatchObject({ has: 3, there: 4, wants: 4 });
  });

  it('is nothing more for one that leaves, since its place goes to the next', () => {
    const machines = [machineNamed('cp1'), machineNamed('w1', { leaving: true }), ...several('x', 2)];
    expect(spent(aFleet(), machines).spending).toMatchObject({ has: 3, there: 4, wants: 4 });
  });

  it('is one more for a machine that is kept for study', () => {
    const annotations = { 'shoto.dev/keep-until': '2026-03-03T00:00:00Z' };
    const machines = [machineNamed('cp1'), machineNamed('w1', { annotations }), ...several('x', 2)];
    expect(spent(aFleet(), machines).spending).toMatchObject({ has: 4, wants: 5 });
  });

  it('is the surge of the whole rollout when it begins, and until it ends', () => {
    const cluster = aFleet({ pool: { flavor: 'm1.large', maxSurge: 2 } });
    expect(spent(cluster, running()).spending).toMatchObject({ has: 4, wants: 6, keeps: 6 });
    const half = [machineNamed('cp1'), ...several('n', 3, { pool: 'workers', flavor: 'm1.large' })];
    expect(spent(cluster, half, { rolling: true }).spending).toMatchObject({ wants: 4, keeps: 6 });
    expect(spent(cluster, half).spending).toMatchObject({ wants: 4, keeps: 4 });
  });

  it('is no surge while the maintenance window is closed', () => {
    const cluster = aFleet({ pool: { flavor: 'm1.large' } });
    const spec = {
      maintenanceWindow: { timeZone: 'UTC', days: ['Mon' as const], start: '22:00', durationMinutes: 60 },
    };
    expect(spent(cluster, running(), { rolling: true, plan: { spec } }).spending).toMatchObject({ wants: 4, keeps: 4 });
  });
});

describe('a plan that the quota does not carry', () => {
  it('makes what it can, the control plane first, and says how many are missing', () => {
    const { plan, spending } = spent(aFleet(), [], { plan: { progress: { initialized: false } } });
    const cut = cutToQuota(plan, spending, 2, TENANT);
    expect(inShort(cut.plan).births).toEqual(['control-plane', 'workers']);
    expect(cut.shortage).toMatchObject({
      reason: 'TenantQuotaExceeded',
      isGrowth: true,
      message: expect.stringMatching(
        /^2 machines cannot be made, since the quota of tenant blue \(4 machines\) is used up/,
      ),
    });
  });

  it('begins no replacement, and says so', () => {
    const { plan, spending } = spent(aFleet({ release: 'v1.35.5' }), running());
    expect(plan).toMatchObject({ isRolling: true });
    const cut = cutToQuota(plan, spending, 4, TENANT);
    expect(cut.plan).toMatchObject({ births: [], isRolling: false });
    expect(cut.shortage).toMatchObject({ isGrowth: false, message: expect.stringContaining('has to stand in') });
  });

  it('goes on with a part of the surge, and then waits for nothing', () => {
    const { plan, spending } = spent(aFleet({ pool: { flavor: 'm1.large', maxSurge: 2 } }), running());
    const cut = cutToQuota(plan, spending, 5, TENANT);
    expect(cut.plan.births).toHaveLength(1);
    expect(cut.plan.isRolling).toBe(true);
    expect(cut.shortage).toBeUndefined();
  });

  it('fills what is missing before it replaces', () => {
    const cluster = aFleet({
      spec: {
        nodePools: [
          { name: 'workers', count: 3, flavor: 'm1.large' },
          { name: 'more', count: 1, flavor: 'm1.small' },
        ],
      },
    });
    const { plan, spending } = spent(cluster, running());
    expect(inShort(plan).births).toEqual(['workers', 'more']);
    expect(inShort(cutToQuota(plan, spending, 5, TENANT).plan).births).toEqual(['more']);
  });

  it('is left as it is where the quota carries it', () => {
    const { plan, spending } = spent(aFleet(), [], { plan: { progress: { initialized: false } } });
    expect(cutToQuota(plan, spending, 4, TENANT)).toEqual({ plan });
  });
});
