import { ApiError, type Call, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, type Cloud, isoSeconds, type OpenStackService } from '../cloud.ts';
import type { Image } from './state.ts';

/** The projects an image is shared with. */
export function serveMembers(service: OpenStackService, cloud: Cloud, find: (call: Call, auth: Auth) => Image): void {
  const base = '/v2/images/{id}/members';
  const view = (image: Image, id: string): Json => {
    const m = image.members.get(id)!;
    return {
      image_id: image.id,
      member_id: id,
      status: m.status,
      created_at: isoSeconds(m.createdAt),
      updated_at: isoSeconds(m.updatedAt),
      schema: '/v2/schemas/member',
    };
  };
  const member = (call: Call, image: Image): string => {
    if (!image.members.has(call.params.member!))
      throw new ApiError(404, `${call.params.member} not found in the member list of the image ${image.id}.`);
    return call.params.member!;
  };
  service.on('GET', base, 'glance.member.list', (call, auth) => {
    const image = find(call, auth);
    const ids = [...image.members.keys()].filter(
      (id) => auth.isAdmin || image.owner === auth.projectId || id === auth.projectId,
    );
    return { status: 200, json: { members: ids.map((id) => view(image, id)), schema: '/v2/schemas/members' } };
  });
  service.on('POST', base, 'glance.member.create', (call, auth) => {
    const image = find(call, auth);
    if (!auth.isAdmin && image.owner !== auth.projectId)
      throw new ApiError(403, 'You are not permitted to create members for the image.');
    if (image.visibility !== 'shared') throw new ApiError(403, 'Only shared images have members.');
    const id = String(jsonBody(call).member);
    if (image.members.has(id)) throw new ApiError(409, `Image member ${id} already exists for image ${image.id}`);
    const now = cloud.clock.now();
    image.members.set(id, { status: 'pending', createdAt: now, updatedAt: now });
    return { status: 200, json: view(image, id) };
  });
  service.on('GET', `${base}/{member}`, 'glance.member.show', (call, auth) => {
    const image = find(call, auth);
    return { status: 200, json: view(image, member(call, image)) };
  });
  service.on('PUT', `${base}/{member}`, 'glance.member.update', (call, auth) => {
    const image = find(call, auth);
    const id = member(call, image);
    if (id !== auth.projectId && !auth.isAdmin)
      throw new ApiError(403, 'You are not permitted to modify this image member.');
    const { status } = jsonBody(call);
    if (status !== 'pending' && status !== 'accepted' && status !== 'rejected')
      throw new ApiError(400, 'Invalid status for member');
    Object.assign(image.members.get(id)!, { status, updatedAt: cloud.clock.now() });
    return { status: 200, json: view(image, id) };
  });
  service.on('DELETE', `${base}/{member}`, 'glance.member.delete', (call, auth) => {
    const image = find(call, auth);
    if (!auth.isAdmin && image.owner !== auth.projectId) throw new ApiError(403, 'You cannot delete image members.');
    image.members.delete(member(call, image));
    return { status: 204 };
  });
}
