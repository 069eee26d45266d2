import type { KubeObject } from '../../kubernetes/index.ts';
import { at, list, record } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { repellingTaint, selectsNode } from './fit.ts';
import { isPodReady, keyOf, ownedBy, refOf, shareOf, templateHash } from './objects.ts';
import { setStatus } from './status.ts';

const HASH = 'controller-revision-hash';
const PREFIX = 'node.kubernetes.io/';

/** Tolerations that the DaemonSet controller adds. */
const tolerations = (hostNetwork: boolean): Record<string, string>[] => [
  { key: `${PREFIX}not-ready`, operator: 'Exists', effect: 'NoExecute' },
  { key: `${PREFIX}unreachable`, operator: 'Exists', effect: 'NoExecute' },
  ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable'].map((t) => ({
    key: PREFIX + t,
    operator: 'Exists',
    effect: 'NoSchedule',
  })),
  ...(hostNetwork ? [{ key: `${PREFIX}network-unavailable`, operator: 'Exists', effect: 'NoSchedule' }] : []),
];

function podOf(ds: KubeObject, node: string, hash: string): KubeObject {
  const template = record(at(ds, 'spec', 'template'));
  const spec = record(template.spec);
  const affinity = record(spec.affinity);
  const terms = list(
    at(affinity, 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms'),
  );
  const matchFields = [{ key: 'metadata.name', operator: 'In', values: [node] }];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: '',
      generateName: `${ds.metadata.name}-`,
      namespace: ds.metadata.namespace ?? '',
      labels: {
        ...(record(at(template, 'metadata', 'labels')) as Record<string, string>),
        [HASH]: hash,
        'pod-template-generation': String(ds.metadata.generation ?? 1),
      },
      annotations: record(at(template, 'metadata', 'annotations')) as Record<string, string>,
      ownerReferences: [ownedBy(ds, 'apps/v1', 'DaemonSet')],
    },
    spec: {
      ...spec,
      tolerations: [...list(spec.tolerations), ...tolerations(spec.hostNetwork === true)],
      affinity: {
        ...affinity,
        nodeAffinity: {
          ...record(affinity.nodeAffinity),
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: (terms.length > 0 ? terms : [{}]).map((t) => ({ ...record(t), matchFields })),
          },
        },
      },
    },
  };
}

/** The node that a DaemonSet's pod is for: its own, or the one that it asks for. */
function nodeFor(pod: KubeObject): string {
  const bound = at(pod, 'spec', 'nodeName');
  if (typeof bound === 'string' && bound !== '') return bound;
  const terms = list(
    at(pod, 'spec', 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms'),
  );
  const field = record(list(at(terms[0], 'matchFields'))[0]);
  return String(list(field.values)[0] ?? '');
}

/** DaemonSets: a pod on each node that lets it, rolled over when the template changes. */
export function daemonSets(x: Context): Controller {
  const all = (): string[] => x.resources.of('DaemonSet').list().map(keyOf);
  return {
    name: 'daemonsets',
    sees: {
      'daemonsets.apps': ({ type, object }) => (type === 'DELETED' ? [] : [keyOf(object)]),
      // Heartbeats and conditions of a node do not matter, what it lets run does.
      nodes: ({ type, object, previous }) =>
        type !== 'MODIFIED' || previous?.spec !== object.spec || previous?.metadata.labels !== object.metadata.labels
          ? all()
          : [],
      pods: ({ object }) =>
        (object.metadata.ownerReferences ?? [])
          .filter((r) => r.kind === 'DaemonSet')
          .map((r) => `${object.metadata.namespace}/${r.name}`),
    },
    reconcile(key) {
      const ds = x.resources.of('DaemonSet').get(refOf(key));
      if (!ds || ds.metadata.deletionTimestamp) return;
      const template = at(ds, 'spec', 'template');
      const hash = templateHash(template);
      const own = record(at(template, 'spec'));
      const podSpec = { ...own, tolerations: [...list(own.tolerations), ...tolerations(own.hostNetwork === true)] };
      const pods = x.resources.of('Pod');
      const byNode = new Map<string, KubeObject[]>();
      for (const pod of x.pods.ofOwner(ds.metadata.uid))
        byNode.set(nodeFor(pod), [...(byNode.get(nodeFor(pod)) ?? []), pod]);
      const count = { desired: 0, current: 0, ready: 0, updated: 0, misscheduled: 0 };
      const outdated: KubeObject[] = [];
      for (const node of x.resources.of('Node').list()) {
        const there = byNode.get(node.metadata.name) ?? [];
        byNode.delete(node.metadata.name);
        const taint = repellingTaint(podSpec, node);
        const runs = selectsNode(podSpec, node) && !taint;
        const stays = selectsNode(podSpec, node) && taint?.effect !== 'NoExecute';
        if (!runs) {
          count.misscheduled += there.length;
          if (!stays) for (const p of there) if (!p.metadata.deletionTimestamp) pods.delete(refOf(keyOf(p)));
          continue;
        }
        count.desired++;
        const alive = there.filter((p) => !p.metadata.deletionTimestamp);
        if (there.length === 0) pods.create(podOf(ds, node.metadata.name, hash));
        for (const p of alive.slice(1)) pods.delete(refOf(keyOf(p)));
        const pod = alive[0];
        if (!pod) continue;
        const phase = at(pod, 'status', 'phase');
        if (phase === 'Failed' || phase === 'Succeeded') pods.delete(refOf(keyOf(pod)));
        count.current++;
        if (isPodReady(pod)) count.ready++;
        if (pod.metadata.labels?.[HASH] === hash) count.updated++;
        else outdated.push(pod);
      }
      for (const lost of byNode.values())
        for (const p of lost) if (!p.metadata.deletionTimestamp) pods.delete(refOf(keyOf(p)));
      roll(ds, outdated, count);
      setStatus(x, 'DaemonSet', ds, {
        currentNumberScheduled: count.current,
        numberMisscheduled: count.misscheduled,
        desiredNumberScheduled: count.desired,
        numberReady: count.ready,
        observedGeneration: ds.metadata.generation ?? 1,
        updatedNumberScheduled: count.updated,
        numberAvailable: count.ready,
        numberUnavailable: count.desired - count.ready,
      });
    },
  };

  function roll(ds: KubeObject, outdated: KubeObject[], count: { desired: number; ready: number }): void {
    const strategy = record(at(ds, 'spec', 'updateStrategy'));
    if (outdated.length === 0 || strategy.type === 'OnDelete') return;
    const allowed = Math.max(1, shareOf(at(strategy, 'rollingUpdate', 'maxUnavailable') ?? 1, count.desired, 'up'));
    let room = allowed - (count.desired - count.ready);
    for (const pod of outdated) {
      // One that is not available anyway costs nothing.
      if (isPodReady(pod) && room-- <= 0) continue;
      x.resources.of('Pod').delete(refOf(keyOf(pod)));
    }
  }
}
