import type {
  Column,
  DiscoveredSubresource,
  ResourceType,
  ScalePaths,
  ServedVersion,
} from '../registry/resource-type.ts';
import type { CompiledSchema, Schemas } from '../schema-port.ts';
import type { Json, KubeObject } from '../types.ts';
import { at, isRecord, list, record, text } from '../util/json.ts';

const age: Column = {
  name: 'Age',
  type: 'date',
  format: '',
  description:
    'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata',
  priority: 0,
  jsonPath: '.metadata.creationTimestamp',
};

/** kube-apiserver puts the name first, whatever the definition says. */
const nameColumn: Column = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description:
    'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
  priority: 0,
};

function columns(version: Json): Column[] {
  const own = list(version.additionalPrinterColumns).filter(isRecord);
  if (own.length === 0) return [nameColumn, age];
  return [
    nameColumn,
    ...own.map((c) => ({
      name: text(c.name),
      type: text(c.type),
      format: text(c.format),
      description: text(c.description) || `Custom resource definition column (in JSONPath format): ${text(c.jsonPath)}`,
      priority: typeof c.priority === 'number' ? c.priority : 0,
      jsonPath: text(c.jsonPath),
    })),
  ];
}

/** The kind that a (valid) CustomResourceDefinition makes; schemas are compiled on first use. */
export function crdToType(crd: KubeObject, schemas: Schemas): ResourceType {
  const spec = record(crd.spec);
  const names = record(spec.names);
  const group = text(spec.group);
  const kind = text(names.kind);
  const all = list(spec.versions).filter(isRecord);
  const versions: ServedVersion[] = all
    .filter((v) => v.served === true)
    .map((v) => {
      const version = text(v.name);
      const status = isRecord(at(v, 'subresources', 'status'));
      const scaleSpec = at(v, 'subresources', 'scale');
      const subresources: DiscoveredSubresource[] = [];
      if (isRecord(scaleSpec)) {
        subresources.push({
          subresource: 'scale',
          responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
          verbs: ['get', 'patch', 'update'],
        });
      }
      if (status)
        subresources.unshift({
          subresource: 'status',
          responseKind: { group, version, kind },
          verbs: ['get', 'patch', 'update'],
        });
      let compiled: CompiledSchema | undefined;
      const served: ServedVersion = {
        version,
        schema: () => {
          compiled ??= schemas.compileSchema(record(at(v, 'schema', 'openAPIV3Schema')), {
            preserveUnknownFields: spec.preserveUnknownFields === true,
          });
          return compiled;
        },
        columns: columns(v),
        subresources,
        status,
        selectableFields: list(v.selectableFields).map((f) => text(record(f).jsonPath)),
      };
      if (isRecord(scaleSpec)) {
        const scale: ScalePaths = {
          spec: text(scaleSpec.specReplicasPath),
          status: text(scaleSpec.statusReplicasPath),
        };
        if (scaleSpec.labelSelectorPath) scale.selector = text(scaleSpec.labelSelectorPath);
        served.scale = scale;
      }
      if (v.deprecated === true)
        served.deprecationWarning = text(v.deprecationWarning) || `${group}/${version} ${kind} is deprecated`;
      return served;
    });
  versions.sort((a, b) => comparePriority(b.version, a.version));
  return {
    group,
    plural: text(names.plural),
    singular: text(names.singular) || kind.toLowerCase(),
    kind,
    listKind: text(names.listKind) || `${kind}List`,
    namespaced: spec.scope === 'Namespaced',
    shortNames: list(names.shortNames).map(text),
    categories: list(names.categories).map(text),
    verbs: ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'],
    table: crd.metadata.name,
    storageVersion: text(all.find((v) => v.storage === true)?.name),
    versions,
    strategy: { generation: true },
    custom: true,
  };
}

/** Kubernetes' order of versions: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > others. */
export function comparePriority(a: string, b: string): number {
  const rank = (v: string): number[] => {
    const m = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(v);
    if (!m) return [-1];
    return [m[2] === undefined ? 2 : m[2] === 'beta' ? 1 : 0, Number(m[1]), Number(m[3] ?? 0)];
  };
  const left = rank(a);
  const right = rank(b);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a < b ? 1 : -1;
}
