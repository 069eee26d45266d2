import { ApiError, type Call, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Project } from './state.ts';

/** Tags of projects, under /v3/projects/{id}/tags. */
export function serveProjectTags(service: OpenStackService, cloud: Cloud): void {
  const { projects } = cloud.identity;
  const find = (call: Call, auth: Auth, action: string, read = false): Project => {
    const p = projects.get(call.params.id!);
    const reads = read && p !== undefined && cloud.identity.rolesOf(auth.userId, { projectId: p.id }).length > 0;
    if (!auth.isAdmin && !reads)
      throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
    if (!p) throw new ApiError(404, `Could not find project: ${call.params.id}.`);
    return p;
  };
  const answer = (call: Call, p: Project) => ({
    status: 200,
    json: { tags: p.tags, links: { next: null, self: `${cloud.base}/identity${call.path}`, previous: null } },
  });
  const missing = (tag: string) => new ApiError(404, `Could not find project tag: ${tag}.`);
  const base = '/v3/projects/{id}/tags';
  service.on('GET', base, 'keystone.project_tag.list', (call, auth) =>
    answer(call, find(call, auth, 'list_project_tags', true)),
  );
  service.on('PUT', base, 'keystone.project_tag.replace', (call, auth) => {
    const p = find(call, auth, 'update_project_tags');
    const { tags } = jsonBody(call);
    if (!Array.isArray(tags) || tags.some((t) => typeof t !== 'string'))
      throw new ApiError(400, "'tags' is a required property");
    p.tags = [...new Set(tags as string[])];
    projects.save(p);
    return answer(call, p);
  });
  service.on('DELETE', base, 'keystone.project_tag.clear', (call, auth) => {
    const p = find(call, auth, 'delete_project_tags');
    p.tags = [];
    projects.save(p);
    return { status: 204 };
  });
  service.on('GET', `${base}/{tag}`, 'keystone.project_tag.check', (call, auth) => {
    if (!find(call, auth, 'get_project_tag', true).tags.includes(call.params.tag!)) throw missing(call.params.tag!);
    return { status: 204 };
  });
  service.on('PUT', `${base}/{tag}`, 'keystone.project_tag.add', (call, auth) => {
    const p = find(call, auth, 'create_project_tag');
    p.tags = [...new Set([...p.tags, call.params.tag!])];
    projects.save(p);
    return { status: 201, headers: { Location: `${cloud.base}/identity${call.path}` } };
  });
  service.on('DELETE', `${base}/{tag}`, 'keystone.project_tag.remove', (call, auth) => {
    const p = find(call, auth, 'delete_project_tag');
    if (!p.tags.includes(call.params.tag!)) throw missing(call.params.tag!);
    p.tags = p.tags.filter((t) => t !== call.params.tag);
    projects.save(p);
    return { status: 204 };
  });
}
