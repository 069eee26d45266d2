import { isObject, type Json, type JsonObject } from '../../json.ts';
import { type Manifest, nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';

interface Change {
  path: PropertyKey[];
  message: string;
}

const isCrd = (o: Manifest): boolean => o.kind === 'CustomResourceDefinition';
const objectOf = (v: Json | undefined): JsonObject => (isObject(v) ? v : {});
const versionsOf = (o: Manifest): JsonObject[] => {
  const { versions } = objectOf(o.spec as Json);
  return Array.isArray(versions) ? versions.filter(isObject) : [];
};

/** What of a schema no longer takes objects that the one before took, or loses what they hold. */
function schemaChanges(before: JsonObject, after: JsonObject, path: PropertyKey[]): Change[] {
  const changes: Change[] = [];
  if (before.type !== undefined && after.type !== undefined && before.type !== after.type)
    return [{ path: [...path, 'type'], message: `was ${before.type}, is ${after.type}` }];
  const [was, is] = [objectOf(before.properties), objectOf(after.properties)];
  const keepsAll = after['x-kubernetes-preserve-unknown-fields'] === true || isObject(after.additionalProperties);
  for (const [name, schema] of Object.entries(was)) {
    const next = is[name];
    const at = [...path, 'properties', name];
    if (next === undefined && !keepsAll)
      changes.push({ path: at, message: 'the field is gone: objects lose what they hold there' });
    else if (isObject(schema) && isObject(next)) changes.push(...schemaChanges(schema, next, at));
  }
  const list = (v: Json | undefined): Json[] => (Array.isArray(v) ? v : []);
  const newly = list(after.required).filter((r) => !list(before.required).includes(r));
  for (const r of newly)
    if (objectOf(is[String(r)]).default === undefined)
      changes.push({
        path: [...path, 'required'],
        message: `${r} is required now: objects without it cannot be written`,
      });
  if (Array.isArray(after.enum)) {
    const gone = Array.isArray(before.enum)
      ? before.enum.filter((v) => !list(after.enum).includes(v))
      : ['every other value'];
    if (gone.length > 0) changes.push({ path: [...path, 'enum'], message: `no longer taken: ${gone.join(', ')}` });
  }
  if (isObject(before.items) && isObject(after.items))
    changes.push(...schemaChanges(before.items, after.items, [...path, 'items']));
  return changes;
}

function changesOf(before: Manifest, after: Manifest): Change[] {
  const [was, is] = [objectOf(before.spec as Json), objectOf(after.spec as Json)];
  const changes: Change[] = [];
  if (was.scope !== is.scope) changes.push({ path: ['spec', 'scope'], message: `was ${was.scope}, is ${is.scope}` });
  for (const field of ['kind', 'plural'])
    if (objectOf(was.names)[field] !== objectOf(is.names)[field])
      changes.push({
        path: ['spec', 'names', field],
        message: `was ${objectOf(was.names)[field]}, is ${objectOf(is.names)[field]}`,
      });
  const next = versionsOf(after);
  for (const v of versionsOf(before)) {
    const i = next.findIndex((n) => n.name === v.name);
    const other = next[i];
    if (v.storage === true && !other)
      changes.push({
        path: ['spec', 'versions'],
        message: `the version ${v.name} is gone, and objects are stored in it`,
      });
    else if (v.served === true && other?.served !== true)
      changes.push({ path: ['spec', 'versions'], message: `the version ${v.name} is not served any more` });
    if (!other) continue;
    const schema = (x: JsonObject) => objectOf(objectOf(x.schema).openAPIV3Schema);
    changes.push(...schemaChanges(schema(v), schema(other), ['spec', 'versions', i, 'schema', 'openAPIV3Schema']));
  }
  return changes;
}

/** CRDs that no longer take what the version before took. */
export function crds(c: LintContext): Raw[] {
  if (!c.before) return [];
  return c.before.filter(isCrd).flatMap((before): Raw[] => {
    const now = c.subjects.find((s) => isCrd(s.object) && s.object.metadata.name === before.metadata.name);
    const base = { rule: 'crd-compatible', fix: 'keep what there was, or bring a new version of the kind beside it' };
    if (!now)
      return [
        {
          ...base,
          severity: 'warning',
          at: { file: 'bundle.yaml' },
          message: `${nameOf(before)} is gone; it is pruned from clusters where it has no objects`,
        },
      ];
    return changesOf(before, now.object).map((change) => ({
      ...base,
      severity: 'error',
      at: now.at,
      path: change.path,
      message: `${nameOf(now.object)}: ${change.message}`,
    }));
  });
}
