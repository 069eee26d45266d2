import { Collection } from '../collection.ts';
import { path } from '../http/query.ts';
import type { Paged } from '../paged.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions, Query } from '../types.ts';
import type { TokenInfo } from './auth.ts';
import type {
  AccessRule,
  ApplicationCredential,
  ApplicationCredentialCreate,
  Project,
  ProjectCreate,
  RegionInfo,
  Role,
  User,
  UserCreate,
} from './types.ts';

/** Keystone. */
export class Identity {
  /** For calls that have no method here. */
  readonly client: ServiceClient;
  readonly projects: Collection<Project, ProjectCreate, Partial<ProjectCreate>>;
  readonly users: Collection<User, UserCreate, Partial<UserCreate>>;
  readonly roles: Collection<Role, { name: string; domain_id?: string; description?: string }, { name?: string }>;
  readonly regions: Collection<RegionInfo, { id?: string; description?: string }, { description?: string }>;
  readonly applicationCredentials: ApplicationCredentials;
  readonly #session: Session;

  constructor(session: Session) {
    const client = new ServiceClient(session, 'identity');
    const updateMethod = 'PATCH';
    this.client = client;
    this.#session = session;
    this.projects = new Collection(client, { path: '/projects', one: 'project', many: 'projects', updateMethod });
    this.users = new Collection(client, { path: '/users', one: 'user', many: 'users', updateMethod });
    this.roles = new Collection(client, { path: '/roles', one: 'role', many: 'roles', updateMethod });
    this.regions = new Collection(client, { path: '/regions', one: 'region', many: 'regions', updateMethod });
    this.applicationCredentials = new ApplicationCredentials(client, session);
  }

  /** Content of the token in use (user, project, roles, catalog, expiry), as Keystone gave it at log-in; nothing is sent for it. */
  token(): Promise<TokenInfo> {
    return this.#session.auth.info();
  }

  /** Asks Keystone whether a token is good, by default the own one, and for its content. NotFoundError when it is not. */
  async validateToken(token?: string, options?: CallOptions): Promise<TokenInfo> {
    const subject = token ?? (await this.#session.auth.token());
    const headers = { ...options?.headers, 'x-subject-token': subject };
    return this.client.json<TokenInfo>({ method: 'GET', path: '/auth/tokens' }, 'token', { ...options, headers });
  }

  /** Ends a token at once, by default the own one; the next call logs in again. */
  async revokeToken(token?: string, options?: CallOptions): Promise<void> {
    const subject = token ?? (await this.#session.auth.token());
    const headers = { ...options?.headers, 'x-subject-token': subject };
    await this.client.request({ method: 'DELETE', path: '/auth/tokens' }, { ...options, headers });
    this.#session.auth.invalidate(subject);
  }

  /** Projects that the user may ask a token for. */
  ownProjects(options?: CallOptions): Paged<Project> {
    return this.client.list({ path: '/auth/projects', key: 'projects' }, options);
  }

  /** Gives a user a role in a project; no harm when it has it already. */
  async grantRole(grant: { projectId: string; userId: string; roleId: string }, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'PUT', path: grantPath(grant) }, options);
  }

  /** NotFoundError when the user does not have it. */
  async revokeRole(grant: { projectId: string; userId: string; roleId: string }, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'DELETE', path: grantPath(grant) }, options);
  }
}

function grantPath(grant: { projectId: string; userId: string; roleId: string }): string {
  return path`/projects/${grant.projectId}/users/${grant.userId}/roles/${grant.roleId}`;
}

/**
 * Application credentials of a user, by default the own one. They belong to the user and to the project of the token that makes them, and cannot be
 * changed, only made and deleted. Source: https://docs.openstack.org/api-ref/identity/v3/#application-credentials
 */
export class ApplicationCredentials {
  readonly #client: ServiceClient;
  readonly #session: Session;

  constructor(client: ServiceClient, session: Session) {
    this.#client = client;
    this.#session = session;
  }

  async #user(options: { userId?: string } | undefined): Promise<string> {
    return options?.userId ?? (await this.#session.auth.info()).user.id;
  }

  /** Those of that name, which is one at most, or all, of whatever project. */
  async list(
    query?: Query & { name?: string },
    options?: CallOptions & { userId?: string },
  ): Promise<ApplicationCredential[]> {
    const url = path`/users/${await this.#user(options)}/application_credentials`;
    return this.#client
      .list<ApplicationCredential>({ path: url, key: 'application_credentials', query }, options)
      .all();
  }

  /** Without its secret, which is told once. NotFoundError when there is none. */
  async get(id: string, options?: CallOptions & { userId?: string }): Promise<ApplicationCredential> {
    const url = path`/users/${await this.#user(options)}/application_credentials/${id}`;
    return this.#client.json({ method: 'GET', path: url }, 'application_credential', options);
  }

  /**
   * The secret is in this answer only. ConflictError when the user has one of that name; ForbiddenError for another user's, and for who has
   * logged in with an application credential that is restricted.
   */
  async create(
    body: ApplicationCredentialCreate,
    options?: CallOptions & { userId?: string },
  ): Promise<ApplicationCredential & { secret: string }> {
    const url = path`/users/${await this.#user(options)}/application_credentials`;
    const request = { method: 'POST', path: url, body: { application_credential: body } } as const;
    return this.#client.json(request, 'application_credential', options);
  }

  /**
   * Its tokens stop at once in Keystone; a service that remembers tokens takes them for some minutes more (`token_cache_time`). ForbiddenError for who has logged in with a restricted one, and for another user's (but for an administrator).
   */
  async delete(id: string, options?: CallOptions & { userId?: string }): Promise<void> {
    const url = path`/users/${await this.#user(options)}/application_credentials/${id}`;
    await this.#client.request({ method: 'DELETE', path: url }, options);
  }

  /** The user's rules, which all credentials of the user share; they stay when a credential goes. */
  async accessRules(options?: CallOptions & { userId?: string }): Promise<AccessRule[]> {
    const url = path`/users/${await this.#user(options)}/access_rules`;
    return this.#client.list<AccessRule>({ path: url, key: 'access_rules' }, options).all();
  }

  /** ForbiddenError while a credential uses it. */
  async deleteAccessRule(id: string, options?: CallOptions & { userId?: string }): Promise<void> {
    const url = path`/users/${await this.#user(options)}/access_rules/${id}`;
    await this.#client.request({ method: 'DELETE', path: url }, options);
  }
}
