import {
  type Addon,
  type AddonBundle,
  type Cluster,
  type ClusterAddon,
  emergencyStopMessage,
  type KubernetesRelease,
} from '@shoto/api';
import type { AddonBlock, AddonsPlan } from '@shoto/bundle';
import type { KubeClient } from '@shoto/kube';
import { ReconcileError } from '@shoto/reconciler';
import { type Hold, needsCredentials, type Pass, type Wish } from './addon/context.ts';
import { failedBefore } from './addon/failure.ts';
import { ensureAddon } from './addon/objects.ts';
import { one } from './addon/one.ts';
import type { Standing } from './addon/standing.ts';
import { readInventories } from './apply/inventory.ts';
import type { Deps } from './deps.ts';
import { planOf, type Way, wayOf } from './planning.ts';
import { factsOf } from './values/facts.ts';
import { openstackFacts, valuesFrom } from './values/secrets.ts';

/** Addons that are worked on side by side, in one cluster. */
const AT_ONCE = 4;

/** What a pass saw, and did. */
export interface Seen {
  standings: Standing[];
  /** The Addons by name of the addon, as they were before. */
  addons: ReadonlyMap<string, Addon>;
  blocked: readonly AddonBlock[];
  /** What is applied now fits this version and the next, and nothing is to be changed. */
  planSettled: boolean;
  /** Name of the next release of the way. */
  next: string | undefined;
  /** Kubernetes version of the cluster; undefined where it cannot be told. */
  version: string | undefined;
  hold: Hold | undefined;
}

/** Brings every addon that a Cluster asks for one step on, in order of what they need. */
export async function overAddons(
  d: Deps,
  cluster: Cluster,
  workload: KubeClient,
  signal: AbortSignal | undefined,
): Promise<Seen> {
  const wishes = new Map<string, Wish>();
  for (const wanted of cluster.spec.addons) wishes.set(wanted.name, await wishOf(d, cluster, wanted));
  const addons = new Map([...wishes].flatMap(([name, w]) => (w.addon ? [[name, w.addon] as const] : [])));
  try {
    const p = await passOf(d, cluster, workload, signal);
    const standings = await inWaves(p, wishes);
    // What was settled a moment ago counts.
    const after = plan(p, wishes, new Map(standings.map((s) => [s.name, s])));
    const { next } = p.way;
    return {
      standings: cluster.spec.addons.map((a) => standings.find((s) => s.name === a.name)!),
      addons,
      blocked: after.blocked,
      planSettled: after.settled,
      next: next?.metadata.name,
      version: p.version,
      hold: p.hold,
    };
  } catch (e) {
    if (!(e instanceof ReconcileError) || e.kind === 'retryable') throw e;
    const problem = { reason: e.reason, message: e.message, terminal: e.kind === 'terminal' };
    const standings = cluster.spec.addons.map(({ name }): Standing => ({ name, healthy: false, problem }));
    return { standings, addons, blocked: [], planSettled: false, next: undefined, version: undefined, hold: undefined };
  }
}

async function wishOf(d: Deps, cluster: Cluster, wanted: ClusterAddon): Promise<Wish> {
  const addon = await ensureAddon(d, cluster, wanted);
  const none = { values: {}, versions: [] };
  if (!wanted.valuesFrom?.length) return { wanted, addon, secrets: none, problem: undefined };
  try {
    return { wanted, addon, secrets: await valuesFrom(d.client, cluster, wanted), problem: undefined };
  } catch (e) {
    if (!(e instanceof ReconcileError) || e.kind === 'retryable') throw e;
    return { wanted, addon, secrets: none, problem: e };
  }
}

async function passOf(d: Deps, cluster: Cluster, workload: KubeClient, signal: AbortSignal | undefined): Promise<Pass> {
  const memory = d.memory.of(cluster.metadata.uid!);
  const way = wayOf(cluster, d.releases(), d.now());
  const facts = factsOf(cluster, way.current);
  const wanted = new Set(cluster.spec.addons.map((a) => a.name));
  const needs = d.bundles().some((b) => wanted.has(b.spec.addon) && needsCredentials(b));
  let credentials: Pass['credentials'];
  let credentialsProblem: Pass['credentialsProblem'];
  if (needs)
    try {
      credentials = await openstackFacts(d.client, cluster, d.systemNamespace);
    } catch (e) {
      if (!(e instanceof ReconcileError) || e.kind === 'retryable') throw e;
      credentialsProblem = e;
    }
  const looks = memory.lookAt === undefined || d.now() >= memory.lookAt;
  if (looks) memory.lookAt = undefined;
  let refreshed: Promise<void> | undefined;
  return {
    d,
    cluster,
    workload,
    memory,
    way,
    version: versionOf(way.current),
    facts,
    credentials,
    credentialsProblem,
    hold: holdOf(d, way),
    looks,
    refresh: () => {
      refreshed ??= readInventories(workload).then((read) => {
        // What this process is about to end is known better here.
        for (const [name, known] of memory.inventories ?? []) if (memory.applied.has(name)) read.set(name, known);
        memory.inventories = read;
      });
      return refreshed;
    },
    signal,
  };
}

const versionOf = (r: KubernetesRelease): string => r.spec.version;

/** Why what is applied stays as it is now. */
function holdOf(d: Deps, way: Way): Hold | undefined {
  const stop = d.emergencyStop();
  if (stop === 'unknown')
    return {
      reason: 'EmergencyStop',
      message: 'it is not known yet whether the emergency stop of the fleet is on: nothing is changed until it is',
      updatesOnly: false,
    };
  if (stop) return { reason: 'EmergencyStop', message: emergencyStopMessage(stop.stop), updatesOnly: false };
  if (!way.rolling) return undefined;
  return {
    reason: 'MachinesAreReplaced',
    message: 'machines of the cluster are being replaced: addons are updated after that',
    updatesOnly: true,
  };
}

function plan(
  p: Pass,
  wishes: ReadonlyMap<string, Wish>,
  after?: ReadonlyMap<string, Standing>,
): AddonsPlan<AddonBundle> {
  const { d, cluster, way } = p;
  const stated = (w: Wish): Addon[] => {
    if (!w.addon) return [];
    const settled = after?.get(w.wanted.name)?.settled;
    if (!settled) return [w.addon];
    const manager = { revision: 0, ...w.addon.status?.manager, bundle: settled.bundle, version: settled.version };
    return [{ ...w.addon, status: { manager } }];
  };
  return planOf({
    cluster,
    way,
    bundles: d.bundles(),
    addons: [...wishes.values()].flatMap(stated),
    region: d.region(cluster.spec.region),
    failed: (bundle) => {
      const wish = wishes.get(bundle.spec.addon);
      return wish && failedBefore(p, wish, bundle);
    },
  });
}

/** Wave after wave; inside one, what gives pods their network goes first, then side by side. */
async function inWaves(p: Pass, wishes: ReadonlyMap<string, Wish>): Promise<Standing[]> {
  const { waves, addons, blocked } = plan(p, wishes);
  const planned = new Map(addons.map((a) => [a.name, a]));
  const done = new Map<string, Standing>();
  const work = async (name: string): Promise<void> => {
    const own = planned.get(name)!;
    const waitsFor = (own.bundle?.spec.dependsOn ?? [])
      .map((n) => n.name)
      .filter((n) => wishes.has(n) && !done.get(n)?.healthy);
    const block = blocked.find((b) => b.addon === name && b.holdsAddon);
    done.set(name, await one(p, { wish: wishes.get(name)!, planned: own, block, waitsFor }));
  };
  const isNetwork = (name: string): boolean => planned.get(name)?.bundle?.spec.provides.includes('cni') ?? false;
  for (const wave of waves) {
    for (const name of wave.filter(isNetwork)) await work(name);
    await sideBySide(
      wave.filter((n) => !isNetwork(n)),
      work,
    );
  }
  return [...done.values()];
}

/** Runs over all, a few at once. One that fails does not cut short the others; the first failure is thrown then. */
async function sideBySide(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  const left = [...names];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift())
      await work(name).catch((e: unknown) => failures.push(e));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, worker));
  if (failures.length > 0) throw failures[0];
}
