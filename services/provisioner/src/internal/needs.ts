import type { ChangePlan, Machine } from '@shoto/api';
import type { Pool } from '../cluster/pools.ts';

/** What a flavor takes of a project's quota. */
export interface Size {
  vcpus: number;
  /** MiB. */
  ram: number;
}

/** What machines take of a project's quotas. */
export const RESOURCES = ['instances', 'cores', 'ram', 'ports'] as const;
export type Resource = (typeof RESOURCES)[number];
/** Of each resource so much. */
export type Amounts = Record<Resource, number>;

/** What `count` machines of a flavor take: each has one port. */
export const amountsOf = (size: Size, count: number): Amounts => ({
  instances: count,
  cores: size.vcpus * count,
  ram: size.ram * count,
  ports: count,
});

/** What a pool needs at the height of a change, beyond what it has. */
export interface PoolNeed {
  /** Path of the pool in the spec. */
  path: string;
  /** What the need comes from. */
  why: 'count' | 'replacement';
  amounts: Amounts;
}

/**
 * What a change needs of the project's quotas at its height, beyond what is used now, pool by pool. Machines that are added stay; of those that are
 * replaced at most the pool's surge are there twice at once, and where the new flavor is larger each one that was replaced takes more. Pure.
 *
 * @param sizeOf - of a flavor by name or id; undefined where it is not known
 */
export function needsOf(
  plan: Pick<ChangePlan, 'steps'>,
  pools: readonly Pool[],
  machines: readonly Machine[],
  sizeOf: (flavor: string) => Size | undefined,
): PoolNeed[] {
  const needs: PoolNeed[] = [];
  for (const pool of pools) {
    const size = sizeOf(pool.flavor);
    if (!size) continue;
    const actions = plan.steps.map((s) => s.actions.filter((a) => a.pool === pool.name));
    const created = actions.flat().filter((a) => a.action === 'create').length;
    if (created > 0) needs.push({ path: pool.path, why: 'count', amounts: amountsOf(size, created) });
    // In each step the same machines are replaced again: what is needed at once is that of the largest.
    const replaced = actions
      .map((of) => of.filter((a) => a.action === 'replace'))
      .sort((a, b) => b.length - a.length)[0];
    if (!replaced?.length) continue;
    const surge = Math.min(pool.surge, replaced.length);
    const olds = replaced.map(
      (a) => sizeOf(machines.find((m) => m.metadata.name === a.machine)?.spec.flavor ?? pool.flavor) ?? size,
    );
    const amounts = Object.fromEntries(
      RESOURCES.map((r) => [
        r,
        peak(
          amountsOf(size, 1)[r],
          olds.map((o) => amountsOf(o, 1)[r]),
          surge,
        ),
      ]),
    ) as Amounts;
    if (RESOURCES.some((r) => amounts[r] > 0)) needs.push({ path: pool.path, why: 'replacement', amounts });
  }
  return needs;
}

/**
 * The most that is used above the start while machines that take `olds` are replaced one after another by such that take `now`, `surge` of them
 * being there before the old ones go.
 */
function peak(now: number, olds: readonly number[], surge: number): number {
  let used = 0;
  let most = 0;
  olds.forEach((old, i) => {
    const atOnce = Math.min(surge, olds.length - i);
    most = Math.max(most, used + atOnce * now);
    used += now - old;
  });
  return Math.max(most, used);
}

/** All needs together: the control plane is rolled before the pools, so that of the two only the greater counts. */
export function total(needs: readonly PoolNeed[]): Amounts {
  const sum = (of: readonly PoolNeed[], r: Resource) => of.reduce((n, x) => n + x.amounts[r], 0);
  const isControlPlane = (n: PoolNeed) => n.path === 'spec.controlPlane';
  const added = needs.filter((n) => n.why === 'count');
  const rolled = needs.filter((n) => n.why === 'replacement');
  return Object.fromEntries(
    RESOURCES.map((r) => [
      r,
      sum(added, r) +
        Math.max(
          sum(rolled.filter(isControlPlane), r),
          sum(
            rolled.filter((n) => !isControlPlane(n)),
            r,
          ),
        ),
    ]),
  ) as Amounts;
}
