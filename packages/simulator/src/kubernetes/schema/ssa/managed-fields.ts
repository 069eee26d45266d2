import { isObject, type JsonObject } from '../json.ts';
import { FieldSet, fieldElement } from './field-set.ts';

/** What one manager owns: an entry of `metadata.managedFields`. */
export interface ManagedEntry {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource: string;
  time: string | undefined;
  fields: FieldSet;
}

/** Entries by identity: an applier is one manager whatever version it applies in, an updater is another one in each version. */
export type ManagedFields = Map<string, ManagedEntry>;

/** The identity of an entry within `metadata.managedFields`. */
export function identityOf(entry: Pick<ManagedEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const version = entry.operation === 'Apply' ? '' : entry.apiVersion;
  return JSON.stringify([entry.manager, entry.operation, version, entry.subresource]);
}

/** Reads `metadata.managedFields`; entries that cannot be read are left out. */
export function decodeManagedFields(list: unknown): ManagedFields {
  const managed: ManagedFields = new Map();
  if (!Array.isArray(list)) return managed;
  for (const raw of list) {
    if (!isObject(raw) || (raw.operation !== 'Apply' && raw.operation !== 'Update')) continue;
    const entry: ManagedEntry = {
      manager: typeof raw.manager === 'string' ? raw.manager : '',
      operation: raw.operation,
      apiVersion: typeof raw.apiVersion === 'string' ? raw.apiVersion : '',
      subresource: typeof raw.subresource === 'string' ? raw.subresource : '',
      time: typeof raw.time === 'string' ? raw.time : undefined,
      fields: FieldSet.parse(raw.fieldsV1),
    };
    managed.set(identityOf(entry), entry);
  }
  return managed;
}

/** Writes `metadata.managedFields`: appliers first, then by time, manager, version and subresource; empty entries are left out. */
export function encodeManagedFields(managed: ManagedFields): JsonObject[] {
  const entries = [...managed.values()].filter((entry) => !entry.fields.isEmpty);
  const order = (entry: ManagedEntry): (string | number)[] => [
    entry.operation,
    entry.time === undefined ? 0 : Math.floor(Date.parse(entry.time) / 1000),
    entry.manager,
    entry.apiVersion,
    entry.subresource,
  ];
  entries.sort((a, b) => {
    const left = order(a);
    const right = order(b);
    for (let i = 0; i < left.length; i++) {
      if (left[i]! < right[i]!) return -1;
      if (left[i]! > right[i]!) return 1;
    }
    return 0;
  });
  return entries.map((entry) => {
    const raw: JsonObject = { manager: entry.manager, operation: entry.operation, apiVersion: entry.apiVersion };
    if (entry.time !== undefined) raw.time = entry.time;
    raw.fieldsType = 'FieldsV1';
    raw.fieldsV1 = entry.fields.serialize();
    if (entry.subresource !== '') raw.subresource = entry.subresource;
    return raw;
  });
}

/** How conflicts name a manager, e.g. `"kubectl-edit" with subresource "status" using apps/v1`. */
export function managerText(entry: ManagedEntry): string {
  const subresource = entry.subresource === '' ? '' : ` with subresource ${JSON.stringify(entry.subresource)}`;
  const version = entry.operation === 'Update' ? ` using ${entry.apiVersion}` : '';
  return `${JSON.stringify(entry.manager)}${subresource}${version}`;
}

const meta = (name: string): string[] => [fieldElement('metadata'), fieldElement(name)];

/** Fields that nobody owns. */
export const UNOWNED = FieldSet.of(
  [fieldElement('apiVersion')],
  [fieldElement('kind')],
  [fieldElement('metadata')],
  ...[
    'name',
    'namespace',
    'creationTimestamp',
    'selfLink',
    'uid',
    'clusterName',
    'generation',
    'managedFields',
    'resourceVersion',
  ].map(meta),
);

/** The fields that a write through this (sub)resource resets, so that it can neither own nor lose them. */
export function resetFields(subresource: string, hasStatus: boolean): FieldSet {
  if (subresource === 'status') return FieldSet.of([fieldElement('spec')]);
  return hasStatus ? FieldSet.of([fieldElement('status')]) : new FieldSet();
}
