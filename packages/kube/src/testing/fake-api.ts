import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { constants, createSecureServer, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { HasMeta, JsonPatchOp, KubeObject } from '../types.ts';
import { applyJsonPatch } from './json-patch.ts';
import { selfSigned } from './self-signed.ts';

/** One request as it came in. */
export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: string;
}

/** A Kubernetes API with memory, for tests of clients: lists in pages, watches, stores, and fails as told. */
export interface FakeApi {
  url: string;
  /** Whom a client has to trust, PEM; undefined over plain HTTP. */
  ca: string | undefined;
  /** Connections over HTTP/2 that are open. */
  readonly sessions: number;
  /** PINGs that came on these. */
  readonly pings: number;
  /** Says on all of these that no more requests are taken (GOAWAY): what is under way goes on. */
  goAway(): void;
  requests: SeenRequest[];
  /** Stores an object under a collection's path (`/apis/x/v1/namespaces/a/things`), telling the watches. */
  put(collection: string, object: { metadata: { name: string; namespace?: string } }): KubeObject;
  /** Takes one away, telling the watches. */
  drop(collection: string, name: string): void;
  /** The stored object. */
  get(collection: string, name: string): KubeObject | undefined;
  /** Decides over a request before the store does: true = it has answered (or will). */
  intercept: ((req: SeenRequest, res: ServerResponse) => boolean) | undefined;
  /** Open watches. */
  readonly watches: number;
  endWatches(how: 'close' | 'reset'): void;
  /** Sends this as a line to all watches. */
  say(event: object): void;
  /** History is forgotten: a watch from an older resourceVersion gets 410. */
  compact(): void;
  /** A change that no watch is told of (as during a lost connection), known to lists. */
  quietly(change: () => void): void;
  close(): Promise<void>;
}

interface Watch {
  collection: string;
  res: ServerResponse;
}
interface Change {
  revision: number;
  collection: string;
  line: string;
}

const status = (res: ServerResponse, code: number, reason: string, message: string): void => {
  res.writeHead(code, { 'content-type': 'application/json' });
  res.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message }));
};
const ok = (res: ServerResponse, body: object, code = 200): void => {
  res.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
};

/** A list over all namespaces sees the namespaces' collections. */
const within = (collection: string, asked: string): boolean =>
  collection === asked || collection.replace(/\/namespaces\/[^/]+\//, '/') === asked;

/**
 * Starts one on a free port of 127.0.0.1.
 * @param protocol - plain HTTP, or HTTP/2 over TLS as kube-apiserver speaks it
 * @param maxStreams - how many requests at once a connection over HTTP/2 may have; default as Node has it
 */
export async function startFakeApi(protocol: 'http/1.1' | 'h2' = 'http/1.1', maxStreams?: number): Promise<FakeApi> {
  const store = new Map<string, KubeObject>();
  const history: Change[] = [];
  const requests: SeenRequest[] = [];
  let watches: Watch[] = [];
  let revision = 100;
  let oldest = 0;
  let quiet = false;

  const tell = (type: string, collection: string, object: KubeObject): void => {
    const change = { revision, collection, line: `${JSON.stringify({ type, object })}\n` };
    history.push(change);
    if (!quiet) for (const w of watches) if (within(collection, w.collection)) w.res.write(change.line);
  };
  const put = (collection: string, object: object): KubeObject => {
    const given = object as KubeObject;
    const id = `${collection}/${given.metadata.name}`;
    const before = store.get(id);
    const now: KubeObject = structuredClone(given);
    now.metadata.uid = before?.metadata.uid ?? given.metadata.uid ?? randomUUID();
    now.metadata.resourceVersion = String(++revision);
    if (now.metadata.deletionTimestamp && !now.metadata.finalizers?.length) {
      store.delete(id);
      tell('DELETED', collection, now);
      return now;
    }
    store.set(id, now);
    tell(before ? 'MODIFIED' : 'ADDED', collection, now);
    return structuredClone(now);
  };
  const drop = (collection: string, name: string): void => {
    const before = store.get(`${collection}/${name}`);
    if (!before) return;
    store.delete(`${collection}/${name}`);
    tell('DELETED', collection, { ...before, metadata: { ...before.metadata, resourceVersion: String(++revision) } });
  };

  const list = (req: SeenRequest, res: ServerResponse): void => {
    const all = [...store]
      .filter(([id]) => within(id.slice(0, id.lastIndexOf('/')), req.path))
      .map(([, object]) => object);
    const from = Number(req.query.get('continue') ?? 0);
    const to = from + (Number(req.query.get('limit')) || all.length);
    ok(res, {
      kind: 'List',
      metadata: { resourceVersion: String(revision), ...(to < all.length ? { continue: String(to) } : {}) },
      items: all.slice(from, to),
    });
  };
  const watch = (req: SeenRequest, res: ServerResponse): void => {
    const since = Number(req.query.get('resourceVersion'));
    if (since < oldest) {
      status(res, 410, 'Expired', `too old resource version: ${since} (${oldest})`);
      return;
    }
    res.writeHead(200, { 'content-type': 'application/json' });
    res.flushHeaders();
    for (const c of history) if (c.revision > since && within(c.collection, req.path)) res.write(c.line);
    const one = { collection: req.path, res };
    watches.push(one);
    res.on('close', () => {
      watches = watches.filter((w) => w !== one);
    });
  };

  const write = (req: SeenRequest, res: ServerResponse): void => {
    if (req.method === 'POST') {
      const object = JSON.parse(req.body) as HasMeta;
      if (store.has(`${req.path}/${object.metadata.name}`)) status(res, 409, 'AlreadyExists', 'already exists');
      else ok(res, put(req.path, object), 201);
      return;
    }
    const path = req.path.replace(/\/status$/, '');
    const collection = path.slice(0, path.lastIndexOf('/'));
    const before = store.get(path);
    if (!before) {
      status(res, 404, 'NotFound', 'not found');
      return;
    }
    if (req.method === 'GET') ok(res, before);
    else if (req.method === 'PATCH') patch(req, res, collection, before);
    else if (req.method === 'PUT') {
      const object = JSON.parse(req.body) as HasMeta;
      if (object.metadata.resourceVersion !== before.metadata.resourceVersion)
        status(res, 409, 'Conflict', 'the object has been modified');
      else ok(res, put(collection, object));
    } else if (req.method === 'DELETE') {
      const wanted = (JSON.parse(req.body || '{}') as { preconditions?: { uid?: string } }).preconditions?.uid;
      if (wanted && wanted !== before.metadata.uid)
        status(res, 409, 'Conflict', 'the UID in the precondition does not match');
      else if (before.metadata.finalizers?.length) {
        ok(
          res,
          put(collection, { ...before, metadata: { ...before.metadata, deletionTimestamp: new Date().toISOString() } }),
        );
      } else {
        drop(collection, before.metadata.name);
        ok(res, { kind: 'Status', status: 'Success' });
      }
    } else status(res, 405, 'MethodNotAllowed', 'not built');
  };
  const patch = (req: SeenRequest, res: ServerResponse, collection: string, before: KubeObject): void => {
    const type = req.headers['content-type'];
    if (type === 'application/json-patch+json') {
      const after = applyJsonPatch(before, JSON.parse(req.body) as JsonPatchOp[]);
      // Word for word what kube-apiserver says when a test of a JSON patch fails.
      if (!after) status(res, 422, 'Invalid', 'the server rejected our request due to an error in our request');
      else ok(res, put(collection, after));
    } else ok(res, put(collection, { ...before, ...(JSON.parse(req.body) as object), metadata: before.metadata }));
  };

  const serve: RequestListener = (raw, res) => {
    let body = '';
    raw.on('data', (chunk: Buffer) => {
      body += chunk.toString('utf8');
    });
    raw.on('end', () => {
      const url = new URL(raw.url ?? '/', 'http://fake');
      const req = {
        method: raw.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        headers: raw.headers,
        body,
      };
      requests.push(req);
      if (api.intercept?.(req, res)) return;
      const isCollection =
        !store.has(req.path) &&
        /\/[a-z]+$/.test(req.path) &&
        (/\/namespaces\/[^/]+\/[^/]+$/.test(req.path) || !/\/namespaces\//.test(req.path));
      if (req.method === 'GET' && req.query.get('watch') === 'true') watch(req, res);
      else if (req.method === 'GET' && isCollection) list(req, res);
      else write(req, res);
    });
  };
  const sessions = new Set<ServerHttp2Session>();
  let pings = 0;
  const own = protocol === 'h2' ? selfSigned() : undefined;
  const plain = own ? undefined : createServer(serve);
  const settings = maxStreams === undefined ? {} : { maxConcurrentStreams: maxStreams };
  const server = plain ?? createSecureServer({ ...own, settings }, serve as never);
  server.on('session', (s: ServerHttp2Session) => {
    sessions.add(s);
    s.on('ping', () => pings++);
    s.on('close', () => sessions.delete(s));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const api: FakeApi = {
    url: `${own ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: own?.cert,
    get sessions() {
      return sessions.size;
    },
    get pings() {
      return pings;
    },
    goAway() {
      for (const s of sessions) s.goaway(constants.NGHTTP2_NO_ERROR);
    },
    requests,
    put,
    drop,
    get: (collection, name) => structuredClone(store.get(`${collection}/${name}`)),
    intercept: undefined,
    get watches() {
      return watches.length;
    },
    endWatches(how) {
      for (const { res } of watches) {
        if (how === 'close') res.end();
        else if (plain) res.socket?.resetAndDestroy();
        else (res as unknown as Http2ServerResponse).stream.session?.destroy();
      }
    },
    say(event) {
      for (const w of watches) w.res.write(`${JSON.stringify(event)}\n`);
    },
    compact() {
      oldest = revision;
      history.length = 0;
    },
    quietly(change) {
      quiet = true;
      change();
      quiet = false;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        plain?.closeAllConnections();
        for (const s of sessions) s.destroy();
      }),
  };
  return api;
}
