import { createHash } from 'node:crypto';
import { type Answer, ApiError, type Call, isObject, jsonBody } from '../../core/message.ts';
import { Service } from '../../core/service.ts';
import { type Auth, type Cloud, header, type OpenStackService } from '../cloud.ts';
import { authenticate } from '../identity/tokens.ts';
import { imageView, patch, setAttribute, writableFields } from './attributes.ts';
import { listImages } from './list.ts';
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
  service.on('GET', '/v2/images', 'glance.image.list', (call, auth) => listImages(cloud, call, auth));
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
