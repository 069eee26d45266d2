import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { type Call, type Core, newUid } from '../server-core.ts';
import { badRequest, invalid, notFound, StatusError, unsupportedMediaType } from '../status.ts';
import { type KubeObject, rfc3339 } from '../types.ts';
import { required } from '../util/field-errors.ts';
import { clone, isRecord, record } from '../util/json.ts';
import { checkKind, checkNamespace, dropUnknown } from './checks.ts';
import { commitCreate } from './create.ts';
import { type Target, toVersion } from './target.ts';
import { prepareUpdate, type Update, type UpdateOptions } from './update.ts';

/** The kinds of patch, by media type. */
export const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

/** A patch as it came. */
export interface Patch {
  /** Media type, without parameters. */
  contentType: string;
  body: unknown;
  /** Server-side apply only: take fields from other managers. */
  force?: boolean;
}

/** What a patch is about to do: change an object, or (apply only) create one. */
export type Patched = { update: Update; options: UpdateOptions } | { create: KubeObject };

const accepted = Object.values(patchTypes);

/**
 * The first half of a patch, up to where admission webhooks see the object.
 * @throws {StatusError} 415, 404, 400, 409 (test failed is 422), 422
 */
export function preparePatch(
  core: Core,
  target: Target,
  call: Call,
  name: string,
  patch: Patch,
  subresource?: string,
): Patched {
  const { contentType, body } = patch;
  if (contentType === patchTypes.apply) return prepareApply(core, target, call, name, patch, subresource);
  const options: UpdateOptions = { unconditional: true, ...(subresource === undefined ? {} : { subresource }) };
  const schema = target.version.schema();
  const change = (current: KubeObject): unknown => {
    if (contentType === patchTypes.json) return applyJsonPatch(current, body);
    if (!isRecord(body)) throw badRequest('error decoding patch: the patch is not an object');
    if (contentType === patchTypes.merge) return applyMergePatch(current, body);
    if (contentType === patchTypes.strategic && !target.type.custom)
      return inRequest(() => core.schemas.strategicMerge(current, body, schema));
    throw unsupportedMediaType(target.type.custom ? accepted.filter((t) => t !== patchTypes.strategic) : accepted);
  };
  return { update: prepareUpdate(core, target, call, name, change, options), options };
}

function prepareApply(
  core: Core,
  target: Target,
  call: Call,
  name: string,
  patch: Patch,
  subresource: string | undefined,
): Patched {
  if (!call.manager)
    throw invalid('meta.k8s.io', 'PatchOptions', '', [required('fieldManager', 'is required for apply patch')]);
  if (!isRecord(patch.body)) throw badRequest('error decoding YAML: the body is not an object');
  if (!patch.body.apiVersion || !patch.body.kind)
    throw badRequest("Object 'Kind' is missing in the applied configuration");
  const applied = checkKind(target, clone(patch.body));
  if (record(patch.body.metadata).managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  applied.metadata.name ||= name;
  if (applied.metadata.name !== name)
    throw badRequest(`the name of the object (${applied.metadata.name}) does not match the name on the URL (${name})`);
  if (target.type.namespaced) {
    checkNamespaceMatch(applied, target);
    applied.metadata.namespace = target.namespace;
  }
  dropUnknown(target, call, applied);
  const stored = core.store.get(target.type.table, target.namespace, name);
  if (!stored && subresource !== undefined) throw notFound(target.type, name);
  const schema = target.version.schema();
  const apply = (live: KubeObject | undefined): KubeObject => {
    const result = inRequest(() =>
      core.schemas.serverSideApply({
        ...(live === undefined ? {} : { live }),
        applied,
        manager: call.manager as string,
        force: patch.force === true,
        schema,
        apiVersion: applied.apiVersion as string,
        ...(subresource === undefined ? {} : { subresource }),
        now: rfc3339(core.clock.now()),
      }),
    );
    if ('conflicts' in result) throw applyConflict(result.conflicts, result.message);
    return result.object as KubeObject;
  };
  if (stored) {
    const options: UpdateOptions = {
      unconditional: true,
      applied: true,
      ...(subresource === undefined ? {} : { subresource }),
    };
    return { update: prepareUpdate(core, target, call, name, (current) => apply(current), options), options };
  }
  checkNamespace(core, target, name);
  if (applied.metadata.resourceVersion || applied.metadata.uid) throw notFound(target.type, name);
  const created = apply(undefined);
  created.metadata.uid = newUid(core.random);
  created.metadata.creationTimestamp = rfc3339(core.clock.now());
  return { create: created };
}

/** What the schema part cannot make sense of is the client's fault: 400. */
function inRequest<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error && (error.name === 'TypedValueError' || error.name === 'StrategicPatchError'))
      throw badRequest(error.message);
    throw error;
  }
}

function checkNamespaceMatch(applied: KubeObject, target: Target): void {
  const said = applied.metadata.namespace;
  if (said && said !== target.namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
}

function applyConflict(
  conflicts: { manager: string; field: string; message: string }[],
  message?: string,
): StatusError {
  const managers = new Map<string, string[]>();
  for (const c of conflicts) managers.set(c.manager, [...(managers.get(c.manager) ?? []), c.field]);
  const one = conflicts.length === 1;
  const lines = [...managers].map(([manager, fields]) => {
    const by = manager.startsWith('"') ? manager : `"${manager}"`;
    return fields.length === 1
      ? `conflict with ${by}: ${fields[0]}`
      : `conflicts with ${by}:\n${fields.map((f) => `- ${f}`).join('\n')}`;
  });
  const causes = conflicts.map((c) => ({ reason: 'FieldManagerConflict', message: c.message, field: c.field }));
  if (message !== undefined) return new StatusError(409, 'Conflict', message, { causes });
  return new StatusError(
    409,
    'Conflict',
    `Apply failed with ${one ? '1 conflict' : `${conflicts.length} conflicts`}: ${lines.join('\n')}`,
    { causes },
  );
}

/** Stores what apply made of nothing; defaults are filled in and managedFields kept. */
export function commitApplied(core: Core, target: Target, call: Call, created: KubeObject): KubeObject {
  if (target.type.custom) target.version.schema()?.applyDefaults(created);
  const { managedFields } = created.metadata;
  const { strategy } = target.type;
  const stored = strategy.fromVersion ? strategy.fromVersion(created, target.type.group) : created;
  strategy.defaults?.(stored);
  const shown = toVersion(target, stored);
  if (managedFields) shown.metadata.managedFields = managedFields;
  return commitCreate(core, target, { ...call, manager: undefined }, shown);
}
