import {
  type AddonBundle,
  API_VERSION,
  type Cluster,
  type ClusterSpec,
  emergencyStopMessage,
  type KubernetesRelease,
  type Machine,
  openingOf,
  type Region,
  timestamp,
} from '@shoto/api';
import type { Deps } from '../deps.ts';
import { type AddonMoves, addonMoves, appliedAddons } from './addon-moves.ts';
import { healthHold } from './gates.ts';
import type { Ids } from './ids.ts';
import type { Removal } from './plan-control-plane.ts';
import { type Birth, type Plan, planMachines } from './plan-machines.ts';
import { CONTROL_PLANE, type Pool, poolsOf } from './pools.ts';
import { addonsLag, type Progress } from './release-step.ts';
import { progressOf } from './rolling.ts';
import { hasJoined, isLeaving } from './standing.ts';

/** One thing that would be done. */
export interface ChangeAction {
  /** `addons`: kube-proxy and CoreDNS are brought to the release; `addon`: an addon of the cluster moves, before its machines do. */
  action: 'create' | 'replace' | 'remove' | 'update' | 'addons' | 'addon';
  pool: string;
  /** Name of the Machine that is there now; absent for `create` and `addons`. */
  machine?: string;
  /** Name of the addon, for `addon`. */
  addon?: string;
  because: string[];
  /** Zone of the new machine. */
  zone?: string;
}

/** What would follow from a change of a Cluster's spec. */
export interface ChangePlan {
  /** Releases. */
  from: string;
  to: string;
  /** In order; releases of the control plane, each with what is done while it is there. */
  steps: { release: string; actions: ChangeAction[] }[];
  /** What would stop it now, with the field of the spec where it is one. */
  blockers: { reason: string; message: string; field?: string }[];
  /** When it would begin. */
  notes: string[];
}

/** What a ChangePlan is made from. */
export interface ChangePlanInput {
  cluster: Cluster;
  /** The spec as it would be. */
  spec: ClusterSpec;
  machines: readonly Machine[];
  releases: readonly KubernetesRelease[];
  region: Region;
  /** What is published; without it nothing is said of addons. */
  bundles?: readonly AddonBundle[];
  /** What the names of `spec` mean in the cloud; without it a flavor counts as changed when its name is another. */
  ids?: Ids;
  /** Milliseconds since the epoch. */
  now: number;
  stop: ReturnType<Deps['emergencyStop']>;
}

/** More passes than this no change takes: each does something. */
const PASSES = 10_000;

/**
 * What a change would do, in order, and what would stop it. The very same planner is run on a world in which every machine that is made works, and
 * every machine that is removed is gone. Pure; nothing is done.
 */
export function changePlan(i: ChangePlanInput): ChangePlan {
  const world = new World(i);
  const first = world.plan({ asItIs: true });
  const steps = walk(world);
  const isBehind = [...first.outdated.values()].some((n) => n > 0) || first.step.blocked !== undefined;
  return {
    from: first.step.current ?? i.cluster.spec.release,
    to: i.spec.release,
    steps,
    blockers: [...(steps.length > 0 || isBehind ? blockersOf(first) : problems(first)), ...world.blockers],
    notes: steps.length > 0 ? notesOf(i) : [],
  };
}

/** A cluster in memory, on which plans come true at once. */
class World {
  readonly #i: ChangePlanInput;
  readonly #pools: Pool[];
  readonly #ids: Ids;
  progress: Progress;
  machines: Machine[];
  /** Addons that have no version for a release on the way. */
  readonly blockers: ChangePlan['blockers'] = [];
  #applied: Record<string, string | undefined>;

  constructor(i: ChangePlanInput) {
    this.#i = i;
    this.#pools = poolsOf({ spec: i.spec }, i.region.spec.zones);
    this.#ids = i.ids ?? namesAsIds(i, this.#pools);
    this.progress = progressOf({ ...i.cluster, spec: i.spec }, i.cluster.status?.infrastructure ?? {});
    this.#applied = appliedAddons(i.cluster);
    this.machines = [...i.machines];
  }

  plan(o: { asItIs?: boolean } = {}): Plan {
    const { cluster, region, releases, now } = this.#i;
    return planMachines({
      cluster: { name: cluster.metadata.name, uid: cluster.metadata.uid ?? '' },
      spec: {},
      pools: this.#pools,
      machines: this.machines,
      progress: this.progress,
      releases,
      region: { name: region.metadata.name, endpoint: region.spec.apiEndpoint.type },
      ids: this.#ids,
      stop: undefined,
      now,
      ...(o.asItIs ? {} : { cap: Number.POSITIVE_INFINITY }),
    });
  }

  /**
   * Everything that is under way comes to its good end, and what is sick is mended: that is not this change's business.
   *
   * @param o.joins - machines that have not joined do so
   */
  settle(o: { joins: boolean }): void {
    this.machines = this.machines
      .filter((m) => !isLeaving(m))
      .map((m) => (o.joins || hasJoined(m) ? working(m, this.#i.now) : m));
    if (this.machines.some((m) => m.spec.role === 'control-plane')) this.progress.initialized = true;
  }

  /** Brings the addons to what the next release needs. @returns what moves */
  moveAddons({ current, way }: Plan['step']): AddonMoves['moves'] {
    const { bundles, releases, region, spec } = this.#i;
    const next = way[0] as string;
    const version = (name: string | undefined) => releases.find((r) => r.metadata.name === name)?.spec.version;
    const [from, to] = [version(current), version(next)];
    this.progress = { ...this.progress, bundles: { readyFor: next } };
    if (!bundles || from === undefined || to === undefined) return [];
    const { moves, blocked, applied } = addonMoves({
      spec,
      region,
      bundles,
      applied: this.#applied,
      current: from,
      next: to,
    });
    this.#applied = applied;
    for (const { addon, message } of blocked)
      if (!this.blockers.some((b) => b.message.startsWith(`${addon}: `)))
        this.blockers.push({ reason: 'AddonHasNoVersion', message: `${addon}: ${message}`, field: 'spec.addons' });
    return moves;
  }

  /** Carries a plan out. */
  apply({ births, removals, updates, step }: Plan): void {
    const gone = new Set(removals.map((r) => r.machine));
    const changed = new Set(updates.map((u) => u.machine));
    this.machines = this.machines
      .filter((m) => !gone.has(m))
      .map((m) =>
        changed.has(m)
          ? inPlace(
              m,
              this.#pools.find((p) => p.name === m.spec.pool),
            )
          : m,
      );
    this.machines.push(...births.map((b) => this.#bear(b)));
    if (step.floor !== undefined) this.progress.release = step.floor;
    this.settle({ joins: true });
  }

  #bear({ name, pool, release, zone }: Birth): Machine {
    const { cluster, now } = this.#i;
    const image = this.#ids.images.get(release);
    const flavor = this.#ids.flavors.get(pool.name);
    const machine: Machine = {
      apiVersion: API_VERSION,
      kind: 'Machine',
      metadata: { name, uid: `planned/${name}`, creationTimestamp: timestamp(now) },
      spec: {
        cluster: { name: cluster.metadata.name, uid: cluster.metadata.uid ?? '' },
        role: pool.role,
        pool: pool.name,
        region: cluster.spec.region,
        release,
        image: typeof image === 'string' ? image : '',
        flavor: typeof flavor === 'string' ? flavor : '',
        ...(zone === undefined ? {} : { zone }),
        ...(pool.rootVolume ? { rootVolume: pool.rootVolume } : {}),
      },
    };
    return inPlace(machine, pool);
  }
}

/** A Machine whose node has joined and is ready. */
function working(m: Machine, now: number): Machine {
  const { server, bootstrap } = m.status ?? {};
  if (server?.state === 'Gone' || m.status?.health?.order?.action === 'Replace') return m;
  return {
    ...m,
    status: {
      server: server ?? { revision: 0 },
      bootstrap: { ...bootstrap, revision: bootstrap?.revision ?? 0, joinedAt: bootstrap?.joinedAt ?? timestamp(now) },
      health: { revision: 0, ready: true },
    },
  };
}

/** A Machine with what its pool changes in place. */
function inPlace(m: Machine, pool: Pool | undefined): Machine {
  if (!pool) return m;
  const { labels: _, taints: __, nodeDrainTimeoutSeconds: ___, nodeVolumeDetachTimeoutSeconds: ____, ...spec } = m.spec;
  return {
    ...m,
    spec: {
      ...spec,
      ...(pool.labels ? { labels: pool.labels } : {}),
      ...(pool.taints ? { taints: pool.taints } : {}),
      nodeDrainTimeoutSeconds: pool.drainTimeout,
      nodeVolumeDetachTimeoutSeconds: pool.detachTimeout,
    },
  };
}

/** Without the cloud: a name that the spec has now means what the machines have, and another name something else. */
function namesAsIds({ cluster, machines, releases }: ChangePlanInput, pools: readonly Pool[]): Ids {
  const before = new Map(poolsOf(cluster, []).map((p) => [p.name, p.flavor]));
  const imageOf = (release: string) =>
    machines.find((m) => m.spec.release === release)?.spec.image ?? `image of ${release}`;
  const flavorOf = (p: Pool) =>
    before.get(p.name) === p.flavor
      ? (machines.find((m) => m.spec.pool === p.name)?.spec.flavor ?? p.flavor)
      : p.flavor;
  return {
    images: new Map(
      [...new Set([...releases.map((r) => r.metadata.name), ...machines.map((m) => m.spec.release)])].map((r) => [
        r,
        imageOf(r),
      ]),
    ),
    flavors: new Map(pools.map((p) => [p.name, flavorOf(p)])),
  };
}

/** Runs the planner until nothing is left to do. */
function walk(world: World): ChangePlan['steps'] {
  const log = new ActionLog();
  let isFirst = true;
  for (let pass = 0; pass < PASSES; pass++) {
    // What has not joined by now, and is not what the change asks for, is made anew before it can: no way leads through its release.
    world.settle({ joins: !isFirst });
    const plan = world.plan();
    if (plan.step.waits === 'AddonBundles') {
      log.addonsMove(plan.step.way[0] as string, world.moveAddons(plan.step));
      continue;
    }
    log.add(plan);
    const isOver = plan.births.length + plan.removals.length + plan.updates.length === 0;
    if (!isOver) world.apply(plan);
    const wasFirst = isFirst;
    isFirst = false;
    if (!isOver || wasFirst) continue;
    const { current } = plan.step;
    if (current === undefined || !addonsLag(world.progress, current)) break;
    log.addons(current, world.progress.addonsRelease);
    Object.assign(world.progress, { configRelease: current, addonsRelease: current });
  }
  return log.steps();
}

/** Brings births and removals together: a machine that takes another's place is one action. */
class ActionLog {
  readonly #steps: ChangePlan['steps'] = [];
  /** Births that nobody has made room for yet, and removals that wait for their birth, by pool. */
  readonly #born = new Map<string, ChangeAction[]>();
  readonly #owed = new Map<string, ChangeAction[]>();

  add({ release, births, removals, updates }: Plan): void {
    for (const u of updates) this.#push(release, update(u));
    for (const b of births) this.#birth(release, b);
    for (const r of removals) this.#removal(release, r);
  }

  addons(release: string, from: string | undefined): void {
    const because = [from === undefined ? `release ${release}` : `release ${from} -> ${release}`];
    this.#push(release, { action: 'addons', pool: CONTROL_PLANE, because });
  }

  addonsMove(release: string, moves: AddonMoves['moves']): void {
    for (const { addon, because } of moves)
      this.#push(release, { action: 'addon', pool: CONTROL_PLANE, addon, because: [because] });
  }

  steps(): ChangePlan['steps'] {
    for (const owed of this.#owed.values()) for (const a of owed) a.action = 'remove';
    return this.#steps;
  }

  #birth(release: string, b: Birth): void {
    const owed = this.#owed.get(b.pool.name)?.shift();
    const zone = b.zone === undefined ? {} : { zone: b.zone };
    if (owed) {
      Object.assign(owed, zone);
      return;
    }
    const action: ChangeAction = {
      action: 'create',
      pool: b.pool.name,
      because: [`count is ${b.pool.count}`],
      ...zone,
    };
    this.#push(release, action);
    listOf(this.#born, b.pool.name).push(action);
  }

  #removal(release: string, { machine, why, because }: Removal): void {
    const { pool } = machine.spec;
    const what = { pool, machine: machine.metadata.name, because: [...because] };
    if (why !== 'outdated' && why !== 'lost') {
      this.#push(release, { action: 'remove', ...what });
      return;
    }
    const born = this.#born.get(pool)?.shift();
    if (born) Object.assign(born, { action: 'replace', ...what });
    else {
      const action: ChangeAction = { action: 'replace', ...what };
      this.#push(release, action);
      listOf(this.#owed, pool).push(action);
    }
  }

  #push(release: string, action: ChangeAction): void {
    const last = this.#steps.at(-1);
    if (last?.release === release) last.actions.push(action);
    else this.#steps.push({ release, actions: [action] });
  }
}

const update = ({ machine, because }: Plan['updates'][number]): ChangeAction => ({
  action: 'update',
  pool: machine.spec.pool,
  machine: machine.metadata.name,
  because,
});

function listOf<T>(map: Map<string, T[]>, key: string): T[] {
  const list = map.get(key) ?? [];
  map.set(key, list);
  return list;
}

/** The field that a message begins with. */
const fieldOf = (message: string): { field?: string } => {
  const field = /^(spec\.[A-Za-z0-9.[\]]+): /.exec(message)?.[1];
  return field === undefined ? {} : { field };
};

const problems = (plan: Plan): ChangePlan['blockers'] =>
  plan.problems.map(({ reason, message }) => ({ reason, message, ...fieldOf(message) }));

/** What would stop the change as the cluster is now. */
function blockersOf(plan: Plan): ChangePlan['blockers'] {
  const { blocked } = plan.step;
  const path = blocked && { reason: 'UpgradePathMissing', message: blocked.message };
  const health = plan.gates.sick.length > 0 ? healthHold(plan.gates.sick) : undefined;
  const holds = [path, plan.held, health].filter((h) => h !== undefined);
  return [...holds.map((h) => ({ ...h, ...fieldOf(h.message) })), ...problems(plan)];
}

function notesOf({ spec, stop, now }: ChangePlanInput): string[] {
  const notes: string[] = [];
  if (stop === 'unknown') notes.push('it is not known yet whether the emergency stop of the fleet is on');
  else if (stop) notes.push(emergencyStopMessage(stop.stop));
  if (spec.paused) notes.push('it begins when spec.paused is set to false');
  const opening = spec.maintenanceWindow && openingOf(spec.maintenanceWindow, now);
  if (opening)
    notes.push(
      opening.opensAt <= now
        ? `machines are replaced until the maintenance window closes at ${timestamp(opening.closesAt)}; what is left then, in the next one`
        : `machines are replaced from ${timestamp(opening.opensAt)} on, when the maintenance window opens; sizes change at once`,
    );
  return notes;
}
