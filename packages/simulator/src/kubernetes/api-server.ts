import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAdmission } from './admission/webhooks.ts';
import { type AuthenticationOptions, Authenticator, impersonated } from './auth/authenticate.ts';
import { type Attributes, Authorizer, refusal } from './auth/authorize.ts';
import { refusingEscalation } from './auth/escalation.ts';
import { TokenSigner } from './auth/jwt.ts';
import { review } from './auth/reviews.ts';
import { bootstrap } from './bootstrap.ts';
import { Controllers } from './controllers/controllers.ts';
import { type DeprecatedApi, DeprecatedApis } from './http/deprecated-apis.ts';
import type { Admission } from './http/exchange.ts';
import { body, type Exchange } from './http/exchange.ts';
import { OpenApiCache } from './http/openapi-cache.ts';
import { handlePath, type PathOptions } from './http/paths.ts';
import { type RequestInfo, requestInfo } from './http/request-info.ts';
import { handleResource, targetOf } from './http/resource-handler.ts';
import { send, sendError, sendText } from './http/respond.ts';
import { cutOff } from './http/serve.ts';
import { bindTo, handleSubresource, type SubresourceOptions } from './http/subresources.ts';
import { LocalResource, type LocalType } from './local-client.ts';
import { checkKind } from './operations/checks.ts';
import { computed } from './registry/builtin-types.ts';
import { Registry } from './registry/registry.ts';
import * as realSchemas from './schema/index.ts';
import type { Schemas } from './schema-port.ts';
import type { Core } from './server-core.ts';
import { badRequest, forbidden, forbiddenPath, methodNotAllowed, StatusError } from './status.ts';
import { Disk } from './store/disk.ts';
import { Store } from './store/store.ts';
import type { Clock, User } from './types.ts';

/**
 * A fault for one request: an answer of our making (a text is sent as it is), no answer ever, a reset connection, or a deed whose answer is lost; undefined
 * lets it through.
 */
export type Intercepted =
  | { status: number; body?: unknown; headers?: Record<string, string> }
  | 'hang'
  | 'reset'
  | 'lostAnswer'
  | undefined;

/** How one request reaches the server. */
export interface Passage {
  /** The version that answers, where it is another than the server's own: of several servers of one cluster each has its own. */
  version?: string;
  /** Which of several servers of one cluster answers: each counts for itself what `/metrics` tells. */
  front?: { name: string; startedAtMs: number };
  /** The connection of a request that asks for another protocol, as Node's `upgrade` event gives it. */
  upgrade?: { socket: Duplex; head: Buffer };
}

/** How a simulated API server is made. Everything may be left out. */
export interface ApiServerOptions extends Pick<SubresourceOptions, 'mayEvict' | 'connect'> {
  /** In messages only; default `kubernetes`. */
  name?: string;
  /** Default `v1.35.4`. */
  version?: string;
  /** Directory in which objects are kept; without it they live in memory only. */
  directory?: string;
  /** Changes kept per kind for watches; older ones answer 410. Default 1000. */
  watchWindow?: number;
  authn?: AuthenticationOptions;
  /** Default `RBAC`. */
  authz?: 'RBAC' | 'AlwaysAllow';
  clock?: Clock;
  /** [0, 1); default Math.random. */
  random?: () => number;
  /** Default: those of Kubernetes 1.35. */
  schemas?: Schemas;
  /** Default `10.96.0.0/12`. */
  serviceCidr?: string;
  /** PEM, for the ConfigMap `kube-root-ca.crt` of every namespace. */
  rootCa?: string;
  /** Whether the builtin controllers run (garbage collection, namespaces, service accounts, events' end). Default true. */
  controllers?: boolean;
  /** Looks at each request before it is dealt with; for faults and latencies. */
  intercept?: (request: {
    method: string;
    path: string;
    info: RequestInfo;
    user: User | undefined;
  }) => Promise<Intercepted>;
}

// One object for all servers: what is computed once per process is kept by it.
const defaultSchemas: Schemas = realSchemas;

const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (fn, ms) => setTimeout(fn, Math.min(ms, 0x7fffffff)).unref(),
  clearTimeout: (handle) => clearTimeout(handle as NodeJS.Timeout),
};

/** A simulated kube-apiserver. It owns no socket: whoever listens passes requests to `handle`. */
export class ApiServer {
  readonly store: Store;
  private readonly core: Core;
  private readonly options: ApiServerOptions;
  private readonly authenticator: Authenticator;
  private readonly authorizer: Authorizer;
  private readonly admission: Admission;
  private readonly paths: PathOptions;
  private readonly subresources: SubresourceOptions;
  private readonly controllers: Controllers | undefined;
  private readonly disk: Disk | undefined;
  private readonly streams = new Set<() => void>();
  private readonly deprecated = new DeprecatedApis();

  constructor(options: ApiServerOptions) {
    this.options = options;
    this.store = new Store(options.watchWindow);
    this.disk = options.directory === undefined ? undefined : new Disk(options.directory, this.store);
    const clock = options.clock ?? systemClock;
    const schemas: Schemas = options.schemas ?? defaultSchemas;
    this.core = {
      name: options.name ?? 'kubernetes',
      store: this.store,
      registry: new Registry(schemas, this.store),
      schemas,
      clock,
      random: options.random ?? Math.random,
      serviceCidr: options.serviceCidr ?? '10.96.0.0/12',
    };
    const authn = options.authn ?? {};
    const signer = authn.serviceAccountKey === undefined ? undefined : new TokenSigner(authn.serviceAccountKey);
    const issuer = authn.issuer ?? 'https://kubernetes.default.svc.cluster.local';
    this.authenticator = new Authenticator(this.core, authn, signer);
    this.authorizer = new Authorizer(this.store, options.authz === 'AlwaysAllow');
    this.admission = refusingEscalation(createAdmission(this.core), this.authorizer, this.store);
    this.paths = {
      version: options.version ?? 'v1.35.4',
      openApi: new OpenApiCache(this.core.registry, schemas),
      jwks: signer ? [signer.jwk()] : [],
      issuer,
      startedAtMs: clock.now(),
      deprecatedApis: (front) => this.deprecated.of(front),
    };
    this.subresources = {
      signer,
      issuer,
      ...(options.mayEvict ? { mayEvict: options.mayEvict } : {}),
      ...(options.connect ? { connect: options.connect } : {}),
    };
    bootstrap(this.core);
    this.controllers = options.controllers === false ? undefined : new Controllers(this.core, options.rootCa);
  }

  /** Direct access to one kind, for the simulation's own parts. */
  resource(type: LocalType): LocalResource {
    return new LocalResource(this.core, type);
  }

  /**
   * Notes that somebody asked for a deprecated API: `/metrics` tells it until the server ends.
   *
   * @param front - the one of several servers that was asked; without it each tells it
   */
  noteDeprecated(api: DeprecatedApi, front?: string): void {
    this.deprecated.note(api, front);
  }

  /** How many watches and other streams are open. */
  get openStreams(): number {
    return this.streams.size;
  }

  /** Forgets all past changes: watches that resume get 410. */
  compact(): void {
    this.store.compact();
  }

  /** Ends all open watches, as a restart does; clients come again. */
  dropStreams(): void {
    for (const end of [...this.streams]) end();
  }

  /** Ends all streams and timers, and makes what is kept on disk durable. */
  close(): void {
    this.controllers?.stop();
    this.dropStreams();
    this.disk?.close();
  }

  /** Answers one request; never throws. A client certificate counts when the socket has verified it. */
  async handle(request: IncomingMessage, response: ServerResponse, passage: Passage = {}): Promise<void> {
    const { version, front } = passage;
    const upgrade = passage.upgrade && { ...passage.upgrade, taken: false };
    // A client that goes away mid-answer is no error of ours.
    response.on('error', () => undefined);
    try {
      const info = requestInfo(request);
      if (await this.intercepted(request, response, info)) return;
      response.setHeader('audit-id', crypto.randomUUID());
      const user = this.identify(request);
      await this.answer({
        core: this.core,
        admission: this.admission,
        request,
        response,
        info,
        user,
        version,
        front,
        upgrade,
      });
    } catch (error) {
      if (upgrade?.taken) return void upgrade.socket.destroy();
      // What the client still sends is read, so that it gets the answer.
      request.resume();
      sendError(response, error);
    }
  }

  /** Answers a request that asks for another protocol: Node's `upgrade` event. Never throws. */
  async handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, passage: Passage = {}): Promise<void> {
    socket.on('error', () => undefined);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end());
    await this.handle(request, response, { ...passage, upgrade: { socket, head } });
  }

  private async intercepted(request: IncomingMessage, response: ServerResponse, info: RequestInfo): Promise<boolean> {
    if (!this.options.intercept) return false;
    let user: User | undefined;
    try {
      user = this.authenticator.authenticate(request);
    } catch {
      user = undefined;
    }
    const fault = await this.options.intercept({ method: request.method ?? 'GET', path: info.path, info, user });
    if (fault === undefined) return false;
    if (fault === 'hang') {
      const end = (): void => void response.destroy();
      this.streams.add(end);
      response.on('close', () => this.streams.delete(end));
    } else if (fault === 'reset') {
      cutOff(request, response);
    } else if (fault === 'lostAnswer') {
      const lose = (): ServerResponse => {
        cutOff(request, response);
        return response;
      };
      Object.assign(response, { end: lose, write: () => lose() && false });
      return false;
    } else {
      for (const [name, value] of Object.entries(fault.headers ?? {})) response.setHeader(name, value);
      request.resume();
      if (typeof fault.body === 'string') sendText(response, fault.status, fault.body);
      else
        send(
          response,
          fault.status,
          fault.body ?? new StatusError(fault.status, 'InternalError', 'a fault that was ordered').body(),
        );
    }
    return true;
  }

  private identify(request: IncomingMessage): User {
    const user = this.authenticator.authenticate(request);
    const other = impersonated(request);
    if (!other) return user;
    const wants = (plural: string, name: string): void => {
      const a: Attributes = {
        user,
        verb: 'impersonate',
        resource: { group: '', plural, subresource: '', namespace: '', name },
      };
      if (!this.authorizer.allowed(a)) throw forbidden({ group: '', plural }, name, refusal(a));
    };
    wants('users', other.name);
    for (const group of other.groups)
      if (group !== 'system:authenticated' && group !== 'system:unauthenticated') wants('groups', group);
    return other;
  }

  private authorize(x: Exchange, verb = x.info.verb): void {
    const { resource, path } = x.info;
    const a: Attributes = resource ? { user: x.user, verb, resource } : { user: x.user, verb, path };
    if (this.authorizer.allowed(a)) return;
    if (!resource) throw forbiddenPath(x.user.name, verb, path);
    throw forbidden({ group: resource.group, plural: resource.plural }, resource.name, refusal(a));
  }

  private async answer(x: Exchange): Promise<void> {
    this.authorize(x);
    if (!x.info.resource) return handlePath(x, this.paths);
    const target = targetOf(x);
    if (!target) {
      x.request.resume();
      return sendText(x.response, 404, '404 page not found\n');
    }
    const { subresource, plural, group } = x.info.resource;
    const { deprecationWarning: warning, version } = target.version;
    if (warning) {
      x.response.appendHeader('warning', `299 - "${warning}"`);
      this.noteDeprecated({ group, version, resource: plural, subresource, removedRelease: '' }, x.front?.name);
    }
    if (computed.has(target.type.table)) return this.compute(x, plural);
    // By WebSocket these are GETs; since 1.35 that takes the right to create them too.
    if (plural === 'pods' && ['exec', 'attach', 'portforward'].includes(subresource)) this.authorize(x, 'create');
    if (subresource !== '') return handleSubresource(x, target, subresource, this.subresources);
    return handleResource(x, target, (end) => {
      this.streams.add(end);
      return () => this.streams.delete(end);
    });
  }

  /** Kinds that are only answers. */
  private async compute(x: Exchange, plural: string): Promise<void> {
    if (x.info.verb !== 'create') throw methodNotAllowed();
    const target = targetOf(x);
    if (!target) throw badRequest('nothing is served at this path');
    const posted = checkKind(target, await body(x));
    if (plural === 'bindings') {
      const pods = this.core.registry.find('', 'v1', 'pods');
      if (pods) bindTo(x, { ...pods, namespace: target.namespace }, posted.metadata.name, posted);
      return;
    }
    send(
      x.response,
      201,
      review(x, { authenticator: this.authenticator, authorizer: this.authorizer }, plural, posted),
    );
  }
}

/** Makes a simulated kube-apiserver. */
export const createApiServer = (options: ApiServerOptions): ApiServer => new ApiServer(options);
