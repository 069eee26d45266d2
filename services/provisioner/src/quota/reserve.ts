import type { Cluster, Machine } from '@shoto/api';
import { type ReconcileError, toReconcileError } from '@shoto/reconciler';
import type { ClusterPass } from '../cluster/pass.ts';
import type { Plan } from '../cluster/plan-machines.ts';
import type { Pool } from '../cluster/pools.ts';
import { progressOf, rolloutOf } from '../cluster/rolling.ts';
import type { Deps } from '../deps.ts';
import type { Ask } from './ledger.ts';
import type { Granted } from './reservations.ts';
import { cutToQuota, spendingOf } from './spending.ts';

/**
 * Reserves what a plan's machines take of the tenant's quota, before any of them is made.
 *
 * @returns the plan as far as the quota carries it; without births where nothing could be reserved, and why
 */
export async function reserve(
  pass: ClusterPass,
  pools: readonly Pool[],
  plan: Plan,
): Promise<{ plan: Plan; error?: ReconcileError }> {
  const { d, cluster, machines, infra } = pass;
  const now = d.clock.now();
  const { rollout } = rolloutOf(plan, progressOf(cluster, infra), machines, now);
  const spending = spendingOf(plan, pools, machines, rollout !== undefined, now);
  let granted: Granted | undefined;
  try {
    granted = await askFor(d, cluster, machines, spending);
  } catch (e) {
    return { plan: { ...plan, births: [] }, error: toReconcileError(e) };
  }
  pass.memory.waitsForQuota = false;
  if (!granted) return { plan };
  const { plan: cut, shortage } = cutToQuota(plan, spending, granted.machines, granted.tenant);
  pass.memory.waitsForQuota = granted.machines < spending.wants;
  const again = [
    pass.memory.waitsForQuota ? d.times.recheckMs : undefined,
    granted.isSurplus ? d.times.releaseMs : undefined,
  ].filter((ms) => ms !== undefined);
  if (!shortage && again.length === 0) return { plan: cut };
  return {
    plan: {
      ...cut,
      quota: { ...(shortage ? { shortage } : {}), ...(again.length > 0 ? { againMs: Math.min(...again) } : {}) },
    },
  };
}

/** Gives back what a Cluster that is being deleted holds, as its Machines go. */
export async function release(d: Deps, cluster: Cluster, machines: readonly Machine[]): Promise<void> {
  await askFor(d, cluster, machines, { has: 0, there: machines.length, wants: 0, keeps: 0 });
}

/**
 * Asks, and gives back what is no longer needed: at once when no machine is on its way out, else what comes together in a while, so that a hundred machines that go
 * are a few writes.
 */
async function askFor(
  d: Deps,
  cluster: Cluster,
  machines: readonly Machine[],
  { has, there, wants, keeps }: Pick<Ask, 'has' | 'there' | 'wants' | 'keeps'>,
): Promise<Granted | undefined> {
  const { uid = '', name, namespace = '' } = cluster.metadata;
  const memory = d.memory.cluster(uid);
  const now = d.clock.now();
  const isQuiet = !machines.some((m) => m.metadata.deletionTimestamp);
  const releases = isQuiet || (memory.surplusSince !== undefined && now - memory.surplusSince >= d.times.releaseMs);
  const granted = await d.quota.ask(namespace, { cluster: { uid, name }, has, there, wants, keeps, releases });
  if (granted?.isSurplus) memory.surplusSince ??= now;
  else delete memory.surplusSince;
  return granted;
}
