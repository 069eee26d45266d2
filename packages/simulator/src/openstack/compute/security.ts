import { ApiError, isObject } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { defaultGroup } from '../network/groups.ts';
import type { SecurityGroup } from '../network/state.ts';

/** The security groups that a server names, by name or id; 400 for one that is not there. */
export function securityGroupIds(cloud: Cloud, given: unknown, projectId: string): SecurityGroup[] {
  if (!Array.isArray(given)) return [];
  defaultGroup(cloud, projectId);
  return given.map((item) => {
    const name = isObject(item) ? String(item.name) : '';
    const group = findGroup(cloud, name, projectId);
    if (!group) throw new ApiError(400, `Security group ${name} not found.`);
    return group;
  });
}

/** A project's group by id or name; 409 if the name is not unique. */
export function findGroup(cloud: Cloud, name: string, projectId: string): SecurityGroup | undefined {
  const byId = cloud.network.groups.get(name);
  if (byId?.project_id === projectId) return byId;
  const found = [...cloud.network.groups.by('name', name)].filter((g) => g.project_id === projectId);
  if (found.length > 1)
    throw new ApiError(409, `Multiple security groups found matching '${name}'. Use an ID to be more specific.`);
  return found[0];
}
