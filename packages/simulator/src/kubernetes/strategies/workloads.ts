import type { Strategy } from '../registry/resource-type.ts';
import type { FieldError, Json, KubeObject } from '../types.ts';
import { invalidValue, required } from '../util/field-errors.ts';
import { at, equal, isRecord, list, record } from '../util/json.ts';
import { compileLabelSelector } from '../util/selectors.ts';
import { defaultPodSpec } from './pods.ts';

const setDefault = (o: Json, key: string, value: unknown): void => {
  if (o[key] === undefined) o[key] = value;
};

/** The template of a workload gets a pod's defaults. */
function template(o: KubeObject): Json | undefined {
  if (!isRecord(o.spec)) return undefined;
  defaultPodSpec(at(o.spec, 'template', 'spec'));
  return o.spec;
}

function validateSelector(o: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const selector = at(o, 'spec', 'selector');
  const labels = record(at(o, 'spec', 'template', 'metadata', 'labels'));
  if (!isRecord(selector)) errors.push(required('spec.selector'));
  if (isRecord(selector) && Object.keys(selector).length === 0)
    errors.push(invalidValue('spec.selector', selector, 'empty selector is invalid for deployment'));
  else if (!compileLabelSelector(selector)(labels as Record<string, string>)) {
    errors.push(invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'));
  }
  if (old && !equal(at(old, 'spec', 'selector'), selector))
    errors.push(invalidValue('spec.selector', selector, 'field is immutable'));
  list(at(o, 'spec', 'template', 'spec', 'containers')).forEach((c, i) => {
    if (!record(c).image) errors.push(required(`spec.template.spec.containers[${i}].image`));
  });
  const replicas = at(o, 'spec', 'replicas');
  if (typeof replicas === 'number' && replicas < 0)
    errors.push(invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'));
  return errors;
}

export const deploymentStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({}),
  validate: validateSelector,
  defaults: (o) => {
    const spec = template(o);
    if (!spec) return;
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'progressDeadlineSeconds', 600);
    const strategy = isRecord(spec.strategy) ? spec.strategy : {};
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate')
      strategy.rollingUpdate = { maxUnavailable: '25%', maxSurge: '25%', ...record(strategy.rollingUpdate) };
    spec.strategy = strategy;
  },
};

export const replicaSetStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({ replicas: 0 }),
  validate: validateSelector,
  defaults: (o) => {
    const spec = template(o);
    if (spec) setDefault(spec, 'replicas', 1);
  },
  fields: (o) => ({ 'status.replicas': String(at(o, 'status', 'replicas') ?? 0) }),
};

export const daemonSetStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  }),
  validate: validateSelector,
  defaults: (o) => {
    const spec = template(o);
    if (!spec) return;
    setDefault(spec, 'revisionHistoryLimit', 10);
    const strategy = isRecord(spec.updateStrategy) ? spec.updateStrategy : {};
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate')
      strategy.rollingUpdate = { maxUnavailable: 1, maxSurge: 0, ...record(strategy.rollingUpdate) };
    spec.updateStrategy = strategy;
  },
};

export const statefulSetStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({ replicas: 0, availableReplicas: 0 }),
  validate: validateSelector,
  defaults: (o) => {
    const spec = template(o);
    if (!spec) return;
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', 10);
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    setDefault(spec, 'persistentVolumeClaimRetentionPolicy', { whenDeleted: 'Retain', whenScaled: 'Retain' });
    const strategy = isRecord(spec.updateStrategy) ? spec.updateStrategy : {};
    setDefault(strategy, 'type', 'RollingUpdate');
    if (strategy.type === 'RollingUpdate') strategy.rollingUpdate = { partition: 0, ...record(strategy.rollingUpdate) };
    spec.updateStrategy = strategy;
  },
};

export const replicationControllerStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({ replicas: 0 }),
  defaults: (o) => {
    const spec = template(o);
    if (!spec) return;
    setDefault(spec, 'replicas', 1);
    const labels = record(at(spec, 'template', 'metadata', 'labels'));
    if (!isRecord(spec.selector)) spec.selector = { ...labels };
  },
};

export const jobStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({}),
  defaults: (o) => {
    const spec = template(o);
    if (!spec) return;
    if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
    setDefault(spec, 'parallelism', 1);
    setDefault(spec, 'backoffLimit', 6);
    setDefault(spec, 'completionMode', 'NonIndexed');
    setDefault(spec, 'suspend', false);
    setDefault(spec, 'manualSelector', false);
    setDefault(spec, 'podReplacementPolicy', spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed');
  },
  onCreate: (o) => {
    const spec = record(o.spec);
    if (spec.manualSelector === true) return;
    const uid = o.metadata.uid ?? '';
    const t = record(spec.template);
    const metadata = isRecord(t.metadata) ? t.metadata : {};
    const own = {
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': o.metadata.name,
      'controller-uid': uid,
      'job-name': o.metadata.name,
    };
    metadata.labels = { ...record(metadata.labels), ...own };
    t.metadata = metadata;
    spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
  },
  validate: (o) => {
    const policy = at(o, 'spec', 'template', 'spec', 'restartPolicy');
    if (policy === 'OnFailure' || policy === 'Never') return [];
    return [
      {
        type: 'FieldValueNotSupported',
        field: 'spec.template.spec.restartPolicy',
        message: `Unsupported value: ${JSON.stringify(policy)}: supported values: "OnFailure", "Never"`,
      },
    ];
  },
  fields: (o) => ({ 'status.successful': String(at(o, 'status', 'succeeded') ?? 0) }),
};

export const cronJobStrategy: Strategy = {
  generation: true,
  initialStatus: () => ({}),
  defaults: (o) => {
    if (!isRecord(o.spec)) return;
    defaultPodSpec(at(o.spec, 'jobTemplate', 'spec', 'template', 'spec'));
    setDefault(o.spec, 'concurrencyPolicy', 'Allow');
    setDefault(o.spec, 'suspend', false);
    setDefault(o.spec, 'successfulJobsHistoryLimit', 3);
    setDefault(o.spec, 'failedJobsHistoryLimit', 1);
  },
};
