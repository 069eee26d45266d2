import { commitCreate, prepareCreate } from '../operations/create.ts';
import { type DeleteOptions, remove } from '../operations/delete.ts';
import { listPage } from '../operations/list.ts';
import { commitApplied, patchTypes, preparePatch } from '../operations/patch.ts';
import { read, type Target, toVersion } from '../operations/target.ts';
import { commitUpdate, prepareUpdate, type UpdateOptions } from '../operations/update.ts';
import type { Call } from '../server-core.ts';
import { badRequest, conflict, methodNotAllowed, StatusError } from '../status.ts';
import type { Json, KubeObject } from '../types.ts';
import { isRecord, record } from '../util/json.ts';
import { body, callOf, contentType, type Exchange, shown } from './exchange.ts';
import { send } from './respond.ts';
import { deleteStatus, sendObject, showObject, showPage } from './show.ts';
import { serveWatch, type WatchQuery } from './watch.ts';

/** Registers an open stream with its server; gives what unregisters it. */
export type OnOpen = (end: () => void) => () => void;

const number = (text: string | null): number | undefined => (text === null || text === '' ? undefined : Number(text));
const flag = (text: string | null): boolean | undefined =>
  text === null ? undefined : text === 'true' || text === '1';

/** Answers a request for objects of one kind, without a subresource. */
export async function handleResource(x: Exchange, target: Target, onOpen: OnOpen): Promise<void> {
  const name = x.info.resource?.name ?? '';
  if (!target.type.verbs.includes(x.info.verb)) throw methodNotAllowed();
  switch (x.info.verb) {
    case 'list':
      return list(x, target);
    case 'watch':
      return watch(x, target, onOpen);
    case 'get':
      return sendObject(x, target, 200, toVersion(target, read(x.core, target, name)));
    case 'create':
      if (name !== '') throw methodNotAllowed();
      return create(x, target);
    case 'update':
      return put(x, target, name);
    case 'patch':
      return patch(x, target, name);
    case 'delete':
      return deleteOne(x, target, name);
    case 'deletecollection':
      return deleteAll(x, target);
    default:
      throw methodNotAllowed();
  }
}

const listQuery = (x: Exchange) => {
  const q = x.info.query;
  return {
    labelSelector: q.get('labelSelector') ?? undefined,
    fieldSelector: q.get('fieldSelector') ?? undefined,
    limit: number(q.get('limit')),
    continue: q.get('continue') ?? undefined,
    resourceVersion: q.get('resourceVersion') ?? undefined,
    resourceVersionMatch: q.get('resourceVersionMatch') ?? undefined,
  };
};

function list(x: Exchange, target: Target): void {
  const form = shown(x);
  const page = listPage(x.core, target, listQuery(x));
  send(x.response, 200, showPage(x, target, page, form), form.yaml);
}

function watch(x: Exchange, target: Target, onOpen: OnOpen): void {
  const form = shown(x);
  const q = x.info.query;
  const query: WatchQuery = {
    ...listQuery(x),
    allowWatchBookmarks: flag(q.get('allowWatchBookmarks')) ?? false,
    sendInitialEvents: flag(q.get('sendInitialEvents')),
    timeoutSeconds: number(q.get('timeoutSeconds')) || undefined,
  };
  // The columns of a watched Table are sent only once, with its first row.
  let first = true;
  const show = (object: KubeObject): Json => {
    const json = showObject(x, target, object, form, first || form.as !== 'table');
    first = false;
    return json;
  };
  // Rows of a Table differ between watchers (columns come first), so they are not shared.
  const key = form.as === 'table' ? `table ${Math.random()}` : form.as;
  serveWatch(x.core, target, query, { name: key, show }, x.response, onOpen);
}

async function create(x: Exchange, target: Target): Promise<void> {
  const call = callOf(x);
  const sent = await body(x);
  if (sent === undefined) throw badRequest('the body of the request is empty; an object is required');
  const prepared = await x.admission.admit(
    x,
    target,
    call,
    'CREATE',
    prepareCreate(x.core, target, call, sent),
    undefined,
  );
  sendObject(x, target, 201, commitCreate(x.core, target, call, prepared));
}

async function put(x: Exchange, target: Target, name: string): Promise<void> {
  const call = callOf(x);
  const sent = await body(x);
  if (sent === undefined) throw badRequest('the body of the request is empty; an object is required');
  if (target.type.strategy.createOnUpdate && !x.core.store.get(target.type.table, target.namespace, name)) {
    if (isRecord(sent) && record(sent.metadata).resourceVersion)
      throw conflict(target.type, name, 'StorageError: invalid object, Code: 4, Key: not found');
    const prepared = await x.admission.admit(
      x,
      target,
      call,
      'CREATE',
      prepareCreate(x.core, target, call, sent, name),
      undefined,
    );
    return sendObject(x, target, 201, commitCreate(x.core, target, call, prepared));
  }
  sendObject(x, target, 200, await updateWith(x, target, call, name, () => sent, {}));
}

/** An update with its admission; also used for subresources. */
export async function updateWith(
  x: Exchange,
  target: Target,
  call: Call,
  name: string,
  change: (current: KubeObject) => unknown,
  o: UpdateOptions,
): Promise<KubeObject> {
  const update = prepareUpdate(x.core, target, call, name, change, o);
  update.next = await x.admission.admit(x, target, call, 'UPDATE', update.next, update.before, o.subresource);
  return commitUpdate(x.core, target, call, update, o);
}

/** A patch with its admission, tried anew when the object changed meanwhile; also used for subresources. */
export async function patchWith(
  x: Exchange,
  target: Target,
  name: string,
  subresource?: string,
): Promise<{ code: number; object: KubeObject }> {
  const type = contentType(x);
  const apply = type === patchTypes.apply;
  if (!Object.values(patchTypes).some((t) => t === type)) {
    throw new StatusError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${Object.values(patchTypes).join(', ')}`,
    );
  }
  const call = callOf(x, apply);
  const sent = await body(x);
  const patchOf = { contentType: type, body: sent, force: x.info.query.get('force') === 'true' };
  for (let attempt = 1; ; attempt++) {
    const patched = preparePatch(x.core, target, call, name, patchOf, subresource);
    if ('create' in patched) {
      const object = await x.admission.admit(x, target, call, 'CREATE', patched.create, undefined);
      return { code: 201, object: commitApplied(x.core, target, call, object) };
    }
    const { update, options } = patched;
    const named = update.next.metadata.resourceVersion;
    update.next = await x.admission.admit(x, target, call, 'UPDATE', update.next, update.before, subresource);
    try {
      return { code: 200, object: commitUpdate(x.core, target, call, update, options) };
    } catch (error) {
      const moved = x.core.store.get(target.type.table, target.namespace, name)?.metadata.resourceVersion !== named;
      if (!(error instanceof StatusError) || error.reason !== 'Conflict' || !moved || attempt >= 5) throw error;
    }
  }
}

async function patch(x: Exchange, target: Target, name: string): Promise<void> {
  const { code, object } = await patchWith(x, target, name);
  sendObject(x, target, code, object);
}

async function deleteOptions(x: Exchange): Promise<DeleteOptions & { dryRun: boolean }> {
  const sent = record(await body(x)) as Json & DeleteOptions;
  const q = x.info.query;
  const grace = number(q.get('gracePeriodSeconds'));
  const policy = q.get('propagationPolicy');
  const dryRun = (Array.isArray(sent.dryRun) && sent.dryRun.includes('All')) || q.get('dryRun') === 'All';
  return {
    ...sent,
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    dryRun,
  };
}

async function deleteOne(x: Exchange, target: Target, name: string): Promise<void> {
  const { dryRun, ...options } = await deleteOptions(x);
  const call: Call = { ...callOf(x), dryRun };
  const live = read(x.core, target, name);
  await x.admission.admit(x, target, call, 'DELETE', undefined, toVersion(target, live));
  const { gone, object } = remove(x.core, target, call, name, options);
  if (gone && target.type.table !== 'pods') send(x.response, 200, deleteStatus(target, object));
  else sendObject(x, target, 200, object);
}

async function deleteAll(x: Exchange, target: Target): Promise<void> {
  const { dryRun, ...options } = await deleteOptions(x);
  const call: Call = { ...callOf(x), dryRun };
  const page = listPage(x.core, target, listQuery(x));
  for (const item of page.items) {
    const one = { ...target, namespace: item.metadata.namespace ?? '' };
    try {
      await x.admission.admit(x, one, call, 'DELETE', undefined, item);
      remove(x.core, one, call, item.metadata.name, options);
    } catch (error) {
      // Somebody else deleted it first, which is what was wanted.
      if (!(error instanceof StatusError) || error.code !== 404) throw error;
    }
  }
  send(x.response, 200, showPage(x, target, page, shown(x)));
}

/** The kind, version and namespace of a request's path; undefined when nothing is served there. */
export function targetOf(x: Exchange): Target | undefined {
  const r = x.info.resource;
  if (!r) return undefined;
  const served = x.core.registry.find(r.group, r.version, r.plural);
  if (!served) return undefined;
  if (!served.type.namespaced && r.namespace !== '') return undefined;
  if (served.type.namespaced && r.namespace === '' && r.name !== '') return undefined;
  return { ...served, namespace: r.namespace };
}
