import { ANNOTATIONS, type Cluster, FLEET_SWITCH, timestamp } from '@shoto/api';
import { CONFIGMAPS } from '@shoto/kube';
import type { Action, CloudFault } from './action.ts';
import { type FaultRule, failMachine } from './simulators.ts';
import type { Hurt, Truth } from './truth.ts';
import { poolsOf } from './watch.ts';
import { CLUSTERS, MACHINES, NAMESPACE, RELEASES, type World } from './world.ts';

/** Machines that a person may have at most in one sequence, so that it stays quick. */
const MOST_POOLS = 2;

/** Does the actions of one sequence to the cluster of a world. */
export class Actor {
  readonly #world: World;
  readonly #truth: Truth;
  readonly #name: string;
  #pools = 0;
  /** What was really done, for people who read of a failure. */
  readonly log: string[] = [];

  constructor(world: World, truth: Truth, name: string) {
    this.#world = world;
    this.#truth = truth;
    this.#name = name;
  }

  async do(a: Action): Promise<void> {
    const at = Math.round(this.#world.time.elapsed / 1000);
    const done = await this.#one(a);
    this.log.push(`${at} s: ${JSON.stringify(a)}${done ? ` (${done})` : ''}`);
  }

  /**
   * Ends every fault and pause, and whatever a person has put off: maintenance windows, kept machines. Machines that were hurt stay hurt: the
   * services have to mend that.
   */
  async calm(): Promise<void> {
    this.#world.cloud.state.faults.remove();
    this.#world.faults.management = undefined;
    await this.#pause(false);
    await stopFleet(this.#world, false);
    await this.#window(undefined);
    await this.#unkeep();
    // A machine may have joined with a release that its owner has just given up: there is no way back below it, so that the owner has to follow.
    await this.#spec((s, c) => {
      s.release = newest([s.release, floorOf(c)]);
    });
  }

  async #one(a: Action): Promise<string | undefined> {
    const { time, services, cloud } = this.#world;
    switch (a.do) {
      case 'scalePool':
        return this.#spec((s) => {
          const pool = s.nodePools[a.pool % Math.max(1, s.nodePools.length)];
          if (pool) pool.count = a.count;
        });
      case 'scaleControlPlane':
        return this.#spec((s) => {
          s.controlPlane.count = a.count;
        });
      case 'addPool':
        return this.#spec((s) => {
          if (s.nodePools.length < MOST_POOLS)
            s.nodePools.push({
              ...s.nodePools[0]!,
              name: `p${++this.#pools}`,
              count: a.count,
              flavor: 'm1.small',
              ...(a.rootVolume ? { rootVolume: { sizeGiB: 20 } } : {}),
            });
        });
      case 'removePool':
        return this.#spec((s) => {
          if (s.nodePools.length > 1) s.nodePools.pop();
        });
      case 'upgrade':
        return this.#spec((s) => {
          const next = RELEASES[RELEASES.indexOf(s.release as (typeof RELEASES)[number]) + 1];
          if (next) s.release = next;
        });
      case 'reaim':
        return this.#spec((s, c) => {
          // What the door goes by: not below what the control plane has joined with.
          s.release = newest([RELEASES[a.release % RELEASES.length]!, floorOf(c)]);
        });
      case 'window': {
        const start = new Date(time.now() + a.startsInMinutes * 60_000).toISOString().slice(11, 16);
        await this.#window({ start, durationMinutes: a.durationMinutes });
        return undefined;
      }
      case 'noWindow':
        await this.#window(undefined);
        return undefined;
      case 'keep':
        return this.#keep(a.machine, a.minutes);
      case 'unkeep':
        await this.#unkeep();
        return undefined;
      case 'flavor':
        return this.#spec((s) => {
          const all = [s.controlPlane, ...s.nodePools];
          all[a.pool % all.length]!.flavor = a.flavor;
        });
      case 'surge':
        return this.#spec((s) => {
          if (a.maxSurge + a.maxUnavailable > 0)
            for (const p of s.nodePools) Object.assign(p, { maxSurge: a.maxSurge, maxUnavailable: a.maxUnavailable });
        });
      case 'hurt':
        return this.#hurt(a.how, a.machine);
      case 'cloudFault': {
        const id = `model-${time.now()}`;
        cloud.state.faults.add({ id, ...ruleOf(a.fault, a.service) });
        setTimeout(() => cloud.state.faults.remove(id), a.seconds * 1000);
        return undefined;
      }
      case 'managementFault': {
        const mine = managementFault(a.fault, time.now());
        this.#world.faults.management = mine;
        setTimeout(() => {
          if (this.#world.faults.management === mine) this.#world.faults.management = undefined;
        }, a.seconds * 1000);
        return undefined;
      }
      case 'kill':
        services.kill(a.service);
        return undefined;
      case 'flush':
        services.flush();
        return undefined;
      case 'pause':
        await this.#pause(true);
        setTimeout(() => void this.#pause(false), a.seconds * 1000);
        return undefined;
      case 'stopFleet':
        await stopFleet(this.#world, true);
        setTimeout(() => void stopFleet(this.#world, false), a.seconds * 1000);
        return undefined;
      case 'wait':
        await time.advance(a.seconds * 1000);
        return undefined;
      default:
        return a satisfies never;
    }
  }

  /** Changes the spec as a person with kubectl does. @returns what the API server said against it */
  async #spec(change: (spec: Cluster['spec'], cluster: Cluster) => void): Promise<string | undefined> {
    const { kube } = this.#world;
    const c = await kube.get<Cluster>(CLUSTERS, { namespace: NAMESPACE, name: this.#name });
    if (!c) return 'no cluster';
    const spec = structuredClone(c.spec);
    change(spec, c);
    try {
      await kube.mergePatch<Cluster>(CLUSTERS, { namespace: NAMESPACE, name: this.#name }, { spec });
      return undefined;
    } catch (e) {
      return `refused: ${e instanceof Error ? e.message : String(e)}`;
    }
  }

  async #pause(paused: boolean): Promise<void> {
    await this.#spec((s) => {
      s.paused = paused;
    });
  }

  async #window(window: { start: string; durationMinutes: number } | undefined): Promise<void> {
    await this.#world.kube.mergePatch<Cluster>(CLUSTERS, { namespace: NAMESPACE, name: this.#name }, {
      spec: { maintenanceWindow: window ?? null },
    } as never);
  }

  /** Keeps a worker for study, as `shoto keep machine` does. */
  async #keep(which: number, minutes: number): Promise<string> {
    const workers = this.#truth
      .machines(this.#name)
      .filter((m) => m.spec.role === 'worker' && !m.metadata.deletionTimestamp);
    const m = workers[which % Math.max(1, workers.length)];
    if (!m) return 'nobody';
    const until = timestamp(this.#world.time.now() + minutes * 60_000);
    await this.#mark(m.metadata.name, until);
    return m.metadata.name;
  }

  async #unkeep(): Promise<void> {
    for (const m of this.#truth.machines(this.#name))
      if (m.metadata.annotations?.[ANNOTATIONS.keepUntil]) await this.#mark(m.metadata.name, null);
  }

  async #mark(name: string, keepUntil: string | null): Promise<void> {
    await this.#world.kube.mergePatch(MACHINES, { namespace: NAMESPACE, name }, {
      metadata: { annotations: { [ANNOTATIONS.keepUntil]: keepUntil } },
    } as never);
  }

  /**
   * Hurts a machine that works, unless another is not well: more at once is a storm, which is a test of its own. Of the control plane only as
   * many as leave a quorum.
   */
  #hurt(how: Hurt, which: number): string {
    const machines = this.#truth.machines(this.#name).filter((m) => !m.metadata.deletionTimestamp);
    if (machines.some((m) => m.status?.bootstrap?.joinedAt && !this.#truth.works(m)))
      return 'nobody: one is hurt already';
    const well = machines.filter((m) => this.#truth.works(m));
    const m = well[which % Math.max(1, well.length)];
    if (!m) return 'nobody';
    const voters = (this.#truth.workload(this.#name)?.etcd.members ?? []).filter((x) => !x.isLearner);
    const running = voters.filter((x) => x.running).length;
    if (m.spec.role === 'control-plane' && (running - 1) * 2 <= voters.length)
      return 'nobody: the quorum would be lost';
    hurt(this.#world, this.#truth, m.metadata.name, how);
    return m.metadata.name;
  }
}

/** Turns the emergency stop of the fleet on, or off. */
export async function stopFleet({ kube }: World, on: boolean): Promise<void> {
  const ref = { namespace: 'shoto-system', name: FLEET_SWITCH };
  if (!on) await kube.delete(CONFIGMAPS, ref);
  else if (!(await kube.get(CONFIGMAPS, ref)))
    await kube.create(CONFIGMAPS, {
      metadata: ref,
      data: { reason: 'a test', by: 'model', since: new Date().toISOString() },
    } as never);
}

/** Does harm to a machine. What a reboot mends is mended for the truth when the machine is powered on again. */
export function hurt(world: World, truth: Truth, machine: string, how: Hurt): void {
  const server = truth.servers().find((s) => s.name === machine);
  if (!server) return;
  truth.hurt.set(server.id, how);
  failMachine(world.cloud.state, server, { fault: how === 'off' ? 'powerOff' : how });
}

function ruleOf(fault: CloudFault, service: 'nova' | 'neutron' | 'octavia'): Omit<FaultRule, 'id'> {
  const rule = (action: FaultRule['action'], limit: Pick<FaultRule, 'rate' | 'count'> = { rate: 0.3 }) => ({
    match: { service },
    ...limit,
    action,
  });
  switch (fault) {
    case '500':
      return rule({ type: 'status', status: 500 });
    case '409':
      return rule({ type: 'status', status: 409 });
    case '429':
      return rule({ type: 'status', status: 429, retryAfter: 2 });
    case 'lostAnswer':
      return rule({ type: 'lostAnswer' });
    case 'lateDeed':
      return rule({ type: 'lateDeed', afterMs: 20_000 }, { rate: 0.3, count: 5 });
    case 'hang':
      return rule({ type: 'hang' }, { rate: 0.3, count: 20 });
    case 'serverError':
      return {
        match: { operation: 'nova.server.create' },
        count: 2,
        action: { type: 'serverError', message: 'No valid host was found.' },
      };
    default:
      return fault satisfies never;
  }
}

/** A tenth of the requests fail, or all are slow. */
export function managementFault(
  fault: 'slow' | 'error' | 'reset',
  seed: number,
): NonNullable<World['faults']['management']> {
  let n = seed;
  return async () => {
    if (fault === 'slow') {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return undefined;
    }
    n = (n * 1_103_515_245 + 12_345) % 2_147_483_648;
    if (n % 10 !== 0) return undefined;
    return fault === 'reset' ? 'reset' : { status: 500 };
  };
}

/** The newest release that a control-plane machine of the cluster is known to have joined with. */
const floorOf = (c: Cluster): string => c.status?.infrastructure?.release ?? RELEASES[0];
const newest = (names: readonly string[]): string => RELEASES.findLast((r) => names.includes(r)) ?? RELEASES[0];

/** Machines that the spec of a cluster asks for in all. */
export const wantedMachines = (c: Cluster): number => poolsOf(c).reduce((n, p) => n + p.count, 0);
