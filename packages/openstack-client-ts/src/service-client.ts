import type { CloudConfig } from './config/types.ts';
import { OpenStackError } from './errors.ts';
import { addQuery, queryOfLink } from './http/query.ts';
import type { HttpResponse, Transport } from './http/transport.ts';
import type { Auth } from './identity/auth.ts';
import { keystoneRoot } from './identity/auth.ts';
import { chooseEndpoint } from './identity/catalog.ts';
import { chooseMicroversion, readVersionDocument, type VersionRange } from './microversion.ts';
import { Paged } from './paged.ts';
import type { CallOptions, HttpMethod, Query, ServiceName } from './types.ts';

/** What is fixed for a service. */
interface ServiceSpec {
  /** Added to an endpoint that names no version. `{project}` is the token's project. */
  path: string;
  /** Newest microversion whose answers this package knows; undefined for services without microversions. */
  known?: string;
  /** Its name in the OpenStack-API-Version header. */
  header?: string;
}

const SPECS: Record<ServiceName, ServiceSpec> = {
  identity: { path: '/v3' },
  compute: { path: '/v2.1', known: '2.96', header: 'compute' },
  network: { path: '/v2.0' },
  image: { path: '/v2' },
  'block-storage': { path: '/v3/{project}', known: '3.71', header: 'volume' },
  'load-balancer': { path: '/v2.0' },
  placement: { path: '', known: '1.39', header: 'placement' },
};

/** What all services of one client share. */
export interface Session {
  config: CloudConfig;
  transport: Transport;
  auth: Auth;
}

/** A call of a service client. */
export interface ServiceRequest {
  method: HttpMethod;
  /** Below the service's versioned root: `/servers`. */
  path: string;
  query?: Query | undefined;
  body?: unknown;
  /** See HttpCall. */
  idempotent?: boolean | undefined;
  raw?: boolean | undefined;
  /** Lowest microversion with which the call makes sense. */
  minimum?: string | undefined;
  /** What needs it, for the message. */
  what?: string | undefined;
}

/** How a list is read. */
export interface ListRequest {
  path: string;
  /** Field of the answer that holds the items: `servers`. */
  key: string;
  query?: Query | undefined;
  minimum?: string | undefined;
  what?: string | undefined;
}

/** One service of one cloud: endpoint, microversion, requests and lists. The typed resources are made of it; use it for calls they lack. */
export class ServiceClient {
  readonly service: ServiceName;
  readonly #session: Session;
  #versions: Promise<VersionRange> | undefined;

  constructor(session: Session, service: ServiceName) {
    this.#session = session;
    this.service = service;
  }

  /** The versioned root of the service, without a slash at its end. */
  async endpoint(): Promise<string> {
    const { config, auth } = this.#session;
    const given = config.endpointOverrides?.[this.service] ?? (await this.#fromCatalog());
    const bare = given.replace(/\/+$/, '');
    const spec = SPECS[this.service];
    if (spec.path === '' || /\/v\d+(\.\d+)?(\/|$)/.test(new URL(bare).pathname)) return bare;
    if (!spec.path.includes('{project}')) return bare + spec.path;
    const project = (await auth.info()).project?.id ?? '';
    return bare + spec.path.replace('{project}', project);
  }

  async #fromCatalog(): Promise<string> {
    const { config, auth } = this.#session;
    const catalog = (await auth.info()).catalog ?? [];
    // An unscoped token has no catalog, but Keystone itself is known.
    if (this.service === 'identity' && !catalog.some((e) => e.type === 'identity')) return keystoneRoot(config.authUrl);
    return chooseEndpoint(catalog, this.service, config);
  }

  /** The project of the token in use; undefined for a token of another scope. */
  async projectId(): Promise<string | undefined> {
    return (await this.#session.auth.info()).project?.id;
  }

  /** The microversions that the service offers; asked once and kept. */
  versions(options: CallOptions = {}): Promise<VersionRange> {
    this.#versions ??= this.#readVersions(options).catch((error) => {
      this.#versions = undefined;
      throw error;
    });
    return this.#versions;
  }

  async #readVersions(options: CallOptions): Promise<VersionRange> {
    const endpoint = await this.endpoint();
    const match = /^(.*\/(v\d+(?:\.\d+)?))(?:\/|$)/.exec(endpoint);
    const answer = await this.#session.transport.send({
      service: this.service,
      method: 'GET',
      url: new URL(`${match?.[1] ?? endpoint}/`),
      tokens: this.#session.auth,
      retries: options.retries,
    });
    return readVersionDocument(answer.body, match?.[2]);
  }

  /** The microversion that a call with these options would use; undefined for a service without microversions. */
  async microversion(
    options: CallOptions = {},
    need: { minimum?: string | undefined; what?: string | undefined } = {},
  ): Promise<string | undefined> {
    const { known } = SPECS[this.service];
    if (known === undefined) return undefined;
    return chooseMicroversion({
      service: this.service,
      offered: await this.versions(options),
      known,
      pinned: options.microversion ?? this.#session.config.microversions?.[this.service],
      ...need,
    });
  }

  /** Sends one request with token, microversion and retries; throws an OpenStackError for every status of 400 and more. */
  async request(request: ServiceRequest, options: CallOptions = {}): Promise<HttpResponse> {
    const { transport, auth, config } = this.#session;
    return await transport.send({
      service: this.service,
      method: request.method,
      url: new URL(config.authUrl),
      prepare: () => this.#prepare(request, options),
      body: request.body,
      idempotent: request.idempotent,
      raw: request.raw,
      tokens: auth,
      signal: options.signal,
      timeoutMs: options.timeoutMs,
      retries: options.retries,
    });
  }

  async #prepare(
    request: ServiceRequest,
    options: CallOptions,
  ): Promise<{ url: URL; headers: Record<string, string> }> {
    const headers: Record<string, string> = {};
    const version = await this.microversion(options, request);
    if (version !== undefined) {
      headers['openstack-api-version'] = `${SPECS[this.service].header} ${version}`;
      // Nova before 2.27 knows only its own header.
      if (this.service === 'compute') headers['x-openstack-nova-api-version'] = version;
    }
    const url = addQuery(new URL((await this.endpoint()) + request.path), request.query);
    return { url, headers: { ...headers, ...options.headers } };
  }

  /** Sends a request and gives the field of the answer's JSON object, or all of it without a key. */
  async json<T>(request: ServiceRequest, key: string | undefined, options?: CallOptions): Promise<T> {
    const { body, status } = await this.request(request, options);
    const value = key === undefined ? body : (body as Record<string, unknown> | undefined)?.[key];
    if (value === undefined) {
      throw new OpenStackError(
        `${this.service}: ${request.method} ${request.path}: the answer has no ${key === undefined ? 'JSON' : `'${key}'`}`,
        { service: this.service, method: request.method, status, mayHaveHappened: request.method !== 'GET' },
      );
    }
    return value as T;
  }

  /** A list, over all its pages. `limit` in the query is the size of a page. */
  list<T>(request: ListRequest, options?: CallOptions): Paged<T> {
    return new Paged<T>(() => this.#pages<T>(request, options));
  }

  async *#pages<T>(request: ListRequest, options: CallOptions | undefined): AsyncGenerator<T[]> {
    let query: Query | undefined = request.query;
    let marker: string | undefined;
    for (;;) {
      const { path, minimum, what } = request;
      const { body } = await this.request({ method: 'GET', path, query, minimum, what }, options);
      const answer = body as Record<string, unknown>;
      yield (answer[request.key] ?? []) as T[];
      const next = nextLink(answer, request.key);
      if (next === undefined || next === marker) return;
      marker = next;
      // Only the link's query is used: behind a proxy its host is often the service's own.
      query = { ...request.query, ...queryOfLink(next) };
    }
  }
}

/** The link to the next page in its four forms: `servers_links`, Keystone's `links.next`, Glance's `next`. */
function nextLink(answer: Record<string, unknown>, key: string): string | undefined {
  const links = answer[`${key}_links`] ?? answer.links;
  if (Array.isArray(links)) {
    return links.find((l: { rel?: unknown }) => l.rel === 'next')?.href as string | undefined;
  }
  const next = (links as { next?: unknown } | undefined)?.next ?? answer.next;
  return typeof next === 'string' && next !== '' ? next : undefined;
}
