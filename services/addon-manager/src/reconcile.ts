import { type Cluster, ClusterKind, FINALIZERS, resourceOf } from '@shoto/api';
import { type KubeClient, KubeError } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import { keepCrdRights } from './apply/crd-rights.ts';
import { readInventories } from './apply/inventory.ts';
import type { Deps } from './deps.ts';
import { leave } from './leave.ts';
import { holds } from './needs.ts';
import { overAddons, type Seen } from './pass.ts';
import { writeStandings } from './status/write.ts';
import { uninstall } from './uninstall.ts';
import { watchKinds } from './watch-kinds.ts';

const CLUSTERS = resourceOf(ClusterKind);
/** How soon a kubeconfig that is not there is looked for again. */
const KUBECONFIG_MS = 500;
/** How soon a workload that is not rolled out is looked at again: at first soon, then by how long it takes already. */
const HEALTH_MS = { first: 150, longest: 1000 };
/** A rollout that takes longer is said; before, that addons are being applied is all there is to say, and is said without them. */
const SAY_SO_AFTER_MS = 10_000;
/** What is the regular course of a rollout. */
const REGULAR: ReadonlySet<string> = new Set(['RollingOut', 'WaitingForDependency']);

/** One pass over the addons of one Cluster. May be cut short, repeated or late, and ends the same. */
export async function reconcile(d: Deps, key: string, signal?: AbortSignal): Promise<Outcome> {
  const known = await d.cluster(key);
  if (!known) return undefined;
  if (known.metadata.deletionTimestamp) return await leave(d, known, signal);
  const cluster = await ensureFinalizer(d, known);
  if (!cluster.status?.controlPlane?.initialized || cluster.spec.paused) return undefined;
  const workload = await d.workload(cluster);
  if (!workload) return { requeueAfterMs: KUBECONFIG_MS };
  await remember(d, cluster, workload);
  const seen = await overAddons(d, cluster, workload, signal);
  const leaving = await uninstall(d, cluster, workload, seen, signal);
  await watchKinds(d, cluster, workload, seen.version);
  const waited = d.now() - lastApplied(d, cluster, seen);
  const late = seen.standings.filter((s) => !s.healthy);
  const quiet = late.length > 0 && late.every((s) => REGULAR.has(s.problem?.reason ?? ''));
  if (!(quiet && waited < SAY_SO_AFTER_MS)) await writeStandings(d, cluster, seen, leaving);
  await narrowRights(d, cluster, workload, seen);
  return again(seen, waited, lookMs(d, cluster));
}

/** Takes back our rights on what the addons no longer bring. In a new cluster we may not look yet: the next pass does. */
async function narrowRights(d: Deps, cluster: Cluster, workload: KubeClient, seen: Seen): Promise<void> {
  if (seen.hold && !seen.hold.updatesOnly) return;
  try {
    await keepCrdRights(d.memory.of(cluster.metadata.uid!), workload);
  } catch (e) {
    if (!(e instanceof KubeError && e.isForbidden)) throw e;
  }
}

/** When objects that have changed are to be looked at, in milliseconds; undefined where none has. */
function lookMs(d: Deps, cluster: Cluster): number | undefined {
  const { lookAt } = d.memory.of(cluster.metadata.uid!);
  return lookAt === undefined ? undefined : Math.max(0, lookAt - d.now());
}

/** When to look again: soon while a rollout goes on, at the time that an addon names, or only after a change. */
function again(seen: Seen, waited: number, look: number | undefined): Outcome {
  const times = seen.standings.flatMap((s) => {
    if (s.againMs !== undefined) return [s.againMs];
    if (s.healthy || s.problem?.terminal) return [];
    return [Math.min(HEALTH_MS.longest, Math.max(HEALTH_MS.first, waited / 2))];
  });
  if (look !== undefined) times.push(look);
  return times.length > 0 ? { requeueAfterMs: Math.min(...times) } : undefined;
}

/** When something of what is not healthy was applied last; long ago where nothing was. */
function lastApplied(d: Deps, cluster: Cluster, seen: Seen): number {
  const { applied } = d.memory.of(cluster.metadata.uid!);
  return Math.max(...seen.standings.filter((s) => !s.healthy).map((s) => applied.get(s.name)?.at ?? 0), 0);
}

/** Reads what the addons have in the cluster, where this process does not know it, or another one has changed it. */
async function remember(d: Deps, cluster: Cluster, workload: KubeClient): Promise<void> {
  const memory = d.memory.of(cluster.metadata.uid!);
  const stale = d.addonsOf(cluster).some((a) => {
    const inventory = memory.inventories?.get(a.spec.addon);
    const digest = a.status?.manager?.digest;
    return inventory?.settled === true && digest !== undefined && digest !== inventory.digest;
  });
  if (!memory.inventories || stale) memory.inventories = await readInventories(workload);
}

/**
 * A Cluster made through the REST API has our finalizer from birth, one made by kubectl gets it here: before anything is applied, so that it
 * does not go without its addons. Others may add theirs at the same time: the patch fails then, and the pass is repeated.
 */
async function ensureFinalizer(d: Deps, cluster: Cluster): Promise<Cluster> {
  if (holds(cluster)) return cluster;
  const { resourceVersion, finalizers = [] } = cluster.metadata;
  const patch = { metadata: { resourceVersion, finalizers: [...finalizers, FINALIZERS.addons] } };
  const held = await d.client.mergePatch<Cluster>(CLUSTERS, cluster.metadata, patch);
  d.wrote(held);
  return held;
}
