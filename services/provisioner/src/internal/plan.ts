import type { ChangePlan, Cluster, ClusterSpec, Machine, Region } from '@shoto/api';
import { ReconcileError, TerminalError } from '@shoto/reconciler';
import { changePlan } from '../cluster/change-plan.ts';
import type { Ids } from '../cluster/ids.ts';
import { findReferences } from '../cluster/phases/resolve-references.ts';
import { type Pool, poolsOf } from '../cluster/pools.ts';
import { releaseStep } from '../cluster/release-step.ts';
import { progressOf } from '../cluster/rolling.ts';
import { type Deps, machinesOf } from '../deps.ts';
import { tenantBlockers } from '../quota/blockers.ts';
import { addressBlockers, addressesOf, capacityOf, quotaBlockers, quotasOf } from './capacity.ts';
import { needsOf, type PoolNeed } from './needs.ts';
import type { InternalDeps } from './server.ts';

/**
 * What the internal server answers with.
 *
 * @param regionOf - the Region of a name, whether its cloud answers or not
 */
export const internalDeps = (d: Deps, regionOf: (name: string) => Region | undefined): InternalDeps => ({
  plan: (ref, spec, signal) => planOf(d, regionOf, ref, spec, signal),
  capacity: (region, machines, signal) => capacityOf(d.region(region), machines, signal, d.times.adviceMs),
  log: d.log,
});

/**
 * The plan of a change, by the very planner that the passes go by, with what the cloud has to say of it: quotas and addresses for machines that are
 * added, and for the surge. Where the cloud does not answer the plan is told all the same, with a note. Nothing is changed.
 *
 * @returns undefined when there is no such Cluster
 * @throws {TerminalError} `RegionNotFound`
 */
export async function planOf(
  d: Deps,
  regionOf: (name: string) => Region | undefined,
  ref: { namespace: string; name: string },
  spec: ClusterSpec,
  signal: AbortSignal,
): Promise<ChangePlan | undefined> {
  const cluster = d.clusters.get(`${ref.namespace}/${ref.name}`);
  if (!cluster) return undefined;
  const region = regionOf(spec.region);
  if (!region) throw new TerminalError('RegionNotFound', `spec.region: there is no Region "${spec.region}"`);
  const machines = machinesOf(d, cluster);
  const pools = poolsOf({ spec }, region.spec.zones);
  const notes: string[] = [];
  const unless = async <T>(what: string, asked: Promise<T>): Promise<T | undefined> => {
    try {
      return await asked;
    } catch (e) {
      if (!(e instanceof ReconcileError)) throw e;
      notes.push(`${what} is not known (${e.reason}): ${e.message}`);
      return undefined;
    }
  };
  const ids = await unless('what names of images and flavors mean', idsFor(d, cluster, spec, pools, machines));
  const plan = changePlan({
    cluster,
    spec,
    machines,
    releases: d.releases(),
    region,
    bundles: d.bundles(),
    ...(ids ? { ids } : {}),
    now: d.clock.now(),
    stop: d.emergencyStop(),
  });
  const ofTenant = tenantBlockers(
    d.quota.room(ref.namespace, cluster.metadata.uid as string),
    needsOf(plan, pools, machines, () => ({ vcpus: 0, ram: 0 })),
    machines,
    d.clock.now(),
  );
  const blockers = await unless(
    'whether quotas and addresses carry it',
    cloudBlockers(d, cluster, region, plan, pools, machines, signal),
  );
  return { ...plan, blockers: [...plan.blockers, ...ofTenant, ...(blockers ?? [])], notes: [...plan.notes, ...notes] };
}

/** What the names of a spec mean in the cloud, for every release on the way. */
async function idsFor(
  d: Deps,
  cluster: Cluster,
  spec: ClusterSpec,
  pools: readonly Pool[],
  machines: readonly Machine[],
): Promise<Ids> {
  const step = releaseStep({
    pools,
    machines,
    progress: progressOf(cluster, d.memory.infrastructure(cluster)),
    releases: d.releases(),
    region: spec.region,
    now: d.clock.now(),
  });
  const lookup = { release: d.release, releaseNames: d.releaseNames, region: d.region(spec.region) };
  return await findReferences(lookup, pools, step, [...step.way, ...pools.map((p) => p.release)]);
}

async function cloudBlockers(
  d: Deps,
  cluster: Cluster,
  { spec }: Region,
  plan: ChangePlan,
  pools: readonly Pool[],
  machines: readonly Machine[],
  signal: AbortSignal,
): Promise<ChangePlan['blockers']> {
  if (!plan.steps.some((s) => s.actions.some((a) => a.action === 'create' || a.action === 'replace'))) return [];
  const region = d.region(cluster.spec.region);
  const flavors = await region.references.flavors();
  const needs = needsOf(plan, pools, machines, (f) => flavors.find((x) => x.id === f || x.name === f));
  const [quotas, addresses] = await Promise.all([
    quotasOf(region, signal),
    // On a network that others share their ports are not shown.
    spec.sharedNetwork === undefined ? ownAddresses(d, cluster, needs, region, signal) : [],
  ]);
  return [...quotaBlockers(needs, quotas), ...addresses];
}

async function ownAddresses(
  d: Deps,
  cluster: Cluster,
  needs: readonly PoolNeed[],
  region: ReturnType<Deps['region']>,
  signal: AbortSignal,
): Promise<ChangePlan['blockers']> {
  const { subnetId } = d.memory.infrastructure(cluster);
  const found = subnetId === undefined ? undefined : await addressesOf(region, subnetId, signal);
  return found ? addressBlockers(needs, found.left, found.size) : [];
}
