import {
  type Cluster,
  ClusterKind,
  type ConditionInput,
  findCondition,
  type Machine,
  MachineKind,
  resourceOf,
  timestamp,
  withCondition,
} from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import { type Brake, type Candidate, decide } from './brake.ts';
import { heldConditions, isSaidHeld } from './cluster-conditions.ts';
import { nextNumber, type Order } from './ladder.ts';
import { judgeNode } from './node.ts';
import {
  backOff,
  candidatesOf,
  examine,
  type Finding,
  mayStillTouch,
  type RegionDeps,
  sceneOf,
} from './region-pass.ts';
import * as say from './remediation.ts';
import { sortOf } from './symptoms.ts';

const MACHINES = resourceOf(MachineKind);
const CLUSTERS = resourceOf(ClusterKind);

/** Writes of one pass; what is left comes in the next, which follows at once. */
const WRITES = 300;
const AT_ONCE = 10;
const SOON_MS = 1_000;
/** How soon it is looked again whether a brake still holds; most of what ends one wakes the pass by itself. */
const HELD_AGAIN_MS = 30_000;
/** A pass ends in 20 s: after this it begins no further look at a cluster. */
const LOOKS_MS = 8_000;

/**
 * The one deciding pass over a region: what ails its machines, what may be done about it now, and which brake holds the rest. It looks at the caches,
 * and before each order at the Machine and its Node themselves; the order is written, with the revision tested, before anybody acts on it.
 *
 * @param name - of the Region
 */
export async function reconcileRegion(d: RegionDeps, name: string): Promise<Outcome> {
  const stop = d.emergencyStop();
  if (stop === 'unknown') return { requeueAfterMs: SOON_MS };
  const now = d.now();
  const clusters = d.clusters(name);
  const byUid = new Map(clusters.map((c) => [c.metadata.uid, c]));
  const findings = d.census
    .suspects(name)
    .map((m) => backOff(examine(m, byUid.get(m.spec.cluster.uid), d.settings, now), d.backoff, now))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
  const scene = sceneOf(d, name, findings, stop?.stop);
  const { granted, held } = decide(candidatesOf(findings), scene);

  for (const f of findings) {
    const brakes = held.get(f.key);
    if (brakes && f.symptom && f.next) f.say = say.held(f.symptom, f.next, brakes);
  }
  tell(d, name, findings, held);
  const writer = new Writer(d);
  // The storm is remembered first: who comes after us must know of it.
  await writer.clusters(clusters, heldByCluster(findings, held));
  const givenSoon = await new Grants(d, writer).give(granted, findings);
  await writer.machines(findings);

  const again = [
    ...findings.flatMap((f) => (f.again === undefined ? [] : [f.again - now])),
    ...(held.size > 0 ? [HELD_AGAIN_MS] : []),
    ...(clusters.some(isSaidHeld) && held.size === 0 ? [HELD_AGAIN_MS] : []),
    ...(writer.isBehind ? [SOON_MS] : []),
    ...givenSoon,
  ];
  return again.length > 0 ? { requeueAfterMs: Math.max(SOON_MS, Math.min(...again)) } : undefined;
}

function heldByCluster(findings: readonly Finding[], held: ReadonlyMap<string, Brake[]>): Map<string, Brake[]> {
  const out = new Map<string, Brake[]>();
  for (const f of findings) {
    const brakes = held.get(f.key);
    const uid = f.machine.spec.cluster.uid;
    if (brakes) out.set(uid, [...(out.get(uid) ?? []), ...brakes]);
  }
  return out;
}

function tell(d: RegionDeps, name: string, findings: readonly Finding[], held: ReadonlyMap<string, Brake[]>): void {
  const count = (names: readonly string[]): Map<string, number> => {
    const n = new Map<string, number>();
    for (const x of names) n.set(x, (n.get(x) ?? 0) + 1);
    return n;
  };
  d.metrics.region(
    name,
    count(findings.flatMap((f) => (f.patient && f.symptom ? [f.symptom.reason] : []))),
    count([...held.values()].flatMap((brakes) => brakes.map((b) => b.reason))),
  );
}

/** Calls `fn` for each, some at once. */
async function each<T>(items: readonly T[], fn: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const work = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await fn(item);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, work));
}

/** The writes of a pass: none that says what is said, and not more than a pass can carry. */
class Writer {
  readonly #d: RegionDeps;
  #left = WRITES;
  /** Something is left to write: it was too much, or somebody was quicker. */
  isBehind = false;

  constructor(d: RegionDeps) {
    this.#d = d;
  }

  /** Writes if it may. @returns whether it was written */
  async write(change: () => Promise<void>): Promise<boolean> {
    if (this.#left <= 0) {
      this.isBehind = true;
      return false;
    }
    this.#left--;
    try {
      await change();
      return true;
    } catch (e) {
      if (e instanceof KubeError && e.isNotFound) return false;
      if (!(e instanceof KubeError && e.isConflict)) throw e;
      this.isBehind = true;
      return false;
    }
  }

  async clusters(clusters: readonly Cluster[], held: ReadonlyMap<string, Brake[]>): Promise<void> {
    const d = this.#d;
    await each(clusters, async (c) => {
      const brakes = held.get(c.metadata.uid as string) ?? [];
      if (c.metadata.deletionTimestamp || (brakes.length === 0 && !isSaidHeld(c))) return;
      const before = c.status?.health?.conditions;
      const conditions = heldConditions(before, brakes, d.now());
      if (conditions === before) return;
      await this.write(async () => {
        d.wrote.cluster(
          await d.kube.patchStatusMap<Cluster>(CLUSTERS, c, 'health', { ...c.status?.health, conditions }),
        );
      });
      const now = findCondition(conditions, 'HealingHeld');
      if (now?.status === 'True' && findCondition(before, 'HealingHeld')?.reason !== now.reason)
        this.#event(c, 'Warning', 'HealingHeld', now.message);
      if (now?.status === 'False') this.#event(c, 'Normal', 'HealingReleased', now.message);
    });
  }

  async machines(findings: readonly Finding[]): Promise<void> {
    await each(findings, async ({ machine: m, say: c, withdraw }) => {
      const health = m.status?.health;
      if ((!c || isSaid(m, c)) && !withdraw) return;
      const { order, ...rest } = health ?? { revision: 0 };
      const kept = order && !withdraw ? { ...rest, order } : rest;
      const conditions = c ? withCondition(health?.conditions, c, this.#d.now()) : health?.conditions;
      await this.write(async () =>
        this.#d.wrote.machine(
          await this.#d.kube.patchStatusMap<Machine>(MACHINES, m, 'health', { ...kept, conditions }),
        ),
      );
      if (c?.reason === 'Recovered') this.#event(m, 'Normal', 'Recovered', c.message);
    });
  }

  #event(o: Machine | Cluster, type: 'Normal' | 'Warning', reason: string, message: string): void {
    event(this.#d, o, type, reason, message);
  }
}

function event(d: RegionDeps, o: Machine | Cluster, type: 'Normal' | 'Warning', reason: string, message: string): void {
  const { name, namespace, uid } = o.metadata;
  d.events({
    regarding: {
      apiVersion: o.apiVersion,
      kind: o.kind,
      name,
      uid: uid as string,
      ...(namespace ? { namespace } : {}),
    },
    type,
    reason,
    message,
    reportingController: 'shoto.dev/self-healing',
    action: 'Heal',
  });
}

function isSaid(m: Machine, c: ConditionInput): boolean {
  const known = findCondition(m.status?.health?.conditions, c.type);
  return known?.status === c.status && known.reason === c.reason && known.message === c.message.slice(0, 1024);
}

/** Gives orders: the last look, then the grant. */
class Grants {
  readonly #d: RegionDeps;
  readonly #writer: Writer;

  constructor(d: RegionDeps, writer: Writer) {
    this.#d = d;
    this.#writer = writer;
  }

  /** @returns after how many milliseconds to look again, for those that could not be given yet */
  async give(granted: readonly Candidate[], findings: readonly Finding[]): Promise<number[]> {
    const byKey = new Map(findings.map((f) => [f.key, f]));
    const sick = new Set(findings.flatMap((f) => f.patient?.key ?? []));
    const end = this.#d.now() + LOOKS_MS;
    const again: number[] = [];
    // Those of one cluster one after the other: the first look at its nodes is for all of them.
    const byCluster = Map.groupBy(granted, (c) => c.machine.spec.cluster.uid);
    await each([...byCluster.values()], async (all) => {
      for (const c of all) {
        const ms = this.#d.now() < end ? await this.#giveOne(byKey.get(c.key) as Finding, sick) : SOON_MS;
        if (ms !== undefined) again.push(ms);
      }
    });
    return again;
  }

  async #giveOne(f: Finding, sick: ReadonlySet<string>): Promise<number | undefined> {
    const d = this.#d;
    const { cluster, symptom, next } = f;
    if (!cluster || !symptom || !next) return undefined;
    if (symptom.kind === 'node') {
      const seen = await d.observer.look(cluster, f.machine.metadata.name);
      if (seen.state === 'unreachable') {
        f.say = say.unreachable();
        return HELD_AGAIN_MS;
      }
      if (seen.state === 'again') {
        f.say = say.observing(symptom, next);
        return seen.ms;
      }
      // It is well, or something else: its watch tells in a moment.
      if (!sortOf(judgeNode(seen.node).reason)) return SOON_MS;
    }
    const live = await d.kube.get<Machine>(MACHINES, f.machine.metadata);
    if (!live || live.metadata.uid !== f.machine.metadata.uid) return undefined;
    const now = d.now();
    const still = examine(live, cluster, d.settings, now);
    if (still.next?.action !== next.action || still.next.reason !== next.reason || d.emergencyStop()) return SOON_MS;
    if (!(await mayStillTouch(d, live, next.action, sick))) return SOON_MS;
    const health = live.status?.health;
    const order: Order = {
      number: nextNumber(health?.order, live.status?.server?.handled ?? 0),
      action: next.action,
      at: timestamp(now),
      reason: next.reason,
    };
    const c = say.ordered(order);
    const isGiven = await this.#writer.write(async () => {
      d.wrote.machine(
        await d.kube.patchStatusMap<Machine>(MACHINES, live, 'health', {
          ...health,
          order,
          conditions: withCondition(health?.conditions, c, now),
        }),
      );
    });
    if (!isGiven) return SOON_MS;
    delete f.say;
    if (symptom.kind === 'join') d.backoff.note(live);
    d.metrics.ordered(order.action, order.reason);
    event(d, live, 'Warning', `${order.action}Ordered`, c.message);
    return Math.min(d.settings.stuckMs, HELD_AGAIN_MS);
  }
}
