import { groupVersion } from '../registry/resource-type.ts';
import type { Call, Core } from '../server-core.ts';
import { badRequest, forbidden, invalid, notFound, StatusError } from '../status.ts';
import type { FieldError, Json, KubeObject } from '../types.ts';
import { invalidValue, labelProblem, pathSegmentProblem, required, subdomainProblem } from '../util/field-errors.ts';
import { isRecord, list, record } from '../util/json.ts';
import { type Target, toStored } from './target.ts';

/** Checks apiVersion and kind of a posted object and fills in what was left out. */
export function checkKind(target: Target, body: unknown): KubeObject {
  const { type, version } = target;
  const wanted = groupVersion(type.group, version.version);
  if (!isRecord(body))
    throw badRequest(
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${Array.isArray(body) ? 'array' : typeof body} into Go value of type struct`,
    );
  const apiVersion = body.apiVersion === undefined || body.apiVersion === '' ? wanted : body.apiVersion;
  const kind = body.kind === undefined || body.kind === '' ? type.kind : body.kind;
  if (type.custom && (body.kind === undefined || body.apiVersion === undefined))
    throw badRequest(`Object 'Kind' is missing in '${JSON.stringify(body).slice(0, 200)}'`);
  if (kind !== type.kind || apiVersion !== wanted) {
    throw badRequest(
      apiVersion === wanted || type.custom
        ? `the API version in the data (${String(apiVersion)}, Kind=${String(kind)}) does not match the expected API version (${wanted}, Kind=${type.kind})`
        : `the API version in the data (${String(apiVersion)}) does not match the expected API version (${wanted})`,
    );
  }
  if (body.metadata === undefined || body.metadata === null) body.metadata = {};
  if (!isRecord(body.metadata))
    throw badRequest(
      `${type.kind} in version "${version.version}" cannot be handled as a ${type.kind}: json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta`,
    );
  body.apiVersion = wanted;
  body.kind = type.kind;
  return body as KubeObject;
}

const metadataFields = new Set([
  'name',
  'generateName',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
  'managedFields',
  'selfLink',
]);

/** Kubernetes' own kinds are decoded into Go structs, where null is the same as absent. */
function dropNulls(value: unknown): void {
  if (Array.isArray(value)) for (const item of value) dropNulls(item);
  else if (isRecord(value)) {
    for (const key of Object.keys(value)) {
      if (value[key] === null) delete value[key];
      else dropNulls(value[key]);
    }
  }
}

/** Does something to an object; a CustomResourceDefinition's own schemas are set aside, since OpenAPI does not describe all that they may hold. */
function withoutSchemas<T>(target: Target, object: KubeObject, work: () => T): T {
  if (target.type.table !== 'customresourcedefinitions.apiextensions.k8s.io') return work();
  const versions = list(record(object.spec).versions).filter(isRecord);
  const schemas = versions.map((v) => v.schema);
  for (const v of versions) delete v.schema;
  try {
    return work();
  } finally {
    versions.forEach((v, i) => {
      if (schemas[i] !== undefined) v.schema = schemas[i];
    });
  }
}

/** Drops unknown fields as `fieldValidation` wants it: silently, with a warning, or not at all. */
export function dropUnknown(target: Target, call: Call, object: KubeObject): void {
  if (!target.type.custom) dropNulls(object);
  const dropped = withoutSchemas(target, object, () => target.version.schema()?.prune(object) ?? []);
  const metadata = object.metadata as unknown as Json;
  for (const key of Object.keys(metadata)) {
    if (!metadataFields.has(key)) {
      delete metadata[key];
      if (!dropped.includes(`metadata.${key}`)) dropped.push(`metadata.${key}`);
    } else if (metadata[key] === null) {
      delete metadata[key];
    }
  }
  delete metadata.selfLink;
  if (dropped.length === 0 || call.fieldValidation === 'Ignore') return;
  const unknown = dropped.map((path) => `unknown field "${path}"`);
  if (call.fieldValidation === 'Strict') {
    const { kind } = target.type;
    const version = target.version.version;
    throw badRequest(
      `${kind} in version "${version}" cannot be handled as a ${kind}: strict decoding error: ${unknown.join(', ')}`,
    );
  }
  for (const text of unknown) call.warn?.(text);
}

/** Fills in defaults: those of the schema, then those of the kind. */
export function applyDefaults(target: Target, object: KubeObject): KubeObject {
  // OpenAPI's defaults of Kubernetes' own kinds are mostly Go's zero values; their true defaults are the strategy's.
  if (target.type.custom) target.version.schema()?.applyDefaults(object);
  // Strategies know the stored form only.
  const stored = toStored(target, object);
  target.type.strategy.defaults?.(stored);
  return stored;
}

const labelNamed = new Set(['namespaces', 'services']);

function nameErrors(target: Target, name: string): FieldError[] {
  const { table, group } = target.type;
  const problem = labelNamed.has(table)
    ? labelProblem(name)
    : group === 'rbac.authorization.k8s.io'
      ? pathSegmentProblem(name)
      : subdomainProblem(name);
  return problem === undefined ? [] : [invalidValue('metadata.name', name, problem)];
}

const qualifiedName = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function metadataErrors(object: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const { labels, annotations, ownerReferences, finalizers } = object.metadata;
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!qualifiedName.test(key))
      errors.push(
        invalidValue(
          'metadata.labels',
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
      );
    if (typeof value !== 'string' || !labelValue.test(value)) {
      errors.push(
        String(value).length > 63
          ? invalidValue('metadata.labels', value, 'must be no more than 63 bytes')
          : invalidValue(
              'metadata.labels',
              value,
              "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ),
      );
    }
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations ?? {})) {
    if (!qualifiedName.test(key.toLowerCase()))
      errors.push(
        invalidValue(
          'metadata.annotations',
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        ),
      );
    size += key.length + String(value).length;
  }
  if (size > 262_144)
    errors.push({
      type: 'FieldValueTooLong',
      field: 'metadata.annotations',
      message: 'Too long: may not be more than 262144 bytes',
    });
  (ownerReferences ?? []).forEach((o, i) => {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const)
      if (!o[field])
        errors.push(
          invalidValue(
            `metadata.ownerReferences[${i}].${field}`,
            o[field] ?? '',
            `${field === 'apiVersion' ? 'version' : field} must not be empty`,
          ),
        );
  });
  if ((ownerReferences ?? []).filter((o) => o.controller).length > 1) {
    errors.push(
      invalidValue('metadata.ownerReferences', ownerReferences, 'Only one reference can have Controller set to true'),
    );
  }
  (finalizers ?? []).forEach((f, i) => {
    if (!qualifiedName.test(f))
      errors.push(invalidValue(`metadata.finalizers[${i}]`, f, 'name part must be non-empty'));
  });
  return errors;
}

const mayBeZero = new Set(['rules', 'value', 'revision', 'endpoints', 'webhooks', 'subjects', 'spec.podSelector']);

/** OpenAPI calls every Go field without omitempty required, but what is absent there is only its zero value and is let through. */
const isZeroInGo = (e: FieldError): boolean =>
  e.type === 'FieldValueRequired' && (e.field.startsWith('status') || mayBeZero.has(e.field));

/**
 * All checks of an object that is about to be stored.
 * @throws {StatusError} 422 with every problem; 400 when a builtin kind's field has the wrong type
 */
export function validate(
  target: Target,
  object: KubeObject,
  stored: KubeObject,
  old?: { shown: KubeObject; stored: KubeObject },
): void {
  const { type, version } = target;
  const errors: FieldError[] = [];
  const { name } = object.metadata;
  if (!name) errors.push(required('metadata.name', 'name or generateName is required'));
  else if (!old) errors.push(...nameErrors(target, name));
  errors.push(...metadataErrors(object));
  const schemaErrors = version.schema()?.validate(object, old?.shown) ?? [];
  const mistyped = type.custom ? undefined : schemaErrors.find((e) => e.type === 'FieldValueTypeInvalid');
  if (mistyped)
    throw badRequest(
      `${type.kind} in version "${version.version}" cannot be handled as a ${type.kind}: json: cannot unmarshal ${mistyped.field}: ${mistyped.message}`,
    );
  errors.push(...schemaErrors.filter((e) => type.custom || !isZeroInGo(e)));
  // The strategy and the schema may find the same fault.
  for (const e of type.strategy.validate?.(stored, old?.stored) ?? [])
    if (!errors.some((have) => have.field === e.field)) errors.push(e);
  if (errors.length > 0) throw invalid(type.group, type.kind, name ?? '', errors);
}

/**
 * Refuses content for a namespace that is absent or going.
 * @throws {StatusError} 404 or 403
 */
export function checkNamespace(core: Core, target: Target, name: string): void {
  if (!target.type.namespaced) return;
  const namespace = core.store.get('namespaces', '', target.namespace);
  if (!namespace) throw notFound({ group: '', plural: 'namespaces' }, target.namespace);
  if (!namespace.metadata.deletionTimestamp) return;
  const refused = forbidden(
    target.type,
    name,
    `unable to create new content in namespace ${target.namespace} because it is being terminated`,
  );
  throw new StatusError(refused.code, refused.reason, refused.message, {
    ...refused.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${target.namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}

/** Checks that the body and the URL name the same namespace, and sets it. */
export function checkBodyNamespace(target: Target, object: KubeObject): void {
  if (!target.type.namespaced) {
    if (object.metadata.namespace) throw badRequest('namespace may not be set on cluster-scoped objects');
    delete object.metadata.namespace;
    return;
  }
  const said = object.metadata.namespace;
  if (said && said !== target.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  object.metadata.namespace = target.namespace;
}

/** `spec` (or all but metadata and status for kinds without one), whose change raises the generation. */
export function specOf(target: Target, object: KubeObject): unknown {
  if (!target.type.custom && object.spec !== undefined) return record(object.spec);
  const { metadata: _m, status, apiVersion: _a, kind: _k, ...rest } = object;
  return target.version.status ? rest : { ...rest, status };
}
