import { randomBytes, randomUUID } from 'node:crypto';
import { createServer as createPlainServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { RequestCounter } from '../core/requests.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { RegistryError } from './error.ts';
import type { Operation, RegistryFaultAction, RegistryFaults } from './faults.ts';
import { CutOff, cutBody, piecesOf, sendFaulty } from './faulty.ts';
import { listCatalog, listReferrers, listTags } from './lists.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { type Ask, type Desk, json, type Reply } from './message.ts';
import { routeOf } from './routes.ts';
import { DiskContents } from './store/disk.ts';
import { MemoryContents } from './store/memory.ts';
import { Repositories } from './store/repositories.ts';
import { cancelUpload, finishUpload, patchUpload, startUpload, uploadStatus } from './uploads.ts';
import { authenticate, type User } from './users.ts';

/** What a registry is made with; everything has a default. */
export interface RegistryOptions {
  /** Where contents are kept; in memory where absent. Made if it is not there. */
  dataDir?: string | undefined;
  /** Who may come in, by basic authentication; without any everybody may. */
  users?: readonly User[];
  /** Whether the referrers API of version 1.1 is served; default true. */
  referrers?: boolean;
  /** PEM: serves TLS. */
  tls?: { cert: string; key: string } | undefined;
  faults?: RegistryFaults;
  requests?: RequestCounter;
}

/** An OCI registry behind the wire protocol of the distribution specification 1.1, as distribution/distribution serves it. */
export interface Registry {
  /** Listens; answers the base URL. @throws {Error} when the address cannot be listened on */
  listen(address: string, port: number): Promise<{ url: string }>;
  close(): Promise<void>;
}

const HANDLERS: Record<Operation, (desk: Desk, ask: Ask) => Promise<Reply>> = {
  version: async () => ({ status: 200, headers: { 'Content-Type': 'application/json' }, body: '{}' }),
  'catalog.list': listCatalog,
  'tags.list': listTags,
  'referrers.list': listReferrers,
  'manifest.get': getManifest,
  'manifest.head': getManifest,
  'manifest.put': putManifest,
  'manifest.delete': deleteManifest,
  'blob.get': getBlob,
  'blob.head': getBlob,
  'blob.delete': deleteBlob,
  'upload.start': startUpload,
  'upload.status': uploadStatus,
  'upload.patch': patchUpload,
  'upload.put': finishUpload,
  'upload.cancel': cancelUpload,
};

const text = (status: number, body: string, headers: Record<string, string> = {}): Reply => ({
  status,
  headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
  body,
});

/** Makes a registry, with what a data folder holds. Nothing listens before `listen()`. */
export async function createRegistry(o: RegistryOptions = {}): Promise<Registry> {
  const contents = o.dataDir === undefined ? new MemoryContents() : new DiskContents(o.dataDir);
  let secret = await contents.load('secret');
  if (secret === undefined) {
    secret = randomBytes(32).toString('hex');
    await contents.save('secret', secret);
  }
  const desk: Desk = {
    contents,
    repositories: await Repositories.open(contents),
    referrers: o.referrers ?? true,
    secret,
    newId: randomUUID,
  };
  const serve = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(desk, o, request, response).catch(() => response.destroy());
  const server: Server = o.tls ? createServer({ ...o.tls, minVersion: 'TLSv1.2' }, serve) : createPlainServer(serve);
  server.keepAliveTimeout = 75_000;
  return {
    listen: (address, port) =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen(port, address, () => {
          const at = server.address() as AddressInfo;
          resolve({ url: `${o.tls ? 'https' : 'http'}://${at.address}:${at.port}` });
        });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  desk: Desk,
  o: RegistryOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? '/';
  const [path = '/', query = ''] = url.split(/\?(.*)/s);
  const method = request.method ?? 'GET';
  const route = path === '/v2' ? 'nowhere' : routeOf(method, path, desk.referrers);
  response.setHeader('Docker-Distribution-Api-Version', 'registry/2.0');
  const base = `${o.tls ? 'https' : 'http'}://${request.headers.host ?? 'localhost'}`;
  if (path === '/v2')
    return send(
      response,
      method,
      text(301, '<a href="/v2/">Moved Permanently</a>.\n\n', {
        Location: '/v2/',
        'Content-Type': 'text/html; charset=utf-8',
      }),
    );
  if (route === 'nowhere') return send(response, method, text(404, '404 page not found\n'));
  if ('allow' in route)
    return send(response, method, text(405, 'Method not allowed\n', { Allow: route.allow.join(', ') }));
  const action = await o.faults?.decide({
    operation: route.operation,
    repository: route.name,
    reference: route.reference,
  });
  const count = (status: number): void => o.requests?.add('registry', method, route.operation, status);
  if (action?.type === 'hang') return count(0);
  if (action?.type === 'reset') {
    count(0);
    return void response.destroy();
  }
  const ask: Ask = {
    ...route,
    query: new URLSearchParams(query),
    headers: request.headers,
    base,
    url,
    body:
      action?.type === 'cut' && method !== 'GET' ? cutBody(piecesOf(request), action.afterBytes) : piecesOf(request),
  };
  const reply = action?.type === 'status' ? ordered(action) : await replyTo(desk, o.users ?? [], ask);
  if (reply === 'cut' || action?.type === 'lostAnswer') {
    count(0);
    return void response.destroy();
  }
  count(reply.status);
  // Bytes that nobody read would hold the connection.
  request.resume();
  const faulty = (action?.type === 'cut' || action?.type === 'corrupt') && route.operation.endsWith('.get');
  send(response, method, reply, faulty ? action : undefined);
}

async function replyTo(desk: Desk, users: readonly User[], ask: Ask): Promise<Reply | 'cut'> {
  try {
    authenticate(users, ask);
    return await HANDLERS[ask.operation](desk, ask);
  } catch (error) {
    if (error instanceof CutOff) return 'cut';
    const refusal =
      error instanceof RegistryError
        ? error
        : new RegistryError('UNKNOWN', error instanceof Error ? error.message : String(error));
    return json(refusal.status, refusal.body(), refusal.headers);
  }
}

function ordered(action: Extract<RegistryFaultAction, { type: 'status' }>): Reply {
  const { status, message, retryAfter } = action;
  const code = status === 429 ? 'TOOMANYREQUESTS' : status === 503 ? 'UNAVAILABLE' : 'UNKNOWN';
  const refusal = new RegistryError(code, undefined, message === undefined ? {} : { message });
  return json(status, refusal.body(), retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) });
}

function send(
  response: ServerResponse,
  method: string,
  reply: Reply,
  action?: Extract<RegistryFaultAction, { type: 'cut' | 'corrupt' }>,
): void {
  if (response.destroyed) return;
  const body = Buffer.from(reply.body ?? '');
  const bodyless = reply.status === 204 || reply.status === 304;
  response.writeHead(reply.status, {
    ...reply.headers,
    ...(bodyless ? {} : { 'Content-Length': body.length }),
  });
  if (method === 'HEAD' || bodyless) response.end();
  else sendFaulty(action, response, body);
}
