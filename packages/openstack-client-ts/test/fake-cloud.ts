import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ClientOptions, type CloudConfig, createClient, type OpenStack, type RequestEvent } from '../src/index.ts';

/** A request as the fake cloud saw it. */
export interface Seen {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  body: unknown;
}

/** What the fake cloud answers; `drop` closes the connection after the request was read, `hang` never answers. */
export type Answer =
  | { status?: number; headers?: Record<string, string>; body?: unknown }
  | 'drop'
  | 'hang'
  /** The head and half of the body, then the connection breaks. */
  | 'half';

/** Answers in turn, the last one for ever; or one for each request. */
export type Route = Answer[] | ((seen: Seen) => Answer);

/** A small HTTP server with Keystone, version documents and the routes of a test, and a client for it. */
export class FakeCloud implements AsyncDisposable {
  readonly routes: Record<string, Route>;
  readonly seen: Seen[] = [];
  readonly events: RequestEvent[] = [];
  /** Seconds that a token lives, by the client's clock. */
  tokenLife = 3600;
  /** Answers of the log-in before it works. */
  logins: Answer[] = [];
  tokens = 0;
  /** Tokens that are refused with 401. */
  readonly revoked = new Set<string>();
  versions: Record<string, { min: string; max: string }> = {
    compute: { min: '2.1', max: '2.93' },
    volume: { min: '3.0', max: '3.70' },
    placement: { min: '1.0', max: '1.39' },
  };
  now: () => number = Date.now;
  url = '';
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #clients: OpenStack[] = [];

  private constructor(routes: Record<string, Route>) {
    this.routes = routes;
  }

  /** `routes` by `METHOD /path`, below the address; `/compute/v2.1/servers`. */
  static async start(routes: Record<string, Route> = {}): Promise<FakeCloud> {
    const cloud = new FakeCloud(routes);
    await new Promise<void>((resolve) => cloud.#server.listen(0, '127.0.0.1', resolve));
    cloud.url = `http://127.0.0.1:${(cloud.#server.address() as AddressInfo).port}`;
    return cloud;
  }

  config(more: Partial<CloudConfig> = {}): CloudConfig {
    return {
      name: 'fake',
      authUrl: `${this.url}/identity`,
      auth: { type: 'password', username: 'u', userDomainId: 'default', password: 'pa55word', projectName: 'p' },
      ...more,
    };
  }

  client(options: ClientOptions = {}, config: Partial<CloudConfig> = {}): OpenStack {
    if (options.clock) this.now = () => options.clock?.now() ?? 0;
    const client = createClient(this.config(config), {
      retry: { baseMs: 1 },
      onRequest: (event) => this.events.push(event),
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** The requests to the test's own routes: no log-ins, no version documents. */
  get calls(): Seen[] {
    return this.seen.filter((s) => this.routes[`${s.method} ${s.path}`] !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    for (const client of this.#clients) await client.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', this.url);
    const text = Buffer.concat(chunks).toString('utf8');
    const seen: Seen = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      body: request.headers['content-type']?.includes('json') ? (JSON.parse(text) as unknown) : text,
    };
    this.seen.push(seen);
    const answer = this.#answer(seen);
    if (answer === 'hang') return;
    if (answer === 'drop') return void request.socket.destroy();
    if (answer === 'half') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"half": ', () => request.socket.destroy());
      return;
    }
    const { status = 200, body, headers } = answer;
    response.writeHead(status, {
      'x-openstack-request-id': `req-${this.seen.length}`,
      'content-type': typeof body === 'string' ? 'text/html' : 'application/json',
      ...headers,
    });
    response.end(typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body));
  }

  #answer(seen: Seen): Answer {
    if (seen.path === '/identity/v3/auth/tokens' && seen.method === 'POST') return this.logins.shift() ?? this.#login();
    if (this.revoked.has(String(seen.headers['x-auth-token']))) {
      return {
        status: 401,
        body: {
          error: { code: 401, title: 'Unauthorized', message: 'The request you have made requires authentication.' },
        },
      };
    }
    const route = this.routes[`${seen.method} ${seen.path}`];
    if (typeof route === 'function') return route(seen);
    if (route) return (route.length > 1 ? route.shift() : route[0]) ?? 'hang';
    const { compute, volume, placement } = this.versions;
    if (seen.path === '/compute/v2.1/') {
      return { body: { version: { id: 'v2.1', version: compute?.max ?? '', min_version: compute?.min ?? '' } } };
    }
    if (seen.path === '/volume/v3/') {
      return { body: { versions: [{ id: 'v3.0', version: volume?.max, min_version: volume?.min }] } };
    }
    if (seen.path === '/placement/') {
      return { body: { versions: [{ id: 'v1.0', max_version: placement?.max, min_version: placement?.min }] } };
    }
    return { status: 404, body: { itemNotFound: { code: 404, message: `no route ${seen.method} ${seen.path}` } } };
  }

  #login(): Answer {
    const token = `token-${++this.tokens}`;
    const endpoint = (type: string, path: string) => ({
      type,
      endpoints: [
        { interface: 'public', region_id: 'one', url: `${this.url}${path}` },
        { interface: 'internal', region_id: 'one', url: `${this.url}/internal${path}` },
        { interface: 'public', region_id: 'two', url: `${this.url}/two${path}` },
      ],
    });
    return {
      status: 201,
      headers: { 'x-subject-token': token },
      body: {
        token: {
          methods: ['password'],
          issued_at: new Date(this.now()).toISOString(),
          expires_at: new Date(this.now() + this.tokenLife * 1000).toISOString(),
          user: { id: 'user-1', name: 'u', domain: { id: 'default', name: 'Default' } },
          project: { id: 'project-1', name: 'p', domain: { id: 'default', name: 'Default' } },
          catalog: [
            endpoint('identity', '/identity/v3'),
            endpoint('compute', '/compute/v2.1'),
            endpoint('network', '/network'),
            endpoint('image', '/image'),
            endpoint('volumev3', '/volume/v3/project-1'),
            endpoint('load-balancer', '/load-balancer'),
            endpoint('placement', '/placement'),
          ],
        },
      },
    };
  }
}

/** A clock on which every pause ends at once, having taken its time. Give the client no time limit with it. */
export class FastClock {
  readonly pauses: number[] = [];
  #now = Date.parse('2026-01-01T00:00:00Z');

  now(): number {
    return this.#now;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  setTimer(fn: () => void, ms: number): () => void {
    this.pauses.push(ms);
    const immediate = setImmediate(() => {
      this.#now += ms;
      fn();
    });
    return () => clearImmediate(immediate);
  }
}
