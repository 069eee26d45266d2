import type { Strategy, StrategyContext } from '../registry/resource-type.ts';
import { compileSchema } from '../schema/index.ts';
import type { FieldError, Json, KubeObject } from '../types.ts';
import { rfc3339 } from '../types.ts';
import { invalidValue, required } from '../util/field-errors.ts';
import { at, equal, isRecord, list, record, text } from '../util/json.ts';
import { acceptNames } from './names.ts';

/** The finalizer under which the instances of a deleted CustomResourceDefinition go first. */
export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

function defaults(o: KubeObject): void {
  if (!isRecord(o.spec) || !isRecord(o.spec.names)) return;
  const names = o.spec.names;
  if (typeof names.kind === 'string') {
    names.singular ??= names.kind.toLowerCase();
    names.listKind ??= `${names.kind}List`;
  }
  o.spec.conversion ??= { strategy: 'None' };
}

/** The status that the controllers of a real server would arrive at, at once. */
function accepted(o: KubeObject, c: StrategyContext): Json {
  const spec = record(o.spec);
  const before = record(o.status);
  const storage = text(
    list(spec.versions)
      .map(record)
      .find((v) => v.storage === true)?.name,
  );
  const stored = list(before.storedVersions).map(text);
  return {
    ...acceptNames(o, c.store, rfc3339(c.nowMs)),
    storedVersions: stored.includes(storage) ? stored : [...stored, storage],
  };
}

const schemaAt = (version: unknown): unknown => at(version, 'schema', 'openAPIV3Schema');

/** Findings about schemas that are new; what was accepted once is not judged again. */
function schemaErrors(o: KubeObject, old: KubeObject | undefined): FieldError[] {
  const versions = list(at(o, 'spec', 'versions'));
  const before = new Map(list(at(old, 'spec', 'versions')).map((v) => [text(record(v).name), schemaAt(v)]));
  // kube-apiserver keeps what all versions share in one place, and names that place.
  const shared = versions.every((v) => equal(schemaAt(v), schemaAt(versions[0])));
  const errors: FieldError[] = [];
  for (const [i, version] of versions.entries()) {
    const schema = schemaAt(version);
    if (!isRecord(schema) || equal(schema, before.get(text(record(version).name)))) continue;
    const path = shared ? 'spec.validation.openAPIV3Schema' : `spec.versions[${i}].schema.openAPIV3Schema`;
    errors.push(...compileSchema(schema).schemaErrors(path));
    if (shared) break;
  }
  return errors;
}

function validate(o: KubeObject, old: KubeObject | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const spec = record(o.spec);
  const names = record(spec.names);
  for (const field of ['plural', 'kind']) if (!text(names[field])) errors.push(required(`spec.names.${field}`));
  if (!text(spec.group)) errors.push(required('spec.group'));
  if (spec.scope !== 'Namespaced' && spec.scope !== 'Cluster') {
    errors.push({
      type: 'FieldValueNotSupported',
      field: 'spec.scope',
      message: `Unsupported value: ${JSON.stringify(spec.scope ?? '')}: supported values: "Cluster", "Namespaced"`,
    });
  }
  const wanted = `${text(names.plural)}.${text(spec.group)}`;
  if (o.metadata.name !== wanted)
    errors.push(invalidValue('metadata.name', o.metadata.name, 'must be spec.names.plural+"."+spec.group'));
  const versions = list(spec.versions).map(record);
  if (versions.filter((v) => v.storage === true).length !== 1) {
    errors.push(
      invalidValue('spec.versions', spec.versions, 'must have exactly one version marked as storage version'),
    );
  }
  versions.forEach((v, i) => {
    if (!isRecord(schemaAt(v)))
      errors.push(required(`spec.versions[${i}].schema.openAPIV3Schema`, 'schemas are required'));
  });
  errors.push(...schemaErrors(o, old));
  if (old) {
    for (const [path, before, after] of [
      ['spec.group', at(old, 'spec', 'group'), spec.group],
      ['spec.scope', at(old, 'spec', 'scope'), spec.scope],
      ['spec.names.plural', at(old, 'spec', 'names', 'plural'), names.plural],
      ['spec.names.kind', at(old, 'spec', 'names', 'kind'), names.kind],
    ] as const) {
      if (before !== after) errors.push(invalidValue(path, after, 'field is immutable'));
    }
    const left = list(at(old, 'status', 'storedVersions')).filter((s) => !versions.some((v) => v.name === s));
    for (const version of left)
      errors.push(
        invalidValue(
          'status.storedVersions[0]',
          version,
          `missing from spec.versions; v${String(version)} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in that version and removes it from status.storedVersions`,
        ),
      );
  }
  return errors;
}

/** CustomResourceDefinitions: established at once, unless another one of the group has the names. */
export const crdStrategy: Strategy = {
  generation: true,
  defaults,
  onCreate: (o: KubeObject, c: StrategyContext) => {
    o.metadata.finalizers = [...new Set([...(o.metadata.finalizers ?? []), crdFinalizer])];
    o.status = accepted({ ...o, status: undefined }, c);
  },
  keepStatus: true,
  onUpdate: (o, old, c) => {
    o.status = accepted({ ...o, status: old.status }, c);
  },
  validate,
};
