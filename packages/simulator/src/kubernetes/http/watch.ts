import type { ServerResponse } from 'node:http';
import { crdTable } from '../crd/names.ts';
import { parseRevision, selectorOf } from '../operations/list.ts';
import { type Target, toVersion } from '../operations/target.ts';
import { groupVersion } from '../registry/resource-type.ts';
import type { Core } from '../server-core.ts';
import { expired, invalid, resourceVersionTooLarge, StatusError } from '../status.ts';
import type { Change } from '../store/store.ts';
import type { Json, KubeObject } from '../types.ts';
import { forbiddenField } from '../util/field-errors.ts';

/** Query of a watch, as in the URL. */
export interface WatchQuery {
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  resourceVersion?: string | undefined;
  resourceVersionMatch?: string | undefined;
  allowWatchBookmarks: boolean;
  sendInitialEvents?: boolean | undefined;
  timeoutSeconds?: number | undefined;
}

/** A watch's event types. */
export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** Turns an object into what the client asked for (the object, a Table, metadata only); `name` tells forms apart for the cache. */
export interface Form {
  name: string;
  show(object: KubeObject): Json;
}

const bookmarkEveryMs = 60_000;
/** A client that does not read this much (bytes) is cut off, as kube-apiserver does. */
const backlogLimit = 32 * 1024 * 1024;

/** What of a change a selecting watcher sees: entering the selection is ADDED, leaving it DELETED. */
function seen(change: Change, selects: ((o: KubeObject) => boolean) | undefined): EventType | undefined {
  if (!selects) return change.type;
  const before = change.previous !== undefined && selects(change.previous);
  const now = change.type !== 'DELETED' && selects(change.object);
  if (now) return before ? 'MODIFIED' : 'ADDED';
  return before ? 'DELETED' : undefined;
}

/**
 * Streams changes until the client goes, its time is over, or `end` (given to `onOpen`) is called.
 * @throws {StatusError} before the first byte, for a wrong query; a version too old is an ERROR event in the stream
 */
export function serveWatch(
  core: Core,
  target: Target,
  q: WatchQuery,
  form: Form,
  response: ServerResponse,
  onOpen: (end: () => void) => () => void,
): void {
  const { table } = target.type;
  const selects = selectorOf(target, q);
  checkInitial(q);
  const namespace = target.type.namespaced && target.namespace === '' ? undefined : target.namespace;
  const asked = q.resourceVersion ? parseRevision(q.resourceVersion) : 0;
  if (asked > core.store.revision) throw resourceVersionTooLarge(asked, core.store.revision);

  response.statusCode = 200;
  response.setHeader('content-type', 'application/json');
  response.setHeader('cache-control', 'no-cache, private');
  response.flushHeaders();
  const formKey = `${groupVersion(target.type.group, target.version.version)} ${form.name}`;
  const write = (type: EventType, object: unknown): void =>
    void response.write(`${JSON.stringify({ type, object })}\n`);
  const relay = (change: Change): void => {
    if (namespace !== undefined && (change.object.metadata.namespace ?? '') !== namespace) return;
    const type = seen(change, selects);
    if (type === undefined) return;
    if (response.writableLength > backlogLimit) {
      end();
      return;
    }
    // Every watcher of the same form gets the same bytes.
    change.lines ??= new Map();
    const key = `${formKey} ${type}`;
    let line = change.lines.get(key);
    if (line === undefined) {
      const leaves = type === 'DELETED' && change.type !== 'DELETED' && change.previous;
      const object = leaves
        ? { ...leaves, metadata: { ...leaves.metadata, resourceVersion: String(change.revision) } }
        : change.object;
      line = `${JSON.stringify({ type, object: form.show(toVersion(target, object)) })}\n`;
      change.lines.set(key, line);
    }
    response.write(line);
  };
  const bookmark = (annotations?: Record<string, string>): void =>
    write('BOOKMARK', {
      kind: target.type.kind,
      apiVersion: groupVersion(target.type.group, target.version.version),
      metadata: {
        resourceVersion: String(core.store.revision),
        creationTimestamp: null,
        ...(annotations ? { annotations } : {}),
      },
    });

  let ended = false;
  let bookmarks: unknown;
  let timeout: unknown;
  let unlisten = (): void => undefined;
  let forgetDefinition = (): void => undefined;
  let unregister = (): void => undefined;
  const end = (): void => {
    if (ended) return;
    ended = true;
    unlisten();
    forgetDefinition();
    unregister();
    core.clock.clearTimeout(bookmarks);
    core.clock.clearTimeout(timeout);
    response.end();
  };
  response.on('close', end);
  unregister = onOpen(end);

  const fromNow = q.sendInitialEvents === true || (q.sendInitialEvents === undefined && asked === 0);
  try {
    if (fromNow) {
      for (const object of core.store.scan(table, namespace)) {
        if (!selects || selects(object)) write('ADDED', form.show(toVersion(target, object)));
      }
      if (q.sendInitialEvents) bookmark({ 'k8s.io/initial-events-end': 'true' });
    } else if (asked > 0) {
      for (const change of core.store.since(table, asked)) relay(change);
    }
  } catch (error) {
    write('ERROR', (error instanceof StatusError ? error : expired(String(error))).body());
    end();
    return;
  }
  unlisten = core.store.listen(table, relay);
  if (target.type.custom) {
    const { group, plural } = target.type;
    forgetDefinition = core.store.listen(crdTable, ({ object }) => {
      if (object.metadata.name === table && !core.registry.find(group, target.version.version, plural)) end();
    });
  }
  const everyMinute = (): void => {
    bookmark();
    bookmarks = core.clock.setTimeout(everyMinute, bookmarkEveryMs);
  };
  if (q.allowWatchBookmarks) bookmarks = core.clock.setTimeout(everyMinute, bookmarkEveryMs);
  // Unasked, a watch ends after 30 to 60 minutes, so that watchers spread over servers.
  timeout = core.clock.setTimeout(
    end,
    q.timeoutSeconds === undefined ? (1800 + core.random() * 1800) * 1000 : q.timeoutSeconds * 1000,
  );
}

function checkInitial(q: WatchQuery): void {
  const fail = (field: string, why: string): StatusError =>
    invalid('meta.k8s.io', 'ListOptions', '', [forbiddenField(field, why)]);
  if (q.sendInitialEvents !== undefined && q.resourceVersionMatch !== 'NotOlderThan')
    throw fail('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  if (q.sendInitialEvents === undefined && q.resourceVersionMatch)
    throw fail(
      'resourceVersionMatch',
      'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
    );
  if (q.sendInitialEvents && !q.allowWatchBookmarks)
    throw fail('allowWatchBookmarks', 'sendInitialEvents requires setting allowWatchBookmarks to true');
}
