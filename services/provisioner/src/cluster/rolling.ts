import { type Cluster, findCondition, keepOf, type Machine, timestamp } from '@shoto/api';
import { addonsAil } from '../conditions.ts';
import type { Infrastructure } from '../memory.ts';
import type { Plan } from './plan-machines.ts';
import { addonsLag, type Progress } from './release-step.ts';

/** What the planner goes by, of what is stored of a Cluster. */
export function progressOf({ spec, status }: Cluster, infra: Partial<Infrastructure>): Progress {
  const cp = status?.controlPlane;
  const bundles = spec.addons?.length ? { readyFor: status?.addons?.readyFor, says: addonsSay(status) } : undefined;
  return {
    initialized: cp?.initialized === true,
    initMachine: cp?.initMachine,
    release: infra.release,
    rollout: infra.rollout,
    configRelease: cp?.configRelease,
    addonsRelease: cp?.addonsRelease,
    ...(bundles ? { bundles } : {}),
  };
}

/** What keeps addon-manager from saying that a cluster's addons are ready for the next release, in a line. */
function addonsSay(status: Cluster['status']): string | undefined {
  const { blocked = [], conditions } = status?.addons ?? {};
  if (blocked.length > 0) return blocked.map((b) => `${b.addon}: ${b.message}`).join('; ');
  const wrong = ['Applied', 'Healthy', 'UpToDate']
    .map((type) => findCondition(conditions, type))
    // One that ran and is not well any more is in nobody's way.
    .find((c) => c?.status === 'False' && !addonsAil(c));
  return wrong?.message;
}

/**
 * What is stored of a rollout after a pass: the newest release, and the step that goes on. A rollout begins when the first machine is replaced, and
 * lasts until every machine is as asked for and the last old one is gone, so that nobody takes the end of it for something else.
 */
export function rolloutOf(
  plan: Plan,
  progress: Progress,
  machines: readonly Machine[],
  now: number,
): Pick<Infrastructure, 'release' | 'rollout'> {
  const { floor } = plan.step;
  const behind = [...plan.outdated.values()].some((n) => n > 0);
  const lag = addonsLag(progress, plan.release);
  const goesOn = progress.rollout !== undefined && (behind || lag || plan.births.length > 0 || isUnsettled(machines));
  const step =
    goesOn || (plan.isRolling && progress.initialized)
      ? {
          release: plan.release,
          startedAt: progress.rollout?.release === plan.release ? progress.rollout.startedAt : timestamp(now),
        }
      : undefined;
  return { ...(floor === undefined ? {} : { release: floor }), ...(step ? { rollout: step } : {}) };
}

const isUnsettled = (machines: readonly Machine[]): boolean => machines.some((m) => m.metadata.deletionTimestamp);

/**
 * Counts of outdated machines, by pool: of the plan, or what is stored where there is none. While a cluster is paused nobody asks the cloud what its
 * names mean, so what is stored may know of more.
 */
export function outdatedCounts(
  plan: Plan | undefined,
  stored: Partial<Infrastructure>,
  isPaused: boolean,
): ReadonlyMap<string, number> {
  const before = new Map((stored.pools ?? []).map((p) => [p.name, p.outdated ?? 0]));
  if (!plan) return before;
  if (!isPaused) return plan.outdated;
  return new Map([...plan.outdated].map(([name, n]) => [name, Math.max(n, before.get(name) ?? 0)]));
}

/** Nothing is looked forward to for longer than this, since plans change. */
const LOOK_AHEAD_MS = 3_600_000;

/** When to look again because of the time alone: a maintenance window opens, or a machine need not be kept any longer. */
export function pauseOf(
  cluster: Cluster,
  plan: Plan | undefined,
  machines: readonly Machine[],
  now: number,
): number | undefined {
  if (cluster.metadata.deletionTimestamp || cluster.spec.paused || !plan) return undefined;
  const isBehind = [...plan.outdated.values()].some((n) => n > 0);
  const times = machines.flatMap((m) => {
    const keep = keepOf(m, now);
    return keep.state === 'kept' && Number.isFinite(keep.until) ? [keep.until] : [];
  });
  if (isBehind && plan.gates.opensAt !== undefined) times.push(plan.gates.opensAt);
  return times.length > 0 ? Math.min(LOOK_AHEAD_MS, Math.max(0, Math.min(...times) - now)) : undefined;
}
