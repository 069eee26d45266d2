import { keepOf, type Machine } from '@shoto/api';
import type { Shortage } from '../cluster/gates.ts';
import type { Birth, Plan } from '../cluster/plan-machines.ts';
import { CONTROL_PLANE, type Pool } from '../cluster/pools.ts';
import { isLeaving, standingOf } from '../cluster/standing.ts';
import type { Ask } from './ledger.ts';

/** What a plan spends of the tenant's quota. */
export interface Spending extends Pick<Ask, 'has' | 'there' | 'wants' | 'keeps'> {
  /** Births that fill what counts ask for, the control plane's first. */
  fills: Birth[];
  /** Births beyond the counts: they stand in while others are replaced. */
  surges: Birth[];
  /** A pool has more machines than it asks for already. */
  isOver: boolean;
}

/**
 * What a plan spends, in machines. A Machine that is on its way out leaves its place to its successor in the same cluster, and so does one that is lost: a full quota keeps nothing from
 * being healed. One that is kept for study has a place of its own. Surge is asked for once, for the whole of a rollout. Pure.
 *
 * @param isRollingOut - machines are being replaced
 * @param now - milliseconds since the epoch
 */
export function spendingOf(
  plan: Pick<Plan, 'births' | 'removals' | 'outdated' | 'gates'>,
  pools: readonly Pool[],
  machines: readonly Machine[],
  isRollingOut: boolean,
  now: number,
): Spending {
  const going = new Set(plan.removals.map((r) => r.machine.metadata.name));
  const living = machines.filter((m) => !isLeaving(m) && !going.has(m.metadata.name) && !standingOf(m, [], now).lost);
  const perPool = pools.map((pool) => {
    const alive = living.filter((m) => m.spec.pool === pool.name && !isKept(m, now)).length;
    const births = plan.births.filter((b) => b.pool.name === pool.name);
    const missing = Math.max(0, pool.count - alive);
    return { pool, alive, fills: births.slice(0, missing), surges: births.slice(missing) };
  });
  const fills = perPool.flatMap((p) => p.fills);
  const surges = perPool.flatMap((p) => p.surges);
  const inPlace = perPool.reduce((n, p) => n + Math.min(p.alive, p.pool.count) + p.fills.length, 0);
  const beside = living.length - perPool.reduce((n, p) => n + p.alive, 0);
  const wanted = living.length + plan.births.length;
  const behind = (p: Pool): number => plan.outdated.get(p.name) ?? 0;
  const wants = surges.length > 0 ? Math.max(wanted, inPlace + beside + surgeOf(pools, behind)) : wanted;
  const height = pools.reduce((n, p) => n + p.count, 0) + beside + surgeOf(pools, (p) => p.count);
  const holdsSurge = isRollingOut && !plan.gates.starts;
  return {
    has: living.length,
    there: machines.length,
    wants,
    keeps: holdsSurge ? Math.max(wants, height) : wants,
    fills,
    surges,
    isOver: perPool.some((p) => p.alive > p.pool.count),
  };
}

const isKept = (m: Machine, now: number): boolean => m.spec.role === 'worker' && keepOf(m, now).state !== 'no';

/** Machines above the counts while so many of each pool are replaced. The control plane is replaced before the pools, so that only the greater counts. */
function surgeOf(pools: readonly Pool[], replaced: (p: Pool) => number): number {
  const of = (p: Pool) => Math.min(p.surge, p.count, replaced(p));
  const sum = (some: readonly Pool[]) => some.reduce((n, p) => n + of(p), 0);
  return Math.max(
    sum(pools.filter((p) => p.name === CONTROL_PLANE)),
    sum(pools.filter((p) => p.name !== CONTROL_PLANE)),
  );
}

const plural = (n: number): string => `${n} machine${n === 1 ? '' : 's'}`;

/**
 * The plan as far as the quota carries it: what counts ask for comes first, then what stands in while others are replaced. A rollout of which some part goes on waits for nothing. Pure.
 *
 * @param granted - machines that the cluster may have
 */
export function cutToQuota(
  plan: Plan,
  spending: Spending,
  granted: number,
  tenant: { name: string; quota: number },
): { plan: Plan; shortage?: Shortage } {
  const { fills, surges, has, isOver } = spending;
  const room = Math.max(0, granted - has);
  if (fills.length + surges.length <= room) return { plan };
  const made = new Set([...fills, ...surges].slice(0, room));
  const births = plan.births.filter((b) => made.has(b));
  const missing = fills.length - Math.min(room, fills.length);
  const isHeld =
    surges.length > 0 && room <= fills.length && !isOver && !plan.removals.some((r) => r.why === 'outdated');
  const cut: Plan = { ...plan, births, isRolling: plan.isRolling && !isHeld };
  const quota = `the quota of tenant ${tenant.name} (${plural(tenant.quota)}) is used up`;
  const mend = 'remove machines, or have an administrator raise the quota; it goes on by itself';
  if (missing > 0)
    return {
      plan: cut,
      shortage: {
        reason: 'TenantQuotaExceeded',
        message: `${plural(missing)} cannot be made, since ${quota}: ask for fewer, ${mend}`,
        isGrowth: true,
      },
    };
  if (!isHeld) return { plan: cut };
  return {
    plan: cut,
    shortage: {
      reason: 'TenantQuotaExceeded',
      message: `another machine has to stand in while one is replaced, and ${quota}: let maxSurge of pools be 0 and maxUnavailable 1, ${mend}`,
      isGrowth: false,
    },
  };
}
