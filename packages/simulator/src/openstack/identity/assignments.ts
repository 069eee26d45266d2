import { ApiError, type Call, isObject, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Assignment, Project } from './state.ts';

const targets = { projects: 'projectId', domains: 'domainId', system: 'system' } as const;
const actors = { users: 'userId', groups: 'groupId' } as const;

/** One family of grants: `/v3/<target>/{scope}/<actor>/{actor}/roles`, and under OS-INHERIT those that children inherit. */
interface Family {
  target: keyof typeof targets;
  actor: keyof typeof actors;
  inherited: boolean;
}

function* families(): Generator<Family> {
  for (const target of Object.keys(targets) as Family['target'][]) {
    for (const actor of Object.keys(actors) as Family['actor'][]) {
      yield { target, actor, inherited: false };
      if (target !== 'system') yield { target, actor, inherited: true };
    }
  }
}

const forbid = (auth: Auth, action: string, allowed = false): void => {
  if (!auth.isAdmin && !allowed)
    throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
};

/** Role assignments, their list, a user's projects and password. */
export function serveAssignments(service: OpenStackService, cloud: Cloud): void {
  for (const family of families()) serveGrants(service, cloud, family);
  serveAssignmentList(service, cloud);
  serveUserViews(service, cloud);
}

function serveGrants(service: OpenStackService, cloud: Cloud, { target, actor, inherited }: Family): void {
  const { identity } = cloud;
  const scope = target === 'system' ? '/system' : `/${target}/{scope}`;
  const base = `/v3${inherited ? '/OS-INHERIT' : ''}${scope}/${actor}/{actor}/roles`;
  const tail = inherited ? '/inherited_to_projects' : '';
  const own = (call: Call): Assignment[] =>
    [...identity.assignments.by(actor === 'users' ? 'user' : 'group', call.params.actor!)].filter(
      (a) => a.inherited === inherited && (target === 'system' ? a.system : a[targets[target]] === call.params.scope),
    );
  const check = (call: Call): void => {
    const { scope: on, actor: who, role } = call.params;
    if (target !== 'system' && !identity[target].get(on!))
      throw new ApiError(404, `Could not find ${target.slice(0, -1)}: ${on}.`);
    if (!identity[actor].get(who!)) throw new ApiError(404, `Could not find ${actor.slice(0, -1)}: ${who}.`);
    if (role !== undefined && !identity.roles.get(role)) throw new ApiError(404, `Could not find role: ${role}.`);
  };
  const find = (call: Call): Assignment => {
    const { scope: on, actor: who, role } = call.params;
    const found = own(call).find((a) => a.roleId === role);
    if (!found)
      throw new ApiError(
        404,
        `Could not find role assignment with role: ${role}, user or group: ${who}, project, domain, or system: ${on ?? 'system'}.`,
      );
    return found;
  };

  service.on('GET', `${base}${tail}`, 'keystone.grant.list', (call, auth) => {
    forbid(auth, 'list_grants');
    check(call);
    const roles = own(call).flatMap((a) => identity.roles.get(a.roleId) ?? []);
    return {
      status: 200,
      json: {
        roles: roles.map((r) => ({ id: r.id, name: r.name, domain_id: r.domain_id, description: null, options: {} })),
        links: { next: null, self: `${cloud.base}/identity${call.path}`, previous: null },
      },
    };
  });
  service.on('PUT', `${base}/{role}${tail}`, 'keystone.grant.create', (call, auth) => {
    forbid(auth, 'create_grant');
    check(call);
    if (!own(call).some((a) => a.roleId === call.params.role)) {
      identity.assignments.save({
        id: cloud.ids.hex(32),
        roleId: call.params.role!,
        userId: actor === 'users' ? call.params.actor! : null,
        groupId: actor === 'groups' ? call.params.actor! : null,
        projectId: target === 'projects' ? call.params.scope! : null,
        domainId: target === 'domains' ? call.params.scope! : null,
        system: target === 'system',
        inherited,
      });
    }
    return { status: 204 };
  });
  service.on('GET', `${base}/{role}${tail}`, 'keystone.grant.show', (call, auth) => {
    forbid(auth, 'check_grant');
    check(call);
    find(call);
    return { status: 204 };
  });
  service.on('DELETE', `${base}/{role}${tail}`, 'keystone.grant.delete', (call, auth) => {
    forbid(auth, 'revoke_grant');
    const a = find(call);
    identity.assignments.delete(a.id);
    // What was granted through it ends now, not when the token does.
    const users =
      a.userId === null ? [...identity.memberships.by('group', a.groupId ?? '')].map((m) => m.userId) : [a.userId];
    for (const user of users) {
      for (const t of [...identity.tokens.by('user', user)]) {
        if (a.system ? t.system : a.inherited || (t.projectId === a.projectId && t.domainId === a.domainId))
          identity.tokens.delete(t.id);
      }
    }
    return { status: 204 };
  });
}

function serveAssignmentList(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  const isSet = (q: URLSearchParams, name: string): boolean =>
    q.has(name) && !['false', '0'].includes(q.get(name) ?? '');
  const domainName = (id: string | null) => ({ id, name: identity.domains.get(id ?? '')?.name ?? 'Default' });

  service.on('GET', '/v3/role_assignments', 'keystone.role_assignment.list', (call, auth) => {
    forbid(auth, 'list_role_assignments');
    const q = call.query;
    const names = isSet(q, 'include_names');
    const effective = isSet(q, 'effective');
    if (effective && q.has('group.id'))
      throw new ApiError(400, 'Combining effective and group filter will always result in an empty list.');
    const projectId = q.get('scope.project.id');
    const below = isSet(q, 'include_subtree') ? subtree(identity.projects.values(), projectId) : new Set([projectId]);
    const titled = (row: { id: string; name: string; domain_id: string | null } | undefined, id: string | null) => ({
      id,
      ...(names ? { name: row?.name, domain: domainName(row?.domain_id ?? null) } : {}),
    });
    const out: unknown[] = [];
    const add = (a: Assignment, userId: string | null, roleId: string): void => {
      if (q.has('role.id') && q.get('role.id') !== roleId) return;
      if (q.has('user.id') && q.get('user.id') !== userId) return;
      const role = identity.roles.get(roleId);
      const [kind, id] = userId === null ? ['groups', a.groupId] : ['users', userId];
      const on = a.system ? 'system' : a.projectId ? `projects/${a.projectId}` : `domains/${a.domainId}`;
      const where = a.system
        ? { system: { all: true } }
        : a.projectId
          ? { project: titled(identity.projects.get(a.projectId), a.projectId) }
          : { domain: { id: a.domainId, ...(names ? { name: domainName(a.domainId).name } : {}) } };
      const path = `${a.inherited ? 'OS-INHERIT/' : ''}${on}/${kind}/${id}/roles/${roleId}${a.inherited ? '/inherited_to_projects' : ''}`;
      out.push({
        role: {
          id: roleId,
          ...(names ? { name: role?.name, domain: role?.domain_id ? domainName(role.domain_id) : null } : {}),
        },
        ...(userId === null
          ? { group: titled(identity.groups.get(a.groupId ?? ''), a.groupId) }
          : { user: titled(identity.users.get(userId), userId) }),
        scope: { ...where, ...(a.inherited ? { 'OS-INHERIT:inherited_to': 'projects' } : {}) },
        links: { assignment: `${cloud.base}/identity/v3/${path}` },
      });
    };
    for (const a of identity.assignments.values()) {
      if (projectId !== null && !below.has(a.projectId)) continue;
      if (q.has('scope.domain.id') && q.get('scope.domain.id') !== a.domainId) continue;
      if (q.has('group.id') && q.get('group.id') !== a.groupId) continue;
      if (q.has('scope.system') && !a.system) continue;
      if (q.has('scope.OS-INHERIT:inherited_to') && !a.inherited) continue;
      if (!effective) add(a, a.userId, a.roleId);
      else {
        const users =
          a.userId === null ? [...identity.memberships.by('group', a.groupId ?? '')].map((m) => m.userId) : [a.userId];
        for (const user of users) for (const role of identity.effectiveRoles(a.roleId)) add(a, user, role);
      }
    }
    const self = `${cloud.base}/identity/v3/role_assignments`;
    return { status: 200, json: { role_assignments: out, links: { next: null, self, previous: null } } };
  });
}

/** A project and all below it. */
function subtree(projects: Iterable<Project>, root: string | null): Set<string | null> {
  const all = [...projects];
  const found = new Set<string | null>([root]);
  for (const id of found) for (const p of all) if (p.parent_id === id) found.add(p.id);
  return found;
}

function serveUserViews(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  service.on('GET', '/v3/users/{id}/projects', 'keystone.user_project.list', (call, auth) => {
    forbid(auth, 'list_user_projects', call.params.id === auth.userId);
    const projects = [...identity.projects.values()].filter(
      (p) => identity.rolesOf(call.params.id!, { projectId: p.id }).length > 0,
    );
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
        links: { next: null, self: `${cloud.base}/identity/v3/users/${call.params.id}/projects`, previous: null },
      },
    };
  });
  service.open('POST', '/v3/users/{id}/password', 'keystone.user.password', (call) => {
    // The old password is the proof: no token is needed, and none makes up for it.
    const user = identity.users.get(call.params.id!);
    const body = jsonBody(call).user;
    if (!isObject(body)) throw new ApiError(400, "'user' is a required property");
    if (!user || body.original_password !== user.password || typeof body.password !== 'string')
      throw new ApiError(401, 'The request you have made requires authentication.');
    user.password = body.password;
    for (const t of [...identity.tokens.by('user', user.id)]) identity.tokens.delete(t.id);
    return { status: 204 };
  });
}
