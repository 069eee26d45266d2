import { readFileSync } from 'node:fs';
import type { Schemas } from '../schema-port.ts';
import { strategies } from '../strategies/index.ts';
import type { Column, DiscoveredSubresource, ResourceType } from './resource-type.ts';

interface RecordedResource {
  resource: string;
  responseKind: { kind: string };
  scope: string;
  singularResource: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: DiscoveredSubresource[];
  columns?: Column[];
}

interface RecordedGroup {
  group: string;
  versions: { version: string; resources: RecordedResource[] }[];
}

/** Kinds answered by computation; nothing of them is stored. */
export const computed = new Set([
  'bindings',
  'tokenreviews.authentication.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'localsubjectaccessreviews.authorization.k8s.io',
]);

/** Served for discovery only in older versions that nothing here converts to. */
const left = new Set(['autoscaling/v1']);

/** Table of the store: core events and events.k8s.io are one. */
const tableOf = (group: string, plural: string): string =>
  group === '' || plural === 'events' ? plural : `${plural}.${group}`;

const read = (file: string): unknown =>
  JSON.parse(readFileSync(new URL(`../builtin/generated/${file}`, import.meta.url), 'utf8'));

const cache = new WeakMap<Schemas, ResourceType[]>();

/** All kinds that Kubernetes itself serves, in the order of its discovery; made once per process and shared by all servers. */
export function builtinTypes(schemas: Schemas): ResourceType[] {
  const known = cache.get(schemas);
  if (known) return known;
  const types: ResourceType[] = [];
  for (const { group, versions } of read('groups.json') as RecordedGroup[]) {
    for (const { version, resources } of versions) {
      if (left.has(`${group}/${version}`)) continue;
      for (const r of resources) types.push(builtinType(schemas, group, version, r));
    }
  }
  cache.set(schemas, types);
  return types;
}

function builtinType(schemas: Schemas, group: string, version: string, r: RecordedResource): ResourceType {
  const table = tableOf(group, r.resource);
  const subresources = r.subresources ?? [];
  return {
    group,
    plural: r.resource,
    singular: r.singularResource,
    kind: r.responseKind.kind,
    listKind: `${r.responseKind.kind}List`,
    namespaced: r.scope === 'Namespaced',
    shortNames: r.shortNames ?? [],
    categories: r.categories ?? [],
    verbs: r.verbs,
    table,
    storageVersion: version,
    versions: [
      {
        version,
        schema: () => schemas.builtinSchema(group, version, r.responseKind.kind),
        columns: r.columns ?? [],
        subresources,
        status: subresources.some((s) => s.subresource === 'status'),
        ...(subresources.some((s) => s.subresource === 'scale')
          ? { scale: { spec: '.spec.replicas', status: '.status.replicas', selector: '.spec.selector' } }
          : {}),
        selectableFields: [],
      },
    ],
    strategy: strategies[table] ?? {},
    custom: false,
  };
}

/** Objects that every cluster starts with: default RBAC policy, priority classes, flow control. Shared; never changed in place. */
export const bootstrapObjects = (): {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}[] => read('objects.json') as { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } }[];
