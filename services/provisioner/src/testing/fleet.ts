import {
  type Cluster,
  ClusterKind,
  type ClusterSpecInput,
  type KubernetesRelease,
  KubernetesReleaseKind,
  type Machine,
  parseObject,
} from '@shoto/api';
import type { Ids } from '../cluster/ids.ts';
import { type Plan, type PlanInput, planMachines } from '../cluster/plan-machines.ts';
import { poolsOf } from '../cluster/pools.ts';
import type { Progress } from '../cluster/release-step.ts';
import { aMachine } from './builders.ts';

/** What tests of the planner stand on: clusters, machines and releases in memory, and a plan made of them. */

export const NOW = Date.parse('2026-03-02T12:00:00Z');

/** A KubernetesRelease that region r1 offers. */
export const aRelease = (name: string, o: { withdrawn?: boolean; region?: string } = {}): KubernetesRelease =>
  parseObject(KubernetesReleaseKind, {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'KubernetesRelease',
    metadata: { name },
    spec: {
      version: name.split('-')[0],
      images: [{ region: o.region ?? 'r1', image: `node-${name}` }],
      support: { withdrawn: o.withdrawn ?? false },
    },
  });

/** A Cluster of one pool `workers`, or as given. */
export const aFleet = (
  o: {
    controlPlanes?: number;
    workers?: number;
    pool?: object;
    spec?: Partial<ClusterSpecInput>;
    release?: string;
  } = {},
): Cluster =>
  parseObject(ClusterKind, {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'web', namespace: 'tenant-a', uid: 'u-web', generation: 1, resourceVersion: '1' },
    spec: {
      region: 'r1',
      release: o.release ?? 'v1.35.4',
      controlPlane: { count: o.controlPlanes ?? 1, flavor: 'm1.medium' },
      nodePools: [{ name: 'workers', count: o.workers ?? 3, flavor: 'm1.small', ...o.pool }],
      ...o.spec,
    },
  });

/** What a test says of a Machine; without more it is a usable worker, up to date with {@link aFleet}. */
export interface MachineOptions {
  pool?: string;
  release?: string;
  image?: string;
  flavor?: string;
  zone?: string;
  created?: string;
  /** Default: both. */
  joined?: boolean;
  ready?: boolean;
  leaving?: boolean;
  server?: object;
  health?: object;
  spec?: object;
  annotations?: Record<string, string>;
}

export function machineNamed(name: string, o: MachineOptions = {}): Machine {
  const pool = o.pool ?? (name.startsWith('cp') ? 'control-plane' : 'workers');
  const joined = o.joined ?? true;
  const m = aMachine({
    cluster: aFleet(),
    name,
    pool,
    zone: o.zone,
    joined,
    ...(o.created ? { created: o.created } : {}),
    ...(joined ? { ready: o.ready ?? true } : {}),
    ...(o.leaving ? { deleting: true } : {}),
    server: o.server ?? { state: 'Active' },
  });
  const release = o.release ?? 'v1.35.4';
  Object.assign(m.spec, {
    release,
    image: o.image ?? `image-${release}`,
    flavor: o.flavor ?? (pool === 'control-plane' ? 'm1.medium' : 'm1.small'),
    ...o.spec,
  });
  if (o.annotations) m.metadata.annotations = o.annotations;
  if (m.status && o.health) Object.assign(m.status.health, o.health);
  return m;
}

/** Machines `a1`, `a2`, ... all alike. */
export const several = (prefix: string, count: number, o: MachineOptions = {}): Machine[] =>
  Array.from({ length: count }, (_, i) => machineNamed(`${prefix}${i + 1}`, o));

/** Releases that tests walk over. */
export const RELEASES = ['v1.35.4', 'v1.35.5', 'v1.36.1', 'v1.36.3', 'v1.37.0'].map((r) => aRelease(r));

/** Every name is its own ID, and every release has its image. */
export const idsOfAll = (cluster: Cluster, releases: readonly KubernetesRelease[] = RELEASES): Ids => ({
  images: new Map(releases.map((r) => [r.metadata.name, `image-${r.metadata.name}`])),
  flavors: new Map(poolsOf(cluster, []).map((p) => [p.name, p.flavor])),
});

/** A plan of a Cluster that runs. */
export function planOf(
  cluster: Cluster,
  machines: Machine[],
  o: Partial<Omit<PlanInput, 'progress'>> & { progress?: Partial<Progress>; zones?: string[] } = {},
): Plan {
  const { progress, zones, ...rest } = o;
  return planMachines({
    cluster: { name: 'web', uid: 'u-web' },
    spec: cluster.spec,
    pools: poolsOf(cluster, zones ?? []),
    machines,
    releases: RELEASES,
    region: { name: 'r1', endpoint: 'LoadBalancer' },
    ids: idsOfAll(cluster),
    stop: undefined,
    now: NOW,
    ...rest,
    progress: { initialized: true, ...progress },
  });
}

/** A plan in short: pools of births, names of removals. */
export const inShort = (plan: Plan): { births: string[]; removals: string[] } => ({
  births: plan.births.map((b) => b.pool.name),
  removals: plan.removals.map((r) => r.machine.metadata.name),
});
