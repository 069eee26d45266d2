import { ApiError, type Call, jsonBody } from '../../core/message.ts';
import type { Cloud, OpenStackService } from '../cloud.ts';
import { type Kind, readable, touch, writable } from './collection.ts';
import { badRequest } from './errors.ts';
import type { NetRow } from './state.ts';

/** The tag extension for one kind. */
export function serveTags<T extends NetRow>(service: OpenStackService, cloud: Cloud, kind: Kind<T>): void {
  const base = `/v2.0/${kind.plural.replaceAll('_', '-')}/{id}/tags`;
  const operation = `neutron.${kind.singular}.tags`;
  // The tag extension has its own words for a missing resource.
  const tagged = <R>(call: Call, look: () => R): R => {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
      throw new ApiError(404, `Resource ${kind.plural} ${call.params.id} could not be found.`, 'TagResourceNotFound');
    }
  };
  service.on('GET', base, `${operation}.list`, (call, auth) => ({
    status: 200,
    json: { tags: tagged(call, () => readable(kind, call.params.id!, auth)).tags },
  }));
  for (const verb of ['PUT', 'POST'] as const) {
    service.on(verb, base, `${operation}.set`, (call, auth) => {
      const row = tagged(call, () => writable(kind, call, auth, 'update'));
      const { tags } = jsonBody(call);
      if (!Array.isArray(tags)) throw badRequest("Invalid tags body: 'tags' must be a list");
      for (const tag of tags) checkTag(tag);
      row.tags = [...new Set([...(verb === 'POST' ? row.tags : []), ...(tags as string[])])];
      touch(cloud, kind.table, row);
      return { status: verb === 'POST' ? 201 : 200, json: { tags: row.tags } };
    });
  }
  service.on('DELETE', base, `${operation}.clear`, (call, auth) => {
    const row = tagged(call, () => writable(kind, call, auth, 'update'));
    row.tags = [];
    touch(cloud, kind.table, row);
    return { status: 204 };
  });
  const one = `${base}/{tag}`;
  const absent = (tag: string) => new ApiError(404, `Tag ${tag} could not be found.`, 'TagNotFound');
  service.on('GET', one, `${operation}.show`, (call, auth) => {
    if (!tagged(call, () => readable(kind, call.params.id!, auth)).tags.includes(call.params.tag!))
      throw absent(call.params.tag!);
    return { status: 204 };
  });
  service.on('PUT', one, `${operation}.add`, (call, auth) => {
    const row = tagged(call, () => writable(kind, call, auth, 'update'));
    checkTag(call.params.tag);
    if (!row.tags.includes(call.params.tag!)) row.tags.push(call.params.tag!);
    touch(cloud, kind.table, row);
    return { status: 201 };
  });
  service.on('DELETE', one, `${operation}.remove`, (call, auth) => {
    const row = tagged(call, () => writable(kind, call, auth, 'update'));
    if (!row.tags.includes(call.params.tag!)) throw absent(call.params.tag!);
    row.tags = row.tags.filter((t) => t !== call.params.tag);
    touch(cloud, kind.table, row);
    return { status: 204 };
  });
}

function checkTag(tag: unknown): void {
  if (typeof tag !== 'string')
    throw badRequest(`Invalid input for tag. Reason: '${String(tag)}' is not a valid string.`);
  if (tag.length > 255) throw badRequest(`Invalid input for tags. Reason: '${tag}' exceeds maximum length of 255.`);
}
