import type { KubeObject } from '../../kubernetes/index.ts';
import { at } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { isPodReady, keyOf, refOf, templateHash } from './objects.ts';
import { podFromTemplate } from './pod-template.ts';
import { ownersOf } from './replicasets.ts';
import { setStatus } from './status.ts';

const GVK = { apiVersion: 'apps/v1', kind: 'StatefulSet' };
const HASH = 'controller-revision-hash';

/** StatefulSets: numbered pods, one after the other. Their volumes are not made. */
export const statefulSets = (x: Context): Controller => ({
  name: 'statefulsets',
  sees: {
    'statefulsets.apps': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
    pods: ({ object }) => ownersOf('StatefulSet', object),
  },
  reconcile(key) {
    const set = x.resources.of('StatefulSet').get(refOf(key));
    if (!set || set.metadata.deletionTimestamp) return;
    const revision = `${set.metadata.name}-${templateHash(at(set, 'spec', 'template'))}`;
    const pods = x.resources.of('Pod');
    const byName = new Map(x.pods.ofOwner(set.metadata.uid).map((p) => [p.metadata.name, p]));
    const wanted = Number(at(set, 'spec', 'replicas') ?? 1);
    const parallel = at(set, 'spec', 'podManagementPolicy') === 'Parallel';
    const make = (n: number): KubeObject => {
      const name = `${set.metadata.name}-${n}`;
      const labels = {
        [HASH]: revision,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(n),
      };
      return pods.create(
        podFromTemplate(set, GVK, {
          name,
          labels,
          spec: { hostname: name, subdomain: at(set, 'spec', 'serviceName') },
        }),
      );
    };
    let steady = true;
    for (let n = 0; n < wanted; n++) {
      const pod = byName.get(`${set.metadata.name}-${n}`);
      if (!pod) make(n);
      if (pod && isPodReady(pod)) continue;
      steady = false;
      if (!parallel) break;
    }
    const numbered = [...byName.values()].map((p) => ({
      p,
      n: Number(p.metadata.name.slice(set.metadata.name.length + 1)),
    }));
    const excess = numbered.filter(({ n }) => n >= wanted).sort((a, b) => b.n - a.n);
    if (excess[0] && !excess.some(({ p }) => p.metadata.deletionTimestamp)) pods.delete(refOf(keyOf(excess[0].p)));
    // Rolled from the last to the first, each when all others are Ready.
    const outdated = numbered
      .filter(({ p, n }) => n < wanted && p.metadata.labels?.[HASH] !== revision)
      .sort((a, b) => b.n - a.n);
    const partition = Number(at(set, 'spec', 'updateStrategy', 'rollingUpdate', 'partition') ?? 0);
    const next = outdated[0];
    const rolls = at(set, 'spec', 'updateStrategy', 'type') !== 'OnDelete';
    if (steady && rolls && next && next.n >= partition) pods.delete(refOf(keyOf(next.p)));
    const now = x.pods.ofOwner(set.metadata.uid);
    const ready = now.filter(isPodReady).length;
    const updated = now.filter((p) => p.metadata.labels?.[HASH] === revision).length;
    setStatus(x, 'StatefulSet', set, {
      observedGeneration: set.metadata.generation ?? 1,
      replicas: now.length,
      readyReplicas: ready || null,
      availableReplicas: ready,
      updatedReplicas: updated || null,
      currentReplicas: updated || null,
      updateRevision: revision,
      ...(updated === wanted ? { currentRevision: revision } : {}),
    });
  },
});
