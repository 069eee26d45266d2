import { groupVersion, type ResourceType, type ServedVersion } from '../registry/resource-type.ts';
import type { Core } from '../server-core.ts';
import { notFound } from '../status.ts';
import type { KubeObject } from '../types.ts';

/** The objects that a request is about; namespace '' for cluster-wide kinds. */
export interface Target {
  type: ResourceType;
  version: ServedVersion;
  namespace: string;
}

/** The stored object as the requested version shows it. Shares parts with the store. */
export function toVersion(target: Target, stored: KubeObject): KubeObject {
  const { type, version } = target;
  if (type.strategy.toVersion) return type.strategy.toVersion(stored, type.group);
  if (version.version === type.storageVersion) return stored;
  return { ...stored, apiVersion: groupVersion(type.group, version.version) };
}

/** The object as it is stored, from the requested version's form. */
export function toStored(target: Target, object: KubeObject): KubeObject {
  const { type } = target;
  if (type.strategy.fromVersion) return type.strategy.fromVersion(object, type.group);
  return { ...object, apiVersion: groupVersion(type.group, type.storageVersion) };
}

/**
 * Reads one stored object.
 * @throws {StatusError} 404
 */
export function read(core: Core, target: Target, name: string): KubeObject {
  const found = core.store.get(target.type.table, target.namespace, name);
  if (!found) throw notFound(target.type, name);
  return found;
}

/** What field selectors compare. */
export function selectableFields(target: Target, stored: KubeObject): Record<string, string> {
  const fields: Record<string, string> = { 'metadata.name': stored.metadata.name };
  if (target.type.namespaced) fields['metadata.namespace'] = stored.metadata.namespace ?? '';
  Object.assign(fields, target.type.strategy.fields?.(stored));
  for (const path of target.version.selectableFields) {
    const names = path.split('.').filter((p) => p !== '');
    let value: unknown = stored;
    for (const name of names) value = (value as Record<string, unknown> | undefined)?.[name];
    fields[names.join('.')] = value === undefined ? '' : String(value);
  }
  return fields;
}
