import type { KubeObject } from '../../kubernetes/index.ts';
import { bindPod } from '../../kubernetes/strategies/pods.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import { at, list, record } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { say } from './events.ts';
import { quantity, repellingTaint, requestsOf, selectsNode } from './fit.ts';
import { controllerOf, keyOf, refOf } from './objects.ts';

type Verdict = { fits: true; used: number } | { fits: false; why: string };

/** Puts pods on nodes: taints, selectors, node affinity and resources decide; the emptiest node with the fewest siblings wins. */
export function scheduler(x: Context): Controller {
  const judge = (pod: KubeObject, node: KubeObject): Verdict => {
    if (!selectsNode(pod.spec, node)) return { fits: false, why: "node(s) didn't match Pod's node affinity/selector" };
    const taint = repellingTaint(pod.spec, node);
    if (taint?.key === 'node.kubernetes.io/unschedulable') return { fits: false, why: 'node(s) were unschedulable' };
    if (taint) return { fits: false, why: `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}` };
    const there = x.pods.onNode(node.metadata.name).filter((p) => {
      const phase = at(p, 'status', 'phase');
      return phase !== 'Succeeded' && phase !== 'Failed';
    });
    const can = record(at(node, 'status', 'allocatable'));
    if (there.length >= (quantity(can.pods) || 110)) return { fits: false, why: 'Too many pods' };
    const asked = requestsOf(pod.spec);
    const used = { cpu: 0, memory: 0 };
    for (const p of there) {
      const r = requestsOf(p.spec);
      used.cpu += r.cpu;
      used.memory += r.memory;
    }
    if (asked.cpu > 0 && used.cpu + asked.cpu > quantity(can.cpu)) return { fits: false, why: 'Insufficient cpu' };
    if (asked.memory > 0 && used.memory + asked.memory > quantity(can.memory))
      return { fits: false, why: 'Insufficient memory' };
    const owner = controllerOf(pod)?.uid;
    const siblings = owner === undefined ? 0 : there.filter((p) => controllerOf(p)?.uid === owner).length;
    return { fits: true, used: siblings * 1000 + there.length };
  };

  const refuse = (pod: KubeObject, reasons: string[]): void => {
    const counts = new Map<string, number>();
    for (const r of reasons) counts.set(r, (counts.get(r) ?? 0) + 1);
    const said = [...counts].map(([why, n]) => `${n} ${why}`).join(', ');
    const message =
      reasons.length === 0
        ? 'no nodes available to schedule pods'
        : `0/${reasons.length} nodes are available: ${said}. preemption: 0/${reasons.length} nodes are available: ${reasons.length} Preemption is not helpful for scheduling.`;
    const conditions = list(at(pod, 'status', 'conditions')).map(record);
    if (conditions.some((c) => c.type === 'PodScheduled' && c.message === message)) return;
    const now = rfc3339(x.clock.now());
    say(x, pod, { type: 'Warning', reason: 'FailedScheduling', message, component: 'default-scheduler' });
    x.resources.of('Pod').patchStatus(refOf(keyOf(pod)), {
      conditions: [
        ...conditions.filter((c) => c.type !== 'PodScheduled'),
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          message,
          lastProbeTime: null,
          lastTransitionTime: now,
        },
      ],
    });
  };

  return {
    name: 'scheduler',
    sees: {
      pods: ({ type, object }) =>
        type !== 'DELETED' && !at(object, 'spec', 'nodeName') && !object.metadata.deletionTimestamp
          ? [keyOf(object)]
          : type === 'DELETED'
            ? x.pods.unbound().map(keyOf)
            : [],
      nodes: ({ type, object, previous }) =>
        type === 'ADDED' || previous?.spec !== object.spec || previous?.metadata.labels !== object.metadata.labels
          ? x.pods.unbound().map(keyOf)
          : [],
    },
    reconcile(key) {
      const pod = x.resources.of('Pod').get(refOf(key));
      if (!pod || at(pod, 'spec', 'nodeName') || pod.metadata.deletionTimestamp) return;
      if (
        at(pod, 'spec', 'schedulerName') !== 'default-scheduler' ||
        list(at(pod, 'spec', 'schedulingGates')).length > 0
      )
        return;
      let best: { name: string; used: number } | undefined;
      const reasons: string[] = [];
      for (const node of x.resources.of('Node').list()) {
        const verdict = judge(pod, node);
        if (!verdict.fits) reasons.push(verdict.why);
        else if (!best || verdict.used < best.used) best = { name: node.metadata.name, used: verdict.used };
      }
      if (!best) return refuse(pod, reasons);
      const bound = structuredClone(pod);
      bindPod(bound, { target: { name: best.name } }, x.clock.now());
      // As `pods/binding` does it: the one write that may set spec.nodeName.
      x.server.store.put('pods', bound);
    },
  };
}
