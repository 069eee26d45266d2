import { formatIp, parseCidr } from '../../core/ip.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import { rfc3339 } from '../../kubernetes/types.ts';
import { at, equal, isRecord, list, record, text } from '../../kubernetes/util/json.ts';
import type { Context } from './context.ts';
import type { Controller } from './engine.ts';
import { say } from './events.ts';
import { type Taint, toleration } from './fit.ts';
import { conditionOf, controllerOf, keyOf, refOf } from './objects.ts';

/** How long a kubelet may be silent before its node counts as lost: kube-controller-manager's --node-monitor-grace-period. */
const GRACE_MS = 40_000;
const PREFIX = 'node.kubernetes.io/';
const PRESSURES = { MemoryPressure: 'memory-pressure', DiskPressure: 'disk-pressure', PIDPressure: 'pid-pressure' };
const OWN = ['not-ready', 'unreachable', 'unschedulable', 'network-unavailable', ...Object.values(PRESSURES)].map(
  (t) => PREFIX + t,
);

/** Conditions that nobody tells of any more when a kubelet is silent. */
const KUBELETS_OWN = ['Ready', ...Object.keys(PRESSURES)];

/** Taints that follow from a node's state. */
function wantedTaints(node: KubeObject): Taint[] {
  const ready = conditionOf(node, 'Ready');
  const taints: Taint[] = [];
  const both = (key: string): void => {
    taints.push({ key: PREFIX + key, effect: 'NoSchedule' }, { key: PREFIX + key, effect: 'NoExecute' });
  };
  if (ready === 'Unknown') both('unreachable');
  else if (ready !== 'True') both('not-ready');
  for (const [condition, taint] of Object.entries(PRESSURES))
    if (conditionOf(node, condition) === 'True') taints.push({ key: PREFIX + taint, effect: 'NoSchedule' });
  if (conditionOf(node, 'NetworkUnavailable') === 'True')
    taints.push({ key: `${PREFIX}network-unavailable`, effect: 'NoSchedule' });
  if (at(node, 'spec', 'unschedulable') === true) taints.push({ key: `${PREFIX}unschedulable`, effect: 'NoSchedule' });
  return taints;
}

/** Node IPAM, lifecycle and taints of kube-controller-manager. */
export function nodeController(x: Context, podSubnet: string): Controller {
  const range = parseCidr(podSubnet.split(',')[0] ?? '');
  const taken = new Map<string, number>();
  let next = 0;

  const podRange = (node: KubeObject): string | undefined => {
    if (range?.version !== 4 || at(node, 'spec', 'podCIDR')) return undefined;
    const count = 2 ** Math.max(0, 24 - range.prefix);
    const used = new Set(taken.values());
    for (let i = 0; i < count; i++) {
      const index = (next + i) % count;
      if (used.has(index)) continue;
      next = index + 1;
      taken.set(node.metadata.name, index);
      return `${formatIp(4, range.first + BigInt(index * 256))}/${Math.max(24, range.prefix)}`;
    }
    return undefined;
  };

  const silence = (node: KubeObject): KubeObject => {
    const { name } = node.metadata;
    if (x.isAlive(name) || conditionOf(node, 'Ready') === 'Unknown') return node;
    const left = (x.silentSince(name) ?? 0) + GRACE_MS - x.clock.now();
    if (left > 0) {
      x.engine.wakeAfter('nodes', name, left);
      return node;
    }
    const now = rfc3339(x.clock.now());
    const message = `Node ${name} status is now: NodeNotReady`;
    say(x, node, { type: 'Normal', reason: 'NodeNotReady', message, component: 'node-controller' });
    // Nobody knows whether its pods serve: Services leave them out.
    for (const pod of x.pods.onNode(name)) {
      if (conditionOf(pod, 'Ready') !== 'True') continue;
      const conditions = list(at(pod, 'status', 'conditions')).map((c) =>
        record(c).type === 'Ready' ? { ...record(c), status: 'False', lastTransitionTime: now } : c,
      );
      x.resources.of('Pod').patchStatus(refOf(keyOf(pod)), { conditions });
    }
    return x.resources.of('Node').patchStatus(
      { name },
      {
        conditions: list(at(node, 'status', 'conditions'))
          .map(record)
          .map((c) =>
            !KUBELETS_OWN.includes(text(c.type))
              ? c
              : {
                  ...c,
                  status: 'Unknown',
                  reason: 'NodeStatusUnknown',
                  message: 'Kubelet stopped posting node status.',
                  lastTransitionTime: now,
                },
          ),
      },
    );
  };

  return {
    name: 'nodes',
    sees: {
      nodes: ({ type, object }) => {
        if (type === 'DELETED') taken.delete(object.metadata.name);
        return type === 'DELETED' ? [] : [object.metadata.name];
      },
    },
    reconcile(name) {
      const found = x.resources.of('Node').get({ name });
      if (!found) return;
      const node = silence(found);
      const podCIDR = podRange(node);
      const kept = list(at(node, 'spec', 'taints')).filter((t) => !OWN.includes(text(record(t).key)));
      const had = list(at(node, 'spec', 'taints')).filter((t) => OWN.includes(text(record(t).key)));
      const wanted = wantedTaints(node);
      const untimed = had.map((t) => ({ key: record(t).key, effect: record(t).effect }));
      if (podCIDR === undefined && equal(untimed, wanted)) return;
      const since = (t: Taint): Taint & { timeAdded?: unknown } => {
        const old = had.find((h) => record(h).key === t.key && record(h).effect === t.effect);
        return (old as Taint | undefined) ?? { ...t, timeAdded: rfc3339(x.clock.now()) };
      };
      const taints = [...kept, ...wanted.map(since)];
      x.resources.of('Node').patch(
        { name },
        {
          spec: {
            taints: taints.length > 0 ? taints : null,
            ...(podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] }),
          },
        },
      );
    },
  };
}

/** Deletes pods from nodes with NoExecute taints that they do not tolerate (any more). */
export const taintEviction = (x: Context): Controller => ({
  name: 'taint-eviction',
  sees: {
    nodes: ({ type, object, previous }) =>
      type !== 'DELETED' && previous?.spec !== object.spec ? [object.metadata.name] : [],
    pods: ({ type, object, previous }) =>
      type !== 'DELETED' && at(object, 'spec', 'nodeName') !== at(previous, 'spec', 'nodeName')
        ? [text(at(object, 'spec', 'nodeName'))]
        : [],
  },
  reconcile(name) {
    const node = x.resources.of('Node').get({ name });
    const taints = (
      list(at(node, 'spec', 'taints')).filter(isRecord) as unknown as (Taint & { timeAdded?: string })[]
    ).filter((t) => t.effect === 'NoExecute');
    if (taints.length === 0) return;
    for (const pod of x.pods.onNode(name)) {
      if (pod.metadata.deletionTimestamp) continue;
      let due = Number.POSITIVE_INFINITY;
      for (const t of taints) {
        const tolerated = toleration(pod.spec, t);
        const seconds = tolerated?.tolerationSeconds;
        const since = t.timeAdded ? Date.parse(t.timeAdded) : x.clock.now();
        if (!tolerated) due = 0;
        else if (typeof seconds === 'number') due = Math.min(due, since + seconds * 1000);
      }
      if (due <= x.clock.now()) x.resources.of('Pod').delete(refOf(keyOf(pod)));
      else if (due !== Number.POSITIVE_INFINITY) x.engine.wakeAfter('taint-eviction', name, due - x.clock.now());
    }
  },
});

/** Removes pods whose node is gone, as the pod garbage collector does. */
export const podGc = (x: Context): Controller => ({
  name: 'pod-gc',
  sees: {
    nodes: ({ type, object }) => (type === 'DELETED' ? [object.metadata.name] : []),
    pods: ({ type, object, previous }) =>
      type === 'ADDED' && !previous && at(object, 'spec', 'nodeName') && controllerOf(object)?.kind !== 'Node'
        ? [text(at(object, 'spec', 'nodeName'))]
        : [],
  },
  reconcile(name) {
    if (x.resources.of('Node').get({ name })) return;
    for (const pod of x.pods.onNode(name))
      x.resources
        .of('Pod')
        .delete(refOf(keyOf(pod)), { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid ?? '' } });
  },
});
