import type { Cluster, Machine, MachineSpec } from '@shoto/api';
import { machineName } from '../names.ts';
import { chooseZone } from './spread.ts';

/** Name of the pool that the control plane counts as. */
export const CONTROL_PLANE = 'control-plane';

/** A pool of machines as the spec asks for it; the control plane is one of them. */
export interface Pool {
  name: string;
  role: MachineSpec['role'];
  count: number;
  flavor: string;
  release: string;
  zones: readonly string[];
  serverGroupPolicy: 'soft-anti-affinity' | 'anti-affinity';
  rootVolume?: MachineSpec['rootVolume'];
  labels?: MachineSpec['labels'];
  taints?: MachineSpec['taints'];
  /** Path of the pool in the spec, for messages. */
  path: string;
}

/** All pools of a Cluster, the control plane first. */
export function poolsOf(cluster: Cluster, regionZones: readonly string[]): Pool[] {
  const { controlPlane: cp, nodePools, release } = cluster.spec;
  const optional = (p: { rootVolume?: Pool['rootVolume'] }) => (p.rootVolume ? { rootVolume: p.rootVolume } : {});
  return [
    {
      name: CONTROL_PLANE,
      role: 'control-plane',
      count: cp.count,
      flavor: cp.flavor,
      release,
      zones: cp.zones ?? regionZones,
      serverGroupPolicy: cp.serverGroupPolicy,
      path: 'spec.controlPlane',
      ...optional(cp),
    },
    ...nodePools.map(
      (p, i): Pool => ({
        name: p.name,
        role: 'worker',
        count: p.count,
        flavor: p.flavor,
        release: p.release ?? release,
        zones: p.zones ?? regionZones,
        serverGroupPolicy: p.serverGroupPolicy,
        path: `spec.nodePools[${i}]`,
        ...optional(p),
        ...(p.labels ? { labels: p.labels } : {}),
        ...(p.taints ? { taints: p.taints } : {}),
      }),
    ),
  ];
}

/** A Machine that is to be made. */
export interface Birth {
  name: string;
  pool: Pool;
  zone: string | undefined;
}

/** What is to be done so that the machines are as many as asked for. */
export interface Plan {
  births: Birth[];
  /** Machines to delete, in this order; at most `cap` less what is on its way out already. */
  removals: Machine[];
}

/** Machines asked for and never more than this are removed at once. */
const REMOVALS_AT_ONCE = 10;

const leaving = (m: Machine): boolean => m.metadata.deletionTimestamp !== undefined;

/**
 * Which Machines to make and which to remove. Pure: the same state gives the same plan.
 *
 * Removed first are those of pools that are gone, then of a pool that is too big: the not ready before the ready, then from
 * the zone that has most, then the newest. Control-plane machines are never removed by count.
 *
 * @param machines - the Cluster's Machines, those on their way out included
 */
export function planMachines(
  cluster: { name: string; uid: string },
  pools: readonly Pool[],
  machines: readonly Machine[],
  cap = REMOVALS_AT_ONCE,
): Plan {
  const used = new Set(machines.map((m) => m.metadata.name));
  const births: Birth[] = [];
  const removals: Machine[] = [];
  for (const pool of pools) {
    const staying = machines.filter((m) => m.spec.pool === pool.name && !leaving(m));
    const zones = staying.map((m) => m.spec.zone);
    for (let ordinal = 0; staying.length + births.filter((b) => b.pool === pool).length < pool.count; ordinal++) {
      const name = machineName(cluster, pool.name, ordinal);
      if (used.has(name)) continue;
      used.add(name);
      const zone = chooseZone(pool.zones, zones);
      zones.push(zone);
      births.push({ name, pool, zone });
    }
    if (pool.role === 'worker') removals.push(...leastWanted(staying, staying.length - pool.count));
  }
  const names = new Set(pools.map((p) => p.name));
  const orphaned = machines.filter((m) => !names.has(m.spec.pool) && !leaving(m));
  const free = Math.max(0, cap - machines.filter(leaving).length);
  return { births, removals: [...orphaned, ...removals].slice(0, free) };
}

function leastWanted(staying: readonly Machine[], count: number): Machine[] {
  const rest = [...staying];
  const chosen: Machine[] = [];
  while (chosen.length < count) {
    const inZone = (m: Machine) => rest.filter((x) => x.spec.zone === m.spec.zone).length;
    rest.sort(
      (a, b) =>
        Number(a.status?.health.ready ?? false) - Number(b.status?.health.ready ?? false) ||
        inZone(b) - inZone(a) ||
        newer(a, b),
    );
    const next = rest.shift();
    if (!next) break;
    chosen.push(next);
  }
  return chosen;
}

function newer(a: Machine, b: Machine): number {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (x !== y) return x < y ? 1 : -1;
  return a.metadata.name < b.metadata.name ? 1 : -1;
}
