import { createHash } from 'node:crypto';
import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Credential } from './state.ts';

/** Credentials kept for other services under /v3/credentials, and the EC2 pairs among them under /v3/users/{user}/credentials/OS-EC2. */
export function serveCredentials(service: OpenStackService, cloud: Cloud): void {
  const { credentials } = cloud.identity;
  const need = (auth: Auth, action: string, userId: string): void => {
    if (!auth.isAdmin && auth.userId !== userId)
      throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
  };
  const view = (c: Credential): Json => ({
    id: c.id,
    type: c.type,
    blob: c.blob,
    user_id: c.userId,
    project_id: c.projectId,
    links: { self: `${cloud.base}/identity/v3/credentials/${c.id}` },
  });
  const links = (call: Call) => ({ next: null, self: `${cloud.base}/identity${call.path}`, previous: null });
  const find = (call: Call, auth: Auth, action: string): Credential => {
    const c = credentials.get(call.params.id!);
    need(auth, action, c?.userId ?? '');
    if (!c) throw new ApiError(404, `Could not find credential: ${call.params.id}.`);
    return c;
  };
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const sha256 = (value: string): string => createHash('sha256').update(value).digest('hex');

  service.on('GET', '/v3/credentials', 'keystone.credential.list', (call, auth) => {
    const rows = [...credentials.values()].filter(
      (c) =>
        (auth.isAdmin || c.userId === auth.userId) &&
        (call.query.get('user_id') ?? c.userId) === c.userId &&
        (call.query.get('type') ?? c.type) === c.type,
    );
    return { status: 200, json: { credentials: rows.map(view), links: links(call) } };
  });
  service.on('POST', '/v3/credentials', 'keystone.credential.create', (call, auth) => {
    const given = jsonBody(call).credential;
    if (!isObject(given) || !text(given.blob) || !text(given.type) || !text(given.user_id))
      throw new ApiError(400, "'credential' needs blob, type and user_id");
    need(auth, 'create_credential', text(given.user_id) ?? '');
    const projectId = text(given.project_id) ?? null;
    let access: unknown;
    if (given.type === 'ec2') {
      if (!projectId)
        throw new ApiError(
          400,
          'Expecting to find project_id in body. The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.',
        );
      access = (JSON.parse(text(given.blob) ?? '{}') as Json).access;
    }
    // An EC2 pair is found by its access key.
    const id = text(access) ? sha256(String(access)) : cloud.ids.hex(32);
    if (credentials.get(id))
      throw new ApiError(
        409,
        `Conflict occurred attempting to store credential - Duplicate entry found with ID ${id}.`,
      );
    const row = credentials.save({
      id,
      type: String(given.type),
      blob: String(given.blob),
      userId: String(given.user_id),
      projectId,
    });
    return { status: 201, json: { credential: view(row) } };
  });
  service.on('GET', '/v3/credentials/{id}', 'keystone.credential.show', (call, auth) => ({
    status: 200,
    json: { credential: view(find(call, auth, 'get_credential')) },
  }));
  service.on('PATCH', '/v3/credentials/{id}', 'keystone.credential.update', (call, auth) => {
    const c = find(call, auth, 'update_credential');
    const given = jsonBody(call).credential;
    if (!isObject(given)) throw new ApiError(400, "'credential' is a required property");
    c.blob = text(given.blob) ?? c.blob;
    c.type = text(given.type) ?? c.type;
    c.projectId = text(given.project_id) ?? c.projectId;
    credentials.save(c);
    return { status: 200, json: { credential: view(c) } };
  });
  service.on('DELETE', '/v3/credentials/{id}', 'keystone.credential.delete', (call, auth) => {
    credentials.delete(find(call, auth, 'delete_credential').id);
    return { status: 204 };
  });

  const ec2 = '/v3/users/{user}/credentials/OS-EC2';
  const ec2View = (c: Credential): Json => {
    const blob = JSON.parse(c.blob) as { access: string; secret: string };
    return {
      access: blob.access,
      secret: blob.secret,
      user_id: c.userId,
      tenant_id: c.projectId,
      trust_id: null,
      links: { self: `${cloud.base}/identity/v3/users/${c.userId}/credentials/OS-EC2/${blob.access}` },
    };
  };
  const findEc2 = (call: Call, auth: Auth, action: string): Credential => {
    need(auth, action, call.params.user!);
    const c = credentials.get(sha256(call.params.access!));
    if (!c || c.userId !== call.params.user)
      throw new ApiError(404, `Could not find credential: ${call.params.access}.`);
    return c;
  };
  service.on('POST', ec2, 'keystone.ec2_credential.create', (call, auth) => {
    need(auth, 'ec2_create_credential', call.params.user!);
    const blob = { access: cloud.ids.hex(32), secret: cloud.ids.hex(32) };
    const row = credentials.save({
      id: sha256(blob.access),
      type: 'ec2',
      blob: JSON.stringify(blob),
      userId: call.params.user!,
      projectId: text(jsonBody(call).tenant_id) ?? null,
    });
    return { status: 201, json: { credential: ec2View(row) } };
  });
  service.on('GET', ec2, 'keystone.ec2_credential.list', (call, auth) => {
    need(auth, 'ec2_list_credentials', call.params.user!);
    const rows = [...credentials.by('user', call.params.user!)].filter((c) => c.type === 'ec2');
    return { status: 200, json: { credentials: rows.map(ec2View), links: links(call) } };
  });
  service.on('GET', `${ec2}/{access}`, 'keystone.ec2_credential.show', (call, auth) => ({
    status: 200,
    json: { credential: ec2View(findEc2(call, auth, 'ec2_get_credential')) },
  }));
  service.on('DELETE', `${ec2}/{access}`, 'keystone.ec2_credential.delete', (call, auth) => {
    credentials.delete(findEc2(call, auth, 'ec2_delete_credential').id);
    return { status: 204 };
  });
}
