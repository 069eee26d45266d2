import type { Cluster, Machine } from '@shoto/api';
import { WaitingError } from '@shoto/reconciler';
import type { Deps } from '../deps.ts';
import type { Infrastructure } from '../memory.ts';
import type { Ids } from './ids.ts';
import type { ClusterPass } from './pass.ts';
import { findReferences, insist } from './phases/resolve-references.ts';
import { type Plan, type PlanInput, planMachines } from './plan-machines.ts';
import { type Pool, poolsOf } from './pools.ts';
import { releaseStep } from './release-step.ts';
import { progressOf } from './rolling.ts';

/** Until the region's servers were listed once. */
const UNLISTED_MS = 1_000;

/** A plan, and what it was made from. */
export interface Decision {
  plan: Plan;
  ids: Ids;
  /** Why births that are due are not in the plan. */
  waits?: WaitingError;
}

/**
 * Plans a Cluster's machines: looks up what its names mean, and asks how many pods a removal would disturb where there is a choice.
 *
 * @throws {ReconcileError} when the cloud does not answer; for a cluster that does not run yet also when it names what does not exist
 */
export async function decide(pass: ClusterPass, pools: readonly Pool[]): Promise<Decision> {
  const { d, region, cluster, ref } = pass;
  const taken = region.servers.namesOf(ref.uid);
  const input = {
    ...inputOf(d, cluster, pass.infra, pools, pass.machines),
    region: { name: cluster.spec.region, endpoint: region.region.spec.apiEndpoint.type },
    taken,
  };
  const step = releaseStep({ ...input, region: cluster.spec.region });
  const ids = await findReferences({ release: d.release, releaseNames: d.releaseNames, region }, pools, step);
  if (!input.progress.initialized) insist(ids, pools, step);
  let plan = planMachines({ ...input, ids });
  if (plan.undecided.length > 0) {
    const disturbance = await disturbanceOf(pass, plan.undecided);
    if (disturbance) plan = planMachines({ ...input, ids, disturbance });
  }
  if (taken || plan.births.length === 0 || !input.progress.initialized) return { plan, ids };
  // A node of that name may run that this management cluster, restored, knows nothing of.
  const waits = new WaitingError(
    'ServersUnlisted',
    `new machines of ${pass.key} wait until the servers of region ${cluster.spec.region} were listed once`,
    UNLISTED_MS,
  );
  return { plan: { ...plan, births: [] }, ids, waits };
}

/** A better choice is not worth waiting for: a cluster that does not answer is made smaller all the same. */
async function disturbanceOf(
  { d, cluster, key, signal }: ClusterPass,
  names: string[],
): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const ref = { namespace: cluster.metadata.namespace as string, name: cluster.metadata.name };
    return await d.disturbance(ref, names, signal);
  } catch (err) {
    d.log.debug({ err, cluster: key }, 'machines are chosen without knowing how many pods that disturbs');
    return undefined;
  }
}

/** What would be done if the Cluster were not paused, as far as it can be told without the cloud. Nothing of it is. */
export function planOfPaused(
  d: Deps,
  cluster: Cluster,
  infra: Partial<Infrastructure>,
  machines: readonly Machine[],
): Plan {
  const pools = poolsOf(cluster, []);
  return planMachines({
    ...inputOf(d, cluster, infra, pools, machines),
    region: { name: cluster.spec.region, endpoint: 'LoadBalancer' },
  });
}

const inputOf = (
  d: Deps,
  cluster: Cluster,
  infra: Partial<Infrastructure>,
  pools: readonly Pool[],
  machines: readonly Machine[],
): Omit<PlanInput, 'region'> => ({
  cluster: { name: cluster.metadata.name, uid: cluster.metadata.uid as string },
  spec: cluster.spec,
  pools,
  machines: [...machines],
  progress: progressOf(cluster, infra),
  releases: d.releases(),
  stop: d.emergencyStop(),
  now: d.clock.now(),
});
