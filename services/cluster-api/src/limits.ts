import type { ClusterSpec, FieldProblem, NodePool, Region, Tenant } from '@shoto/api';
import { parseCidr } from '@shoto/api';

/** Addresses of a cluster's subnet that no machine gets: network, broadcast, router, DHCP, and the load balancer's own. */
export const RESERVED_ADDRESSES = 8;

/** What a Cluster's size is measured against. */
export interface Limits {
  region: Region | undefined;
  tenant: Tenant | undefined;
  /** Machines that all other clusters ask for. */
  elsewhere: { region: number; tenant: number };
}

/** Machines that a spec asks for, workers and control plane; those of a replacement are not counted. */
export const machinesIn = (spec: Pick<ClusterSpec, 'controlPlane' | 'nodePools'>): number =>
  spec.controlPlane.count + spec.nodePools.reduce((n, p) => n + p.count, 0);

/** Machines that a pool may have above its count while its machines are replaced; a share is rounded up. */
export function surgeOf(pool: Pick<NodePool, 'count' | 'maxSurge'>): number {
  const { maxSurge = 1 } = pool;
  return typeof maxSurge === 'number' ? maxSurge : Math.ceil((pool.count * Number.parseInt(maxSurge, 10)) / 100);
}

/** Addresses that a cluster needs at most: each machine, one more for the control plane and the surge of each pool, and what is not for machines. */
export const addressesFor = (spec: ClusterSpec): number =>
  machinesIn(spec) + 1 + spec.nodePools.reduce((n, p) => n + surgeOf(p), 0) + RESERVED_ADDRESSES;

/** A number of the spec that became larger. */
interface Grown {
  field: string;
  by: number;
  to: number;
}

/** Counts that grew, the one that grew most first; of a new cluster all of them. */
function grownCounts(spec: ClusterSpec, before: ClusterSpec | undefined): Grown[] {
  const all = [
    {
      field: 'spec.controlPlane.count',
      to: spec.controlPlane.count,
      by: spec.controlPlane.count - (before?.controlPlane.count ?? 0),
    },
    ...spec.nodePools.map((p, i) => ({
      field: `spec.nodePools[${i}].count`,
      to: p.count,
      by: p.count - (before?.nodePools.find((x) => x.name === p.name)?.count ?? 0),
    })),
  ];
  return all.filter((g) => g.by > 0).sort((a, b) => b.by - a.by);
}

function grownSurge(spec: ClusterSpec, before: ClusterSpec | undefined): Grown[] {
  return spec.nodePools
    .map((p, i) => {
      const old = before?.nodePools.find((x) => x.name === p.name);
      return { field: `spec.nodePools[${i}].maxSurge`, to: surgeOf(p), by: surgeOf(p) - (old ? surgeOf(old) : 0) };
    })
    .filter((g) => g.by > 0)
    .sort((a, b) => b.by - a.by);
}

/** What would be right for a number that is too large by so many. */
function mend({ field, to }: Grown, over: number): string {
  const room = to - over;
  // etcd wants an odd number.
  const most = field === 'spec.controlPlane.count' ? room - ((room + 1) % 2) : room;
  return most >= (field === 'spec.controlPlane.count' ? 1 : 0)
    ? `ask for at most ${most} here`
    : 'ask for fewer machines';
}

/**
 * Where a spec asks for more than region, tenant or subnet allow. What does not grow is not asked about again: a limit that was
 * lowered since is no obstacle to other changes. Pure.
 *
 * @param before - the spec as it is stored
 */
export function checkLimits(spec: ClusterSpec, l: Limits, before?: ClusterSpec): FieldProblem[] {
  const total = machinesIn(spec);
  const grown = grownCounts(spec, before)[0];
  const grows = grown !== undefined && total > (before ? machinesIn(before) : 0);
  const problems: FieldProblem[] = [];
  const refuse = (at: Grown, message: string) => problems.push({ field: at.field, reason: 'Invalid', message });

  const { machinesPerCluster, machines } = l.region?.spec.limits ?? {};
  if (grows && machinesPerCluster !== undefined && total > machinesPerCluster)
    refuse(
      grown,
      `the cluster would have ${total} machines, and region ${spec.region} allows ${machinesPerCluster} a cluster: ${mend(grown, total - machinesPerCluster)}, or use a second cluster`,
    );
  const inRegion = l.elsewhere.region + total;
  if (grows && machines !== undefined && inRegion > machines)
    refuse(
      grown,
      `all clusters of region ${spec.region} would have ${inRegion} machines, and it allows ${machines}: ${mend(grown, inRegion - machines)}, or use another region`,
    );
  const quota = l.tenant?.spec.quota?.machines;
  const inTenant = l.elsewhere.tenant + total;
  if (grows && quota !== undefined && inTenant > quota)
    refuse(
      grown,
      `the clusters of tenant ${l.tenant?.metadata.name} would have ${inTenant} machines, and its quota is ${quota} (its other clusters have ${l.elsewhere.tenant}): ${mend(grown, inTenant - quota)}, or have an administrator raise the quota`,
    );

  const needed = addressesFor(spec);
  const at = grown ?? grownSurge(spec, before)[0];
  const short = addressesShort(spec, l.region);
  if (at && short && needed > (before ? addressesFor(before) : 0))
    refuse(
      at,
      `${short.words}: ${mend(at, short.by)}, ${before ? 'lower maxSurge, or make another cluster with a larger network' : 'or choose a larger spec.network.nodeCIDR'}`,
    );
  return problems;
}

/** How many addresses a cluster's own subnet lacks while machines are replaced; undefined where they suffice, or the network is not its own. */
export function addressesShort(
  spec: ClusterSpec,
  region: Region | undefined,
): { by: number; words: string } | undefined {
  const cidr = parseCidr(spec.network.nodeCIDR);
  if (!cidr || !region || region.spec.sharedNetwork) return undefined;
  const size = 2 ** (32 - cidr.prefix);
  const needed = addressesFor(spec);
  if (needed <= size) return undefined;
  const surge = needed - machinesIn(spec) - RESERVED_ADDRESSES;
  return {
    by: needed - size,
    words: `${spec.network.nodeCIDR} has ${size} addresses, and ${needed} are needed: ${machinesIn(spec)} machines, ${surge} more while machines are replaced, ${RESERVED_ADDRESSES} for router, DHCP and load balancer`,
  };
}
