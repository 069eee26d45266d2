import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from './clock.ts';
import type { FaultAction, FaultSubject, Faults } from './faults.ts';
import type { Latency } from './latency.ts';
import type { RequestCounter } from './requests.ts';

/** A request on its way. */
export interface Call {
  method: string;
  /** Path below the service's prefix, decoded. */
  path: string;
  /** Path from the root. */
  fullPath: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  params: Record<string, string>;
  template: string;
  operation: string;
  bytes: Buffer;
  requestId: string;
  /** Scheme, host and port as the client addressed us. */
  base: string;
  /** The server this call creates is to end so (fault rules). */
  doom?: Extract<FaultAction, { type: 'serverError' | 'node' }>;
}

/** A response: `json` is serialised, `text` goes out as it is (JSON unless a content type is given). */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  json?: unknown;
  text?: string;
  bytes?: Buffer;
  contentType?: string;
}

/** A refusal; how it looks on the wire is the service's affair. */
export class ApiError extends Error {
  readonly status: number;
  /** The service's own name for the kind of error (`PortNotFound`), where it has one. */
  readonly type: string;
  readonly headers: Record<string, string>;
  constructor(status: number, message: string, type = '', headers: Record<string, string> = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.type = type;
    this.headers = headers;
  }
}

/** A JSON object from the wire. */
export type Json = Record<string, unknown>;

/** Whether a value is a JSON object (no array, no null). */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The body as a JSON object; `message` is the complaint about anything else. */
export function jsonBody(
  call: Call,
  message = 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
): Json {
  try {
    const value: unknown = JSON.parse(call.bytes.toString('utf8'));
    if (isObject(value)) return value;
  } catch {
    // Said below, in the service's own words.
  }
  throw new ApiError(400, message);
}

interface RouteNode<A> {
  literals: Map<string, RouteNode<A>>;
  param: RouteNode<A> | undefined;
  handlers: Map<string, Route<A>>;
}

interface Route<A> {
  template: string;
  names: string[];
  operation: string;
  open: boolean;
  handle: (call: Call, auth: A) => Answer | Promise<Answer>;
}

/** What makes one service's dialect. */
export interface ServiceOptions<A> {
  /** keystone, nova, ... */
  name: string;
  /** First path segment, without slashes. */
  prefix: string;
  /** Throws ApiError 401 if the caller is nobody. */
  authenticate: (call: Call) => A;
  renderError: (call: Call, error: ApiError) => Answer;
  /** Runs before the handler; may refuse or rewrite the path (versions). */
  prepare?: (call: Call) => void;
  /** Adds the headers that every answer of the service has. */
  decorate?: (call: Call, headers: Record<string, string>) => void;
  /** For fault rules by name, metadata or tag: what an id in the path stands for. */
  resource?: (call: Call) => { name?: string; metadata?: Record<string, string>; tags?: readonly string[] } | undefined;
}

/** One OpenStack service: its routes and its dialect. */
export class Service<A> {
  readonly options: ServiceOptions<A>;
  #root: RouteNode<A> = { literals: new Map(), param: undefined, handlers: new Map() };

  constructor(options: ServiceOptions<A>) {
    this.options = options;
  }

  /** Adds a route; segments like `{id}` are parameters. */
  on(
    method: string,
    template: string,
    operation: string,
    handle: (call: Call, auth: A) => Answer | Promise<Answer>,
  ): void {
    this.#add(method, template, operation, handle, false);
  }

  /** Adds a route that needs no token. */
  open(method: string, template: string, operation: string, handle: (call: Call) => Answer | Promise<Answer>): void {
    this.#add(method, template, operation, handle, true);
  }

  #add(method: string, template: string, operation: string, handle: Route<A>['handle'], open: boolean): void {
    let node = this.#root;
    const names: string[] = [];
    for (const segment of template.split('/').filter(Boolean)) {
      if (segment.startsWith('{')) {
        names.push(segment.slice(1, -1));
        node = node.param ??= { literals: new Map(), param: undefined, handlers: new Map() };
      } else {
        let next = node.literals.get(segment);
        if (!next) {
          next = { literals: new Map(), param: undefined, handlers: new Map() };
          node.literals.set(segment, next);
        }
        node = next;
      }
    }
    node.handlers.set(method, { template, names, operation, open, handle });
  }

  /** The route for a path, its parameters, and the methods that the path has. */
  match(
    method: string,
    path: string,
  ): { route: Route<A> | undefined; params: Record<string, string>; methods: string[] } {
    const segments = path.split('/').filter(Boolean);
    const values: string[] = [];
    const node = walk(this.#root, segments, 0, values, method);
    if (!node) return { route: undefined, params: {}, methods: [] };
    const route = node.handlers.get(method) ?? (method === 'HEAD' ? node.handlers.get('GET') : undefined);
    const params: Record<string, string> = {};
    route?.names.forEach((name, i) => {
      params[name] = values[i]!;
    });
    return { route, params, methods: [...node.handlers.keys()] };
  }
}

function walk<A>(
  node: RouteNode<A>,
  segments: string[],
  at: number,
  values: string[],
  method: string,
): RouteNode<A> | undefined {
  if (at === segments.length) return node.handlers.size > 0 ? node : undefined;
  const segment = segments[at]!;
  const literal = node.literals.get(segment);
  const exact = literal && walk(literal, segments, at + 1, values, method);
  if (exact && (exact.handlers.has(method) || !node.param)) return exact;
  if (!node.param) return undefined;
  const kept = values.length;
  values.push(segment);
  const found = walk(node.param, segments, at + 1, values, method);
  if (found) return found;
  values.length = kept;
  return exact;
}

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
    const wait = this.#options.latency.sample(call.operation);
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
