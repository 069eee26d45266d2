import { ApiError, type Call, isObject, type Json } from '../../core/message.ts';
import { type Auth, type Cloud, header } from '../cloud.ts';
import type { AccessRule, Token, User } from './state.ts';

const denied = 'The request you have made requires authentication.';

/** Keystone's 401, which tells nothing. */
export function unauthorized(cloud: Cloud): ApiError {
  return new ApiError(401, denied, 'Unauthorized', { 'WWW-Authenticate': `Keystone uri="${cloud.base}/identity"` });
}

/** The token if it is good now: known, not expired, its user, project and credential still there. */
export function liveToken(cloud: Cloud, id: string | undefined): Token | undefined {
  const { identity } = cloud;
  const token = id === undefined ? undefined : identity.tokens.get(id);
  if (!token) return undefined;
  if (token.expiresAt <= cloud.clock.now()) {
    identity.tokens.delete(token.id);
    return undefined;
  }
  if (!identity.users.get(token.userId)?.enabled) return undefined;
  if (token.projectId !== null && !identity.projects.get(token.projectId)?.enabled) return undefined;
  return token;
}

/** Who calls; 401 for a missing or bad token, or where the access rules of its application credential do not allow the call. */
export function authenticate(cloud: Cloud, serviceType: string): (call: Call) => Auth {
  return (call) => {
    const token = liveToken(cloud, header(call, 'x-auth-token'));
    if (!token) throw unauthorized(cloud);
    const credential =
      token.applicationCredentialId === null
        ? undefined
        : cloud.identity.applicationCredentials.get(token.applicationCredentialId);
    const rules = credential && cloud.identity.rulesOf(credential);
    // Keystone itself lets them make any call, as Zed does: only the other services look at the rules.
    if (rules && serviceType !== 'identity' && !rules.some((rule) => allows(rule, serviceType, call)))
      throw unauthorized(cloud);
    const isAdmin = token.roleIds.some((id) => cloud.identity.roles.get(id)?.name === 'admin');
    return { token, userId: token.userId, projectId: token.projectId ?? '', isAdmin };
  };
}

/** As keystonemiddleware reads a rule: the service's type in the catalog, the method, and a path in which `*` and `{x}` are one part, `**` any number. */
function allows(rule: AccessRule, serviceType: string, call: Call): boolean {
  if (rule.service !== serviceType) return false;
  if (rule.method !== call.method) return false;
  const pattern = rule.path
    .split(/(\*\*|\*|\{[^}]*\})/)
    .map((part) =>
      part === '**' ? '.*' : part === '*' || part.startsWith('{') ? '[^/]+' : part.replace(/[.+?^$()|[\]\\]/g, '\\$&'),
    )
    .join('');
  const expression = new RegExp(`^${pattern}$`);
  return expression.test(call.path) || expression.test(call.fullPath);
}

/** Makes a token from the body of POST /v3/auth/tokens. */
export function issueToken(cloud: Cloud, body: Json): Token {
  const auth = part(body, 'auth');
  const identityPart = part(auth, 'identity', 'auth');
  const methods = identityPart.methods;
  if (!Array.isArray(methods) || methods.length === 0) throw invalid("'methods' is a required property");
  let user: User | undefined;
  let expiresAt = cloud.clock.now() + cloud.config.tokenSeconds * 1000;
  let usedMethods: string[] = [];
  let credentialId: string | null = null;
  let previous: Token | undefined;
  for (const method of methods as unknown[]) {
    if (method === 'password') {
      const given = part(part(identityPart, 'password', 'identity'), 'user', 'password');
      user = cloud.identity.findUser(given);
      if (!user?.enabled || typeof given.password !== 'string' || given.password !== user.password)
        throw unauthorized(cloud);
      usedMethods.push('password');
    } else if (method === 'token') {
      const id = part(identityPart, 'token', 'identity').id;
      previous = liveToken(cloud, typeof id === 'string' ? id : undefined);
      // A credential's token stays with its project.
      if (!previous || previous.applicationCredentialId !== null) throw unauthorized(cloud);
      user = cloud.identity.users.get(previous.userId);
      expiresAt = previous.expiresAt;
      usedMethods = [...new Set(['token', ...previous.methods])];
    } else if (method === 'application_credential') {
      const credential = findCredential(cloud, part(identityPart, 'application_credential', 'identity'));
      if (!credential) throw unauthorized(cloud);
      user = cloud.identity.users.get(credential.userId);
      credentialId = credential.id;
      if (credential.expiresAt !== null) expiresAt = Math.min(expiresAt, credential.expiresAt);
      usedMethods.push('application_credential');
    } else {
      throw new ApiError(401, `Attempted to authenticate with an unsupported method.`, 'Unauthorized');
    }
  }
  if (!user?.enabled) throw unauthorized(cloud);
  const token: Token = {
    id: `gAAAAA${cloud.ids.hex(178)}`,
    methods: usedMethods,
    userId: user.id,
    projectId: null,
    domainId: null,
    system: false,
    roleIds: [],
    issuedAt: cloud.clock.now(),
    expiresAt,
    auditIds: [cloud.ids.hex(22), ...(previous ? previous.auditIds.slice(-1) : [])],
    applicationCredentialId: credentialId,
  };
  scope(cloud, token, user, auth.scope);
  return cloud.identity.tokens.save(token);
}

function findCredential(cloud: Cloud, given: Json) {
  const { identity } = cloud;
  let found = typeof given.id === 'string' ? identity.applicationCredentials.get(given.id) : undefined;
  // Keystone tells this much.
  if (typeof given.id === 'string' && !found)
    throw new ApiError(404, `Could not find Application Credential: ${given.id}.`);
  if (given.id === undefined && isObject(given.user)) {
    const owner = identity.findUser(given.user);
    if (owner)
      for (const c of identity.applicationCredentials.by('user', owner.id)) if (c.name === given.name) found = c;
  }
  if (!found || found.secret !== given.secret) return undefined;
  if (found.expiresAt !== null && found.expiresAt <= cloud.clock.now()) return undefined;
  return found;
}

function scope(cloud: Cloud, token: Token, user: User, wanted: unknown): void {
  const { identity } = cloud;
  if (token.applicationCredentialId !== null) {
    const credential = identity.applicationCredentials.get(token.applicationCredentialId)!;
    if (wanted !== undefined && wanted !== 'unscoped')
      throw new ApiError(401, 'Application credentials cannot request a scope.', 'Unauthorized');
    token.projectId = credential.projectId;
    token.roleIds = credential.roleIds.filter((id) =>
      identity.rolesOf(user.id, { projectId: credential.projectId }).includes(id),
    );
    if (token.roleIds.length === 0) throw unauthorized(cloud);
    return;
  }
  if (wanted === undefined) {
    if (user.default_project_id === null) return;
    const roles = identity.rolesOf(user.id, { projectId: user.default_project_id });
    if (roles.length === 0) return;
    token.projectId = user.default_project_id;
    token.roleIds = roles;
    return;
  }
  if (wanted === 'unscoped' || (isObject(wanted) && 'unscoped' in wanted)) return;
  if (!isObject(wanted)) throw invalid("'scope' is of the wrong type");
  if (isObject(wanted.project)) {
    const project = identity.findProject(wanted.project);
    if (!project?.enabled) throw unauthorized(cloud);
    token.projectId = project.id;
    token.roleIds = identity.rolesOf(user.id, { projectId: project.id });
  } else if (isObject(wanted.domain)) {
    const domain = identity.findDomain(wanted.domain);
    if (!domain?.enabled) throw unauthorized(cloud);
    token.domainId = domain.id;
    token.roleIds = identity.rolesOf(user.id, { domainId: domain.id });
  } else if (isObject(wanted.system)) {
    token.system = true;
    token.roleIds = identity.rolesOf(user.id, { system: true });
  } else {
    throw invalid('scope must have project, domain or system');
  }
  if (token.roleIds.length === 0) throw unauthorized(cloud);
}

function part(parent: Json, name: string, where = ''): Json {
  const value = parent[name];
  if (!isObject(value))
    throw invalid(
      `Expecting to find ${name} in ${where || 'the request body'}. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.`,
    );
  return value;
}

function invalid(message: string): ApiError {
  return new ApiError(400, message, 'Bad Request');
}
