import { chooseRemovals } from './choose-removal.ts';
import { type PoolPlan, removalOf } from './plan-control-plane.ts';
import type { Standing } from './standing.ts';

/** A worker pool, as its plan is made from it. */
export interface PoolInput {
  count: number;
  surge: number;
  unavailable: number;
  /** Its Machines that are not on their way out, kept ones included. */
  standing: readonly Standing[];
  leaving: number;
  /** Replacements of outdated machines may begin. */
  rolling: boolean;
  /** A machine can be made at all. */
  bears: boolean;
  /** Machines may be removed. */
  removals: boolean;
  /** Never more removals than this now. */
  cap: number;
  /** Pods that would have to move, by machine, where it is known. */
  disturbance?: ReadonlyMap<string, number> | undefined;
}

/** The plan of a worker pool. */
export interface WorkerPlan extends PoolPlan {
  /** Machines of which some were chosen for removal without knowing how many pods that disturbs. */
  undecided: string[];
}

/**
 * The plan of a worker pool. What is lost is reborn at once and never counts; what is outdated is replaced as a Deployment does it, within surge and
 * unavailable; what is too much goes, the least wanted first. A machine that is kept for study stands beside the count. Pure.
 *
 * By this plan the usable machines never fall below `count - unavailable`.
 */
export function planPool(i: PoolInput): WorkerPlan {
  const counted = i.standing.filter((s) => s.keep === 'no');
  const lost = counted.filter((s) => s.lost);
  // Nothing is on what never joined; as many of it are made anew as can go.
  const stale = i.bears ? counted.filter((s) => !s.lost && s.outdated.length > 0 && !s.joined) : [];
  const gone = i.removals ? [...lost, ...stale.slice(0, Math.max(0, i.cap - lost.length))] : [];
  const alive = counted.filter((s) => !gone.includes(s));
  const old = alive.filter((s) => s.outdated.length > 0);
  const fresh = alive.filter((s) => s.outdated.length === 0);
  const rolling = i.rolling && i.bears && old.length > 0;
  const room = rolling ? Math.min(i.count + i.surge - alive.length, i.count - fresh.length) : i.count - alive.length;
  const births = i.bears ? Math.max(0, room) : 0;
  const usable = alive.filter((s) => s.usable).length;
  const plan: WorkerPlan = {
    births,
    removals: [],
    undecided: [],
    done: old.length === 0 && alive.length === i.count && usable === i.count && gone.length === 0 && i.leaving === 0,
  };
  if (!i.removals) return plan;
  const over = i.standing.filter((s) => s.keep === 'over');
  plan.removals.push(
    ...gone.map((s) => removalOf(s)),
    ...over.map((s) => ({ machine: s.machine, why: 'kept' as const, because: ['it is no longer kept for study'] })),
  );
  const free = Math.max(0, i.cap - plan.removals.length);
  plan.removals.splice(i.cap);
  if (old.length > 0) {
    plan.removals.push(...retire(i, free, { alive, old, fresh, usable, rolling }).map((s) => removalOf(s)));
    return plan;
  }
  const chosen = chooseRemovals(alive, Math.min(alive.length - i.count, free), { disturbance: i.disturbance });
  plan.removals.push(...chosen.map((s) => removalOf(s)));
  if (!i.disturbance && chosen.length < alive.length && chosen.some((s) => s.usable))
    plan.undecided = alive.filter((s) => s.usable).map((s) => s.name);
  return plan;
}

/** Those that may go while there are outdated machines: new ones that are not wanted any more, then old ones as far as new ones stand in for them. */
function retire(
  i: PoolInput,
  free: number,
  s: { alive: Standing[]; old: Standing[]; fresh: Standing[]; usable: number; rolling: boolean },
): Standing[] {
  const starting = s.fresh.filter((x) => !x.usable);
  const unwanted = chooseRemovals(starting, Math.min(s.fresh.length - i.count, starting.length, free));
  const floor = i.count - (s.rolling ? i.unavailable : 0);
  // As a Deployment: what is still starting counts for nothing, and its place is not given away twice.
  const budget = Math.min(free - unwanted.length, s.alive.length - floor - starting.length);
  const broken = chooseRemovals(
    s.old.filter((x) => !x.usable),
    budget,
    { among: s.alive },
  );
  const working = chooseRemovals(
    s.old.filter((x) => x.usable),
    Math.min(budget - broken.length, s.usable - floor),
    { among: s.alive },
  );
  return [...unwanted, ...broken, ...working];
}
