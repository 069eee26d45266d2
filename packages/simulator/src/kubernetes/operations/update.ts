import { type Call, type Core, strategyContext } from '../server-core.ts';
import { badRequest, conflict, invalid } from '../status.ts';
import type { Json, KubeObject } from '../types.ts';
import { invalidValue } from '../util/field-errors.ts';
import { clone, equal, isRecord } from '../util/json.ts';
import {
  applyDefaults,
  checkBodyNamespace,
  checkKind,
  checkNamespace,
  dropUnknown,
  specOf,
  validate,
} from './checks.ts';
import { track } from './create.ts';
import { read, type Target, toStored, toVersion } from './target.ts';

/** An update on its way: what is stored, and what it shall become. */
export interface Update {
  live: KubeObject;
  /** `live` in the requested version. */
  before: KubeObject;
  /** In the requested version; admission webhooks may change it. */
  next: KubeObject;
}

/** What a write is allowed to change. */
export interface UpdateOptions {
  subresource?: string;
  /** Whether an object without resourceVersion overwrites whatever is there. */
  unconditional?: boolean;
  /** managedFields are already right (server-side apply made them). */
  applied?: boolean;
}

const serverOwned = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'generateName',
] as const;

/**
 * The first half of an update, up to where admission webhooks see the object.
 * @param change gives the wanted object out of (a copy of) the current one, both in the requested version
 * @throws {StatusError} 404, 400, 409 (resourceVersion or uid differs), 422
 */
export function prepareUpdate(
  core: Core,
  target: Target,
  call: Call,
  name: string,
  change: (current: KubeObject) => unknown,
  o: UpdateOptions = {},
): Update {
  const { type } = target;
  const live = read(core, target, name);
  const before = toVersion(target, live);
  const wanted = checkKind(target, change(clone(before)));
  checkBodyNamespace(target, wanted);
  const { metadata } = wanted;
  metadata.name ||= name;
  if (metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (!metadata.resourceVersion && !o.unconditional && type.custom) {
    throw invalid(
      type.group,
      type.kind,
      name,
      [invalidValue('metadata.resourceVersion', 0, 'must be specified for an update')].map((e) => ({
        ...e,
        message: 'Invalid value: 0x0: must be specified for an update',
      })),
    );
  }
  if (metadata.uid && metadata.uid !== live.metadata.uid) {
    throw conflict(
      type,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${live.metadata.uid}`,
    );
  }
  if (metadata.resourceVersion && metadata.resourceVersion !== live.metadata.resourceVersion)
    throw conflict(type, name);
  dropUnknown(target, call, wanted);
  keepServerOwned(wanted, live);
  if (!o.applied) {
    if (live.metadata.managedFields && metadata.managedFields === undefined)
      metadata.managedFields = clone(live.metadata.managedFields);
    else if (metadata.managedFields?.length === 0) delete metadata.managedFields;
  }
  restrict(target, wanted, before, o);
  return { live, before, next: toVersion(target, applyDefaults(target, wanted)) };
}

function keepServerOwned(wanted: KubeObject, live: KubeObject): void {
  const metadata = wanted.metadata as unknown as Json;
  for (const field of serverOwned) {
    const value = live.metadata[field];
    if (value === undefined) delete metadata[field];
    else metadata[field] = value;
  }
  metadata.resourceVersion = live.metadata.resourceVersion;
}

/** A status write changes nothing but status (and, of metadata, only managedFields); any other write leaves status alone. */
function restrict(target: Target, wanted: KubeObject, before: KubeObject, o: UpdateOptions): void {
  if (o.subresource === 'status') {
    for (const field of Object.keys(wanted)) if (field !== 'status' && field !== 'metadata') delete wanted[field];
    for (const [field, value] of Object.entries(before))
      if (field !== 'status' && field !== 'metadata') wanted[field] = clone(value);
    const { managedFields } = wanted.metadata;
    const labels = target.type.custom ? undefined : wanted.metadata.labels;
    wanted.metadata = clone(before.metadata);
    // Builtin kinds let labels and annotations through on /status only for a few; kubelets rely on nodes.
    if (target.type.table === 'nodes' && labels) wanted.metadata.labels = labels;
    if (managedFields) wanted.metadata.managedFields = managedFields;
  } else if (target.version.status && o.subresource === undefined) {
    if (before.status === undefined) delete wanted.status;
    else wanted.status = clone(before.status);
  }
}

/** The second half: validation, generation, managedFields, storing, and removal when the last finalizer went. */
export function commitUpdate(
  core: Core,
  target: Target,
  call: Call,
  update: Update,
  o: UpdateOptions = {},
): KubeObject {
  const { type } = target;
  const { live, before } = update;
  const name = live.metadata.name;
  const now = core.store.get(type.table, target.namespace, name);
  // Something was stored while a webhook was asked.
  if (now !== live) throw conflict(type, name);
  const stored = toStored(target, update.next);
  if (o.subresource === undefined) type.strategy.onUpdate?.(stored, live, strategyContext(core, call));
  const shown = toVersion(target, stored);
  validate(target, shown, stored, { shown: before, stored: live });
  refuseNewFinalizers(target, stored, live);
  if (type.strategy.generation && !equal(specOf(target, shown), specOf(target, before)))
    stored.metadata.generation = (live.metadata.generation ?? 0) + 1;
  // Managers count too: a client may hand fields over from one to another without changing them.
  if (equal(stored, live)) return before;
  if (!o.applied) track(core, target, call, before, shown, o.subresource);
  stored.metadata = shown.metadata;
  if (call.dryRun) return shown;
  if (readyToGo(stored)) {
    core.store.remove(type.table, target.namespace, name);
    return toVersion(target, stored);
  }
  return toVersion(target, core.store.put(type.table, stored));
}

function refuseNewFinalizers(target: Target, next: KubeObject, live: KubeObject): void {
  if (!live.metadata.deletionTimestamp) return;
  const added = (next.metadata.finalizers ?? []).filter((f) => !live.metadata.finalizers?.includes(f));
  if (added.length === 0) return;
  const shown = `[]string{${added.map((f) => JSON.stringify(f)).join(', ')}}`;
  throw invalid(target.type.group, target.type.kind, live.metadata.name, [
    {
      type: 'FieldValueForbidden',
      field: 'metadata.finalizers',
      message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${shown}`,
    },
  ]);
}

/** Whether nothing holds a deleted object back any more: no finalizer, and for pods no time left to stop. */
export function readyToGo(object: KubeObject): boolean {
  const { metadata } = object;
  if (!metadata.deletionTimestamp || (metadata.finalizers?.length ?? 0) > 0) return false;
  if (
    object.kind === 'Namespace' &&
    isRecord(object.spec) &&
    Array.isArray(object.spec.finalizers) &&
    object.spec.finalizers.length > 0
  )
    return false;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0;
}

/** Updates in one go, without webhooks: for in-process callers. */
export function update(
  core: Core,
  target: Target,
  call: Call,
  name: string,
  change: (current: KubeObject) => unknown,
  o: UpdateOptions = {},
): KubeObject {
  if (target.type.namespaced) checkTargetNamespace(core, target);
  return commitUpdate(core, target, call, prepareUpdate(core, target, call, name, change, o), o);
}

function checkTargetNamespace(core: Core, target: Target): void {
  // Objects of a namespace that is going may still be changed, of an absent one there are none.
  if (!core.store.get('namespaces', '', target.namespace)) checkNamespace(core, target, '');
}
