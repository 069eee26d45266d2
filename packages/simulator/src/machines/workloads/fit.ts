import type { KubeObject } from '../../kubernetes/index.ts';
import { at, isRecord, list, record, text } from '../../kubernetes/util/json.ts';

/** `spec.taints[]` of a node. */
export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

/** Taints of a node; a cordoned one has that of `kubectl cordon`. */
function taintsOf(node: KubeObject): Taint[] {
  const taints = list(at(node, 'spec', 'taints')) as Taint[];
  const cordoned = at(node, 'spec', 'unschedulable') === true;
  return cordoned && !taints.some((t) => t.key === 'node.kubernetes.io/unschedulable')
    ? [...taints, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }]
    : taints;
}

/** The toleration of a pod's spec that covers a taint. */
export const toleration = (podSpec: unknown, taint: Taint): Record<string, unknown> | undefined =>
  list(at(podSpec, 'tolerations'))
    .filter(isRecord)
    .find(
      (t) =>
        (t.effect === undefined || t.effect === '' || t.effect === taint.effect) &&
        (t.operator === 'Exists'
          ? t.key === undefined || t.key === '' || t.key === taint.key
          : t.key === taint.key && text(t.value) === (taint.value ?? '')),
    );

/** The first taint that keeps a pod away. */
export const repellingTaint = (podSpec: unknown, node: KubeObject): Taint | undefined =>
  taintsOf(node).find((t) => t.effect !== 'PreferNoSchedule' && !toleration(podSpec, t));

function matches(expression: unknown, values: Record<string, string>): boolean {
  const e = record(expression);
  const have = values[text(e.key)];
  const wanted = list(e.values);
  switch (e.operator) {
    case 'In':
      return have !== undefined && wanted.includes(have);
    case 'NotIn':
      return have === undefined || !wanted.includes(have);
    case 'Exists':
      return have !== undefined;
    case 'DoesNotExist':
      return have === undefined;
    case 'Gt':
      return have !== undefined && Number(have) > Number(wanted[0]);
    case 'Lt':
      return have !== undefined && Number(have) < Number(wanted[0]);
    default:
      return false;
  }
}

/** Whether nodeName, nodeSelector and required node affinity of a pod let it on a node. */
export function selectsNode(podSpec: unknown, node: KubeObject): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(record(at(podSpec, 'nodeSelector')));
  if (!selector.every(([k, v]) => labels[k] === v)) return false;
  const required = at(podSpec, 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution');
  if (!isRecord(required)) return true;
  const fields = { 'metadata.name': node.metadata.name };
  return list(required.nodeSelectorTerms).some(
    (term) =>
      list(at(term, 'matchExpressions')).every((e) => matches(e, labels)) &&
      list(at(term, 'matchFields')).every((e) => matches(e, fields)),
  );
}

const SUFFIX: Record<string, number> = {
  m: 0.001,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};

/** A quantity such as `100m` or `70Mi` as a number. */
export function quantity(value: unknown): number {
  const m = /^([0-9.]+)([A-Za-z]*)$/.exec(typeof value === 'number' ? String(value) : text(value));
  return m ? Number(m[1]) * (SUFFIX[m[2] ?? ''] ?? 1) : 0;
}

/** CPU (cores) and memory (bytes) that a pod asks for. */
export function requestsOf(podSpec: unknown): { cpu: number; memory: number } {
  const sum = { cpu: 0, memory: 0 };
  for (const c of list(at(podSpec, 'containers'))) {
    sum.cpu += quantity(at(c, 'resources', 'requests', 'cpu'));
    sum.memory += quantity(at(c, 'resources', 'requests', 'memory'));
  }
  return sum;
}
