import { isObject, type JsonObject } from '../json.ts';
import { CompiledSchema } from '../schema.ts';
import { builtinSchemas } from './data.ts';

let byKind: Map<string, JsonObject> | undefined;
const compiled = new Map<string, CompiledSchema>();

function kinds(): Map<string, JsonObject> {
  if (byKind === undefined) {
    byKind = new Map();
    for (const schema of Object.values(builtinSchemas())) {
      const gvks = schema['x-kubernetes-group-version-kind'];
      // Types such as DeleteOptions are listed under every group; the types of an API have one.
      if (!Array.isArray(gvks) || gvks.length !== 1 || !isObject(gvks[0])) continue;
      byKind.set(`${gvks[0].group}/${gvks[0].version}/${gvks[0].kind}`, schema);
    }
  }
  return byKind;
}

/**
 * The schema of a type of Kubernetes 1.35, from its own OpenAPI. The same instance is given to everybody.
 *
 * @param group - '' for the core group
 * @returns undefined when Kubernetes has no such type
 */
export function builtinSchema(group: string, version: string, kind: string): CompiledSchema | undefined {
  const key = `${group}/${version}/${kind}`;
  let schema = compiled.get(key);
  if (schema === undefined) {
    const raw = kinds().get(key);
    if (raw === undefined) return undefined;
    const all = builtinSchemas();
    schema = new CompiledSchema(raw, { refs: (ref) => all[ref.slice(ref.lastIndexOf('/') + 1)] });
    compiled.set(key, schema);
  }
  return schema;
}
