import type { IncomingMessage } from 'node:http';

/** A request, taken apart as kube-apiserver's RequestInfo is. */
export interface RequestInfo {
  /** Kubernetes verb (`get`, `list`, `watch`, ...), or the HTTP method in lower case for other paths. */
  verb: string;
  path: string;
  query: URLSearchParams;
  /** Present for paths of objects. */
  resource?: { group: string; version: string; plural: string; namespace: string; name: string; subresource: string };
}

const collectionVerbs: Record<string, string> = {
  GET: 'list',
  HEAD: 'list',
  POST: 'create',
  DELETE: 'deletecollection',
};
const itemVerbs: Record<string, string> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Reads the request line. */
export function requestInfo(request: IncomingMessage): RequestInfo {
  const [rawPath = '/', search = ''] = (request.url ?? '/').split(/\?(.*)/s);
  const query = new URLSearchParams(search);
  const method = request.method ?? 'GET';
  const other: RequestInfo = { verb: method.toLowerCase(), path: rawPath, query };
  let parts: string[];
  try {
    parts = rawPath
      .split('/')
      .filter((p) => p !== '')
      .map(decodeURIComponent);
  } catch {
    return other;
  }
  let group = '';
  if (parts[0] === 'api' && parts.length >= 3) parts = parts.slice(1);
  else if (parts[0] === 'apis' && parts.length >= 4) {
    group = parts[1] as string;
    parts = parts.slice(2);
  } else return other;
  const version = parts[0] as string;
  let rest = parts.slice(1);
  let namespace = '';
  // `/namespaces/x` is the object, `/namespaces/x/pods` what is in it.
  if (
    rest[0] === 'namespaces' &&
    rest.length >= 3 &&
    !(group === '' && (rest[2] === 'status' || rest[2] === 'finalize'))
  ) {
    namespace = rest[1] as string;
    rest = rest.slice(2);
  }
  const [plural = '', name = '', ...sub] = rest;
  const watches = query.get('watch');
  let verb = (name === '' ? collectionVerbs[method] : itemVerbs[method]) ?? method.toLowerCase();
  if (name === '' && method === 'GET' && (watches === 'true' || watches === '1')) verb = 'watch';
  return {
    verb,
    path: rawPath,
    query,
    resource: { group, version, plural, namespace, name, subresource: sub.join('/') },
  };
}
