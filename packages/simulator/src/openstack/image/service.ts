import { createHash } from 'node:crypto';
import { type Answer, ApiError, type Call, isObject, type Json, jsonBody, Service } from '../../core/http.ts';
import { type Auth, type Cloud, header, isoSeconds, type OpenStackService } from '../cloud.ts';
import { authenticate } from '../identity/tokens.ts';
import { serveMembers } from './members.ts';
import { type Image, newImage } from './state.ts';

const titles: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

/** Glance v2 under /image. */
export function imageService(cloud: Cloud): OpenStackService {
  const service: OpenStackService = new Service<Auth>({
    name: 'glance',
    prefix: 'image',
    authenticate: authenticate(cloud, 'image'),
    renderError: (call, e) => webobError(call, e),
    decorate: (call, headers) => {
      headers['X-Openstack-Request-Id'] = call.requestId;
    },
  });
  const versions = () => ({
    versions: ['v2.15', 'v2.9', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0'].map((id, i) => ({
      id,
      status: i === 0 ? 'CURRENT' : 'SUPPORTED',
      links: [{ rel: 'self', href: `${cloud.base}/image/v2/` }],
    })),
  });
  service.open('GET', '/', 'glance.version.list', () => ({ status: 300, json: versions() }));
  service.open('GET', '/versions', 'glance.version.list', () => ({ status: 200, json: versions() }));
  service.on('GET', '/v2/images', 'glance.image.list', (call, auth) => list(cloud, call, auth));
  service.on('POST', '/v2/images', 'glance.image.create', (call, auth) => {
    const body = jsonBody(call);
    const image = newImage(cloud.ids, cloud.clock.now(), auth.projectId, null);
    if (body.id !== undefined) {
      if (typeof body.id !== 'string' || !/^[0-9a-f-]{36}$/.test(body.id))
        throw new ApiError(400, `Provided object does not match schema 'image': '${String(body.id)}' is not a 'uuid'`);
      if (cloud.image.images.get(body.id)) throw new ApiError(409, `Image ID ${body.id} already exists!`);
      image.id = body.id;
    }
    for (const [key, value] of Object.entries(body)) if (key !== 'id') setAttribute(image, key, value, auth);
    cloud.image.images.save(image);
    return {
      status: 201,
      headers: {
        Location: `${cloud.base}/image/v2/images/${image.id}`,
        'OpenStack-image-import-methods': 'glance-direct,web-download',
      },
      json: imageView(image),
    };
  });
  service.on('GET', '/v2/images/{id}', 'glance.image.show', (call, auth) => ({
    status: 200,
    json: imageView(find(cloud, call, auth)),
  }));
  service.on('PATCH', '/v2/images/{id}', 'glance.image.update', (call, auth) => {
    const image = owned(cloud, call, auth);
    let operations: unknown;
    try {
      operations = JSON.parse(call.bytes.toString('utf8'));
    } catch {
      throw new ApiError(400, 'Malformed JSON in request body.');
    }
    if (!Array.isArray(operations)) throw new ApiError(400, 'Request body must be a JSON array of operation objects.');
    for (const operation of operations.filter(isObject)) patch(image, operation, auth);
    image.updatedAt = cloud.clock.now();
    cloud.image.images.save(image);
    return { status: 200, json: imageView(image) };
  });
  service.on('DELETE', '/v2/images/{id}', 'glance.image.delete', (call, auth) => {
    const image = owned(cloud, call, auth);
    if (image.protected) throw new ApiError(403, `Image ${image.id} is protected and cannot be deleted.`);
    cloud.image.images.delete(image.id);
    return { status: 204 };
  });
  service.on('PUT', '/v2/images/{id}/file', 'glance.image.upload', (call, auth) => {
    const image = owned(cloud, call, auth);
    if (header(call, 'content-type')?.split(';')[0] !== 'application/octet-stream')
      throw new ApiError(415, 'Unsupported Media Type');
    if (image.status !== 'queued')
      throw new ApiError(409, `Image status transition from ${image.status} to saving is not allowed`);
    if (image.diskFormat === null || image.containerFormat === null)
      throw new ApiError(400, 'Properties disk_format, container_format must be set prior to saving data.');
    Object.assign(image, {
      status: 'active',
      size: call.bytes.length,
      data: call.bytes,
      checksum: createHash('md5').update(call.bytes).digest('hex'),
      sha512: createHash('sha512').update(call.bytes).digest('hex'),
      updatedAt: cloud.clock.now(),
    });
    cloud.image.images.save(image);
    return { status: 204 };
  });
  service.on('GET', '/v2/images/{id}/file', 'glance.image.download', (call, auth) => {
    const image = find(cloud, call, auth);
    if (image.status === 'deactivated' && !auth.isAdmin)
      throw new ApiError(403, 'The requested image has been deactivated. Image data download is forbidden.');
    if (image.data === null) return { status: 204 };
    return {
      status: 200,
      bytes: image.data,
      contentType: 'application/octet-stream',
      headers: { 'Content-MD5': image.checksum ?? '' },
    };
  });
  for (const verb of ['deactivate', 'reactivate'] as const) {
    service.on('POST', `/v2/images/{id}/actions/${verb}`, `glance.image.${verb}`, (call, auth) => {
      const image = owned(cloud, call, auth);
      if (image.status === 'queued')
        throw new ApiError(403, `Not allowed to ${verb} image in status '${image.status}'`);
      image.status = verb === 'deactivate' ? 'deactivated' : 'active';
      cloud.image.images.save(image);
      return { status: 204 };
    });
  }
  service.on('PUT', '/v2/images/{id}/tags/{tag}', 'glance.image.tag', (call, auth) => {
    const image = owned(cloud, call, auth);
    if (!image.tags.includes(call.params.tag!)) image.tags.push(call.params.tag!);
    return { status: 204 };
  });
  service.on('DELETE', '/v2/images/{id}/tags/{tag}', 'glance.image.untag', (call, auth) => {
    const image = owned(cloud, call, auth);
    if (!image.tags.includes(call.params.tag!)) throw new ApiError(404, 'The resource could not be found.');
    image.tags = image.tags.filter((t) => t !== call.params.tag);
    return { status: 204 };
  });
  service.on('GET', '/v2/info/import', 'glance.info.import', () => ({
    status: 200,
    json: {
      'import-methods': {
        description: 'Import methods available.',
        type: 'array',
        value: ['glance-direct', 'web-download'],
      },
    },
  }));
  service.on('GET', '/v2/info/stores', 'glance.info.stores', () => ({
    status: 200,
    json: { stores: [{ id: 'default', default: 'true' }] },
  }));
  service.on('GET', '/v2/schemas/image', 'glance.schema.show', () => ({
    status: 200,
    json: {
      name: 'image',
      properties: Object.fromEntries(Object.keys(writableFields).map((k) => [k, { type: ['null', 'string'] }])),
      additionalProperties: { type: 'string' },
    },
  }));
  service.on('GET', '/v2/schemas/images', 'glance.schema.show', () => ({
    status: 200,
    json: {
      name: 'images',
      properties: {
        images: { type: 'array', items: { name: 'image' } },
        first: { type: 'string' },
        next: { type: 'string' },
        schema: { type: 'string' },
      },
    },
  }));
  serveMembers(service, cloud, (call, auth) => find(cloud, call, auth));
  return service;
}

/** An image on the wire: properties lie flat beside the attributes. */
function imageView(i: Image): Json {
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

const writableFields: Record<string, (i: Image, value: unknown, auth: Auth) => void> = {
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
      throw new ApiError(403, "You are not permitted to create images owned by '" + String(v) + "'.");
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

function setAttribute(image: Image, key: string, value: unknown, auth: Auth): void {
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

function patch(image: Image, operation: Json, auth: Auth): void {
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

function find(cloud: Cloud, call: Call, auth: Auth): Image {
  const image = cloud.image.images.get(call.params.id!);
  if (!image || !cloud.image.mayRead(image, auth)) throw new ApiError(404, `No image found with ID ${call.params.id}`);
  return image;
}

function owned(cloud: Cloud, call: Call, auth: Auth): Image {
  const image = find(cloud, call, auth);
  if (!auth.isAdmin && image.owner !== auth.projectId)
    throw new ApiError(403, `You are not authorized to complete this action.`);
  return image;
}

function list(cloud: Cloud, call: Call, auth: Auth): Answer {
  const q = call.query;
  const visibility = q.get('visibility');
  let rows = [...cloud.image.images.values()].filter((i) => {
    if (!cloud.image.mayRead(i, auth)) return false;
    // Community images show only when asked for.
    if (
      i.visibility === 'community' &&
      visibility !== 'community' &&
      visibility !== 'all' &&
      i.owner !== auth.projectId
    )
      return false;
    const view = imageView(i);
    if (i.hidden !== (q.get('os_hidden')?.toLowerCase() === 'true')) return false;
    for (const [key, value] of q) {
      if (['limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'os_hidden', 'member_status'].includes(key)) continue;
      if (key === 'tag') {
        if (!i.tags.includes(value)) return false;
      } else if (key === 'visibility') {
        if (value !== 'all' && i.visibility !== value) return false;
      } else if (key === 'size_min' || key === 'size_max') {
        if (key === 'size_min' ? (i.size ?? 0) < Number(value) : (i.size ?? 0) > Number(value)) return false;
      } else if (value.startsWith('in:')) {
        if (!value.slice(3).split(',').includes(String(view[key]))) return false;
      } else if (String(view[key] ?? '') !== value && String(view[key]).toLowerCase() !== value.toLowerCase())
        return false;
    }
    return true;
  });
  const [sortKey, sortDir] = (q.get('sort') ?? '').split(',')[0]!.split(':');
  const key = sortKey || q.get('sort_key') || 'created_at';
  const dir = (sortDir || q.get('sort_dir')) === 'asc' ? 1 : -1;
  rows.sort((a, b) => {
    const [x, y] = [imageView(a)[key] ?? '', imageView(b)[key] ?? ''] as [string, string];
    return (x < y ? -1 : x > y ? 1 : a.id < b.id ? -1 : 1) * dir;
  });
  const marker = q.get('marker');
  if (marker) {
    const at = rows.findIndex((i) => i.id === marker);
    if (at < 0) throw new ApiError(400, `Invalid marker. Image could not be found.`);
    rows = rows.slice(at + 1);
  }
  const limit = Math.min(1000, Number(q.get('limit') ?? 25));
  const page = rows.slice(0, limit);
  const out: Json = { images: page.map(imageView), first: '/v2/images', schema: '/v2/schemas/images' };
  if (page.length === limit && page.length > 0 && rows.length > limit) {
    const next = new URLSearchParams(q);
    next.set('marker', page.at(-1)!.id);
    out.next = `/v2/images?${next}`;
  }
  return { status: 200, json: out };
}

/** webob's errors: HTML, JSON or text by what the caller accepts. */
function webobError(call: Call, e: ApiError): Answer {
  const title = titles[e.status] ?? 'Error';
  const accept = header(call, 'accept') ?? '';
  if (accept.includes('html') || accept === '' || accept.includes('*/*')) {
    return {
      status: e.status,
      contentType: 'text/html; charset=UTF-8',
      text: `<html>\n <head>\n  <title>${e.status} ${title}</title>\n </head>\n <body>\n  <h1>${e.status} ${title}</h1>\n  ${e.message}<br /><br />\n\n\n </body>\n</html>`,
    };
  }
  if (accept.includes('json'))
    return {
      status: e.status,
      json: { message: `${e.message}<br /><br />\n\n\n`, code: `${e.status} ${title}`, title },
    };
  return {
    status: e.status,
    contentType: 'text/plain; charset=UTF-8',
    text: `${e.status} ${title}\n\n${e.message}\n\n   `,
  };
}
