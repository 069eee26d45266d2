import { groupVersion } from '../registry/resource-type.ts';
import type { Core } from '../server-core.ts';
import { badRequest, expired, invalid, resourceVersionTooLarge, type StatusError } from '../status.ts';
import type { Json, KubeObject } from '../types.ts';
import { forbiddenField } from '../util/field-errors.ts';
import { parseFieldSelector, parseLabelSelector } from '../util/selectors.ts';
import { selectableFields, type Target, toVersion } from './target.ts';

/** Query of a list; all as in the URL. */
export interface ListQuery {
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  limit?: number | undefined;
  continue?: string | undefined;
  resourceVersion?: string | undefined;
  resourceVersionMatch?: string | undefined;
}

/** Says whether a stored object is selected; undefined when everything is. */
export type Selector = (stored: KubeObject) => boolean;

/**
 * Both selectors as one.
 * @throws {StatusError} 400 for one that cannot be parsed or names a field that cannot be selected
 */
export function selectorOf(
  target: Target,
  q: { labelSelector?: string | undefined; fieldSelector?: string | undefined },
): Selector | undefined {
  const labels = q.labelSelector ? parseLabelSelector(q.labelSelector) : undefined;
  const fields = q.fieldSelector ? parseFieldSelector(q.fieldSelector) : [];
  if (fields.length > 0) {
    const known = selectableFields(target, { metadata: { name: '' } });
    for (const { field } of fields) {
      if (known[field] !== undefined) continue;
      throw badRequest(
        target.type.custom
          ? `field label not supported: ${field}`
          : `Unable to find "${groupVersion(target.type.group, target.version.version)}, Resource=${target.type.plural}" that match label selector "${q.labelSelector ?? ''}", field selector "${q.fieldSelector}": "${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    }
  }
  if (!labels && fields.length === 0) return undefined;
  return (stored) => {
    if (labels && !labels(stored.metadata.labels ?? {})) return false;
    if (fields.length === 0) return true;
    const have = selectableFields(target, stored);
    return fields.every(({ field, value, equals }) => (have[field] === value) === equals);
  };
}

interface Token {
  v: 'meta.k8s.io/v1';
  rv: number;
  start: string;
}

const encode = (rv: number, last: KubeObject): string => {
  const token: Token = { v: 'meta.k8s.io/v1', rv, start: `${last.metadata.namespace ?? ''}/${last.metadata.name}` };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
};

function decode(token: string): { rv: number; after: { namespace: string; name: string } } {
  try {
    const t = JSON.parse(Buffer.from(token, 'base64url').toString()) as Token;
    const slash = t.start.indexOf('/');
    if (typeof t.rv !== 'number' || slash < 0) throw new Error('shape');
    return { rv: t.rv, after: { namespace: t.start.slice(0, slash), name: t.start.slice(slash + 1) } };
  } catch {
    throw badRequest('continue key is not valid: the continue token is malformed');
  }
}

/** One page. */
export interface Page {
  /** In the requested version; shared with the store. */
  items: KubeObject[];
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
}

function checkMatch(q: ListQuery): void {
  const match = q.resourceVersionMatch ?? '';
  if (match === '') return;
  const fail = (why: string): StatusError =>
    invalid('meta.k8s.io', 'ListOptions', '', [forbiddenField('resourceVersionMatch', why)]);
  if (!q.resourceVersion) throw fail('resourceVersionMatch is forbidden unless resourceVersion is provided');
  if (q.continue) throw fail('resourceVersionMatch is forbidden when continue is provided');
  if (match === 'Exact' && q.resourceVersion === '0')
    throw fail('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalid('meta.k8s.io', 'ListOptions', '', [
      {
        type: 'FieldValueNotSupported',
        field: 'resourceVersionMatch',
        message: `Unsupported value: "${match}": supported values: "Exact", "NotOlderThan"`,
      },
    ]);
  }
}

/** Reads a resourceVersion of a query. @throws {StatusError} 400 */
export function parseRevision(value: string): number {
  if (!/^\d+$/.test(value))
    throw badRequest(
      `resourceVersion: Invalid value: "${value}": strconv.ParseUint: parsing "${value}": invalid syntax`,
    );
  return Number(value);
}

/**
 * One page of a list. All pages of one list show the same moment.
 * @throws {StatusError} 410 when that moment is forgotten (with a token to go on without consistency); 504 when it is in the future; 400, 422 for a wrong query
 */
export function listPage(core: Core, target: Target, q: ListQuery): Page {
  checkMatch(q);
  const selector = selectorOf(target, q);
  const namespace = target.type.namespaced && target.namespace === '' ? undefined : target.namespace;
  const { table } = target.type;
  let revision = core.store.revision;
  let objects: Iterable<KubeObject>;
  if (q.continue) {
    if (q.resourceVersion && q.resourceVersion !== '0')
      throw badRequest('specifying resource version is not allowed when using continue');
    const { rv, after } = decode(q.continue);
    // -1 marks a list that goes on without consistency.
    revision = rv < 0 ? revision : rv;
    objects = pageFrom(core, table, namespace, rv, after);
  } else if (q.resourceVersionMatch === 'Exact') {
    const asked = parseRevision(q.resourceVersion ?? '');
    if (asked > revision) throw resourceVersionTooLarge(asked, revision);
    revision = asked;
    try {
      objects = core.store.snapshot(table, namespace, asked);
    } catch {
      throw expired('The resourceVersion for the provided list is too old.');
    }
  } else {
    const asked = q.resourceVersion ? parseRevision(q.resourceVersion) : 0;
    if (asked > revision) throw resourceVersionTooLarge(asked, revision);
    objects = core.store.scan(table, namespace);
  }
  return cut(core, target, q, objects, selector, revision, namespace);
}

function* pageFrom(
  core: Core,
  table: string,
  namespace: string | undefined,
  rv: number,
  after: { namespace: string; name: string },
): Generator<KubeObject> {
  if (rv < 0) {
    yield* core.store.scan(table, namespace, after);
    return;
  }
  let changed: boolean;
  try {
    changed = core.store.since(table, rv).length > 0;
  } catch {
    const token: Token = { v: 'meta.k8s.io/v1', rv: -1, start: `${after.namespace}/${after.name}` };
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      { continue: Buffer.from(JSON.stringify(token)).toString('base64url') },
    );
  }
  if (!changed) {
    yield* core.store.scan(table, namespace, after);
    return;
  }
  for (const object of core.store.snapshot(table, namespace, rv)) {
    const ns = object.metadata.namespace ?? '';
    if (ns > after.namespace || (ns === after.namespace && object.metadata.name > after.name)) yield object;
  }
}

function cut(
  core: Core,
  target: Target,
  q: ListQuery,
  objects: Iterable<KubeObject>,
  selector: Selector | undefined,
  revision: number,
  namespace: string | undefined,
): Page {
  const items: KubeObject[] = [];
  const metadata: Page['metadata'] = { resourceVersion: String(revision) };
  let last: KubeObject | undefined;
  for (const object of objects) {
    if (selector && !selector(object)) continue;
    if (q.limit && items.length === q.limit) {
      metadata.continue = encode(revision, last as KubeObject);
      // Only known without counting when nothing is selected away.
      if (!selector && !q.continue)
        metadata.remainingItemCount = core.store.count(target.type.table, namespace) - items.length;
      break;
    }
    items.push(toVersion(target, object));
    last = object;
  }
  return { items, metadata };
}

/** The whole list as its kind's List object. */
export const asList = (target: Target, page: Page): Json => ({
  kind: target.type.listKind,
  apiVersion: groupVersion(target.type.group, target.version.version),
  metadata: page.metadata,
  // As a typed server does: items of Kubernetes' own lists do not repeat their kind.
  items: target.type.custom ? page.items : page.items.map(({ apiVersion: _, kind: __, ...item }) => item),
});
