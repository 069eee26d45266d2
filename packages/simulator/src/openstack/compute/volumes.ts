import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, background, type Cloud, type OpenStackService } from '../cloud.ts';
import { attachVolume, detachVolume } from '../volume/attach.ts';
import { microversion, schemaError } from './dialect.ts';
import { findServer } from './servers.ts';
import type { AttachedVolume, Server } from './state.ts';

/** os-volume_attachments. */
export function serveVolumeAttachments(service: OpenStackService, cloud: Cloud): void {
  const base = '/v2.1/servers/{id}/os-volume_attachments';
  const view = (s: Server, v: AttachedVolume, minor: number): Json => ({
    ...(minor < 89 ? { id: v.volumeId } : { attachment_id: v.attachmentId, bdm_uuid: v.attachmentId }),
    volumeId: v.volumeId,
    serverId: s.id,
    device: v.device,
    ...(minor >= 70 ? { tag: v.tag } : {}),
    ...(minor >= 79 ? { delete_on_termination: v.deleteOnTermination } : {}),
  });
  const find = (call: Call, auth: Auth): [Server, AttachedVolume] => {
    const s = findServer(cloud, call.params.id!, auth);
    const v = s.volumes.find((x) => x.volumeId === call.params.volume);
    if (!v)
      throw new ApiError(
        404,
        `Instance ${s.id} is not attached to volume ${call.params.volume}.`.replace(
          /^Instance (\S+) is not attached to volume (\S+)\.$/,
          'volume_id not found: $2',
        ),
      );
    return [s, v];
  };
  service.on('GET', base, 'nova.volume_attachment.list', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    return { status: 200, json: { volumeAttachments: s.volumes.map((v) => view(s, v, microversion(call))) } };
  });
  service.on('GET', `${base}/{volume}`, 'nova.volume_attachment.show', (call, auth) => {
    const [s, v] = find(call, auth);
    return { status: 200, json: { volumeAttachment: view(s, v, microversion(call)) } };
  });
  service.on('POST', base, 'nova.volume_attachment.create', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    const given = jsonBody(call).volumeAttachment;
    if (!isObject(given) || typeof given.volumeId !== 'string')
      throw schemaError('volumeAttachment', given, "'volumeId' is a required property");
    const volume = cloud.volume.volumes.get(given.volumeId);
    if (!volume || (!auth.isAdmin && volume.projectId !== auth.projectId))
      throw new ApiError(404, `Volume ${given.volumeId} could not be found.`);
    if (volume.status !== 'available')
      throw new ApiError(
        400,
        `Invalid volume: volume ${volume.id} status must be 'available' or 'in-use'. Currently in '${volume.status}'`.replace(
          "'available' or 'in-use'. Currently in 'in-use'",
          "'available'. Currently in 'in-use'",
        ),
      );
    if (!['active', 'stopped', 'paused'].includes(s.vmState))
      throw new ApiError(409, `Cannot 'attach_volume' instance ${s.id} while it is in vm_state ${s.vmState}`);
    const used = new Set(s.volumes.map((v) => v.device));
    let letter = 98;
    while (used.has(`/dev/vd${String.fromCharCode(letter)}`)) letter++;
    const device =
      typeof given.device === 'string' && given.device !== '' ? given.device : `/dev/vd${String.fromCharCode(letter)}`;
    const v = attachVolume(cloud, s, volume.id, {
      device,
      deleteOnTermination: given.delete_on_termination === true,
      bootIndex: null,
      tag: typeof given.tag === 'string' ? given.tag : null,
    });
    return { status: 200, json: { volumeAttachment: view(s, v, microversion(call)) } };
  });
  service.on('PUT', `${base}/{volume}`, 'nova.volume_attachment.update', (call, auth) => {
    const [s, v] = find(call, auth);
    const given = jsonBody(call).volumeAttachment;
    if (isObject(given) && typeof given.delete_on_termination === 'boolean')
      v.deleteOnTermination = given.delete_on_termination;
    cloud.compute.servers.save(s);
    return { status: 202 };
  });
  service.on('DELETE', `${base}/{volume}`, 'nova.volume_attachment.delete', (call, auth) => {
    const [s, v] = find(call, auth);
    if (v.bootIndex === 0) throw new ApiError(403, 'Cannot detach a root device volume');
    const volume = cloud.volume.volumes.get(v.volumeId);
    if (volume) {
      volume.status = 'detaching';
      cloud.volume.volumes.save(volume);
    }
    background(cloud, 'cinder.volume.detach', () => detachVolume(cloud, s, v.volumeId));
    return { status: 202 };
  });
}
