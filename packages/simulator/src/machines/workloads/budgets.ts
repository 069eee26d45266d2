import type { KubeObject } from '../../kubernetes/index.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import { at, list, record } from '../../kubernetes/util/json.ts';
import { compileLabelSelector } from '../../kubernetes/util/selectors.ts';
import type { Context, Kind } from './context.ts';
import type { Controller } from './engine.ts';
import { controllerOf, isPodActive, isPodReady, keyOf, refOf, shareOf } from './objects.ts';
import { setStatus } from './status.ts';

/** How a PodDisruptionBudget stands. */
interface Standing {
  expectedPods: number;
  currentHealthy: number;
  desiredHealthy: number;
  disruptionsAllowed: number;
}

const selects = (pdb: KubeObject, pod: KubeObject): boolean => {
  const selector = at(pdb, 'spec', 'selector');
  return selector !== undefined && compileLabelSelector(selector)(pod.metadata.labels ?? {});
};

/** How many pods the owners of these pods want to have. */
function expected(x: Context, pods: KubeObject[]): number {
  const owners = new Map<string, number>();
  let alone = 0;
  for (const pod of pods) {
    const owner = controllerOf(pod);
    if (owner?.kind !== 'ReplicaSet' && owner?.kind !== 'StatefulSet') {
      alone++;
      continue;
    }
    const found = x.resources.of(owner.kind as Kind).get({ namespace: pod.metadata.namespace ?? '', name: owner.name });
    owners.set(owner.uid, Number(at(found, 'spec', 'replicas') ?? 0));
  }
  return [...owners.values()].reduce((a, b) => a + b, alone);
}

function standing(x: Context, pdb: KubeObject): Standing {
  const pods = x.resources
    .of('Pod')
    .list({ namespace: pdb.metadata.namespace ?? '' })
    .filter((p) => selects(pdb, p) && isPodActive(p));
  const expectedPods = expected(x, pods);
  const currentHealthy = pods.filter(isPodReady).length;
  const most = at(pdb, 'spec', 'maxUnavailable');
  const least = at(pdb, 'spec', 'minAvailable');
  const desiredHealthy =
    most !== undefined
      ? Math.max(0, expectedPods - shareOf(most, expectedPods, 'up'))
      : shareOf(least ?? 1, expectedPods, 'up');
  return {
    expectedPods,
    currentHealthy,
    desiredHealthy,
    disruptionsAllowed: Math.max(0, currentHealthy - desiredHealthy),
  };
}

/** Whether a budget refuses that a pod is evicted now. */
export function refusedBy(x: Context, pod: KubeObject): { budget: string; message: string } | undefined {
  for (const pdb of x.resources.of('PodDisruptionBudget').list({ namespace: pod.metadata.namespace ?? '' })) {
    if (!selects(pdb, pod)) continue;
    const s = standing(x, pdb);
    if (s.disruptionsAllowed > 0) continue;
    // A pod that is not healthy may go as long as enough others are.
    if (!isPodReady(pod) && s.currentHealthy >= s.desiredHealthy && s.desiredHealthy > 0) continue;
    return {
      budget: pdb.metadata.name,
      message: `The disruption budget ${pdb.metadata.name} needs ${s.desiredHealthy} healthy pods and has ${s.currentHealthy} currently`,
    };
  }
  return undefined;
}

/** PodDisruptionBudgets: keeps their status. */
export const budgets = (x: Context): Controller => ({
  name: 'budgets',
  sees: {
    'poddisruptionbudgets.policy': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
    pods: ({ object }) =>
      x.server.store.count('poddisruptionbudgets.policy') === 0
        ? []
        : x.resources
            .of('PodDisruptionBudget')
            .list({ namespace: object.metadata.namespace ?? '' })
            .filter((pdb) => selects(pdb, object))
            .map(keyOf),
  },
  reconcile(key) {
    const pdb = x.resources.of('PodDisruptionBudget').get(refOf(key));
    if (!pdb) return;
    const s = standing(x, pdb);
    const allowed = s.disruptionsAllowed > 0;
    const before = list(at(pdb, 'status', 'conditions')).map(record);
    const had = before.find((c) => c.type === 'DisruptionAllowed');
    const status = allowed ? 'True' : 'False';
    const condition =
      had?.status === status
        ? had
        : {
            type: 'DisruptionAllowed',
            status,
            reason: allowed ? 'SufficientPods' : 'InsufficientPods',
            message: '',
            observedGeneration: pdb.metadata.generation ?? 1,
            lastTransitionTime: rfc3339(x.clock.now()),
          };
    setStatus(x, 'PodDisruptionBudget', pdb, {
      ...s,
      observedGeneration: pdb.metadata.generation ?? 1,
      conditions: [condition],
    });
  },
});
