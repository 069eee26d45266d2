import type { Blocker } from '@shoto/api';
import { fixedIps } from 'openstack-client-ts';
import type { RegionRuntime } from '../region/runtime.ts';
import { type Amounts, amountsOf, type PoolNeed, RESOURCES, type Resource, total } from './needs.ts';

/** How far a project's quota of one thing goes. */
export interface QuotaLeft {
  name: Resource;
  used: number;
  /** Null: no limit. */
  limit: number | null;
  left: number | null;
}

/** Quotas beside what is asked for. */
export interface Capacity {
  resources: (QuotaLeft & { needed: number })[];
}

/** Nova and Neutron write "no limit" as a negative number. */
const quota = (name: Resource, used: number, limit: number): QuotaLeft =>
  limit < 0 ? { name, used, limit: null, left: null } : { name, used, limit, left: Math.max(0, limit - used) };

/** Limits and use of the region's project. @throws {ReconcileError} the cloud does not say */
export async function quotasOf({ cloud }: RegionRuntime, signal: AbortSignal): Promise<QuotaLeft[]> {
  const [compute, ports] = await Promise.all([
    cloud.call('ask for the limits of the project', (c, o) => c.compute.limits(o), signal),
    cloud.call(
      'ask for the quota of ports',
      async (c, o) => {
        const project = await c.projectId();
        return project === undefined ? undefined : (await c.network.quotas.details(project, o)).port;
      },
      signal,
    ),
  ]);
  return [
    quota('instances', compute.totalInstancesUsed, compute.maxTotalInstances),
    quota('cores', compute.totalCoresUsed, compute.maxTotalCores),
    quota('ram', compute.totalRAMUsed, compute.maxTotalRAMSize),
    ...(ports ? [quota('ports', ports.used + (ports.reserved ?? 0), ports.limit)] : []),
  ];
}

const recent = new WeakMap<RegionRuntime, { at: number; quotas: Promise<QuotaLeft[]> }>();

/** As {@link quotasOf}, or as somebody was told at most `maxAgeMs` ago. */
async function recentQuotas(region: RegionRuntime, signal: AbortSignal, maxAgeMs: number): Promise<QuotaLeft[]> {
  const known = recent.get(region);
  if (known && performance.now() - known.at < maxAgeMs) {
    // What failed, or whose asker went away, is nobody's answer.
    const quotas = await known.quotas.catch(() => undefined);
    if (quotas) return quotas;
  }
  const quotas = quotasOf(region, signal);
  recent.set(region, { at: performance.now(), quotas });
  return await quotas;
}

/**
 * What machines take, beside what the quotas leave.
 *
 * @param maxAgeMs - how old the quotas may be
 * @throws {TerminalError} `FlavorNotFound`, with the field
 * @throws {ReconcileError} the cloud does not say
 */
export async function capacityOf(
  region: RegionRuntime,
  needs: readonly { flavor: string; count: number }[],
  signal: AbortSignal,
  maxAgeMs: number,
): Promise<Capacity> {
  const sizes = await Promise.all(needs.map((n, i) => region.references.size(`needs.machines[${i}].flavor`, n.flavor)));
  const amounts = needs.map((n, i) => amountsOf(sizes[i] as { vcpus: number; ram: number }, n.count));
  const quotas = await recentQuotas(region, signal, maxAgeMs);
  return {
    resources: quotas.map((q) => ({ ...q, needed: amounts.reduce((sum, a) => sum + a[q.name], 0) })),
  };
}

const UNIT: Record<Resource, string> = { instances: 'instances', cores: 'cores', ram: 'MiB of RAM', ports: 'ports' };

/** What of a change the quotas do not carry, with the field that asks for most of it. Pure. */
export function quotaBlockers(needs: readonly PoolNeed[], quotas: readonly QuotaLeft[]): Blocker[] {
  const all: Amounts = total(needs);
  return RESOURCES.flatMap((r): Blocker[] => {
    const q = quotas.find((x) => x.name === r);
    if (!q || q.left === null || all[r] <= q.left) return [];
    return [
      {
        reason: 'QuotaExceeded',
        field: blamed(needs, r),
        message: `at its height the change takes ${all[r]} more ${UNIT[r]}, and the project's quota leaves ${q.left} of ${q.limit}: free some, ask for fewer or smaller machines, let maxSurge of the pool be less, or have the cloud's operator raise it`,
      },
    ];
  });
}

/** What of a change the addresses of a subnet do not carry. Pure. */
export function addressBlockers(needs: readonly PoolNeed[], left: number, size: number): Blocker[] {
  const { ports } = total(needs);
  if (ports <= left) return [];
  return [
    {
      reason: 'NoAddress',
      field: blamed(needs, 'ports'),
      message: `at its height the change takes ${ports} more addresses, and the cluster's subnet has ${left} of ${size} left: ask for fewer machines, or let maxSurge of the pool be 0 and maxUnavailable 1`,
    },
  ];
}

/** The field that asks for most of something. */
export function blamed(needs: readonly PoolNeed[], r: Resource): string {
  const [first] = [...needs].sort((a, b) => b.amounts[r] - a.amounts[r]);
  if (!first) return 'spec';
  if (first.why === 'count') return `${first.path}.count`;
  return first.path === 'spec.controlPlane' ? first.path : `${first.path}.maxSurge`;
}

const toNumber = (address: string): number => address.split('.').reduce((n, part) => n * 256 + Number(part), 0);

/**
 * Addresses of a subnet that machines may still get. Only of a network of our own: on one that is shared with others their ports are not shown.
 *
 * @throws {ReconcileError} the cloud does not say
 */
export async function addressesOf(
  { cloud }: RegionRuntime,
  subnetId: string,
  signal: AbortSignal,
): Promise<{ left: number; size: number } | undefined> {
  const subnet = await cloud.find('look up a subnet', (c, o) => c.network.subnets.get(subnetId, o), signal);
  if (!subnet) return undefined;
  const size = subnet.allocation_pools.reduce((n, p) => n + toNumber(p.end) - toNumber(p.start) + 1, 0);
  const ports = await cloud.call(
    'count the addresses of a subnet',
    (c, o) =>
      c.network.ports.list({ network_id: subnet.network_id, fixed_ips: fixedIps({ subnet_id: subnetId }) }, o).all(),
    signal,
  );
  const inPools = (address: string): boolean =>
    subnet.allocation_pools.some((p) => toNumber(p.start) <= toNumber(address) && toNumber(address) <= toNumber(p.end));
  const used = ports.flatMap((p) => p.fixed_ips).filter((f) => f.subnet_id === subnetId && inPools(f.ip_address));
  return { left: size - used.length, size };
}
