import type { Strategy } from '../registry/resource-type.ts';
import { forbidden, notFound } from '../status.ts';
import type { FieldError, Json, KubeObject } from '../types.ts';
import { rfc3339 } from '../types.ts';
import { invalidValue } from '../util/field-errors.ts';
import { at, clone, equal, isRecord, list, record, text } from '../util/json.ts';

const setDefault = (o: Json, key: string, value: unknown): void => {
  if (o[key] === undefined) o[key] = value;
};

function probe(value: unknown): void {
  if (!isRecord(value)) return;
  setDefault(value, 'timeoutSeconds', 1);
  setDefault(value, 'periodSeconds', 10);
  setDefault(value, 'successThreshold', 1);
  setDefault(value, 'failureThreshold', 3);
  if (isRecord(value.httpGet)) {
    setDefault(value.httpGet, 'path', '/');
    setDefault(value.httpGet, 'scheme', 'HTTP');
  }
}

function container(c: Json): void {
  setDefault(c, 'terminationMessagePath', '/dev/termination-log');
  setDefault(c, 'terminationMessagePolicy', 'File');
  const image = text(c.image);
  const tag = /:([^/@]+)$/.exec(image)?.[1];
  setDefault(
    c,
    'imagePullPolicy',
    !image.includes('@') && (tag === undefined || tag === 'latest') ? 'Always' : 'IfNotPresent',
  );
  setDefault(c, 'resources', {});
  for (const port of list(c.ports)) if (isRecord(port)) setDefault(port, 'protocol', 'TCP');
  for (const p of ['livenessProbe', 'readinessProbe', 'startupProbe']) probe(c[p]);
  for (const env of list(c.env)) {
    const field = at(env, 'valueFrom', 'fieldRef');
    if (isRecord(field)) setDefault(field, 'apiVersion', 'v1');
  }
  const resources = record(c.resources);
  if (isRecord(resources.limits)) {
    const requests = isRecord(resources.requests) ? resources.requests : {};
    for (const [k, v] of Object.entries(resources.limits)) setDefault(requests, k, v);
    resources.requests = requests;
  }
}

/** Defaults of a PodSpec, in a Pod or in a template. */
export function defaultPodSpec(spec: unknown): void {
  if (!isRecord(spec)) return;
  setDefault(spec, 'restartPolicy', 'Always');
  setDefault(spec, 'terminationGracePeriodSeconds', 30);
  setDefault(spec, 'dnsPolicy', 'ClusterFirst');
  setDefault(spec, 'securityContext', {});
  setDefault(spec, 'schedulerName', 'default-scheduler');
  if (typeof spec.serviceAccountName === 'string') setDefault(spec, 'serviceAccount', spec.serviceAccountName);
  for (const c of [...list(spec.containers), ...list(spec.initContainers)]) if (isRecord(c)) container(c);
  for (const volume of list(spec.volumes)) {
    if (!isRecord(volume)) continue;
    for (const source of ['secret', 'configMap', 'projected', 'downwardAPI'])
      if (isRecord(volume[source])) setDefault(volume[source], 'defaultMode', 420);
    if (isRecord(volume.hostPath)) setDefault(volume.hostPath, 'type', '');
    if (Object.keys(volume).length === 1) volume.emptyDir = {};
  }
}

/** The three classes that eviction under pressure goes by. */
function qosClass(spec: Json): string {
  let some = false;
  let guaranteed = true;
  for (const c of [...list(spec.containers), ...list(spec.initContainers)]) {
    const requests = record(at(c, 'resources', 'requests'));
    const limits = record(at(c, 'resources', 'limits'));
    for (const r of ['cpu', 'memory']) {
      if (requests[r] !== undefined || limits[r] !== undefined) some = true;
      if (limits[r] === undefined || (requests[r] !== undefined && requests[r] !== limits[r])) guaranteed = false;
    }
  }
  return some ? (guaranteed ? 'Guaranteed' : 'Burstable') : 'BestEffort';
}

// Shared by all pods of all servers: stored objects are never changed.
const lostNode = ['not-ready', 'unreachable'].map((why) =>
  Object.freeze({ key: `node.kubernetes.io/${why}`, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }),
);

const mutable = [
  'image',
  'containers',
  'initContainers',
  'activeDeadlineSeconds',
  'tolerations',
  'terminationGracePeriodSeconds',
  'schedulingGates',
];

/** What of a pod's spec may never change. */
function fixedSpec(object: KubeObject): Json {
  const spec = clone(record(object.spec));
  for (const c of [...list(spec.containers), ...list(spec.initContainers)]) if (isRecord(c)) delete c.image;
  for (const field of mutable) if (field !== 'containers' && field !== 'initContainers') delete spec[field];
  return spec;
}

function validate(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  list(at(object, 'spec', 'containers')).forEach((c, i) => {
    const name = text(record(c).name);
    if (names.has(name))
      errors.push({
        type: 'FieldValueDuplicate',
        field: `spec.containers[${i}].name`,
        message: `Duplicate value: "${name}"`,
      });
    names.add(name);
    if (text(record(c).image) === '')
      errors.push({ type: 'FieldValueRequired', field: `spec.containers[${i}].image`, message: 'Required value' });
  });
  if (old === undefined && names.size === 0)
    errors.push({ type: 'FieldValueRequired', field: 'spec.containers', message: 'Required value' });
  if (
    old &&
    !equal(fixedSpec(object), fixedSpec(old)) &&
    at(old, 'spec', 'nodeName') === at(object, 'spec', 'nodeName')
  ) {
    errors.push({
      type: 'FieldValueForbidden',
      field: 'spec',
      message:
        'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    });
  } else if (old && at(old, 'spec', 'nodeName') !== at(object, 'spec', 'nodeName')) {
    errors.push(invalidValue('spec.nodeName', at(object, 'spec', 'nodeName'), 'field is immutable'));
  }
  return errors;
}

/** Pods: defaults, priority and service account by admission, QoS class, what may change. */
export const podStrategy: Strategy = {
  generation: true,
  defaults: (o) => {
    defaultPodSpec(o.spec);
    if (isRecord(o.spec)) setDefault(o.spec, 'enableServiceLinks', true);
  },
  onCreate: (o, c) => {
    if (!isRecord(o.spec)) return;
    const spec = o.spec;
    const namespace = o.metadata.namespace ?? '';
    setDefault(spec, 'serviceAccountName', 'default');
    setDefault(spec, 'serviceAccount', spec.serviceAccountName);
    const account = text(spec.serviceAccountName);
    if (
      !o.metadata.annotations?.['kubernetes.io/config.mirror'] &&
      !c.store.get('serviceaccounts', namespace, account)
    ) {
      const pods = { group: '', plural: 'pods' };
      throw forbidden(
        pods,
        o.metadata.name,
        `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`,
      );
    }
    const className = text(spec.priorityClassName);
    if (className !== '') {
      const found = c.store.get('priorityclasses.scheduling.k8s.io', '', className);
      if (!found)
        throw forbidden(
          { group: '', plural: 'pods' },
          o.metadata.name,
          `no PriorityClass with name ${className} was found`,
        );
      spec.priority = found.value;
    }
    setDefault(spec, 'priority', 0);
    setDefault(spec, 'preemptionPolicy', 'PreemptLowerPriority');
    const tolerations = list(spec.tolerations).filter(isRecord);
    for (const t of lostNode)
      if (
        !tolerations.some(
          (have) =>
            (have.key === t.key || have.key === undefined) && (have.effect === undefined || have.effect === t.effect),
        )
      )
        tolerations.push(t);
    spec.tolerations = tolerations;
  },
  initialStatus: (o) => ({ phase: 'Pending', qosClass: qosClass(record(o.spec)) }),
  validate,
  fields: (o) => ({
    'spec.nodeName': text(at(o, 'spec', 'nodeName')),
    'spec.restartPolicy': text(at(o, 'spec', 'restartPolicy')),
    'spec.schedulerName': text(at(o, 'spec', 'schedulerName')),
    'spec.serviceAccountName': text(at(o, 'spec', 'serviceAccountName')),
    'spec.hostNetwork': String(at(o, 'spec', 'hostNetwork') ?? false),
    'status.phase': text(at(o, 'status', 'phase')),
    'status.podIP': text(at(o, 'status', 'podIP')),
    'status.nominatedNodeName': text(at(o, 'status', 'nominatedNodeName')),
  }),
};

/** `pods/binding`: writes the node's name once. */
export function bindPod(pod: KubeObject, binding: Json, nowMs: number): void {
  const node = text(at(binding, 'target', 'name'));
  if (node === '') throw notFound({ group: '', plural: 'nodes' }, node);
  const spec = record(pod.spec);
  spec.nodeName = node;
  const status = record(pod.status);
  const conditions = list(status.conditions).filter((c) => record(c).type !== 'PodScheduled');
  status.conditions = [
    ...conditions,
    { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: rfc3339(nowMs) },
  ];
  pod.status = status;
}
