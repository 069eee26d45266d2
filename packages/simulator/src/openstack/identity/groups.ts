import { ApiError, type Call } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';

/** Who is in which group: under /v3/groups/{group}/users, and a user's groups. */
export function serveMemberships(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  const need = (auth: Auth, action: string, allowed = false): void => {
    if (!auth.isAdmin && !allowed)
      throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
  };
  const group = (call: Call): string => {
    const id = call.params.group!;
    if (!identity.groups.get(id)) throw new ApiError(404, `Could not find group: ${id}.`);
    return id;
  };
  const membership = (call: Call): string => {
    const user = call.params.user!;
    const id = `${group(call)}/${user}`;
    if (!identity.users.get(user)) throw new ApiError(404, `Could not find user: ${user}.`);
    return id;
  };
  const links = (path: string) => ({ next: null, self: `${cloud.base}/identity${path}`, previous: null });
  const self = (kind: string, id: string) => ({ self: `${cloud.base}/identity/v3/${kind}/${id}` });

  service.on('GET', '/v3/groups/{group}/users', 'keystone.group_user.list', (call, auth) => {
    need(auth, 'list_users_in_group');
    const users = [...identity.memberships.by('group', group(call))].flatMap((m) => identity.users.get(m.userId) ?? []);
    const rows = users.map((u) => ({
      id: u.id,
      name: u.name,
      domain_id: u.domain_id,
      enabled: u.enabled,
      ...u.extra,
      password_expires_at: null,
      options: {},
      links: self('users', u.id),
    }));
    return { status: 200, json: { users: rows, links: links(call.path) } };
  });
  service.on('GET', '/v3/users/{user}/groups', 'keystone.user_group.list', (call, auth) => {
    const { user } = call.params;
    need(auth, 'list_groups_for_user', user === auth.userId);
    const groups = [...identity.memberships.by('user', user!)].flatMap((m) => identity.groups.get(m.groupId) ?? []);
    const rows = groups.map((g) => ({
      id: g.id,
      name: g.name,
      domain_id: g.domain_id,
      description: g.description,
      ...g.extra,
      links: self('groups', g.id),
    }));
    return { status: 200, json: { groups: rows, links: links(call.path) } };
  });
  const path = '/v3/groups/{group}/users/{user}';
  service.on('PUT', path, 'keystone.group_user.add', (call, auth) => {
    need(auth, 'add_user_to_group');
    identity.memberships.save({ id: membership(call), groupId: call.params.group!, userId: call.params.user! });
    return { status: 204 };
  });
  service.on('GET', path, 'keystone.group_user.check', (call, auth) => {
    need(auth, 'check_user_in_group', call.params.user === auth.userId);
    if (!identity.memberships.get(membership(call)))
      throw new ApiError(404, `User '${call.params.user}' not found in group '${call.params.group}'.`);
    return { status: 204 };
  });
  service.on('DELETE', path, 'keystone.group_user.remove', (call, auth) => {
    need(auth, 'remove_user_from_group');
    if (!identity.memberships.delete(membership(call)))
      throw new ApiError(404, `User '${call.params.user}' not found in group '${call.params.group}'.`);
    for (const t of [...identity.tokens.by('user', call.params.user!)]) identity.tokens.delete(t.id);
    return { status: 204 };
  });
}
