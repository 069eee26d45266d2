import { type Addon, type AddonRegistry, ANNOTATIONS, type Cluster, tenantNamespace } from '@shoto/api';
import { type ClusterDeps, getCluster } from './clusters.ts';
import { ProblemError } from './problem.ts';
import { TYPES } from './store.ts';

/** Which addon. */
export interface AddonRef {
  tenant: string;
  cluster: string;
  addon: string;
}

const notFound = (detail: string): ProblemError => new ProblemError(404, 'NotFound', detail);

/** The Addons of a cluster, by name of the addon. Those that are asked for and not begun yet are not among them. */
export const addonsOf = (d: ClusterDeps, cluster: Cluster): Addon[] =>
  d.store.addonsOf(cluster).sort((a, b) => (a.spec.addon < b.spec.addon ? -1 : 1));

/**
 * Lets an update that failed be tried again.
 *
 * @param r.user - who asks; stands in the mark
 * @throws {ProblemError} 404 where the cluster has no such addon, 409 where nothing failed
 */
export async function retryAddon(d: ClusterDeps, r: AddonRef & { user: string }): Promise<Addon> {
  const cluster = await getCluster(d, r.tenant, r.cluster);
  const addon = addonsOf(d, cluster).find((a) => a.spec.addon === r.addon);
  if (!addon) {
    const names = cluster.spec.addons.map((a) => a.name).sort();
    if (names.includes(r.addon))
      throw new ProblemError(
        409,
        'NotBegun',
        `addon ${r.addon} of cluster ${r.cluster} was not applied yet: nothing failed that could be tried again`,
      );
    throw notFound(
      `cluster ${r.cluster} has no addon ${r.addon}: ${names.length ? `it has ${names.join(', ')}` : 'it has none'}`,
    );
  }
  if (!addon.status?.manager?.failed)
    throw new ProblemError(409, 'NothingFailed', `no update of addon ${r.addon} of cluster ${r.cluster} has failed`);
  return d.client.mergePatch<Addon>(
    TYPES.addons,
    { namespace: tenantNamespace(r.tenant), name: addon.metadata.name },
    { metadata: { annotations: { [ANNOTATIONS.retry]: markOf(d, r.user) } } },
  );
}

/**
 * Has a registry asked at once: what was pushed a moment ago is in the catalogue seconds later.
 *
 * @throws {ProblemError} 404
 */
export async function pollRegistry(d: ClusterDeps, r: { name: string; user: string }): Promise<AddonRegistry> {
  const known = d.store.addonRegistries().map((x) => x.metadata.name);
  if (!known.includes(r.name))
    throw notFound(
      `AddonRegistry ${r.name} does not exist: ${known.length ? `there are ${known.sort().join(', ')}` : 'there is none'}`,
    );
  return d.client.mergePatch<AddonRegistry>(
    TYPES.addonRegistries,
    { name: r.name },
    { metadata: { annotations: { [ANNOTATIONS.pollNow]: markOf(d, r.user) } } },
  );
}

const markOf = (d: ClusterDeps, user: string): string => `${new Date(d.now()).toISOString()} ${user}`;
