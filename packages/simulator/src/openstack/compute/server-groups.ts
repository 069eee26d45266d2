import { ApiError, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { checkName, microversion, schemaError, show } from './dialect.ts';
import type { ServerGroup } from './state.ts';

const policies = ['anti-affinity', 'affinity', 'soft-anti-affinity', 'soft-affinity'];

/** Server groups. */
export function serveServerGroups(service: OpenStackService, cloud: Cloud): void {
  const { groups } = cloud.compute;
  const view = (g: ServerGroup, minor: number): Json => ({
    id: g.id,
    name: g.name,
    members: g.members,
    ...(minor >= 13 ? { project_id: g.projectId, user_id: g.userId } : {}),
    ...(minor >= 64 ? { policy: g.policy, rules: g.rules } : { policies: [g.policy], metadata: {} }),
  });
  const find = (id: string, auth: Auth): ServerGroup => {
    const g = groups.get(id);
    if (!g || (!auth.isAdmin && g.projectId !== auth.projectId))
      throw new ApiError(404, `Instance group ${id} could not be found.`);
    return g;
  };
  service.on('GET', '/v2.1/os-server-groups', 'nova.server_group.list', (call, auth) => {
    const minor = microversion(call);
    const rows =
      auth.isAdmin && call.query.has('all_projects') ? [...groups.values()] : [...groups.by('project', auth.projectId)];
    const from = Number(call.query.get('offset') ?? 0);
    const limit = Number(call.query.get('limit') ?? 1000);
    return { status: 200, json: { server_groups: rows.slice(from, from + limit).map((g) => view(g, minor)) } };
  });
  service.on('POST', '/v2.1/os-server-groups', 'nova.server_group.create', (call, auth) => {
    const minor = microversion(call);
    const given = jsonBody(call).server_group;
    if (!isObject(given)) throw schemaError('body', {}, "'server_group' is a required property");
    const name = checkName(given.name);
    const wanted =
      minor >= 64 ? given.policy : Array.isArray(given.policies) ? (given.policies as unknown[])[0] : undefined;
    if (wanted === undefined)
      throw schemaError('server_group', given, `'${minor >= 64 ? 'policy' : 'policies'}' is a required property`);
    const allowed = minor >= 15 ? policies : policies.slice(0, 2);
    if (typeof wanted !== 'string' || !allowed.includes(wanted)) {
      throw schemaError(
        minor >= 64 ? 'policy' : '0',
        wanted,
        `'${show(wanted)}' is not one of [${allowed.map((p) => `'${p}'`).join(', ')}]`,
      );
    }
    const limit = cloud.quotas.limit('compute', auth.projectId, 'server_groups');
    if (limit >= 0 && groups.count('project', auth.projectId) >= limit)
      throw new ApiError(403, 'Quota exceeded, too many server groups.');
    const g: ServerGroup = {
      id: cloud.ids.uuid(),
      name,
      projectId: auth.projectId,
      userId: auth.userId,
      policy: wanted as ServerGroup['policy'],
      rules: isObject(given.rules) ? (given.rules as Record<string, number>) : {},
      members: [],
    };
    groups.save(g);
    return { status: 200, json: { server_group: view(g, minor) } };
  });
  service.on('GET', '/v2.1/os-server-groups/{id}', 'nova.server_group.show', (call, auth) => ({
    status: 200,
    json: { server_group: view(find(call.params.id!, auth), microversion(call)) },
  }));
  service.on('DELETE', '/v2.1/os-server-groups/{id}', 'nova.server_group.delete', (call, auth) => {
    groups.delete(find(call.params.id!, auth).id);
    return { status: 204 };
  });
}
