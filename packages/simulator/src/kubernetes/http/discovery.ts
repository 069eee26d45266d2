import { comparePriority } from '../crd/to-type.ts';
import type { Registry } from '../registry/registry.ts';
import { groupVersion, type ResourceType, type ServedVersion } from '../registry/resource-type.ts';
import type { Json } from '../types.ts';

interface GroupVersions {
  group: string;
  versions: { version: string; resources: { type: ResourceType; version: ServedVersion }[] }[];
}

/** Groups with their versions (the preferred first) and resources, in the order in which they are announced. */
export function groupsOf(registry: Registry): GroupVersions[] {
  const groups = new Map<string, Map<string, { type: ResourceType; version: ServedVersion }[]>>();
  const custom = new Set<string>();
  for (const type of registry.types()) {
    if (type.custom) custom.add(type.group);
    const versions = groups.get(type.group) ?? new Map();
    groups.set(type.group, versions);
    for (const version of type.versions)
      versions.set(version.version, [...(versions.get(version.version) ?? []), { type, version }]);
  }
  const found = [...groups].map(([group, versions]) => ({
    group,
    versions: [...versions]
      .map(([version, resources]) => ({ version, resources }))
      .sort((a, b) => comparePriority(b.version, a.version)),
  }));
  // Kubernetes' own groups keep their order; those of custom resources follow by name.
  const names = [...custom].sort();
  return found.sort((a, b) => names.indexOf(a.group) - names.indexOf(b.group));
}

/** `/api` or `/apis` as one document (aggregated discovery v2). */
export function aggregated(registry: Registry, core: boolean): Json {
  const items = groupsOf(registry)
    .filter((g) => (g.group === '') === core)
    .map((g) => ({
      metadata: { ...(g.group === '' ? {} : { name: g.group }) },
      versions: g.versions.map(({ version, resources }) => ({
        version,
        resources: resources.map(({ type, version: v }) => ({
          resource: type.plural,
          responseKind: { group: type.group, version: v.version, kind: type.kind },
          scope: type.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: type.singular,
          verbs: type.verbs,
          ...(type.shortNames.length > 0 ? { shortNames: type.shortNames } : {}),
          ...(type.categories.length > 0 ? { categories: type.categories } : {}),
          ...(v.subresources.length > 0 ? { subresources: v.subresources } : {}),
        })),
        freshness: 'Current',
      })),
    }));
  return { kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2', metadata: {}, items };
}

const described = (g: GroupVersions): Json => {
  const versions = g.versions.map((v) => ({ groupVersion: groupVersion(g.group, v.version), version: v.version }));
  return { name: g.group, versions, preferredVersion: versions[0] };
};

/** `/apis` of old clients. */
export const groupList = (registry: Registry): Json => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: groupsOf(registry)
    .filter((g) => g.group !== '')
    .map(described),
});

/** `/apis/<group>`, or undefined. */
export function groupDocument(registry: Registry, group: string): Json | undefined {
  const found = groupsOf(registry).find((g) => g.group === group && group !== '');
  return found && { kind: 'APIGroup', apiVersion: 'v1', ...described(found) };
}

/** `/api/v1` or `/apis/<group>/<version>`, or undefined. */
export function resourceList(registry: Registry, group: string, version: string): Json | undefined {
  const found = groupsOf(registry)
    .find((g) => g.group === group)
    ?.versions.find((v) => v.version === version);
  if (!found) return undefined;
  const resources: Json[] = [];
  for (const { type, version: v } of found.resources) {
    resources.push({
      name: type.plural,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: type.verbs,
      ...(type.shortNames.length > 0 ? { shortNames: type.shortNames } : {}),
      ...(type.categories.length > 0 ? { categories: type.categories } : {}),
      ...(type.verbs.includes('list')
        ? {
            storageVersionHash: Buffer.from(`${type.group}/${type.plural}/${type.storageVersion}`)
              .toString('base64')
              .slice(0, 12),
          }
        : {}),
    });
    for (const s of v.subresources) {
      resources.push({
        name: `${type.plural}/${s.subresource}`,
        singularName: '',
        namespaced: type.namespaced,
        ...(s.responseKind?.group && s.responseKind.group !== type.group
          ? { group: s.responseKind.group, version: s.responseKind.version }
          : {}),
        kind: s.responseKind?.kind ?? type.kind,
        verbs: s.verbs,
      });
    }
  }
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: groupVersion(group, version), resources };
}
