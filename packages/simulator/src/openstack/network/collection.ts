import { type Answer, ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Countable, Table } from '../../core/table.ts';
import { type Auth, type Cloud, header, isoSeconds, type OpenStackService } from '../cloud.ts';
import { type AttributeSpec, checkAttributes } from './attributes.ts';
import { badRequest, conflict, disallowed, notFound } from './errors.ts';
import { type Filter, keeps } from './filters.ts';
import type { NetRow } from './state.ts';

/** One kind of Neutron resource: how it is served by {@link serveCollection}. */
export interface Kind<T extends NetRow> {
  singular: string;
  plural: string;
  /** Quota's name; none for kinds without one. */
  quota?: string;
  table: Table<T>;
  attributes: Record<string, AttributeSpec>;
  /** Query parameter to index, for filters that narrow much. */
  indexes: Record<string, string>;
  /** Seen by administrators only. */
  adminOnly?: readonly string[];
  /** Others than the owner may read this row. */
  shared?: (row: T) => boolean;
  /** The row on the wire; default: the row itself. */
  view?: (row: T) => Json;
  create: (attributes: Json, auth: Auth, base: NetRow) => T;
  update: (row: T, attributes: Json, auth: Auth) => void;
  remove: (row: T, auth: Auth) => void;
  /** Refuses what may not be made together in one call. */
  checkMany?: (given: readonly Json[]) => void;
  /** Runs before a list, for things that appear by looking (default groups). */
  beforeList?: (auth: Auth) => void;
}

/** The attributes that a new row of the caller starts with. */
export function newBase(cloud: Cloud, projectId: string, given: Json = {}): NetRow {
  const now = isoSeconds(cloud.clock.now());
  return {
    id: cloud.ids.uuid(),
    name: typeof given.name === 'string' ? given.name : '',
    project_id: projectId,
    tenant_id: projectId,
    description: typeof given.description === 'string' ? given.description : '',
    tags: [],
    created_at: now,
    updated_at: now,
    revision_number: 1,
  };
}

/** Stores a change: new revision, new time. */
export function touch<T extends NetRow>(cloud: Cloud, table: Table<T>, row: T): T {
  row.updated_at = isoSeconds(cloud.clock.now());
  row.revision_number++;
  return table.save(row);
}

/** 409 OverQuota if the project may not have `more` of a kind. */
export function checkQuota(cloud: Cloud, quota: string, table: Countable, projectId: string, more = 1): void {
  const limit = cloud.quotas.limit('network', projectId, quota);
  if (limit >= 0 && table.count('project', projectId) + more > limit)
    throw conflict('OverQuota', `Quota exceeded for resources: ['${quota}'].`);
}

/** The row on the wire for this caller. */
function rowJson<T extends NetRow>(kind: Kind<T>, row: T, isAdmin: boolean): string {
  return kind.table.json(row, isAdmin ? 'admin' : 'user', () => rowView(kind, row, isAdmin));
}

function rowView<T extends NetRow>(kind: Kind<T>, row: T, isAdmin: boolean): Json {
  const view: Json = kind.view ? kind.view(row) : { ...(row as NetRow) };
  if (!isAdmin) for (const key of kind.adminOnly ?? []) delete view[key];
  return view;
}

/** Whether the caller may read a row. */
function visible<T extends NetRow>(kind: Kind<T>, row: T, auth: Auth): boolean {
  return auth.isAdmin || row.project_id === auth.projectId || kind.shared?.(row) === true;
}

/** The row for a call that reads, or 404. */
export function readable<T extends NetRow>(kind: Kind<T>, id: string, auth: Auth): T {
  const row = kind.table.get(id);
  if (!row || !visible(kind, row, auth)) throw notFound(kind.singular, id);
  return row;
}

/** The row for a call that changes it, or 404, or 403 for one that is only shared. */
export function writable<T extends NetRow>(kind: Kind<T>, call: Call, auth: Auth, verb: 'update' | 'delete'): T {
  const row = readable(kind, call.params.id!, auth);
  if (!auth.isAdmin && row.project_id !== auth.projectId) throw disallowed(`${verb}_${kind.singular}`);
  const match = /revision_number=(\d+)/.exec(header(call, 'if-match') ?? '');
  if (match && Number(match[1]) !== row.revision_number) {
    throw new ApiError(
      412,
      `Constrained to ${match[1]}, but current revision is ${row.revision_number}`,
      'RevisionNumberConstraintFailed',
    );
  }
  return row;
}

/** Several rows in one call: all of them or none. */
function createMany<T extends NetRow>(cloud: Cloud, kind: Kind<T>, given: readonly Json[], auth: Auth): T[] {
  kind.checkMany?.(given);
  const made: T[] = [];
  try {
    for (const one of given) made.push(createOne(cloud, kind, one, auth));
    return made;
  } catch (e) {
    for (const row of made.reverse()) kind.remove(row, auth);
    throw e;
  }
}

/** Serves list, show, create (single and bulk), update and delete of one kind under /v2.0. */
export function serveCollection<T extends NetRow>(service: OpenStackService, cloud: Cloud, kind: Kind<T>): void {
  const { singular, plural, table } = kind;
  const path = `/v2.0/${plural.replaceAll('_', '-')}`;
  const operation = `neutron.${singular}`;

  service.on('GET', path, `${operation}.list`, (call, auth) => {
    kind.beforeList?.(auth);
    return listAnswer(cloud, kind, call, auth);
  });
  service.on('GET', `${path}/{id}`, `${operation}.show`, (call, auth) => {
    const row = readable(kind, call.params.id!, auth);
    const fields = call.query.getAll('fields').flatMap((f) => f.split(','));
    if (fields.length > 0) return { status: 200, json: { [singular]: pick(rowView(kind, row, auth.isAdmin), fields) } };
    return { status: 200, text: `{"${singular}":${rowJson(kind, row, auth.isAdmin)}}` };
  });
  service.on('POST', path, `${operation}.create`, (call, auth) => {
    const body = jsonBody(call);
    const many = body[plural];
    if (Array.isArray(many)) {
      const rows = createMany(
        cloud,
        kind,
        many.map((given) => (isObject(given) ? given : {})),
        auth,
      );
      return { status: 201, text: `{"${plural}":[${rows.map((r) => rowJson(kind, r, auth.isAdmin)).join(',')}]}` };
    }
    const given = body[singular];
    if (!isObject(given)) throw badRequest(`Unable to find '${singular}' in request body`);
    const row = createOne(cloud, kind, given, auth);
    return { status: 201, text: `{"${singular}":${rowJson(kind, row, auth.isAdmin)}}` };
  });
  service.on('PUT', `${path}/{id}`, `${operation}.update`, (call, auth) => {
    const row = writable(kind, call, auth, 'update');
    const given = jsonBody(call)[singular];
    if (!isObject(given)) throw badRequest(`Unable to find '${singular}' in request body`);
    checkAttributes(singular, kind.attributes, given, 'PUT', auth.isAdmin);
    kind.update(row, given, auth);
    if (typeof given.name === 'string') row.name = given.name;
    if (typeof given.description === 'string') row.description = given.description;
    touch(cloud, table, row);
    return { status: 200, text: `{"${singular}":${rowJson(kind, row, auth.isAdmin)}}` };
  });
  service.on('DELETE', `${path}/{id}`, `${operation}.delete`, (call, auth) => {
    kind.remove(writable(kind, call, auth, 'delete'), auth);
    return { status: 204 };
  });
}

function createOne<T extends NetRow>(cloud: Cloud, kind: Kind<T>, given: Json, auth: Auth): T {
  checkAttributes(kind.singular, kind.attributes, given, 'POST', auth.isAdmin);
  const wanted = given.project_id ?? given.tenant_id;
  const projectId = typeof wanted === 'string' && wanted !== '' ? wanted : auth.projectId;
  if (projectId !== auth.projectId && !auth.isAdmin)
    throw disallowed(`create_${kind.singular}`, `create_${kind.singular}:tenant_id`);
  if (kind.quota) checkQuota(cloud, kind.quota, kind.table, projectId);
  return kind.create(given, auth, newBase(cloud, projectId, given));
}

function listAnswer<T extends NetRow>(cloud: Cloud, kind: Kind<T>, call: Call, auth: Auth): Answer {
  const q = call.query;
  const filter: Filter = {
    query: q,
    known: new Set([
      ...Object.keys(kind.attributes),
      'id',
      'status',
      'revision_number',
      'created_at',
      'updated_at',
      'tags',
    ]),
  };
  let rows: T[] = [];
  for (const row of candidates(kind, q, auth)) {
    if (visible(kind, row, auth) && keeps(filter, row, () => kind.view?.(row) ?? { ...(row as NetRow) }))
      rows.push(row);
  }
  const sortKeys = q.getAll('sort_key');
  const sortDirs = q.getAll('sort_dir');
  if (sortKeys.length > 0) rows = sortRows(rows, sortKeys, sortDirs);
  const marker = q.get('marker');
  if (q.get('page_reverse') === 'True' || q.get('page_reverse') === 'true') rows.reverse();
  if (marker) {
    const at = rows.findIndex((r) => r.id === marker);
    if (at < 0)
      throw badRequest(
        `Invalid input for operation: The resource with id ${marker} could not be found as marker.`,
        'InvalidInput',
      );
    rows = rows.slice(at + 1);
  }
  const limit = Number(q.get('limit') ?? 0);
  const more = limit > 0 && rows.length > limit;
  const full = limit > 0 && rows.length >= limit;
  if (more) rows = rows.slice(0, limit);
  const fields = q.getAll('fields').flatMap((f) => f.split(','));
  const items =
    fields.length > 0
      ? rows.map((r) => JSON.stringify(pick(rowView(kind, r, auth.isAdmin), fields)))
      : rows.map((r) => rowJson(kind, r, auth.isAdmin));
  let links = '';
  if (limit > 0 && rows.length > 0) {
    const list: unknown[] = [];
    const link = (rel: string, id: string, reverse: boolean) => {
      const next = new URLSearchParams(q);
      next.set('marker', id);
      if (reverse) next.set('page_reverse', 'True');
      list.push({ rel, href: `${cloud.base}/network${call.path}?${next}` });
    };
    if (full) link('next', rows.at(-1)!.id, false);
    if (marker) link('previous', rows[0]!.id, true);
    if (list.length > 0) links = `,"${kind.plural}_links":${JSON.stringify(list)}`;
  }
  return { status: 200, text: `{"${kind.plural}":[${items.join(',')}]${links}}` };
}

/** The rows that can fit at all, by the narrowest index that the query names. */
function candidates<T extends NetRow>(kind: Kind<T>, q: URLSearchParams, auth: Auth): Iterable<T> {
  const ids = q.getAll('id');
  if (ids.length > 0) return ids.flatMap((id) => kind.table.get(id) ?? []);
  for (const [parameter, index] of Object.entries(kind.indexes)) {
    const values = q.getAll(parameter);
    if (values.length === 1 && values[0] !== '') return kind.table.by(index, values[0]!);
  }
  const tag = (q.get('tags') ?? '').split(',')[0]!;
  if (tag !== '') return kind.table.by('tag', tag);
  if (q.getAll('name').length === 1 && q.get('name') !== '') return kind.table.by('name', q.get('name')!);
  if (!auth.isAdmin && !kind.shared) return kind.table.by('project', auth.projectId);
  return kind.table.values();
}

function sortRows<T extends NetRow>(rows: T[], keys: string[], dirs: string[]): T[] {
  return rows.sort((a, b) => {
    for (let i = 0; i < keys.length; i++) {
      const x = (a as unknown as Json)[keys[i]!];
      const y = (b as unknown as Json)[keys[i]!];
      if (x === y) continue;
      const order = String(x ?? '') < String(y ?? '') ? -1 : 1;
      return dirs[i] === 'desc' ? -order : order;
    }
    return 0;
  });
}

function pick(view: Json, fields: string[]): Json {
  return Object.fromEntries(fields.filter((f) => f in view).map((f) => [f, view[f]]));
}
