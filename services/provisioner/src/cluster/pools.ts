import type { ClusterSpec, MachineSpec } from '@shoto/api';

/** Name of the pool that the control plane counts as. */
export const CONTROL_PLANE = 'control-plane';

/** A pool of machines as the spec asks for it; the control plane is one of them. */
export interface Pool {
  name: string;
  role: MachineSpec['role'];
  count: number;
  flavor: string;
  /** Release that is asked for; on the way there machines are made with others. */
  release: string;
  /** The pool names a release of its own. */
  pinned: boolean;
  zones: readonly string[];
  /** The pool names its zones itself: a machine elsewhere is outdated. */
  ownZones: boolean;
  serverGroupPolicy: 'soft-anti-affinity' | 'anti-affinity';
  rootVolume?: MachineSpec['rootVolume'];
  labels?: MachineSpec['labels'];
  taints?: MachineSpec['taints'];
  /** In seconds; 0: never. */
  drainTimeout: number;
  /** In seconds; 0: never. */
  detachTimeout: number;
  /** How many machines above count there may be while machines are replaced. */
  surge: number;
  /** How many of count may be missing while machines are replaced. */
  unavailable: number;
  /** Path of the pool in the spec, for messages. */
  path: string;
}

/** All pools of a Cluster, the control plane first. */
export function poolsOf({ spec }: { spec: ClusterSpec }, regionZones: readonly string[]): Pool[] {
  const { controlPlane: cp, nodePools, release } = spec;
  type Common = (typeof nodePools)[number] | typeof cp;
  const common = (p: Common) => ({
    count: p.count,
    flavor: p.flavor,
    zones: p.zones?.length ? p.zones : regionZones,
    ownZones: (p.zones?.length ?? 0) > 0,
    serverGroupPolicy: p.serverGroupPolicy,
    drainTimeout: p.nodeDrainTimeoutSeconds ?? 0,
    detachTimeout: p.nodeVolumeDetachTimeoutSeconds ?? 0,
    ...(p.rootVolume ? { rootVolume: p.rootVolume } : {}),
  });
  return [
    {
      ...common(cp),
      name: CONTROL_PLANE,
      role: 'control-plane',
      release,
      pinned: false,
      surge: 1,
      unavailable: 0,
      path: 'spec.controlPlane',
    },
    ...nodePools.map(
      (p, i): Pool => ({
        ...common(p),
        name: p.name,
        role: 'worker',
        release: p.release ?? release,
        pinned: p.release !== undefined,
        ...roomOf(p),
        path: `spec.nodePools[${i}]`,
        ...(p.labels ? { labels: p.labels } : {}),
        ...(p.taints ? { taints: p.taints } : {}),
      }),
    ),
  ];
}

/**
 * How far a pool may grow and shrink while its machines are replaced, as a Deployment reckons: shares of surge are rounded up, those of
 * unavailable down, and where both come to nothing one may be missing.
 */
function roomOf(p: { count: number; maxSurge?: number | string; maxUnavailable?: number | string }): {
  surge: number;
  unavailable: number;
} {
  const of = (value: number | string, round: (n: number) => number): number =>
    typeof value === 'number' ? value : round((Number.parseInt(value, 10) * p.count) / 100);
  const surge = of(p.maxSurge ?? 1, Math.ceil);
  const unavailable = Math.min(p.count, of(p.maxUnavailable ?? 0, Math.floor));
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}
