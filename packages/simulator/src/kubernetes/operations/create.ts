import { type Call, type Core, nameSuffix, newUid, strategyContext } from '../server-core.ts';
import { alreadyExists, badRequest } from '../status.ts';
import { type KubeObject, rfc3339 } from '../types.ts';
import { clone } from '../util/json.ts';
import { applyDefaults, checkBodyNamespace, checkKind, checkNamespace, dropUnknown, validate } from './checks.ts';
import { type Target, toStored, toVersion } from './target.ts';

/**
 * The first half of a creation, up to where admission webhooks see the object: checked for kind and namespace, unknown fields dropped, defaulted, named.
 * `body` is changed in place.
 */
export function prepareCreate(core: Core, target: Target, call: Call, body: unknown, name?: string): KubeObject {
  const object = checkKind(target, body);
  checkBodyNamespace(target, object);
  const { metadata } = object;
  if (name !== undefined) {
    if (metadata.name && metadata.name !== name)
      throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
    metadata.name = name;
  }
  checkNamespace(core, target, metadata.name ?? '');
  if (metadata.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
  dropUnknown(target, call, object);
  if (!metadata.name && metadata.generateName) metadata.name = metadata.generateName + nameSuffix(core.random);
  for (const field of [
    'resourceVersion',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
    'managedFields',
    'generation',
  ] as const)
    delete metadata[field];
  metadata.uid = newUid(core.random);
  metadata.creationTimestamp = rfc3339(core.clock.now());
  return toVersion(target, applyDefaults(target, object));
}

/** The second half: what the server decides, validation, storing. Gives the stored object in the requested version. */
export function commitCreate(core: Core, target: Target, call: Call, prepared: KubeObject): KubeObject {
  const { type, version } = target;
  const { strategy } = type;
  const stored = toStored(target, prepared);
  if (strategy.generation) stored.metadata.generation = 1;
  if (core.store.get(type.table, target.namespace, stored.metadata.name))
    throw alreadyExists(type, stored.metadata.name);
  if (version.status && !strategy.keepStatus) {
    delete stored.status;
    const initial = strategy.initialStatus?.(stored);
    if (initial !== undefined) stored.status = initial;
  }
  strategy.onCreate?.(stored, strategyContext(core, call));
  const shown = toVersion(target, stored);
  validate(target, shown, stored);
  track(core, target, call, undefined, shown);
  stored.metadata = shown.metadata;
  if (call.dryRun) return shown;
  return toVersion(target, core.store.put(type.table, stored));
}

/** Notes in managedFields who wrote what; nothing for callers without a manager. */
export function track(
  core: Core,
  target: Target,
  call: Call,
  before: KubeObject | undefined,
  after: KubeObject,
  subresource?: string,
): void {
  if (call.manager === undefined) return;
  const schema = target.version.schema();
  core.schemas.trackUpdate({
    ...(before === undefined ? {} : { before }),
    after,
    manager: call.manager,
    apiVersion: after.apiVersion ?? '',
    ...(subresource === undefined ? {} : { subresource }),
    ...(schema === undefined ? {} : { schema }),
    now: rfc3339(core.clock.now()),
  });
}

/** Creates in one go, without webhooks: for in-process callers. `object` is not changed. */
export const create = (core: Core, target: Target, call: Call, object: unknown): KubeObject =>
  commitCreate(core, target, call, prepareCreate(core, target, call, clone(object)));
