import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, background, type Cloud, type OpenStackService } from '../cloud.ts';
import { newImage } from '../image/state.ts';
import { checkVolumeQuota, removeVolume } from './attach.ts';
import type { Snapshot, Volume } from './state.ts';

/** Those that concern only how Nova and Cinder agree with each other; accepted, without effect on a simulated disk. */
const handshakes = ['os-update_readonly_flag', 'os-initialize_connection', 'os-terminate_connection'];
/** Handshakes that are seen in the volume's status, and the one that they start from. */
const transitions: Record<string, { from: string; to: string }> = {
  'os-reserve': { from: 'available', to: 'attaching' },
  'os-unreserve': { from: 'attaching', to: 'available' },
  'os-begin_detaching': { from: 'in-use', to: 'detaching' },
  'os-roll_detaching': { from: 'detaching', to: 'in-use' },
};

/** POST /volumes/{id}/action and /snapshots/{id}/action. */
export function serveVolumeActions(
  service: OpenStackService,
  cloud: Cloud,
  find: { volume: (call: Call, auth: Auth) => Volume; snapshot: (call: Call, auth: Auth) => Snapshot },
): void {
  const { volumes, snapshots } = cloud.volume;
  service.on('POST', '/v3/volumes/{id}/action', 'cinder.volume.action', (call, auth) => {
    const v = find.volume(call, auth);
    const body = jsonBody(call);
    const [name = '', given] = Object.entries(body)[0] ?? [];
    const answer = act(cloud, v, name, isObject(given) ? given : {}, auth);
    if (volumes.get(v.id)) {
      v.updatedAt = cloud.clock.now();
      volumes.save(v);
    }
    return answer;
  });
  service.on('POST', '/v3/snapshots/{id}/action', 'cinder.snapshot.action', (call, auth) => {
    const s = find.snapshot(call, auth);
    const [name = '', value] = Object.entries(jsonBody(call))[0] ?? [];
    const given = isObject(value) ? value : {};
    if (!['os-reset_status', 'os-update_snapshot_status', 'os-force_delete'].includes(name))
      throw new ApiError(400, `There is no such action: ${name}`);
    needAdmin(auth, `volume_extension:snapshot_admin_actions:${name.slice(3)}`);
    if (name === 'os-force_delete') {
      s.status = 'deleting';
      background(cloud, 'cinder.snapshot.destroy', () => snapshots.delete(s.id));
    } else s.status = String(given.status);
    return { status: 202 };
  });
}

function needAdmin(auth: Auth, rule: string): void {
  if (!auth.isAdmin) throw new ApiError(403, `Policy doesn't allow ${rule} to be performed.`);
}

function act(cloud: Cloud, v: Volume, name: string, given: Json, auth: Auth): { status: number; json?: Json } {
  const accepted = { status: 202 };
  const transition = transitions[name];
  if (transition) {
    if (v.status !== transition.from)
      throw new ApiError(
        400,
        `Invalid volume: Volume status must be ${transition.from} to ${name.slice(3)}, but the status is ${v.status}.`,
      );
    v.status = transition.to;
    return accepted;
  }
  if (handshakes.includes(name)) return accepted;
  switch (name) {
    case 'os-extend':
      extend(cloud, v, Number(given.new_size));
      return accepted;
    case 'os-set_bootable':
      v.bootable = given.bootable === true || given.bootable === 'True';
      return { status: 200 };
    case 'os-reset_status':
      needAdmin(auth, 'volume_extension:volume_admin_actions:reset_status');
      if (given.status !== undefined) v.status = String(given.status);
      return accepted;
    case 'os-force_delete':
      needAdmin(auth, 'volume_extension:volume_admin_actions:force_delete');
      removeVolume(cloud, v.id);
      return accepted;
    case 'os-attach':
      if (!['available', 'attaching'].includes(v.status))
        throw new ApiError(400, 'Invalid volume: Volume status must be available or attaching to attach.');
      v.attachments.push({
        id: cloud.ids.uuid(),
        serverId: typeof given.instance_uuid === 'string' ? given.instance_uuid : '',
        host: typeof given.host_name === 'string' ? given.host_name : null,
        device: String(given.mountpoint ?? ''),
        attachedAt: cloud.clock.now(),
      });
      v.status = 'in-use';
      return accepted;
    case 'os-detach':
      v.attachments = v.attachments.filter((a) => given.attachment_id !== undefined && a.id !== given.attachment_id);
      if (v.attachments.length === 0) v.status = 'available';
      return accepted;
    case 'os-retype': {
      const { types } = cloud.volume;
      const wanted = String(given.new_type);
      const type = types.get(wanted) ?? [...types.by('name', wanted)][0];
      if (!type) throw new ApiError(404, `Volume type ${wanted} could not be found.`);
      v.status = 'retyping';
      background(cloud, 'cinder.volume.retype', () => {
        v.type = type.name;
        v.status = v.attachments.length > 0 ? 'in-use' : 'available';
      });
      return accepted;
    }
    case 'os-reimage': {
      const image = cloud.image.images.get(String(given.image_id));
      if (!image) throw new ApiError(400, 'Invalid image identifier or unable to access requested image.');
      v.status = 'downloading';
      background(cloud, 'cinder.volume.reimage', () => {
        v.imageId = image.id;
        v.status = v.attachments.length > 0 ? 'in-use' : 'available';
      });
      return accepted;
    }
    case 'os-set_image_metadata':
      v.imageMetadata = {
        ...v.imageMetadata,
        ...(isObject(given.metadata) ? (given.metadata as Record<string, string>) : {}),
      };
      return { status: 200, json: { metadata: v.imageMetadata } };
    case 'os-show_image_metadata':
      return { status: 200, json: { metadata: v.imageMetadata } };
    case 'os-unset_image_metadata': {
      const { [String(given.key)]: gone, ...rest } = v.imageMetadata;
      if (gone === undefined) throw new ApiError(404, `Metadata key ${String(given.key)} not found.`);
      v.imageMetadata = rest;
      return { status: 200 };
    }
    case 'os-volume_upload_image':
      return { status: 202, json: { 'os-volume_upload_image': upload(cloud, v, given, auth) } };
    default:
      throw new ApiError(400, `There is no such action: ${name}`);
  }
}

function extend(cloud: Cloud, v: Volume, size: number): void {
  if (v.status !== 'available')
    throw new ApiError(
      400,
      `Invalid volume: Volume ${v.id} status must be available to extend, currently ${v.status}.`,
    );
  if (!(size > v.size))
    throw new ApiError(
      400,
      `Invalid input received: New size for extend must be greater than current size. (current: ${v.size}, extended: ${size}).`,
    );
  checkVolumeQuota(cloud, v.projectId, size - v.size);
  v.size = size;
}

/** Makes an image of what is on the volume. */
function upload(cloud: Cloud, v: Volume, given: Json, auth: Auth): Json {
  if (v.status !== 'available' && given.force !== true)
    throw new ApiError(400, 'Invalid volume: Volume status must be available/in-use.');
  const format = String(given.disk_format ?? 'raw');
  const image = Object.assign(newImage(cloud.ids, cloud.clock.now(), auth.projectId, String(given.image_name ?? '')), {
    status: 'saving',
    diskFormat: format,
    containerFormat: String(given.container_format ?? 'bare'),
  });
  cloud.image.images.save(image);
  const before = v.status;
  v.status = 'uploading';
  background(cloud, 'cinder.volume.upload', () => {
    v.status = before;
    Object.assign(image, { status: 'active', size: v.size * 1024 ** 3 });
    cloud.image.images.save(image);
  });
  return {
    id: v.id,
    display_description: v.description,
    size: v.size,
    status: 'uploading',
    volume_type: { name: v.type, is_public: true },
    image_id: image.id,
    image_name: image.name,
    container_format: image.containerFormat,
    disk_format: format,
    updated_at: new Date(v.updatedAt).toISOString().replace('Z', '000'),
  };
}
