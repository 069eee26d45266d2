import { ApiError, type Call, isObject, jsonBody } from '../../core/message.ts';
import { type Auth, type Cloud, isoMicros, type OpenStackService } from '../cloud.ts';
import type { AccessRule, ApplicationCredential } from './state.ts';
import { accessRuleView } from './view.ts';

/** Application credentials and their access rules, under /v3/users/{user}. */
export function serveApplicationCredentials(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  const base = '/v3/users/{user}/application_credentials';
  const own = (call: Call, auth: Auth, action: string, orAdmin: boolean) => {
    if (call.params.user !== auth.userId && !(orAdmin && auth.isAdmin)) throw forbidden(action);
  };
  const restricted = (auth: Auth) => {
    const credential = identity.applicationCredentials.get(auth.token.applicationCredentialId ?? '');
    if (credential && !credential.unrestricted)
      throw new ApiError(
        403,
        "You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional application credentials..",
      );
  };
  const find = (call: Call): ApplicationCredential => {
    const c = identity.applicationCredentials.get(call.params.id!);
    if (!c || c.userId !== call.params.user)
      throw new ApiError(404, `Could not find Application Credential: ${call.params.id}.`);
    return c;
  };
  const view = (c: ApplicationCredential) => ({
    id: c.id,
    name: c.name,
    description: c.description,
    user_id: c.userId,
    project_id: c.projectId,
    system: null,
    roles: c.roleIds.map((id) => ({
      id,
      name: identity.roles.get(id)?.name ?? id,
      domain_id: null,
      description: null,
      options: {},
    })),
    unrestricted: c.unrestricted,
    expires_at: c.expiresAt === null ? null : isoMicros(c.expiresAt),
    ...(c.accessRules ? { access_rules: identity.rulesOf(c)?.map(accessRuleView) } : {}),
    links: { self: `${cloud.base}/identity/v3/users/${c.userId}/application_credentials/${c.id}` },
  });

  service.on('GET', base, 'keystone.application_credential.list', (call, auth) => {
    own(call, auth, 'list_application_credentials', true);
    const name = call.query.get('name');
    const rows = [...identity.applicationCredentials.by('user', call.params.user!)].filter(
      (c) => name === null || c.name === name,
    );
    return {
      status: 200,
      json: {
        application_credentials: rows.map(view),
        links: { next: null, self: `${cloud.base}/identity${call.path}`, previous: null },
      },
    };
  });
  service.on('POST', base, 'keystone.application_credential.create', (call, auth) => {
    own(call, auth, 'create_application_credential', false);
    restricted(auth);
    const body = jsonBody(call).application_credential;
    if (!isObject(body)) throw new ApiError(400, "'application_credential' is a required property");
    if (typeof body.name !== 'string' || body.name === '')
      throw new ApiError(400, "Invalid input for field 'name': None is not of type 'string'");
    if (auth.projectId === '') throw forbidden('create_application_credential');
    for (const c of identity.applicationCredentials.by('user', auth.userId)) {
      if (c.name === body.name)
        throw new ApiError(
          409,
          `Conflict occurred attempting to store application_credential - Duplicate entry found with name ${c.name}.`,
        );
    }
    const expiresAt =
      typeof body.expires_at === 'string'
        ? Date.parse(/Z|[+-]\d\d:?\d\d$/.test(body.expires_at) ? body.expires_at : `${body.expires_at}Z`)
        : null;
    if (expiresAt !== null && !(expiresAt > cloud.clock.now()))
      throw new ApiError(
        400,
        "The 'expires_at' must not be before now. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.",
      );
    const row: ApplicationCredential = {
      id: cloud.ids.hex(32),
      name: body.name,
      description: typeof body.description === 'string' ? body.description : '',
      secret: typeof body.secret === 'string' ? body.secret : cloud.ids.hex(86),
      userId: auth.userId,
      projectId: auth.projectId,
      roleIds: rolesOf(cloud, auth, body.roles),
      unrestricted: body.unrestricted === true,
      expiresAt,
      accessRules: rulesOf(cloud, auth, body.access_rules),
    };
    identity.applicationCredentials.save(row);
    return { status: 201, json: { application_credential: { ...view(row), secret: row.secret } } };
  });
  service.on('GET', `${base}/{id}`, 'keystone.application_credential.show', (call, auth) => {
    own(call, auth, 'get_application_credential', true);
    return { status: 200, json: { application_credential: view(find(call)) } };
  });
  service.on('DELETE', `${base}/{id}`, 'keystone.application_credential.delete', (call, auth) => {
    own(call, auth, 'delete_application_credential', true);
    restricted(auth);
    const c = find(call);
    identity.applicationCredentials.delete(c.id);
    for (const t of [...identity.tokens.by('credential', c.id)]) identity.tokens.delete(t.id);
    return { status: 204 };
  });
  const rule = (call: Call): AccessRule => {
    const found = identity.accessRules.get(call.params.id!);
    if (found?.userId !== call.params.user) throw new ApiError(404, `Could not find Access Rule: ${call.params.id}.`);
    return found!;
  };
  service.on('GET', '/v3/users/{user}/access_rules', 'keystone.access_rule.list', (call, auth) => {
    own(call, auth, 'list_access_rules', true);
    return {
      status: 200,
      json: {
        access_rules: [...identity.accessRules.by('user', call.params.user!)].map(accessRuleView),
        links: { next: null, self: `${cloud.base}/identity${call.path}`, previous: null },
      },
    };
  });
  service.on('GET', '/v3/users/{user}/access_rules/{id}', 'keystone.access_rule.show', (call, auth) => {
    own(call, auth, 'get_access_rule', true);
    return { status: 200, json: { access_rule: accessRuleView(rule(call)) } };
  });
  service.on('DELETE', '/v3/users/{user}/access_rules/{id}', 'keystone.access_rule.delete', (call, auth) => {
    own(call, auth, 'delete_access_rule', true);
    const { id, userId } = rule(call);
    for (const c of identity.applicationCredentials.by('user', userId))
      if (c.accessRules?.includes(id)) throw new ApiError(403, 'May not delete access rule in use');
    identity.accessRules.delete(id);
    return { status: 204 };
  });
}

function rolesOf(cloud: Cloud, auth: Auth, wanted: unknown): string[] {
  if (!Array.isArray(wanted) || wanted.length === 0) return auth.token.roleIds;
  return wanted.filter(isObject).map((ref) => {
    const role =
      typeof ref.id === 'string'
        ? cloud.identity.roles.get(ref.id)
        : [...cloud.identity.roles.by('name', String(ref.name))][0];
    if (!role) throw new ApiError(404, `Could not find role: ${String(ref.id ?? ref.name)}.`);
    if (!auth.token.roleIds.includes(role.id))
      throw new ApiError(
        400,
        'Invalid application credential: Cannot create an application credential with unassigned role',
      );
    // As they are named: what a role implies is not in the tokens of a credential.
    return role.id;
  });
}

const METHODS = ['POST', 'GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'];

/** IDs of the rules; one that the user has already is taken, and not made twice. An empty list is as good as none. */
function rulesOf(cloud: Cloud, auth: Auth, given: unknown): string[] | null {
  if (!Array.isArray(given) || given.length === 0) return null;
  return given.filter(isObject).map((rule) => accessRule(cloud, auth.userId, rule).id);
}

function accessRule(cloud: Cloud, userId: string, given: Record<string, unknown>): AccessRule {
  for (const key of ['service', 'method', 'path'] as const) {
    if (typeof given[key] !== 'string')
      throw new ApiError(400, `Invalid input for field 'access_rules': '${key}' is a required property`);
  }
  const { service, method, path } = given as Record<'service' | 'method' | 'path', string>;
  if (!METHODS.includes(method))
    throw new ApiError(
      400,
      `Invalid input for field 'method': '${method}' does not match '^(POST|GET|HEAD|PATCH|PUT|DELETE)$'`,
    );
  if (!path.startsWith('/'))
    throw new ApiError(400, `Invalid input for field 'path': '${path}' does not match '^\\/.*'`);
  for (const r of cloud.identity.accessRules.by('user', userId))
    if (r.service === service && r.method === method && r.path === path) return r;
  return cloud.identity.accessRules.save({ id: cloud.ids.hex(32), userId, service, method, path });
}

function forbidden(action: string): ApiError {
  return new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
}
