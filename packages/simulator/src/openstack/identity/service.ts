import { type Answer, ApiError, type Call, jsonBody } from '../../core/message.ts';
import { Service } from '../../core/service.ts';
import { type Auth, type Cloud, header, type OpenStackService } from '../cloud.ts';
import { serveApplicationCredentials } from './application-credentials.ts';
import { serveAssignments } from './assignments.ts';
import { serveCredentials } from './credentials.ts';
import { serveMemberships } from './groups.ts';
import { serveImpliedRoles } from './implied-roles.ts';
import { serveIdentityRecords } from './records.ts';
import { serveProjectTags } from './tags.ts';
import { authenticate, issueToken, liveToken } from './tokens.ts';
import { catalogView, tokenView } from './view.ts';

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Keystone v3 under /identity (and its version list at /). */
export function identityService(cloud: Cloud): OpenStackService {
  const service: OpenStackService = new Service<Auth>({
    name: 'keystone',
    prefix: 'identity',
    authenticate: authenticate(cloud, 'identity'),
    renderError: (_call, e) => ({
      status: e.status,
      json: { error: { code: e.status, message: e.message, title: titles[e.status] ?? 'Error' } },
    }),
    decorate: (call, headers) => {
      headers['x-openstack-request-id'] = call.requestId;
      headers.Vary = 'X-Auth-Token';
    },
  });
  const version = () => ({
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${cloud.base}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  });
  service.open('GET', '/', 'keystone.version.list', () => ({
    status: 300,
    json: { versions: { values: [version()] } },
    headers: { Location: `${cloud.base}/identity/v3/` },
  }));
  service.open('GET', '/v3', 'keystone.version.show', () => ({ status: 200, json: { version: version() } }));

  service.open('POST', '/v3/auth/tokens', 'keystone.token.create', (call) => {
    const body = jsonBody(
      call,
      'Expecting to find auth in request body. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.',
    );
    const token = issueToken(cloud, body);
    return {
      status: 201,
      headers: { 'X-Subject-Token': token.id },
      json: { token: tokenView(cloud, token, !call.query.has('nocatalog')) },
    };
  });
  service.on('GET', '/v3/auth/tokens', 'keystone.token.show', (call, auth) => {
    const token = subjectToken(cloud, call, auth);
    return {
      status: 200,
      headers: { 'X-Subject-Token': token.id },
      json: { token: tokenView(cloud, token, !call.query.has('nocatalog')) },
    };
  });
  service.on('DELETE', '/v3/auth/tokens', 'keystone.token.delete', (call, auth) => {
    cloud.identity.tokens.delete(subjectToken(cloud, call, auth).id);
    return { status: 204 };
  });
  service.on('GET', '/v3/auth/catalog', 'keystone.catalog.show', (_call, auth) => {
    if (!auth.token.projectId && !auth.token.domainId && !auth.token.system)
      throw forbidden('identity:get_auth_catalog');
    return { status: 200, json: { catalog: catalogView(cloud, auth.token), links: links(cloud, '/auth/catalog') } };
  });
  service.on('GET', '/v3/auth/projects', 'keystone.auth_project.list', (_call, auth) => {
    const ids = new Set(
      [...cloud.identity.assignmentsOf(auth.userId)].flatMap((a) => (a.projectId ? [a.projectId] : [])),
    );
    const projects = [...ids].flatMap((id) => cloud.identity.projects.get(id) ?? []).filter((p) => p.enabled);
    return {
      status: 200,
      json: { links: links(cloud, '/auth/projects'), projects: projects.map((p) => projectRef(cloud, p)) },
    };
  });
  service.on('GET', '/v3/auth/domains', 'keystone.auth_domain.list', (_call, auth) => {
    const ids = new Set(
      [...cloud.identity.assignmentsOf(auth.userId)].flatMap((a) => (a.domainId ? [a.domainId] : [])),
    );
    return {
      status: 200,
      json: {
        links: links(cloud, '/auth/domains'),
        domains: [...ids].flatMap((id) => cloud.identity.domains.get(id) ?? []),
      },
    };
  });
  service.on('GET', '/v3/auth/system', 'keystone.auth_system.list', (_call, auth) => ({
    status: 200,
    json: { links: links(cloud, '/auth/system'), system: auth.isAdmin ? [{ all: true }] : [] },
  }));
  serveIdentityRecords(service, cloud);
  serveAssignments(service, cloud);
  serveMemberships(service, cloud);
  serveImpliedRoles(service, cloud);
  serveProjectTags(service, cloud);
  serveCredentials(service, cloud);
  serveApplicationCredentials(service, cloud);
  return service;
}

function subjectToken(cloud: Cloud, call: Call, auth: Auth) {
  const id = header(call, 'x-subject-token');
  const token = liveToken(cloud, id);
  if (!token) throw new ApiError(404, 'Failed to validate token');
  if (token.userId !== auth.userId && !auth.isAdmin) throw forbidden('identity:validate_token');
  return token;
}

function forbidden(action: string): ApiError {
  return new ApiError(403, `You are not authorized to perform the requested action: ${action}.`);
}

function links(cloud: Cloud, path: string): Answer['json'] {
  return { next: null, self: `${cloud.base}/identity/v3${path}`, previous: null };
}

function projectRef(
  cloud: Cloud,
  p: { id: string; name: string; domain_id: string | null; description: string; enabled: boolean },
) {
  return {
    id: p.id,
    name: p.name,
    domain_id: p.domain_id,
    description: p.description,
    enabled: p.enabled,
    parent_id: p.domain_id,
    is_domain: false,
    tags: [],
    options: {},
    links: { self: `${cloud.base}/identity/v3/projects/${p.id}` },
  };
}
