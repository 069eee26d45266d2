import type { ClusterSpec, KubernetesRelease, Machine, RegionSpec } from '@shoto/api';
import { TerminalError } from '@shoto/reconciler';
import type { Deps } from '../deps.ts';
import { machineName } from '../names.ts';
import { type Gates, gatesOf, type Hold, type Shortage } from './gates.ts';
import { type Ids, idsOf } from './ids.ts';
import { type Update, updateOf } from './in-place.ts';
import { outdated } from './outdated.ts';
import { type PoolPlan, planControlPlane, type Removal } from './plan-control-plane.ts';
import { planPool } from './plan-pool.ts';
import { CONTROL_PLANE, type Pool } from './pools.ts';
import { type Progress, releaseStep, type Step, workerRelease } from './release-step.ts';
import { chooseZone } from './spread.ts';
import { isLeaving, isMember, isMendedByReplacement, type Standing, standingOf } from './standing.ts';

/** What the plan of a Cluster's machines is made from. */
export interface PlanInput {
  cluster: { name: string; uid: string };
  spec: Pick<ClusterSpec, 'maintenanceWindow'>;
  /** As poolsOf gives them, the control plane first. */
  pools: readonly Pool[];
  /** The Cluster's Machines, those on their way out included. */
  machines: readonly Machine[];
  progress: Progress;
  releases: readonly KubernetesRelease[];
  region: { name: string; endpoint: RegionSpec['apiEndpoint']['type'] };
  /** What names mean in the cloud. Absent: nothing is known of images and flavors, and all can be made. */
  ids?: Ids | undefined;
  stop: ReturnType<Deps['emergencyStop']>;
  /** Pods that would have to move, by machine, where it was asked. */
  disturbance?: ReadonlyMap<string, number> | undefined;
  /** Names of servers that the cluster has in the cloud, those that no Machine knows included: none of them is given again. */
  taken?: ReadonlySet<string> | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** Never more than this are on their way out; default 10. */
  cap?: number;
}

/** A Machine that is to be made. */
export interface Birth {
  name: string;
  pool: Pool;
  release: string;
  zone: string | undefined;
}

/** What is to be done so that the machines are as asked for. */
export interface Plan {
  births: Birth[];
  /** Machines to delete, in this order; at most `cap` less what is on its way out already. */
  removals: Removal[];
  /** Machines to change in place. */
  updates: Update[];
  step: Step;
  /** Release that control-plane machines are made with now. */
  release: string;
  gates: Gates;
  /** Machines that are not as the spec asks for, by pool; of a walk its end counts. */
  outdated: ReadonlyMap<string, number>;
  /** Why the control plane cannot be brought to what is asked for, or a sick machine of it stays. */
  held: Hold | undefined;
  /** Why machines that are needed cannot be made: names that mean nothing in the cloud. */
  problems: TerminalError[];
  /** Replacements go on now, or have been begun. */
  isRolling: boolean;
  /** Every pool has what it asks for, up to date, and none is on its way out. */
  isDone: boolean;
  /** Machines of which some were chosen for removal without knowing how many pods that disturbs. */
  undecided: string[];
  /** What the tenant's quota makes of it: found out when the plan is carried out. */
  quota?: {
    shortage?: Shortage;
    /** When to look again, in milliseconds. */
    againMs?: number;
  };
}

/** Machines asked for and never more than this are removed at once. */
export const REMOVALS_AT_ONCE = 10;

/**
 * Which Machines to make, to remove and to change, and at which step of its way the cluster is. Pure: the same state gives the same plan.
 *
 * The control plane comes first; pools follow when it is done with its step. Sizing and lost machines wait for nothing but the emergency stop.
 */
export function planMachines(i: PlanInput): Plan {
  const step = releaseStep({ ...i, region: i.region.name });
  const staying = i.machines.filter((m) => !isLeaving(m));
  const pools = new Map(i.pools.map((p) => [p.name, p]));
  const stand = (m: Machine, release: string | undefined): Standing => {
    const pool = pools.get(m.spec.pool);
    return standingOf(m, pool && release !== undefined ? outdated(m, wantedOf(i, pool, release)) : [], i.now);
  };
  const gates = gatesOf(
    i.spec,
    i.stop,
    staying.map((m) => stand(m, undefined)),
    i.now,
  );
  const cp = pools.get(CONTROL_PLANE) as Pool;
  const releases = releasesOf(i, step, gates);
  const members = (pool: string) => staying.filter((m) => m.spec.pool === pool);
  const leaving = (pool: string) => i.machines.filter((m) => m.spec.pool === pool && isLeaving(m));
  const standing = new Map(
    i.pools.map((p) => [p.name, members(p.name).map((m) => stand(m, releases.get(p.name)))] as const),
  );
  const of = (p: Pool): readonly Standing[] => standing.get(p.name) ?? [];
  const bears = (p: Pool): boolean => canMake(i, p.name, releases.get(p.name) as string);
  const mayBegin = (sick: readonly Standing[]) => !gates.starts && sick.length === 0;

  const fixed = fixedEndpoint(i, of(cp), step);
  const control = planControlPlane({
    count: cp.count,
    standing: of(cp),
    leaving: leaving(CONTROL_PLANE).map((m) => ({ isMember: isMember(m), usable: stand(m, undefined).usable })),
    initialized: i.progress.initialized,
    initMachine: i.progress.initMachine,
    rolling: mayBegin(gates.sick) && !fixed,
    bears: bears(cp),
    removals: !gates.removals,
  });
  const isFirst = control.done || fixed !== undefined;
  let free = Math.max(0, (i.cap ?? REMOVALS_AT_ONCE) - i.machines.filter(isLeaving).length);
  const controlRemovals = control.removals.slice(0, free);
  free -= controlRemovals.length;
  const workers = i.pools
    .filter((p) => p !== cp)
    .map((p) => {
      const mended = new Set(
        of(p)
          .filter(isMendedByReplacement)
          .map((s) => s.name),
      );
      const sick = gates.sick.length === 1 ? gates.sick.filter((s) => !mended.has(s.name)) : gates.sick;
      const plan = planPool({
        count: p.count,
        surge: p.surge,
        unavailable: p.unavailable,
        standing: of(p),
        leaving: leaving(p.name).length,
        rolling: isFirst && mayBegin(sick),
        bears: bears(p),
        removals: !gates.removals,
        cap: free,
        disturbance: i.disturbance,
      });
      free -= plan.removals.length;
      return { pool: p, plan };
    });
  const plans = [{ pool: cp, plan: control as PoolPlan }, ...workers];
  const orphans = gates.removals ? [] : orphaned(i, staying, pools);
  const counts = new Map(i.pools.map((p) => [p.name, countOutdated(i, p, members(p.name))]));
  return {
    births: birthsOf(i, plans, standing, releases),
    removals: [...controlRemovals, ...workers.flatMap(({ plan }) => plan.removals), ...orphans.slice(0, free)],
    updates: gates.removals ? [] : updatesOf(i.machines, pools),
    step,
    release: releases.get(CONTROL_PLANE) as string,
    gates,
    outdated: counts,
    held: control.held ?? fixed,
    problems: problemsOf(i, plans, standing, releases, step),
    isRolling: plans.some(({ pool, plan }) => {
      const there = of(pool).filter((s) => s.keep === 'no' && !s.lost);
      const isOver = there.length + plan.births > pool.count;
      return there.some((s) => s.outdated.length > 0) && (isOver || plan.removals.some((r) => r.why === 'outdated'));
    }),
    isDone: plans.every(({ plan }) => plan.done) && orphans.length === 0 && !i.machines.some(isLeaving),
    undecided: workers.flatMap(({ plan }) => plan.undecided),
  };
}

/** What a pool's machines would be made from with a release. */
function wantedOf(i: PlanInput, pool: Pool, release: string) {
  const [image, flavor] = [i.ids?.images.get(release), i.ids?.flavors.get(pool.name)];
  return {
    release,
    image: typeof image === 'string' ? image : undefined,
    flavor: typeof flavor === 'string' ? flavor : undefined,
    flavorName: pool.flavor,
    rootVolume: pool.rootVolume,
    zones: pool.ownZones ? pool.zones : undefined,
  };
}

const canMake = (i: PlanInput, pool: string, release: string): boolean => {
  const ids = i.ids && idsOf(i.ids, pool, release);
  return !i.ids || (ids !== undefined && !(ids instanceof TerminalError));
};

/** The release that machines of each pool are made with now. A step that may not begin yet is not taken by a machine that is made for another reason. */
function releasesOf(i: PlanInput, step: Step, gates: Gates): Map<string, string> {
  const mayBegin =
    step.begun ||
    (!gates.starts &&
      gates.sick.length === 0 &&
      i.region.endpoint !== 'MachineAddress' &&
      canMake(i, CONTROL_PLANE, step.aim));
  // A machine of the step that is there already has begun it, though it did not join yet.
  const isBorn = i.machines.some(
    (m) => m.spec.role === 'control-plane' && !isLeaving(m) && m.spec.release === step.aim,
  );
  const control = step.current === undefined || mayBegin || isBorn ? step.aim : step.current;
  return new Map(i.pools.map((p) => [p.name, p.name === CONTROL_PLANE ? control : workerRelease(p, step)]));
}

/** A control plane whose address is that of its one machine cannot get another one. */
function fixedEndpoint(i: PlanInput, standing: readonly Standing[], step: Step): Hold | undefined {
  if (i.region.endpoint !== 'MachineAddress' || !i.progress.initialized) return undefined;
  const behind = step.current !== undefined && step.aim !== step.current;
  if (!behind && standing.every((s) => s.outdated.length === 0)) return undefined;
  return {
    reason: 'UnsupportedEndpoint',
    message: `spec.controlPlane: the API has the address of its one control-plane machine (region ${i.region.name}, apiEndpoint MachineAddress), so that machine cannot be replaced: make a new cluster, or one in a region with another kind of endpoint`,
  };
}

function orphaned(i: PlanInput, staying: readonly Machine[], pools: ReadonlyMap<string, Pool>): Removal[] {
  return staying
    .filter((m) => !pools.has(m.spec.pool) && standingOf(m, [], i.now).keep !== 'kept')
    .map((machine) => ({ machine, why: 'pool', because: [`spec has no pool ${machine.spec.pool} any more`] }));
}

/** What changes in place. Machines of a pool that is gone are left as they are. */
const updatesOf = (machines: readonly Machine[], pools: ReadonlyMap<string, Pool>): Update[] =>
  machines.flatMap((m) => {
    const pool = pools.get(m.spec.pool);
    return (pool && updateOf(m, pool)) ?? [];
  });

/** How many machines are not as the spec asks for in the end. */
function countOutdated(i: PlanInput, pool: Pool, machines: readonly Machine[]): number {
  return machines.filter((m) => {
    const s = standingOf(m, outdated(m, wantedOf(i, pool, pool.release)), i.now);
    return s.keep === 'no' && s.outdated.length > 0;
  }).length;
}

function birthsOf(
  i: PlanInput,
  plans: readonly { pool: Pool; plan: PoolPlan }[],
  standing: ReadonlyMap<string, readonly Standing[]>,
  releases: ReadonlyMap<string, string>,
): Birth[] {
  const used = new Set([...i.machines.map((m) => m.metadata.name), ...(i.taken ?? [])]);
  return plans.flatMap(({ pool, plan }) => {
    const release = releases.get(pool.name) as string;
    if (!canMake(i, pool.name, release)) return [];
    const going = new Set(plan.removals.map((r) => r.machine));
    const there = (standing.get(pool.name) ?? []).filter((s) => s.keep === 'no' && !s.lost && !going.has(s.machine));
    const zones = there.filter((s) => s.outdated.length === 0).map((s) => s.zone);
    const others = there.filter((s) => s.outdated.length > 0).map((s) => s.zone);
    const births: Birth[] = [];
    for (let ordinal = 0; births.length < plan.births; ordinal++) {
      const name = machineName(i.cluster, pool.name, ordinal);
      if (used.has(name)) continue;
      used.add(name);
      const zone = chooseZone(pool.zones, zones, others);
      zones.push(zone);
      births.push({ name, pool, release, zone });
    }
    return births;
  });
}

/** What is missing in the cloud, of what machines are to be made from. */
function problemsOf(
  i: PlanInput,
  plans: readonly { pool: Pool; plan: PoolPlan }[],
  standing: ReadonlyMap<string, readonly Standing[]>,
  releases: ReadonlyMap<string, string>,
  step: Step,
): TerminalError[] {
  const { ids } = i;
  if (!ids) return [];
  const wanted = plans.flatMap(({ pool }) => {
    const there = standing.get(pool.name) ?? [];
    const isShort = there.filter((s) => s.keep === 'no' && !s.lost).length < pool.count;
    const release = releases.get(pool.name) as string;
    // A flavor that is not there cannot be compared with: nobody knows what is outdated, so it is said in any case.
    const flavor = ids.flavors.get(pool.name);
    const lacks = isShort || there.some((s) => s.outdated.length > 0) ? idsOf(ids, pool.name, release) : flavor;
    const next = pool.name === CONTROL_PLANE && step.aim !== release ? idsOf(ids, pool.name, step.aim) : undefined;
    return [lacks, next];
  });
  return [...new Set(wanted.filter((e) => e instanceof TerminalError))];
}
