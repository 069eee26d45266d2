import { isObject, type JsonObject } from '../json.ts';
import { crdComponents, versionsOf } from './crd.ts';
import { crdPaths } from './crd-paths.ts';
import { builtinDocument, builtinSchemas, documentIndex } from './data.ts';

/** Keywords that OpenAPI v2 does not have, or that kube-apiserver leaves out of it. */
const UNKNOWN_TO_V2 = new Set(['nullable', 'oneOf', 'anyOf', 'not', 'default']);

function downgrade(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(downgrade);
  if (!isObject(value)) return value;
  if (typeof value.$ref === 'string') return { $ref: value.$ref.replace('#/components/schemas/', '#/definitions/') };
  const out: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === 'properties' && isObject(item)) {
      out.properties = Object.fromEntries(Object.entries(item).map(([name, child]) => [name, downgrade(child)]));
    } else if (key === 'allOf' && Array.isArray(item)) {
      if (item.length === 1) Object.assign(out, downgrade(item[0]));
    } else if (!UNKNOWN_TO_V2.has(key)) out[key] = downgrade(item);
  }
  // Old clients take `type` for a promise that null and unknown fields break.
  if (value.nullable === true) delete out.type;
  if (value['x-kubernetes-preserve-unknown-fields'] === true) {
    for (const key of ['type', 'properties', 'required', 'items']) delete out[key];
  }
  // Without the alternatives, what may be a number or a string is said to be a string.
  if (value.format === 'int-or-string' || (Array.isArray(value.oneOf) && out.type === undefined)) out.type = 'string';
  return out;
}

const VERBS = ['get', 'put', 'post', 'delete', 'patch'];

/** Which operations there are and what types they are about: that is what clients of v2 look up. */
function operations(paths: Record<string, JsonObject>): JsonObject {
  const out: JsonObject = {};
  for (const [path, item] of Object.entries(paths)) {
    const verbs: JsonObject = {};
    for (const verb of VERBS) {
      const operation = item[verb];
      if (!isObject(operation)) continue;
      const { description, operationId, tags } = operation;
      const parameters = Array.isArray(operation.parameters) ? operation.parameters : [];
      verbs[verb] = {
        description,
        operationId,
        tags,
        ...(isObject(operation.requestBody) && isObject(operation.requestBody.content)
          ? { consumes: Object.keys(operation.requestBody.content) }
          : {}),
        parameters: parameters.map(downgradeParameter),
        responses: { 200: { description: 'OK' }, 401: { description: 'Unauthorized' } },
        'x-kubernetes-action': operation['x-kubernetes-action'],
        'x-kubernetes-group-version-kind': operation['x-kubernetes-group-version-kind'],
      };
    }
    out[path] = verbs;
  }
  return out;
}

function downgradeParameter(parameter: unknown): unknown {
  if (!isObject(parameter)) return parameter;
  const { schema, ...rest } = parameter;
  return isObject(schema) ? { ...rest, ...schema } : rest;
}

let builtin: { definitions: JsonObject; paths: JsonObject } | undefined;

function builtinPart(): { definitions: JsonObject; paths: JsonObject } {
  if (builtin === undefined) {
    const stable = Object.keys(documentIndex()).filter((path) => !/v\d+(alpha|beta)\d+$/.test(path));
    const names = new Set(stable.flatMap((path) => builtinDocument(path)?.schemas ?? []));
    const all = builtinSchemas();
    const definitions = Object.fromEntries([...names].sort().map((name) => [name, downgrade(all[name])]));
    const paths = Object.assign({}, ...stable.map((path) => operations(builtinDocument(path)?.paths ?? {})));
    builtin = { definitions, paths: paths as JsonObject };
  }
  return builtin;
}

/** The document at /openapi/v2, for clients older than OpenAPI v3: all stable groups and the CustomResourceDefinitions. */
export function openApiV2(crds: readonly object[]): object {
  const { definitions, paths } = builtinPart();
  const versions = versionsOf(crds);
  const custom = Object.assign({}, ...versions.map(crdComponents)) as Record<string, JsonObject>;
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: 'v1.35.4' },
    paths: { ...paths, ...operations(Object.assign({}, ...versions.map(crdPaths)) as Record<string, JsonObject>) },
    definitions: { ...definitions, ...(downgrade({ properties: custom }) as { properties: JsonObject }).properties },
    securityDefinitions: {
      BearerToken: { description: 'Bearer Token authentication', type: 'apiKey', name: 'authorization', in: 'header' },
    },
    security: [{ BearerToken: [] }],
  };
}
