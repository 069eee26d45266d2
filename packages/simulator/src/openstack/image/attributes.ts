import { ApiError, type Json } from '../../core/message.ts';
import { type Auth, isoSeconds } from '../cloud.ts';
import type { Image } from './state.ts';

/** An image on the wire: properties lie flat beside the attributes. */
export function imageView(i: Image): Json {
  return {
    ...i.properties,
    id: i.id,
    name: i.name,
    status: i.status,
    visibility: i.visibility,
    owner: i.owner,
    protected: i.protected,
    os_hidden: i.hidden,
    min_disk: i.minDisk,
    min_ram: i.minRam,
    disk_format: i.diskFormat,
    container_format: i.containerFormat,
    size: i.size,
    virtual_size: i.size,
    checksum: i.checksum,
    os_hash_algo: i.sha512 === null ? null : 'sha512',
    os_hash_value: i.sha512,
    tags: i.tags,
    created_at: isoSeconds(i.createdAt),
    updated_at: isoSeconds(i.updatedAt),
    self: `/v2/images/${i.id}`,
    file: `/v2/images/${i.id}/file`,
    schema: '/v2/schemas/image',
  };
}

/** How each attribute that may be written is checked and set. */
export const writableFields: Record<string, (i: Image, value: unknown, auth: Auth) => void> = {
  name: (i, v) => {
    i.name = v === null ? null : String(v);
  },
  visibility: (i, v, auth) => {
    if (v !== 'public' && v !== 'private' && v !== 'shared' && v !== 'community')
      throw new ApiError(
        400,
        `Provided object does not match schema 'image': '${String(v)}' is not one of ['community', 'public', 'private', 'shared']`,
      );
    if (v === 'public' && !auth.isAdmin)
      throw new ApiError(403, 'You are not authorized to complete publicize_image action.');
    i.visibility = v;
  },
  min_disk: (i, v) => {
    i.minDisk = natural('min_disk', v);
  },
  min_ram: (i, v) => {
    i.minRam = natural('min_ram', v);
  },
  disk_format: (i, v) => {
    if (
      v !== null &&
      !['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'].includes(String(v))
    )
      throw new ApiError(
        400,
        `Invalid value for attribute disk_format: '${String(v)}' is not one of [None, 'ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop']`,
      );
    i.diskFormat = v === null ? null : String(v);
  },
  container_format: (i, v) => {
    i.containerFormat = v === null ? null : String(v);
  },
  protected: (i, v) => {
    i.protected = v === true || v === 'true' || v === 'True';
  },
  os_hidden: (i, v) => {
    i.hidden = v === true || v === 'true' || v === 'True';
  },
  owner: (i, v, auth) => {
    if (v !== auth.projectId && !auth.isAdmin)
      throw new ApiError(403, `You are not permitted to create images owned by '${String(v)}'.`);
    i.owner = String(v);
  },
  tags: (i, v) => {
    if (!Array.isArray(v))
      throw new ApiError(400, "Provided object does not match schema 'image': tags must be a list");
    i.tags = [...new Set(v.map(String))];
  },
};

const readOnly = new Set([
  'id',
  'status',
  'created_at',
  'updated_at',
  'checksum',
  'os_hash_algo',
  'os_hash_value',
  'size',
  'virtual_size',
  'self',
  'file',
  'schema',
  'direct_url',
  'locations',
  'first',
]);

/** Sets an attribute or a property, or refuses it. */
export function setAttribute(image: Image, key: string, value: unknown, auth: Auth): void {
  const field = writableFields[key];
  if (field) {
    field(image, value, auth);
    return;
  }
  if (readOnly.has(key)) throw new ApiError(403, `Attribute '${key}' is read-only.`);
  if (typeof value !== 'string')
    throw new ApiError(
      400,
      `Provided object does not match schema 'image': ${String(value)} is not of type 'string' Failed validating 'type' in schema['additionalProperties']`,
    );
  image.properties = { ...image.properties, [key]: value };
}

/** Applies one operation of a JSON patch. */
export function patch(image: Image, operation: Json, auth: Auth): void {
  const path = String(operation.path ?? '')
    .replace(/^\//, '')
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
  if (operation.op === 'remove') {
    if (path in writableFields || readOnly.has(path)) throw new ApiError(403, `Property ${path} may not be removed.`);
    if (!(path in image.properties)) throw new ApiError(409, `Property ${path} does not exist.`);
    const { [path]: _gone, ...rest } = image.properties;
    image.properties = rest;
  } else if (operation.op === 'add' || operation.op === 'replace') {
    if (operation.op === 'replace' && !(path in writableFields) && !readOnly.has(path) && !(path in image.properties))
      throw new ApiError(409, `Property ${path} does not exist.`);
    setAttribute(image, path, operation.value, auth);
  } else {
    throw new ApiError(400, `Operation objects must contain only one member named "add", "remove", or "replace".`);
  }
}

function natural(key: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw new ApiError(400, `Invalid value for attribute ${key}: ${String(value)} is not of type 'integer'`);
  return value;
}
