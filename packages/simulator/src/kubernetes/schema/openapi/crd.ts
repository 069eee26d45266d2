import { isObject, type JsonObject } from '../json.ts';

/** One served version of a CustomResourceDefinition, as far as its OpenAPI goes. */
export interface CrdVersion {
  group: string;
  version: string;
  kind: string;
  listKind: string;
  plural: string;
  namespaced: boolean;
  hasStatus: boolean;
  hasScale: boolean;
  schema: JsonObject | undefined;
}

/** The served versions of one group version among the CustomResourceDefinitions given. */
export function versionsOf(crds: readonly object[], groupVersion?: string): CrdVersion[] {
  const found: CrdVersion[] = [];
  for (const crd of crds as readonly JsonObject[]) {
    const spec = crd.spec;
    if (!isObject(spec) || !isObject(spec.names) || !Array.isArray(spec.versions)) continue;
    for (const version of spec.versions) {
      if (!isObject(version) || version.served !== true) continue;
      if (groupVersion !== undefined && groupVersion !== `${spec.group}/${version.name}`) continue;
      const subresources = isObject(version.subresources) ? version.subresources : {};
      const schema = isObject(version.schema) ? version.schema.openAPIV3Schema : undefined;
      const kind = String(spec.names.kind);
      found.push({
        group: String(spec.group),
        version: String(version.name),
        kind,
        listKind: String(spec.names.listKind ?? `${kind}List`),
        plural: String(spec.names.plural),
        namespaced: spec.scope === 'Namespaced',
        hasStatus: subresources.status !== undefined,
        hasScale: subresources.scale !== undefined,
        schema: isObject(schema) ? schema : undefined,
      });
    }
  }
  return found;
}

/** The name of a schema component: the group's domain reversed, e.g. `dev.shoto.v1alpha1.Cluster`. */
export const componentName = (version: CrdVersion, kind: string = version.kind): string =>
  [...version.group.split('.').reverse(), version.version, kind].join('.');

const CONVENTIONS = 'https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md';
const API_VERSION = {
  description: `APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: ${CONVENTIONS}#resources`,
  type: 'string',
};
const KIND = {
  description: `Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: ${CONVENTIONS}#types-kinds`,
  type: 'string',
};
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const reference = (name: string): JsonObject => ({ $ref: `#/components/schemas/${name}` });

const EMBEDDED_TYPE: JsonObject = {
  apiVersion: {
    description: `apiVersion defines the versioned schema of this representation of an object. More info: ${CONVENTIONS}#resources`,
    type: 'string',
  },
  kind: {
    description: `kind is a string value representing the type of this object. In CamelCase. More info: ${CONVENTIONS}#types-kinds`,
    type: 'string',
  },
  metadata: {
    description: `Standard object's metadata. More info: ${CONVENTIONS}#metadata`,
    allOf: [reference(`${META}.ObjectMeta`)],
  },
};

/** A schema as kube-apiserver publishes it: int-or-string spelt out, embedded resources with their type and metadata. */
function publish(schema: JsonObject): JsonObject {
  const out: JsonObject = { ...schema };
  if (schema['x-kubernetes-int-or-string'] === true && schema.anyOf === undefined) {
    out.anyOf = [{ type: 'integer' }, { type: 'string' }];
  }
  if (isObject(schema.properties)) {
    out.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, child]) => [name, isObject(child) ? publish(child) : child]),
    );
  }
  if (isObject(schema.items)) out.items = publish(schema.items);
  if (isObject(schema.additionalProperties)) out.additionalProperties = publish(schema.additionalProperties);
  if (schema['x-kubernetes-embedded-resource'] === true) {
    out.properties = { ...(isObject(out.properties) ? out.properties : {}), ...EMBEDDED_TYPE };
    const required = Array.isArray(schema.required) ? schema.required : [];
    out.required = [...new Set([...required, 'kind', 'apiVersion'])];
  }
  return out;
}

/** The two components of one version: the type and its list. */
export function crdComponents(version: CrdVersion): Record<string, JsonObject> {
  const { group, kind, listKind, plural } = version;
  const gvk = (name: string): JsonObject[] => [{ group, kind: name, version: version.version }];
  const schema = publish(version.schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true });
  return {
    [componentName(version)]: {
      ...schema,
      properties: {
        ...(isObject(schema.properties) ? schema.properties : {}),
        apiVersion: API_VERSION,
        kind: KIND,
        metadata: EMBEDDED_TYPE.metadata,
      },
      'x-kubernetes-group-version-kind': gvk(kind),
    },
    [componentName(version, listKind)]: {
      description: `${listKind} is a list of ${kind}`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: API_VERSION,
        items: {
          description: `List of ${plural}. More info: ${CONVENTIONS}`,
          type: 'array',
          items: reference(componentName(version)),
        },
        kind: KIND,
        metadata: {
          description: `Standard list metadata. More info: ${CONVENTIONS}#types-kinds`,
          allOf: [reference(`${META}.ListMeta`)],
        },
      },
      'x-kubernetes-group-version-kind': gvk(listKind),
    },
  };
}
