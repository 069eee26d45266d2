import type { Store } from '../store/store.ts';
import type { Json, KubeObject } from '../types.ts';
import { list, record, text } from '../util/json.ts';

/** Table of the CustomResourceDefinitions in the store. */
export const crdTable = 'customresourcedefinitions.apiextensions.k8s.io';

/** Whether a CustomResourceDefinition got its names, and so is served. */
export const isEstablished = (crd: KubeObject): boolean =>
  list(record(crd.status).conditions).some((c) => record(c).type === 'Established' && record(c).status === 'True');

/** Names that other definitions of the group hold: of resources (plural, singular, short) and of kinds. */
function taken(crd: KubeObject, store: Store): { resources: Set<string>; kinds: Set<string> } {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  const group = record(crd.spec).group;
  for (const other of store.scan(crdTable, undefined)) {
    if (other.metadata.name === crd.metadata.name || record(other.spec).group !== group) continue;
    const names = record(record(other.status).acceptedNames);
    for (const name of [names.plural, names.singular, ...list(names.shortNames)]) resources.add(text(name));
    for (const name of [names.kind, names.listKind]) kinds.add(text(name));
  }
  resources.delete('');
  kinds.delete('');
  return { resources, kinds };
}

/**
 * Who comes first has the names of a group; the later definition waits, NamesAccepted=False, until they are free. What is established stays so.
 *
 * @returns acceptedNames and the conditions, as kube-apiserver's naming controller writes them
 */
export function acceptNames(crd: KubeObject, store: Store, now: string): { acceptedNames: Json; conditions: Json[] } {
  const wanted = record(record(crd.spec).names);
  const others = taken(crd, store);
  const acceptedNames: Json = { plural: '', kind: '' };
  let conflict: { reason: string; message: string } | undefined;
  const claim = (field: string, value: unknown, used: Set<string>, reason: string): void => {
    const clash = list(Array.isArray(value) ? value : [value])
      .map(text)
      .find((name) => used.has(name));
    if (clash === undefined) {
      if (value !== undefined) acceptedNames[field] = value;
      return;
    }
    // The last one found is the one that is told.
    conflict = { reason, message: `${JSON.stringify(clash)} is already in use` };
  };
  claim('plural', wanted.plural, others.resources, 'PluralConflict');
  claim('singular', wanted.singular, others.resources, 'SingularConflict');
  claim('shortNames', wanted.shortNames, others.resources, 'ShortNamesConflict');
  claim('kind', wanted.kind, others.kinds, 'KindConflict');
  claim('listKind', wanted.listKind, others.kinds, 'ListKindConflict');
  if (wanted.categories !== undefined) acceptedNames.categories = wanted.categories;
  const before = list(record(crd.status).conditions).map(record);
  const condition = (type: string, ok: boolean, reason: string, message: string): Json => {
    const last = before.find((c) => c.type === type);
    const status = ok ? 'True' : 'False';
    const lastTransitionTime = last?.status === status ? last.lastTransitionTime : now;
    return { lastTransitionTime, message, reason, status, type };
  };
  const established = !conflict || isEstablished(crd);
  const conditions = [
    conflict
      ? condition('NamesAccepted', false, conflict.reason, conflict.message)
      : condition('NamesAccepted', true, 'NoConflicts', 'no conflicts found'),
    established
      ? condition('Established', true, 'InitialNamesAccepted', 'the initial names have been accepted')
      : condition('Established', false, 'NotAccepted', 'not all names are accepted'),
    ...before.filter((c) => c.type !== 'NamesAccepted' && c.type !== 'Established'),
  ];
  return { acceptedNames, conditions };
}
