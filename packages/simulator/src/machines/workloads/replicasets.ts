import type { KubeObject } from '../../kubernetes/index.ts';
import { at } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { isPodActive, isPodReady, keyOf, refOf } from './objects.ts';
import { podFromTemplate } from './pod-template.ts';
import { setStatus } from './status.ts';

const GVK = { apiVersion: 'apps/v1', kind: 'ReplicaSet' };

/** Which of two pods goes first: one that no node has, then one that is not Ready, then the younger. */
function leastWorth(a: KubeObject, b: KubeObject): number {
  const rank = (p: KubeObject): number => (at(p, 'spec', 'nodeName') ? 1 : 0) + (isPodReady(p) ? 1 : 0);
  const born = (p: KubeObject): string => p.metadata.creationTimestamp ?? '';
  return rank(a) - rank(b) || (born(a) < born(b) ? 1 : -1);
}

/** Keys of the owners of a kind that a pod names. */
export const ownersOf = (kind: string, o: KubeObject): string[] =>
  (o.metadata.ownerReferences ?? []).filter((r) => r.kind === kind).map((r) => `${o.metadata.namespace}/${r.name}`);

/** ReplicaSets: as many pods as asked for. */
export const replicaSets = (x: Context): Controller => ({
  name: 'replicasets',
  sees: {
    'replicasets.apps': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
    pods: ({ object }) => ownersOf('ReplicaSet', object),
  },
  reconcile(key) {
    const rs = x.resources.of('ReplicaSet').get(refOf(key));
    if (!rs || rs.metadata.deletionTimestamp) return;
    const pods = x.resources.of('Pod');
    const alive = x.pods.ofOwner(rs.metadata.uid).filter(isPodActive);
    const wanted = Number(at(rs, 'spec', 'replicas') ?? 1);
    for (let i = alive.length; i < wanted; i++) pods.create(podFromTemplate(rs, GVK));
    if (alive.length > wanted)
      for (const p of alive.sort(leastWorth).slice(0, alive.length - wanted)) pods.delete(refOf(keyOf(p)));
    const left = x.pods.ofOwner(rs.metadata.uid).filter(isPodActive);
    const ready = left.filter(isPodReady).length;
    setStatus(x, 'ReplicaSet', rs, {
      replicas: left.length,
      fullyLabeledReplicas: left.length || null,
      readyReplicas: ready || null,
      availableReplicas: ready || null,
      observedGeneration: rs.metadata.generation ?? 1,
    });
  },
});
