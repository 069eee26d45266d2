import type { Operation } from './faults.ts';
import { DIGEST_LIKE, NAME, REFERENCE } from './names.ts';

/** Where a request leads. */
export type Route =
  | { operation: Operation; name: string; reference: string }
  /** The path is none of the API. */
  | 'nowhere'
  /** The path has no such method. */
  | { allow: string[] };

type Methods = Partial<Record<string, Operation>>;

const ROUTES: [RegExp, Methods][] = [
  [/^\/v2\/_catalog$/, { GET: 'catalog.list' }],
  [new RegExp(`^/v2/(${NAME})/tags/list$`), { GET: 'tags.list' }],
  [
    new RegExp(`^/v2/(${NAME})/manifests/(${REFERENCE})$`),
    { GET: 'manifest.get', HEAD: 'manifest.head', PUT: 'manifest.put', DELETE: 'manifest.delete' },
  ],
  [new RegExp(`^/v2/(${NAME})/blobs/(${DIGEST_LIKE})$`), { GET: 'blob.get', HEAD: 'blob.head', DELETE: 'blob.delete' }],
  [new RegExp(`^/v2/(${NAME})/blobs/uploads/$`), { POST: 'upload.start' }],
  [
    new RegExp(`^/v2/(${NAME})/blobs/uploads/([a-zA-Z0-9-_.=]+)$`),
    {
      GET: 'upload.status',
      HEAD: 'upload.status',
      PATCH: 'upload.patch',
      PUT: 'upload.put',
      DELETE: 'upload.cancel',
    },
  ],
];
const REFERRERS: [RegExp, Methods] = [
  new RegExp(`^/v2/(${NAME})/referrers/(${DIGEST_LIKE})$`),
  { GET: 'referrers.list' },
];

/** Finds out what a request is about. */
export function routeOf(method: string, path: string, referrers: boolean): Route {
  if (path === '/v2/') return { operation: 'version', name: '', reference: '' };
  for (const [pattern, methods] of referrers ? [...ROUTES, REFERRERS] : ROUTES) {
    const found = pattern.exec(path);
    if (!found) continue;
    const operation = methods[method];
    if (!operation) return { allow: Object.keys(methods).sort() };
    return { operation, name: found[1] ?? '', reference: found[2] ?? '' };
  }
  return 'nowhere';
}
