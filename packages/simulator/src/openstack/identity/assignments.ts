import { ApiError, isObject, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Assignment } from './state.ts';

/** Role assignments, a user's projects, passwords and the like. */
export function serveAssignments(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  const need = (auth: Auth, action: string, allowed = false) => {
    if (!auth.isAdmin && !allowed)
      throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
  };
  const links = (path: string) => ({ next: null, self: `${cloud.base}/identity/v3${path}`, previous: null });
  const domain = (id: string | null) => ({ id, name: identity.domains.get(id ?? '')?.name ?? 'Default' });

  service.on('GET', '/v3/role_assignments', 'keystone.role_assignment.list', (call, auth) => {
    need(auth, 'list_role_assignments');
    const q = call.query;
    const names = q.has('include_names') && q.get('include_names') !== 'false' && q.get('include_names') !== '0';
    const effective = q.has('effective');
    const out: unknown[] = [];
    for (const a of identity.assignments.values()) {
      if (q.has('user.id') && q.get('user.id') !== a.userId) continue;
      if (q.has('scope.project.id') && q.get('scope.project.id') !== a.projectId) continue;
      if (q.has('scope.domain.id') && q.get('scope.domain.id') !== a.domainId) continue;
      if (q.has('group.id') || q.has('scope.system')) continue;
      for (const roleId of effective ? identity.effectiveRoles(a.roleId) : [a.roleId]) {
        if (q.has('role.id') && q.get('role.id') !== roleId) continue;
        const user = identity.users.get(a.userId);
        const project = identity.projects.get(a.projectId ?? '');
        const target = `${a.projectId ? `projects/${a.projectId}` : `domains/${a.domainId}`}`;
        out.push({
          role: { id: roleId, ...(names ? { name: identity.roles.get(roleId)?.name, domain: null } : {}) },
          user: { id: a.userId, ...(names ? { name: user?.name, domain: domain(user?.domain_id ?? null) } : {}) },
          scope: a.projectId
            ? {
                project: {
                  id: a.projectId,
                  ...(names ? { name: project?.name, domain: domain(project?.domain_id ?? null) } : {}),
                },
              }
            : { domain: { id: a.domainId, ...(names ? { name: domain(a.domainId).name } : {}) } },
          links: { assignment: `${cloud.base}/identity/v3/${target}/users/${a.userId}/roles/${roleId}` },
        });
      }
    }
    return { status: 200, json: { role_assignments: out, links: links('/role_assignments') } };
  });

  for (const scope of ['projects', 'domains'] as const) {
    const key = scope === 'projects' ? 'projectId' : 'domainId';
    const base = `/v3/${scope}/{scope}/users/{user}/roles`;
    const found = (call: { params: Record<string, string> }): Assignment | undefined =>
      [...identity.assignments.by('user', call.params.user!)].find(
        (a) => a[key] === call.params.scope && a.roleId === call.params.role,
      );
    service.on('GET', base, 'keystone.grant.list', (call, auth) => {
      need(auth, 'list_grants');
      const roles = [...identity.assignments.by('user', call.params.user!)]
        .filter((a) => a[key] === call.params.scope)
        .map((a) => identity.roles.get(a.roleId)!);
      return {
        status: 200,
        json: {
          roles: roles.map((r) => ({ id: r.id, name: r.name, domain_id: r.domain_id, description: null, options: {} })),
          links: links('/roles'),
        },
      };
    });
    service.on('PUT', `${base}/{role}`, 'keystone.grant.create', (call, auth) => {
      need(auth, 'create_grant');
      const p = call.params;
      if (!identity[scope].get(p.scope!)) throw new ApiError(404, `Could not find ${scope.slice(0, -1)}: ${p.scope}.`);
      if (!identity.users.get(p.user!)) throw new ApiError(404, `Could not find user: ${p.user}.`);
      if (!identity.roles.get(p.role!)) throw new ApiError(404, `Could not find role: ${p.role}.`);
      if (!found(call))
        identity.assignments.save({
          id: cloud.ids.hex(32),
          userId: p.user!,
          roleId: p.role!,
          projectId: null,
          domainId: null,
          [key]: p.scope!,
        });
      return { status: 204 };
    });
    service.on('GET', `${base}/{role}`, 'keystone.grant.show', (call, auth) => {
      need(auth, 'check_grant');
      if (!found(call))
        throw new ApiError(
          404,
          `Could not find role assignment with role: ${call.params.role}, user or group: ${call.params.user}, project, domain, or system: ${call.params.scope}.`,
        );
      return { status: 204 };
    });
    service.on('DELETE', `${base}/{role}`, 'keystone.grant.delete', (call, auth) => {
      need(auth, 'revoke_grant');
      const a = found(call);
      if (!a)
        throw new ApiError(
          404,
          `Could not find role assignment with role: ${call.params.role}, user or group: ${call.params.user}, project, domain, or system: ${call.params.scope}.`,
        );
      identity.assignments.delete(a.id);
      for (const t of [...identity.tokens.by('user', a.userId)]) if (t[key] === a[key]) identity.tokens.delete(t.id);
      return { status: 204 };
    });
  }

  service.on('GET', '/v3/users/{id}/projects', 'keystone.user_project.list', (call, auth) => {
    need(auth, 'list_user_projects', call.params.id === auth.userId);
    const ids = new Set([...identity.assignments.by('user', call.params.id!)].flatMap((a) => a.projectId ?? []));
    const projects = [...ids].flatMap((id) => identity.projects.get(id) ?? []);
    return {
      status: 200,
      json: {
        projects: projects.map((p) => ({
          id: p.id,
          name: p.name,
          domain_id: p.domain_id,
          description: p.description,
          enabled: p.enabled,
          parent_id: p.parent_id,
          is_domain: false,
          tags: p.tags,
          options: {},
        })),
        links: links(`/users/${call.params.id}/projects`),
      },
    };
  });
  service.on('GET', '/v3/users/{id}/groups', 'keystone.user_group.list', (call, auth) => {
    need(auth, 'list_groups_for_user', call.params.id === auth.userId);
    return { status: 200, json: { groups: [], links: links(`/users/${call.params.id}/groups`) } };
  });
  service.on('POST', '/v3/users/{id}/password', 'keystone.user.password', (call, auth) => {
    const user = identity.users.get(call.params.id!);
    const body = jsonBody(call).user;
    if (!user || user.id !== auth.userId || !isObject(body))
      throw new ApiError(403, 'You are not authorized to perform the requested action: identity:change_password.');
    if (body.original_password !== user.password || typeof body.password !== 'string')
      throw new ApiError(401, 'The request you have made requires authentication.');
    user.password = body.password;
    for (const t of [...identity.tokens.by('user', user.id)]) identity.tokens.delete(t.id);
    return { status: 204 };
  });
}
