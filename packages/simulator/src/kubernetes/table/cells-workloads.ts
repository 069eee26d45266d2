import type { KubeObject } from '../types.ts';
import { at, isRecord, list, record, text } from '../util/json.ts';

import { ageOf, humanDuration } from './duration.ts';
import { type Cells, conditionOf, containersOf, count, orNone, pairs, selectorText } from './format.ts';

const age = (o: KubeObject, nowMs: number): string => ageOf(o.metadata.creationTimestamp, nowMs);
const templateSpec = (o: KubeObject): unknown => at(o, 'spec', 'template', 'spec');

const replicas: Cells = (o, nowMs) => [
  o.metadata.name,
  count(at(o, 'spec', 'replicas')),
  count(at(o, 'status', 'replicas')),
  count(at(o, 'status', 'readyReplicas')),
  age(o, nowMs),
  ...containersOf(templateSpec(o)),
  o.kind === 'ReplicationController' ? pairs(at(o, 'spec', 'selector')) : selectorText(at(o, 'spec', 'selector')),
];

function jobStatus(o: KubeObject): string {
  const is = (type: string): boolean => conditionOf(o.status, type)?.status === 'True';
  if (is('Complete')) return 'Complete';
  if (is('Failed')) return 'Failed';
  if (o.metadata.deletionTimestamp) return 'Terminating';
  if (is('Suspended')) return 'Suspended';
  if (is('FailureTarget')) return 'FailureTarget';
  return is('SuccessCriteriaMet') ? 'SuccessCriteriaMet' : 'Running';
}

function jobDuration(o: KubeObject, nowMs: number): string {
  const start = at(o, 'status', 'startTime');
  if (typeof start !== 'string') return '';
  const end = at(o, 'status', 'completionTime');
  return humanDuration((typeof end === 'string' ? Date.parse(end) : nowMs) - Date.parse(start));
}

/** Rows of what makes pods. */
export const workloadCells: Record<string, Cells> = {
  replicationcontrollers: replicas,
  'replicasets.apps': replicas,
  'deployments.apps': (o, nowMs) => [
    o.metadata.name,
    `${count(at(o, 'status', 'readyReplicas'))}/${count(at(o, 'spec', 'replicas'))}`,
    count(at(o, 'status', 'updatedReplicas')),
    count(at(o, 'status', 'availableReplicas')),
    age(o, nowMs),
    ...containersOf(templateSpec(o)),
    selectorText(at(o, 'spec', 'selector')),
  ],
  'statefulsets.apps': (o, nowMs) => [
    o.metadata.name,
    `${count(at(o, 'status', 'readyReplicas'))}/${count(at(o, 'spec', 'replicas'))}`,
    age(o, nowMs),
    ...containersOf(templateSpec(o)),
  ],
  'daemonsets.apps': (o, nowMs) => {
    const s = record(o.status);
    return [
      o.metadata.name,
      count(s.desiredNumberScheduled),
      count(s.currentNumberScheduled),
      count(s.numberReady),
      count(s.updatedNumberScheduled),
      count(s.numberAvailable),
      pairs(at(templateSpec(o), 'nodeSelector')),
      age(o, nowMs),
      ...containersOf(templateSpec(o)),
      selectorText(at(o, 'spec', 'selector')),
    ];
  },
  'controllerrevisions.apps': (o, nowMs) => {
    const owner = o.metadata.ownerReferences?.find((r) => r.controller);
    const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
    return [
      o.metadata.name,
      owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : '<none>',
      count(o.revision),
      age(o, nowMs),
    ];
  },
  'jobs.batch': (o, nowMs) => {
    const completions = at(o, 'spec', 'completions');
    const parallelism = count(at(o, 'spec', 'parallelism'));
    const done = count(at(o, 'status', 'succeeded'));
    return [
      o.metadata.name,
      jobStatus(o),
      typeof completions === 'number'
        ? `${done}/${completions}`
        : parallelism > 1
          ? `${done}/1 of ${parallelism}`
          : `${done}/1`,
      jobDuration(o, nowMs),
      age(o, nowMs),
      ...containersOf(templateSpec(o)),
      selectorText(at(o, 'spec', 'selector')),
    ];
  },
  'cronjobs.batch': (o, nowMs) => {
    const last = at(o, 'status', 'lastScheduleTime');
    const spec = at(o, 'spec', 'jobTemplate', 'spec', 'template', 'spec');
    return [
      o.metadata.name,
      text(at(o, 'spec', 'schedule')),
      orNone(at(o, 'spec', 'timeZone')),
      at(o, 'spec', 'suspend') === true ? 'True' : 'False',
      list(at(o, 'status', 'active')).length,
      typeof last === 'string' ? ageOf(last, nowMs) : '<none>',
      age(o, nowMs),
      ...containersOf(spec),
      selectorText(at(o, 'spec', 'jobTemplate', 'spec', 'selector')),
    ];
  },
  'poddisruptionbudgets.policy': (o, nowMs) => [
    o.metadata.name,
    orNone(at(o, 'spec', 'minAvailable'), 'N/A'),
    orNone(at(o, 'spec', 'maxUnavailable'), 'N/A'),
    count(at(o, 'status', 'disruptionsAllowed')),
    age(o, nowMs),
  ],
  'horizontalpodautoscalers.autoscaling': (o, nowMs) => {
    const ref = record(at(o, 'spec', 'scaleTargetRef'));
    const targets = list(at(o, 'spec', 'metrics'))
      .filter(isRecord)
      .map(
        (m) =>
          `${text(at(m, 'resource', 'name')) || text(m.type)}: <unknown>/${String(at(m, 'resource', 'target', 'averageUtilization') ?? '<auto>')}${at(m, 'resource', 'target', 'averageUtilization') === undefined ? '' : '%'}`,
      );
    return [
      o.metadata.name,
      `${text(ref.kind)}/${text(ref.name)}`,
      targets.length === 0 ? '<none>' : targets.join(', '),
      orNone(at(o, 'spec', 'minReplicas'), '<unset>'),
      count(at(o, 'spec', 'maxReplicas')),
      count(at(o, 'status', 'currentReplicas')),
      age(o, nowMs),
    ];
  },
};
