import type { Strategy } from '../registry/resource-type.ts';
import type { FieldError, KubeObject } from '../types.ts';
import { forbiddenField, invalidValue, required } from '../util/field-errors.ts';
import { at, equal, isRecord, list, record, text } from '../util/json.ts';

/** Namespaces carry their name as a label and the finalizer that empties them. */
export const namespaceStrategy: Strategy = {
  initialStatus: () => ({ phase: 'Active' }),
  onCreate: (o) => {
    o.spec = {
      ...record(o.spec),
      finalizers: ['kubernetes', ...list(record(o.spec).finalizers).filter((f) => f !== 'kubernetes')],
    };
  },
  defaults: (o) => {
    o.metadata.labels = { ...o.metadata.labels, 'kubernetes.io/metadata.name': o.metadata.name };
  },
  onUpdate: (o, old) => {
    o.spec = old.spec;
  },
  fields: (o) => ({ 'status.phase': text(at(o, 'status', 'phase')) }),
};

/** Nodes: a kubelet posts its own status with the object. */
export const nodeStrategy: Strategy = {
  keepStatus: true,
  initialStatus: () => ({}),
  defaults: (o) => {
    o.spec ??= {};
  },
  fields: (o) => ({ 'spec.unschedulable': String(at(o, 'spec', 'unschedulable') ?? false) }),
};

function immutableData(o: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['data', 'binaryData'] as const) {
    for (const key of Object.keys(record(o[field]))) {
      if (!/^[-._a-zA-Z0-9]+$/.test(key))
        errors.push(
          invalidValue(
            `${field}[${key}]`,
            key,
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
          ),
        );
    }
    if (old?.immutable === true && !equal(old[field], o[field]))
      errors.push(forbiddenField(field, 'field is immutable when `immutable` is set'));
  }
  if (old?.immutable === true && o.immutable !== true)
    errors.push(forbiddenField('immutable', 'field is immutable when `immutable` is set'));
  return errors;
}

export const configMapStrategy: Strategy = { validate: immutableData };

export const secretStrategy: Strategy = {
  defaults: (o) => {
    o.type ??= 'Opaque';
    if (!isRecord(o.stringData)) return;
    const data = { ...record(o.data) };
    for (const [key, value] of Object.entries(o.stringData)) data[key] = Buffer.from(String(value)).toString('base64');
    o.data = data;
    delete o.stringData;
  },
  validate: (o, old) => {
    const errors = immutableData(o, old);
    if (old && old.type !== o.type) errors.push(invalidValue('type', o.type, 'field is immutable'));
    const wanted: Record<string, string[]> = {
      'kubernetes.io/tls': ['tls.crt', 'tls.key'],
      'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
    };
    for (const key of wanted[text(o.type)] ?? [])
      if (record(o.data)[key] === undefined) errors.push(required(`data[${key}]`));
    return errors;
  },
  fields: (o) => ({ type: text(o.type) }),
};

export const persistentVolumeStrategy: Strategy = {
  initialStatus: () => ({ phase: 'Pending' }),
  defaults: (o) => {
    if (!isRecord(o.spec)) return;
    o.spec.persistentVolumeReclaimPolicy ??= 'Retain';
    o.spec.volumeMode ??= 'Filesystem';
  },
};

export const persistentVolumeClaimStrategy: Strategy = {
  initialStatus: () => ({ phase: 'Pending' }),
  defaults: (o) => {
    if (isRecord(o.spec)) o.spec.volumeMode ??= 'Filesystem';
  },
  onCreate: (o, c) => {
    // What the StorageObjectInUseProtection and DefaultStorageClass admission plugins do.
    o.metadata.finalizers = [...new Set([...(o.metadata.finalizers ?? []), 'kubernetes.io/pvc-protection'])];
    if (!isRecord(o.spec) || o.spec.storageClassName !== undefined) return;
    for (const s of c.store.scan('storageclasses.storage.k8s.io', undefined)) {
      if (s.metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true')
        o.spec.storageClassName = s.metadata.name;
    }
  },
};

const eventFields = (o: KubeObject): Record<string, string> => {
  const involved = record(o.involvedObject);
  const field = (name: string): [string, string] => [`involvedObject.${name}`, text(involved[name])];
  return {
    ...Object.fromEntries(
      ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(field),
    ),
    reason: text(o.reason),
    reportingComponent: text(o.reportingComponent),
    source: text(at(o, 'source', 'component')) || text(o.reportingComponent),
    type: text(o.type),
    'regarding.kind': text(involved.kind),
    'regarding.namespace': text(involved.namespace),
    'regarding.name': text(involved.name),
    'regarding.uid': text(involved.uid),
  };
};

/** Names in core/v1 and in events.k8s.io/v1 of the fields that differ. */
const renamed: [core: string, events: string][] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

function rename(o: KubeObject, apiVersion: string, from: 0 | 1): KubeObject {
  const to = from === 0 ? 1 : 0;
  const names = new Map(renamed.map((pair) => [pair[from], pair[to]]));
  const copy: KubeObject = { metadata: o.metadata };
  for (const [key, value] of Object.entries(o)) copy[names.get(key) ?? key] = value;
  copy.apiVersion = apiVersion;
  return copy;
}

/** One kind under two groups: kept in the form of core/v1. */
export const eventStrategy: Strategy = {
  createOnUpdate: true,
  fields: eventFields,
  toVersion: (o, group) => (group === '' ? o : rename(o, 'events.k8s.io/v1', 0)),
  fromVersion: (o, group) => (group === '' ? o : rename(o, 'v1', 1)),
  defaults: (o) => {
    o.source ??= {};
    o.reportingComponent ??= '';
    o.reportingInstance ??= '';
  },
  validate: (o) => {
    const involved = text(at(o, 'involvedObject', 'namespace'));
    const here = o.metadata.namespace ?? '';
    if (
      involved === ''
        ? here === 'default' || here === 'kube-system' || at(o, 'involvedObject', 'name') !== undefined
        : involved === here
    )
      return [];
    return [invalidValue('involvedObject.namespace', involved, 'does not match event.namespace')];
  },
};
