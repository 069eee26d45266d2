import { chooseRemovals } from './choose-removal.ts';
import type { Hold } from './gates.ts';
import type { Standing } from './standing.ts';

/** A Machine that is to go, and why. */
export interface Removal {
  machine: Standing['machine'];
  /**
   * `lost`: it is not coming back; `outdated`: another takes its place; `surplus`: fewer are asked for; `pool`: its pool is no longer asked for;
   * `kept`: it was kept for study, until now.
   */
  why: 'lost' | 'outdated' | 'surplus' | 'pool' | 'kept';
  because: readonly string[];
}

/** What is to be done with the machines of one pool. */
export interface PoolPlan {
  births: number;
  removals: Removal[];
  /** Why one that should go stays. */
  held?: Hold;
  /** Every machine is there, up to date and usable, and none is on its way out. */
  done: boolean;
}

/** A control-plane Machine that is on its way out. */
export interface Leaving {
  /** Its member is in etcd still, as far as was said. */
  isMember: boolean;
  usable: boolean;
}

/** The control plane, as its plan is made from it. */
export interface ControlPlaneInput {
  count: number;
  /** Its Machines that are not on their way out. */
  standing: readonly Standing[];
  /** Those on their way out. */
  leaving: readonly Leaving[];
  initialized: boolean;
  /** UID of the Machine that was told to run kubeadm init. */
  initMachine?: string | undefined;
  /** Replacements of outdated machines may begin. */
  rolling: boolean;
  /** A replacement can be made at all. */
  bears: boolean;
  /** Machines may be removed. */
  removals: boolean;
}

/** Members that etcd needs. */
export const quorumOf = (members: number): number => Math.floor(members / 2) + 1;

/** Removals of what is at hand, with why. */
export const removalOf = (s: Standing, otherwise: Removal['why'] = 'surplus'): Removal => ({
  machine: s.machine,
  why: s.lost ? 'lost' : s.outdated.length > 0 ? 'outdated' : otherwise,
  because: s.lost
    ? [s.machine.status?.health?.order?.reason ?? 'its server is gone']
    : s.outdated.length > 0
      ? s.outdated
      : ['fewer machines are asked for'],
});

/**
 * The plan of the control plane. One machine at most is on its way out, and only while those that are usable are a quorum of the members that remain;
 * beside one that is, and that serves still, a sick one may go: the former may be held in etcd by the latter. Births are not held back: etcd takes its new members one by one anyway. Pure.
 *
 * A sick machine goes first, and its replacement is born at once. An outdated one goes only after one more than asked for is usable.
 */
export function planControlPlane(i: ControlPlaneInput): PoolPlan {
  if (!i.initialized) return planBeforeInit(i);
  const members = i.standing.filter((s) => s.joined);
  const isSpared = (s: Standing): boolean => {
    if (!s.joined) return true;
    const left = [...members.filter((m) => m !== s), ...i.leaving.filter((l) => l.isMember)];
    return left.length > 0 && left.filter((m) => m.usable).length >= quorumOf(left.length);
  };
  const bad = i.standing.filter((s) => s.lost || (isStale(s) && i.bears));
  // What never joined is nobody's member; with two lost, the one whose loss changes nothing goes first.
  const spared = i.removals ? bad.filter(isSpared).sort((a, b) => Number(a.joined) - Number(b.joined)) : [];
  const isFree = i.leaving.length === 0;
  const isHalfFree = i.leaving.every((l) => !l.isMember || l.usable);
  const first = isFree ? spared[0] : isHalfFree ? spared.find((s) => s.lost) : undefined;
  const alive = i.standing.filter((s) => s !== first);
  const plan: PoolPlan = {
    births: Math.max(0, i.count - alive.length),
    removals: first ? [removalOf(first)] : [],
    done: false,
  };
  if (bad.length > spared.length && i.removals)
    plan.held = quorumLost(bad, [...members, ...i.leaving.filter((l) => l.isMember)]);
  if (!isFree || first) return plan;
  const old = alive.filter((s) => s.outdated.length > 0);
  const pending = old.length > 0 ? alive.filter((s) => s.outdated.length === 0 && !s.usable).length : 0;
  const allUsable = alive.every((s) => s.usable);
  if (alive.length - i.count - pending > 0 && i.removals) {
    const [x] = chooseRemovals(old.length > 0 ? old : alive, 1, { among: alive });
    if (x && isSpared(x) && (allUsable || !x.usable)) plan.removals = [removalOf(x)];
    return plan;
  }
  if (!allUsable || alive.length !== i.count) return plan;
  if (old.length === 0) plan.done = true;
  else if (i.rolling && i.bears) plan.births = 1;
  return plan;
}

/**
 * Nothing is lost with a machine that never joined: outdated ones are replaced freely, one at a time. Nor with one that is lost itself, joined or not:
 * while its API has not answered once, nobody was let into the cluster.
 */
function planBeforeInit(i: ControlPlaneInput): PoolPlan {
  const free = i.standing.filter((s) => !s.joined || s.lost);
  const [surplus] = i.standing.length > i.count ? spare(free, i.initMachine) : [];
  const going =
    i.removals && i.leaving.length === 0
      ? (free.find((s) => s.lost) ?? (i.bears ? free.find((s) => s.outdated.length > 0) : undefined) ?? surplus)
      : undefined;
  return {
    births: Math.max(0, i.count - (i.standing.length - (going ? 1 : 0))),
    removals: going ? [removalOf(going)] : [],
    done: false,
  };
}

/** The machine that was told to begin the cluster is the last that is given up. */
function spare(from: readonly Standing[], initMachine: string | undefined): Standing[] {
  const others = from.filter((s) => s.machine.metadata.uid !== initMachine);
  return chooseRemovals(others.length > 0 ? others : from, 1);
}

const isStale = (s: Standing): boolean => s.outdated.length > 0 && !s.joined;

function quorumLost(bad: readonly Standing[], members: readonly Pick<Standing, 'usable'>[]): Hold {
  const usable = members.filter((m) => m.usable).length;
  const [name] = bad
    .filter((s) => s.joined)
    .map((s) => s.name)
    .sort();
  return {
    reason: 'QuorumLost',
    message: `control-plane machine ${name} is to be replaced, but only ${usable} of ${members.length} are usable: without it etcd would have no quorum, and its data may be nowhere else; bring one of them back first (docs/runbooks)`,
  };
}
