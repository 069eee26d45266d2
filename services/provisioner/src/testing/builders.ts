import { type Cluster, ClusterKind, FINALIZERS, LABELS, type Machine, MachineKind, parseObject } from '@shoto/api';

/** A Cluster as it is read back: defaults filled in. `workers` is the count of its one pool. */
export function aCluster(
  o: {
    name?: string;
    uid?: string;
    region?: string;
    release?: string;
    controlPlanes?: number;
    workers?: number;
    flavor?: string;
    zones?: string[];
    status?: unknown;
    deleting?: boolean;
    finalizers?: string[];
  } = {},
): Cluster {
  const cluster = parseObject(ClusterKind, {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Cluster',
    metadata: {
      name: o.name ?? 'web',
      namespace: 'tenant-a',
      uid: o.uid ?? 'u-web',
      generation: 1,
      resourceVersion: '1',
      creationTimestamp: '2026-01-01T00:00:00Z',
      finalizers: o.finalizers ?? [FINALIZERS.infrastructure, FINALIZERS.secrets],
      ...(o.deleting ? { deletionTimestamp: '2026-01-01T01:00:00Z' } : {}),
    },
    spec: {
      region: o.region ?? 'r1',
      release: o.release ?? 'v1.35.4',
      controlPlane: {
        count: o.controlPlanes ?? 1,
        flavor: o.flavor ?? 'm1.medium',
        ...(o.zones ? { zones: o.zones } : {}),
      },
      nodePools: [{ name: 'workers', count: o.workers ?? 1, flavor: o.flavor ?? 'm1.small' }],
    },
    status: o.status ?? {},
  });
  return cluster;
}

/** A Machine of a Cluster as it is read back. */
export function aMachine(o: {
  cluster: Cluster;
  name: string;
  pool?: string;
  zone?: string | undefined;
  created?: string;
  ready?: boolean;
  joined?: boolean;
  server?: object;
  deleting?: boolean;
  /** Why its node cannot leave. */
  held?: { reason: string; message: string };
}): Machine {
  const pool = o.pool ?? 'workers';
  return parseObject(MachineKind, {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Machine',
    metadata: {
      name: o.name,
      namespace: o.cluster.metadata.namespace,
      uid: `uid-${o.name}`,
      resourceVersion: '1',
      creationTimestamp: o.created ?? '2026-01-01T00:00:00Z',
      finalizers: [FINALIZERS.server, FINALIZERS.node],
      labels: { [LABELS.cluster]: o.cluster.metadata.name },
      ...(o.deleting ? { deletionTimestamp: '2026-01-01T01:00:00Z' } : {}),
    },
    spec: {
      cluster: { name: o.cluster.metadata.name, uid: o.cluster.metadata.uid },
      role: pool === 'control-plane' ? 'control-plane' : 'worker',
      pool,
      region: o.cluster.spec.region,
      release: o.cluster.spec.release,
      image: 'image-1',
      flavor: 'flavor-1',
      ...(o.zone ? { zone: o.zone } : {}),
    },
    status: {
      ...(o.server ? { server: o.server } : {}),
      bootstrap: {
        ...(o.joined ? { joinedAt: '2026-01-01T00:00:30Z' } : {}),
        ...(o.held
          ? {
              conditions: [{ type: 'Drained', status: 'False', ...o.held, lastTransitionTime: '2026-01-01T02:00:00Z' }],
            }
          : {}),
      },
      ...(o.ready === undefined ? {} : { health: { ready: o.ready } }),
    },
  });
}
