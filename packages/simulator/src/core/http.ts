import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.ts';
import type { FaultSubject, Faults } from './faults.ts';
import type { Latency } from './latency.ts';
import { type Answer, ApiError, type Call, isObject } from './message.ts';
import type { RequestCounter } from './requests.ts';
import type { Service } from './service.ts';

/** What the gateway serves besides services: anything that is not typed by an auth. */
export interface Mount {
  prefix: string;
  handle: (call: Call) => Promise<Answer>;
}

/** The parts a gateway works with. */
export interface GatewayOptions {
  clock: Clock;
  latency: Latency;
  faults: Faults;
  requests: RequestCounter;
  newRequestId: () => string;
}

/** The HTTP front: routes to services, and applies latencies and faults on the way. */
export class Gateway<A> {
  #options: GatewayOptions;
  #services = new Map<string, Service<A>>();
  #mounts = new Map<string, Mount>();
  #root: Service<A> | undefined;
  #server: Server;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#server = createServer({ keepAliveTimeout: 75_000 }, (req, res) => void this.#serve(req, res));
    this.#server.requestTimeout = 0;
  }

  add(service: Service<A>): void {
    this.#services.set(service.options.prefix, service);
  }

  /** The service that also answers at `/`. */
  setRoot(service: Service<A>): void {
    this.#root = service;
  }

  mount(mount: Mount): void {
    this.#mounts.set(mount.prefix, mount);
  }

  /** Listens; answers the base URL. */
  listen(address: string, port: number): Promise<{ url: string }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: address, port, backlog: 2048 }, () => {
        const at = this.#server.address() as AddressInfo;
        resolve({ url: `http://${at.address}:${at.port}` });
      });
    });
  }

  /** Stops listening and cuts every connection. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      const bytes = await readBody(req);
      await this.#dispatch(req, res, bytes);
    } catch {
      // The client went away while it was sending: there is nobody to tell.
      res.destroy();
    }
  }

  async #dispatch(req: IncomingMessage, res: ServerResponse, bytes: Buffer): Promise<void> {
    const { requests } = this.#options;
    const raw = req.url ?? '/';
    const cut = raw.indexOf('?');
    const fullPath = decode(cut < 0 ? raw : raw.slice(0, cut));
    const slash = fullPath.indexOf('/', 1);
    const prefix = slash < 0 ? fullPath.slice(1) : fullPath.slice(1, slash);
    const method = req.method ?? 'GET';
    const call: Call = {
      method,
      path: slash < 0 ? '/' : fullPath.slice(slash),
      fullPath,
      query: new URLSearchParams(cut < 0 ? '' : raw.slice(cut + 1)),
      headers: req.headers,
      params: {},
      template: '',
      operation: '',
      bytes,
      requestId: this.#options.newRequestId(),
      base: `http://${req.headers.host ?? 'localhost'}`,
    };
    const mount = this.#mounts.get(prefix);
    if (mount) {
      send(res, method, await mount.handle(call), {});
      return;
    }
    const service = this.#services.get(prefix) ?? (prefix === '' ? this.#root : undefined);
    if (!service) {
      requests.add('unknown', method, fullPath, 404);
      send(
        res,
        method,
        {
          status: 404,
          json: { error: { code: 404, title: 'Not Found', message: 'The resource could not be found.' } },
        },
        {},
      );
      return;
    }
    const name = service.options.name;
    const headers: Record<string, string> = {};
    const act = async (): Promise<Answer> => {
      let answer: Answer;
      try {
        answer = await this.#run(service, call);
      } catch (error) {
        const refusal = error instanceof ApiError ? error : unexpected(error);
        answer = service.options.renderError(call, refusal);
        answer.headers = { ...answer.headers, ...refusal.headers };
      }
      service.options.decorate?.(call, headers);
      return answer;
    };
    let matchError: ApiError | undefined;
    try {
      service.options.prepare?.(call);
      this.#match(service, call);
    } catch (error) {
      matchError = error instanceof ApiError ? error : unexpected(error);
    }
    if (matchError) {
      service.options.decorate?.(call, headers);
      const answer = service.options.renderError(call, matchError);
      answer.headers = { ...answer.headers, ...matchError.headers };
      requests.add(name, method, call.template || '(none)', answer.status);
      send(res, method, answer, headers);
      return;
    }
    const action = this.#options.faults.hit(subject(service, call));
    const count = (status: number) => requests.add(name, method, call.template, status);
    switch (action?.type) {
      case 'hang':
        count(0);
        return;
      case 'lateDeed':
        count(0);
        this.#options.clock.setTimeout(() => void act(), action.afterMs);
        return;
      case 'lostAnswer':
        await act();
        count(0);
        res.destroy();
        return;
      case 'status': {
        const extra: Record<string, string> =
          action.retryAfter === undefined ? {} : { 'Retry-After': String(action.retryAfter) };
        service.options.decorate?.(call, headers);
        const answer =
          action.body === undefined
            ? service.options.renderError(
                call,
                new ApiError(
                  action.status,
                  'The server is currently unavailable. Please try again at a later time.',
                  'Fault',
                ),
              )
            : typeof action.body === 'string'
              ? { status: action.status, text: action.body, contentType: 'text/plain' }
              : { status: action.status, json: action.body };
        count(action.status);
        send(res, method, answer, { ...headers, ...extra });
        return;
      }
      case 'serverError':
      case 'node':
        call.doom = action;
        break;
      case undefined:
        break;
    }
    const wait = this.#options.latency.sample(
      call.operation,
      () => `${call.fullPath} ${bodyResource(call)?.name ?? ''}`,
    );
    if (wait > 0) await this.#options.clock.sleep(wait);
    const answer = await act();
    count(answer.status);
    send(res, method, answer, headers);
  }

  #match(service: Service<A>, call: Call): void {
    const { route, params, methods } = service.match(call.method, call.path);
    if (!route) {
      if (methods.length > 0)
        throw new ApiError(405, 'The method is not allowed for the requested URL.', 'MethodNotAllowed', {
          Allow: methods.join(', '),
        });
      throw new ApiError(404, 'The resource could not be found.', 'HTTPNotFound');
    }
    call.params = params;
    call.template = `/${service.options.prefix}${route.template}`;
    call.operation = route.operation;
  }

  async #run(service: Service<A>, call: Call): Promise<Answer> {
    const { route } = service.match(call.method, call.path);
    if (!route) throw new ApiError(404, 'The resource could not be found.', 'HTTPNotFound');
    // An open route never looks at who calls.
    const auth = route.open ? (undefined as A) : service.options.authenticate(call);
    return route.handle(call, auth);
  }
}

function unexpected(error: unknown): ApiError {
  return new ApiError(
    500,
    `Unexpected API Error in the simulator: ${error instanceof Error ? error.stack : String(error)}`,
    'InternalServerError',
  );
}

function subject<A>(service: Service<A>, call: Call): FaultSubject {
  return {
    service: service.options.name,
    method: call.method,
    path: call.fullPath,
    operation: call.operation,
    resource: () => bodyResource(call) ?? service.options.resource?.(call),
  };
}

/** Name, metadata and tags of the first object in a request's body. */
function bodyResource(call: Call): ReturnType<FaultSubject['resource']> {
  if (call.bytes.length === 0 || call.bytes[0] !== 0x7b) return undefined;
  let body: unknown;
  try {
    body = JSON.parse(call.bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  const inner = isObject(body) ? (Object.values(body).find(isObject) ?? body) : undefined;
  if (!inner || typeof inner.name !== 'string') return undefined;
  return {
    name: inner.name,
    ...(isObject(inner.metadata) ? { metadata: inner.metadata as Record<string, string> } : {}),
    ...(Array.isArray(inner.tags) ? { tags: inner.tags as string[] } : {}),
  };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

function send(res: ServerResponse, method: string, answer: Answer, headers: Record<string, string>): void {
  if (res.destroyed) return;
  const body = answer.bytes ?? answer.text ?? (answer.json === undefined ? '' : JSON.stringify(answer.json));
  const out: Record<string, string | number> = { ...headers, ...answer.headers };
  if (body.length > 0) out['Content-Type'] ??= answer.contentType ?? 'application/json';
  if (answer.status !== 204 && answer.status !== 304) out['Content-Length'] = Buffer.byteLength(body);
  res.writeHead(answer.status, out);
  res.end(method === 'HEAD' || answer.status === 204 ? undefined : body);
}
