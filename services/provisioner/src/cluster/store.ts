import { type Cluster, ClusterKind, type ConditionInput, resourceOf } from '@shoto/api';
import { type JsonPatchOp, KubeError } from '@shoto/kube';
import { CONDITIONS, stated } from '../conditions.ts';
import type { Deps } from '../deps.ts';
import type { Infrastructure } from '../memory.ts';

export const CLUSTERS = resourceOf(ClusterKind);

/** What a pass wants to have stored of a Cluster. */
export interface ClusterWrite {
  infrastructure: Infrastructure;
  ready: ConditionInput;
}

/** How much of it is new: nothing, only what may be gathered for a while (counts, texts), or something that others wait for. */
export type Novelty = 'none' | 'gathered' | 'urgent';

const withoutRevision = ({ revision: _, ...rest }: Infrastructure): Omit<Infrastructure, 'revision'> => rest;

/** A stable text of plain data, whatever the order of its keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    v && typeof v === 'object' && !Array.isArray(v)
      ? Object.fromEntries(
          Object.entries(v)
            .filter(([, x]) => x !== undefined)
            .sort(([a], [b]) => (a < b ? -1 : 1)),
        )
      : v,
  );
}

/** Compares what is stored with what shall be. */
export function novelty(stored: Cluster, next: ClusterWrite, now: number): Novelty {
  const before = stored.status?.infrastructure ?? { revision: 0 };
  const conditions = stored.status?.conditions;
  const sameMap = canonical(withoutRevision(before)) === canonical(withoutRevision(next.infrastructure));
  const ready = stated(conditions, [next.ready], now);
  const sameReady = canonical(conditions ?? []) === canonical(ready);
  const sameGeneration = stored.status?.observedGeneration === stored.metadata.generation;
  if (sameMap && sameReady && sameGeneration) return 'none';
  const core = (i: Infrastructure) =>
    canonical({
      ...withoutRevision(i),
      pools: undefined,
      // That a cluster is as asked for is what everybody takes it for.
      conditions: (i.conditions ?? []).flatMap((c) =>
        c.type === CONDITIONS.upToDate && c.status === 'True' ? [] : [[c.type, c.status]],
      ),
    });
  const statusOf = (list: Cluster['status']) => list?.conditions?.find((c) => c.type === next.ready.type)?.status;
  const urgent = core(before) !== core(next.infrastructure) || statusOf(stored.status) !== next.ready.status;
  return urgent ? 'urgent' : 'gathered';
}

/**
 * Stores the provisioner's map and the summary in one request: both are ours alone. Tests the map's revision, so that no pass writes over another.
 *
 * @returns the Cluster as stored
 * @throws {KubeError} `isConflict` when another revision is there
 */
export async function writeCluster(
  d: Deps,
  cluster: Cluster,
  next: ClusterWrite,
  signal: AbortSignal,
): Promise<Cluster> {
  const now = d.clock.now();
  const build = (base: Cluster): JsonPatchOp[] => {
    const revision = base.status?.infrastructure?.revision;
    const map = { ...withoutRevision(next.infrastructure), revision: (revision ?? 0) + 1 };
    const conditions = stated(
      base.status?.conditions,
      [{ ...next.ready, observedGeneration: base.metadata.generation ?? 0 }],
      now,
    );
    const ops: JsonPatchOp[] = [{ op: 'test', path: '/metadata/uid', value: base.metadata.uid }];
    if (revision === undefined)
      ops.push({ op: 'test', path: '/metadata/resourceVersion', value: base.metadata.resourceVersion });
    else ops.push({ op: 'test', path: '/status/infrastructure/revision', value: revision });
    const observedGeneration = base.metadata.generation ?? 0;
    if (!base.status) {
      ops.push({ op: 'add', path: '/status', value: { infrastructure: map, conditions, observedGeneration } });
      return ops;
    }
    ops.push(
      { op: 'add', path: '/status/infrastructure', value: map },
      { op: 'add', path: '/status/conditions', value: conditions },
      { op: 'add', path: '/status/observedGeneration', value: observedGeneration },
    );
    return ops;
  };
  const patch = (base: Cluster) =>
    d.kube.jsonPatch<Cluster>(CLUSTERS, base.metadata, build(base), { subresource: 'status', signal });
  let written: Cluster;
  try {
    written = await patch(cluster);
  } catch (e) {
    // The first write tests the whole object, which others write too: look again, once.
    if (!(e instanceof KubeError && e.isConflict) || cluster.status?.infrastructure?.revision !== undefined) throw e;
    const live = await d.kube.get<Cluster>(CLUSTERS, cluster.metadata, { signal });
    if (!live || live.metadata.uid !== cluster.metadata.uid || (live.status?.infrastructure?.revision ?? 0) > 0)
      throw e;
    written = await patch(live);
  }
  d.clusters.wrote(written);
  return written;
}
