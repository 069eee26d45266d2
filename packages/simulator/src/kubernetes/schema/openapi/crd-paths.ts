import { isObject, type JsonObject } from '../json.ts';
import { type CrdVersion, componentName } from './crd.ts';
import { builtinDocument } from './data.ts';

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const MEDIA_TYPES = ['application/json', 'application/yaml'];
const PATCH_TYPES = [
  'application/apply-patch+yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
] as const;

const content = (component: string, types: readonly string[] = MEDIA_TYPES): JsonObject =>
  Object.fromEntries(types.map((type) => [type, { schema: { $ref: `#/components/schemas/${component}` } }]));

/** The query parameters of each kind of request, with the descriptions of Kubernetes' own (those of Leases). */
function parametersOf(action: 'list' | 'get' | 'write' | 'patch' | 'delete'): unknown[] {
  const lease = builtinDocument('apis/coordination.k8s.io/v1')?.paths;
  const base = '/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases';
  const at = (path: string, verb: string): JsonObject[] => {
    const operation = lease?.[path]?.[verb];
    return isObject(operation) && Array.isArray(operation.parameters) ? operation.parameters : [];
  };
  switch (action) {
    case 'list':
      return at(base, 'get');
    case 'get':
      return at(base, 'get').filter((parameter) => parameter.name === 'resourceVersion');
    case 'write':
      return at(base, 'post');
    case 'patch':
      return at(`${base}/{name}`, 'patch');
    case 'delete':
      return at(`${base}/{name}`, 'delete');
  }
}

const text = { type: 'string', uniqueItems: true };
const NAMESPACE = {
  name: 'namespace',
  in: 'path',
  description: 'object name and auth scope, such as for teams and projects',
  required: true,
  schema: text,
};
const PRETTY = {
  name: 'pretty',
  in: 'query',
  description:
    "If 'true', then the output is pretty printed. Defaults to 'false' unless the user-agent indicates a browser or command-line HTTP tool (curl and wget).",
  schema: text,
};

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** The paths of one version, as kube-apiserver publishes them for custom resources. */
export function crdPaths(version: CrdVersion): Record<string, JsonObject> {
  const { group, kind, listKind, plural, namespaced } = version;
  const type = componentName(version);
  const list = componentName(version, listKind);
  const words = group.split('.').map(capital).join('');
  const id = `${words}${capital(version.version)}`;
  const scope = namespaced ? 'Namespaced' : '';
  const tag = `${words.charAt(0).toLowerCase()}${words.slice(1)}_${version.version}`;
  const gvk = { group, version: version.version, kind };
  const operation = (
    verb: string,
    operationId: string,
    description: string,
    parameters: unknown[],
    answers: Record<string, string>,
    body?: JsonObject,
  ): JsonObject => ({
    tags: [tag],
    description,
    operationId,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: {
      ...Object.fromEntries(
        Object.entries(answers).map(([code, component]) => [
          code,
          { description: REASONS[code], content: content(component) },
        ]),
      ),
      401: { description: 'Unauthorized' },
    },
    'x-kubernetes-action': verb,
    'x-kubernetes-group-version-kind': gvk,
  });
  const body = { content: content(type), required: true };
  const status = `${META}.Status`;
  const patchBody = { content: content(`${META}.Patch`, PATCH_TYPES), required: true };
  const deleteBody = { content: content(`${META}.DeleteOptions`) };
  const root = `/apis/${group}/${version.version}`;
  const collection = namespaced ? `${root}/namespaces/{namespace}/${plural}` : `${root}/${plural}`;
  const inNamespace = namespaced ? [NAMESPACE] : [];
  const name = { name: 'name', in: 'path', description: `name of the ${kind}`, required: true, schema: text };

  const one = (suffix: string): JsonObject => {
    const of = suffix === '' ? '' : `${suffix} of `;
    const tail = `${id}${scope}${kind}${capital(suffix)}`;
    return {
      get: operation('get', `read${tail}`, `read ${of}the specified ${kind}`, parametersOf('get'), { 200: type }),
      put: operation(
        'put',
        `replace${tail}`,
        `replace ${of}the specified ${kind}`,
        parametersOf('write'),
        { 200: type, 201: type },
        body,
      ),
      patch: operation(
        'patch',
        `patch${tail}`,
        `partially update ${of}the specified ${kind}`,
        parametersOf('patch'),
        { 200: type },
        patchBody,
      ),
      parameters: [name, ...inNamespace, PRETTY],
    };
  };
  const paths: Record<string, JsonObject> = {};
  if (namespaced) {
    const everywhere = `list${id}${kind}ForAllNamespaces`;
    paths[`${root}/${plural}`] = {
      get: operation('list', everywhere, `list objects of kind ${kind}`, [], { 200: list }),
      parameters: [...parametersOf('list'), PRETTY].sort(byName),
    };
  }
  paths[collection] = {
    get: operation('list', `list${id}${scope}${kind}`, `list objects of kind ${kind}`, parametersOf('list'), {
      200: list,
    }),
    post: operation(
      'post',
      `create${id}${scope}${kind}`,
      `create a ${kind}`,
      parametersOf('write'),
      { 200: type, 201: type, 202: type },
      body,
    ),
    delete: operation(
      'deletecollection',
      `delete${id}Collection${scope}${kind}`,
      `delete collection of ${kind}`,
      parametersOf('list'),
      { 200: status },
    ),
    parameters: [...inNamespace, PRETTY],
  };
  paths[`${collection}/{name}`] = {
    ...one(''),
    delete: operation(
      'delete',
      `delete${id}${scope}${kind}`,
      `delete a ${kind}`,
      parametersOf('delete'),
      { 200: status, 202: status },
      deleteBody,
    ),
  };
  if (version.hasStatus) paths[`${collection}/{name}/status`] = one('status');
  if (version.hasScale) paths[`${collection}/{name}/scale`] = one('scale');
  return paths;
}

function byName(a: unknown, b: unknown): number {
  const name = (parameter: unknown): string => (isObject(parameter) ? String(parameter.name) : '');
  return name(a) < name(b) ? -1 : 1;
}

const REASONS: Record<string, string> = { 200: 'OK', 201: 'Created', 202: 'Accepted' };
