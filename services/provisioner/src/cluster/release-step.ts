import {
  compareReleases,
  isOffered,
  type KubernetesRelease,
  type Machine,
  mayUpgrade,
  parseRelease,
  type ReleasePath,
  releasePath,
} from '@shoto/api';
import type { Hold } from './gates.ts';
import { CONTROL_PLANE, type Pool } from './pools.ts';
import { hasJoined, isLeaving } from './standing.ts';

/** What of a Cluster's status the planner goes by. */
export interface Progress {
  /** The first control-plane machine is up. */
  initialized: boolean;
  /** UID of the Machine that was told to run kubeadm init. */
  initMachine?: string | undefined;
  /** Newest release that a control-plane machine has joined with, as stored. */
  release?: string | undefined;
  /** The step that was going on. */
  rollout?: { release: string; startedAt: string } | undefined;
  /** Release that kubeadm's ConfigMaps are written for, and that its addons run at. */
  configRelease?: string | undefined;
  addonsRelease?: string | undefined;
  /** Addons of the cluster; absent where it asks for none. */
  bundles?: Bundles | undefined;
}

/** What addon-manager says of a cluster's addons. */
export interface Bundles {
  /** Release that every addon fits already: the control plane may go there. */
  readyFor?: string | undefined;
  /** What is in the way, or what it does, in a line; absent where it says nothing. */
  says?: string | undefined;
}

/** Where the control plane is on its way to the release that is asked for. */
export interface Step {
  /** Oldest release of the control plane's joined machines; undefined before there are any. Workers may be no newer. */
  current: string | undefined;
  /** Newest release that a control-plane machine has ever joined with: there is no way back below it. */
  floor: string | undefined;
  /** Release that the control plane is to be brought to now; `current` while it has to wait, or is there. */
  aim: string;
  /** A control-plane machine of this release has joined already. */
  begun: boolean;
  /** Releases still to be walked, `aim` first where it is not `current`. */
  way: string[];
  /** What the next step waits for. */
  waits?: 'Machines' | 'Addons' | 'AddonBundles';
  /** Why there is no way to what is asked for. */
  blocked?: Hold;
}

/** What a step is found from. */
export interface StepInput {
  /** The control plane first; `release` of each as asked for. */
  pools: readonly Pool[];
  machines: readonly Machine[];
  progress: Progress;
  releases: readonly KubernetesRelease[];
  region: string;
  /** Milliseconds since the epoch. */
  now: number;
}

/**
 * The step of the walk to the release that is asked for: one minor at a time, and the next only when the machines that follow, and kubeadm's own
 * addons, have followed. A step that a machine has joined with is left only for a shorter way; one that nobody has joined with yet, at once. Pure.
 */
export function releaseStep(i: StepInput): Step {
  const asked = (i.pools.find((p) => p.name === CONTROL_PLANE) as Pool).release;
  const running = i.machines
    .filter((m) => m.spec.role === 'control-plane' && hasJoined(m) && m.status?.server?.state !== 'Gone')
    .map((m) => m.spec.release)
    .sort(compareReleases);
  const current = running[0];
  const floor = newest([i.progress.release, running.at(-1)]);
  if (current === undefined || floor === undefined) {
    const aim = i.progress.initialized ? (floor ?? asked) : asked;
    return { current, floor, aim, begun: false, way: [] };
  }
  const step = (aim: string): Step => ({ current, floor, aim, begun: aim === floor && aim !== current, way: [] });
  if (current === asked && floor === current) return step(current);
  const way = (from: string) => releasePath(from, asked, i);
  const whole = way(current);
  const length = 'steps' in whole ? whole.steps.length : undefined;
  const blockedBy = (path: ReleasePath): Pick<Step, 'blocked'> =>
    'steps' in path ? {} : { blocked: { reason: 'UpgradeBlocked', message: `spec.release: ${path.message}` } };
  const next = [begun(i, asked, floor, length), 'steps' in whole ? whole.steps[0] : undefined, floor].find(
    (r) => r !== undefined && r !== current && isNext(i, current, floor, r),
  );
  if (next === undefined) return { ...step(current), ...blockedBy(whole) };
  const rest = way(next);
  const steps = [next, ...('steps' in rest ? rest.steps : [])];
  // What was begun goes on; a step within one minor is no step of the others.
  const waits = floor === current && isMinor(current, next) ? waitsFor(i, current, next) : undefined;
  if (waits) return { ...step(current), way: steps, waits };
  return { ...step(next), way: steps, ...blockedBy(rest) };
}

/** The step that a machine has joined with already, where it is still one of a shortest way: a newer release of its minor does not begin it anew. */
function begun(i: StepInput, asked: string, floor: string, shortest: number | undefined): string | undefined {
  const release = i.releases.find((r) => r.metadata.name === floor);
  if (shortest === undefined || !release || !(floor === asked || isOffered(release, i.region, i.now))) return undefined;
  const rest = releasePath(floor, asked, i);
  return 'steps' in rest && 1 + rest.steps.length <= shortest ? floor : undefined;
}

/** Whether a control plane, some of whose machines may be at `floor` already, may go on to this release. */
function isNext(i: StepInput, current: string, floor: string, release: string): boolean {
  // Half-way there is only forwards, also where the release is no longer offered.
  if (release === floor) return true;
  if (compareReleases(release, floor) < 0) return false;
  const to = i.releases.find((r) => r.metadata.name === release);
  return to !== undefined && mayUpgrade(current, to) && (floor === current || mayUpgrade(floor, to));
}

const isMinor = (from: string, to: string): boolean => parseRelease(from)?.minor !== parseRelease(to)?.minor;

function waitsFor(i: StepInput, current: string, next: string): Step['waits'] {
  const following = new Set(i.pools.filter((p) => p.name !== CONTROL_PLANE && followed(p, current)).map((p) => p.name));
  const behind = i.machines.some((m) => following.has(m.spec.pool) && !isLeaving(m) && m.spec.release !== current);
  if (behind) return 'Machines';
  if (addonsLag(i.progress, current)) return 'Addons';
  // A machine of the step that is there already has begun it, though it did not join yet.
  const isBorn = i.machines.some((m) => m.spec.role === 'control-plane' && !isLeaving(m) && m.spec.release === next);
  return i.progress.bundles && i.progress.bundles.readyFor !== next && !isBorn ? 'AddonBundles' : undefined;
}

/** Whether a pool is brought to the control plane's release: it names none of its own, or one that is not there yet. */
const followed = (p: Pool, current: string): boolean => !p.pinned || compareReleases(p.release, current) >= 0;

/** Whether kube-proxy and CoreDNS are still to be brought to a release. Of a cluster whose releases nobody noted nothing is said. */
export function addonsLag({ configRelease, addonsRelease }: Progress, release: string): boolean {
  return (addonsRelease ?? configRelease) !== undefined && addonsRelease !== release;
}

/** The release that machines of a worker pool are made with now: as asked for, and never newer than the whole control plane. */
export function workerRelease(pool: Pool, step: Step): string {
  const limit = step.current ?? step.floor;
  if (limit === undefined) return pool.release;
  return followed(pool, limit) ? limit : pool.release;
}

function newest(releases: readonly (string | undefined)[]): string | undefined {
  return releases
    .filter((r) => r !== undefined)
    .reduce<string | undefined>(
      (best, r) => (best === undefined || compareReleases(r, best) > 0 ? r : best),
      undefined,
    );
}
