import { ANNOTATIONS, type Cluster, type Machine } from '@shoto/api';
import { isUsable, type Truth } from './truth.ts';
import { NAMESPACE, type World } from './world.ts';

/** A Machine that a service deleted. */
export interface Deletion {
  machine: string;
  pool: string;
  /** Virtual milliseconds since the world began. */
  at: number;
  /** Whether it did its work, in truth. */
  worked: boolean;
  /** Whether somebody's wish explains it: its pool is gone or too large, it is not as the spec asks, the cluster goes. */
  asked: boolean;
}

/** What must hold at any time, looked at whenever the world is at rest and before each deletion. */
export class Watch {
  readonly violations: string[] = [];
  readonly deletions: Deletion[] = [];
  readonly #world: World;
  readonly #truth: Truth;
  #quorumLost = new Set<string>();

  constructor(world: World, truth: Truth) {
    this.#world = world;
    this.#truth = truth;
    world.onManagement.push(({ method, path }) => {
      const name = method === 'DELETE' && path.includes(`/namespaces/${NAMESPACE}/machines/`) && path.split('/').pop();
      if (name) this.#deleted(name);
    });
    world.time.onRest.push(() => {
      this.#noDoubles();
      this.#reserved();
      this.#quorum();
      // Of which the simulator says that it should not happen.
      for (const said of world.said.splice(0)) this.#say(said);
    });
  }

  /** Deletions of machines that worked and that nobody asked for. */
  get wrong(): Deletion[] {
    return this.deletions.filter((d) => d.worked && !d.asked);
  }

  #say(what: string): void {
    const at = Math.round(this.#world.time.elapsed / 1000);
    if (this.violations.length < 20) this.violations.push(`at ${at} s: ${what}`);
  }

  #deleted(name: string): void {
    const machines = this.#truth.machines();
    const m = machines.find((x) => x.metadata.name === name);
    if (!m || m.metadata.deletionTimestamp) return;
    const cluster = this.#truth.cluster(m.spec.cluster.name);
    const pool = cluster && poolOf(cluster, m.spec.pool);
    // One that is kept for study counts for nothing, and goes when its time is over: a person said so.
    const isKept = (x: Machine): boolean => x.metadata.annotations?.[ANNOTATIONS.keepUntil] !== undefined;
    const mates = machines.filter(
      (x) =>
        x.spec.cluster.uid === m.spec.cluster.uid &&
        x.spec.pool === m.spec.pool &&
        !x.metadata.deletionTimestamp &&
        !isKept(x),
    );
    const going = !cluster || Boolean(cluster.metadata.deletionTimestamp) || !pool;
    const asked = going || isKept(m) || mates.length > pool.count || this.#isOutdated(m, cluster, pool);
    this.deletions.push({
      machine: name,
      pool: m.spec.pool,
      at: this.#world.time.elapsed,
      worked: this.#truth.works(m),
      asked,
    });
    if (going || isKept(m) || !isUsable(m)) return;
    const left = mates.filter((x) => x !== m && isUsable(x)).length;
    const floor = pool.count - pool.maxUnavailable;
    if (left < floor)
      this.#say(
        `${name} was deleted although only ${left} usable machines of ${m.spec.pool} are left, and ${floor} must be`,
      );
  }

  #isOutdated(m: Machine, cluster: Cluster, pool: Pool): boolean {
    const { flavors } = this.#world.cloud.state.compute;
    const flavor = [...flavors.values()].find((f) => f.id === m.spec.flavor)?.name;
    return m.spec.release !== (pool.release ?? cluster.spec.release) || flavor !== pool.flavor;
  }

  #noDoubles(): void {
    const seen = new Set<string>();
    for (const s of this.#truth.servers()) {
      const uid = s.metadata['shoto-machine'];
      if (!uid) continue;
      if (seen.has(uid)) this.#say(`two servers for the Machine ${s.name}`);
      seen.add(uid);
    }
  }

  /** No machine is there that was not reserved before; one that leaves, or is lost, leaves its place to another. */
  #reserved(): void {
    const reserved = this.#truth.reserved();
    for (const { metadata } of this.#truth.clusters()) {
      const living = this.#truth
        .machines(metadata.name)
        .filter(
          (m) =>
            !m.metadata.deletionTimestamp &&
            m.status?.server?.state !== 'Gone' &&
            m.status?.health?.order?.action !== 'Replace',
        ).length;
      const held = reserved[metadata.uid ?? ''] ?? 0;
      if (living > held) this.#say(`${metadata.name} has ${living} machines, and ${held} are reserved`);
    }
  }

  /**
   * What the model does to machines never takes a quorum by itself (see `Actor`), so one that is lost was lost by our hand: a member or a machine
   * too many was taken out or rebooted.
   */
  #quorum(): void {
    for (const c of this.#truth.clusters()) {
      const name = c.metadata.name;
      if (c.metadata.deletionTimestamp || !c.status?.controlPlane?.initialized) continue;
      const workload = this.#truth.workload(name);
      if (!workload || workload.up) {
        this.#quorumLost.delete(name);
        continue;
      }
      if (this.#quorumLost.has(name)) continue;
      this.#quorumLost.add(name);
      const members = workload.etcd.members.map((m) => `${m.name} ${m.running ? 'runs' : 'is down'}`);
      this.#say(`${name} lost its quorum by our hand: ${members.join(', ')}`);
    }
  }
}

/** What a pool, or the control plane, is asked to be. */
export interface Pool {
  name: string;
  count: number;
  flavor: string;
  release: string | undefined;
  maxUnavailable: number;
}

/** The pool of that name, in machines; undefined where the spec has none. */
export function poolOf(cluster: Cluster, name: string): Pool | undefined {
  const { controlPlane, nodePools, release } = cluster.spec;
  if (name === 'control-plane')
    return { name, count: controlPlane.count, flavor: controlPlane.flavor, release, maxUnavailable: 0 };
  const pool = nodePools.find((p) => p.name === name);
  if (!pool) return undefined;
  const share = String(pool.maxUnavailable ?? 0);
  const n = Number.parseInt(share, 10);
  return {
    name,
    count: pool.count,
    flavor: pool.flavor,
    release: pool.release ?? release,
    maxUnavailable: share.endsWith('%') ? Math.floor((pool.count * n) / 100) : n,
  };
}

/** All pools, the control plane first. */
export const poolsOf = (cluster: Cluster): Pool[] =>
  ['control-plane', ...cluster.spec.nodePools.map((p) => p.name)].flatMap((name) => poolOf(cluster, name) ?? []);
