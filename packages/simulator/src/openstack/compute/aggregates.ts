import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, type Cloud, isoMicros, type OpenStackService } from '../cloud.ts';
import { microversion, policy, schemaError } from './dialect.ts';
import type { Aggregate } from './state.ts';

/** Host aggregates: those of the configured zones, and what administrators add. Servers are placed by zone, whatever the aggregates say. */
export function serveAggregates(service: OpenStackService, cloud: Cloud): void {
  const { compute } = cloud;
  const { aggregates } = compute;
  const admin = (auth: Auth, verb: string): void => {
    if (!auth.isAdmin) throw policy(`os_compute_api:os-aggregates:${verb}`);
  };
  const view = (a: Aggregate, minor: number): Json => ({
    id: Number(a.id),
    name: a.name,
    availability_zone: a.metadata.availability_zone ?? null,
    hosts: a.hosts,
    metadata: a.metadata,
    ...(minor >= 41 ? { uuid: a.uuid } : {}),
    deleted: false,
    deleted_at: null,
    created_at: isoMicros(a.createdAt),
    updated_at: a.updatedAt === null ? null : isoMicros(a.updatedAt),
  });
  const find = (call: Call): Aggregate => {
    const a = aggregates.get(call.params.id!);
    if (!a) throw new ApiError(404, `Aggregate ${call.params.id} could not be found.`);
    return a;
  };
  const answer = (call: Call, a: Aggregate) => ({ status: 200, json: { aggregate: view(a, microversion(call)) } });
  const given = (call: Call): Json => {
    const body = jsonBody(call).aggregate;
    if (!isObject(body)) throw schemaError('body', {}, "'aggregate' is a required property");
    return body;
  };
  const nameFree = (name: string): void => {
    if (aggregates.count('name', name) > 0) throw new ApiError(409, `Aggregate ${name} already exists.`);
  };
  const changed = (a: Aggregate): void => {
    a.updatedAt = cloud.clock.now();
    aggregates.save(a);
  };

  service.on('GET', '/v2.1/os-aggregates', 'nova.aggregate.list', (call, auth) => {
    admin(auth, 'index');
    return { status: 200, json: { aggregates: [...aggregates.values()].map((a) => view(a, microversion(call))) } };
  });
  service.on('POST', '/v2.1/os-aggregates', 'nova.aggregate.create', (call, auth) => {
    admin(auth, 'create');
    const body = given(call);
    if (typeof body.name !== 'string' || body.name === '')
      throw schemaError('aggregate', body, "'name' is a required property");
    nameFree(body.name);
    return answer(call, compute.newAggregate(cloud, body.name, body.availability_zone));
  });
  service.on('GET', '/v2.1/os-aggregates/{id}', 'nova.aggregate.show', (call, auth) => {
    admin(auth, 'show');
    return answer(call, find(call));
  });
  service.on('PUT', '/v2.1/os-aggregates/{id}', 'nova.aggregate.update', (call, auth) => {
    admin(auth, 'update');
    const a = find(call);
    const body = given(call);
    if (typeof body.name === 'string' && body.name !== a.name) {
      nameFree(body.name);
      a.name = body.name;
    }
    if (typeof body.availability_zone === 'string') a.metadata.availability_zone = body.availability_zone;
    changed(a);
    return answer(call, a);
  });
  service.on('DELETE', '/v2.1/os-aggregates/{id}', 'nova.aggregate.delete', (call, auth) => {
    admin(auth, 'delete');
    const a = find(call);
    if (a.hosts.length > 0)
      throw new ApiError(400, `Cannot remove host aggregate ${a.id}. Reason: Host aggregate is not empty.`);
    aggregates.delete(a.id);
    return { status: 200 };
  });
  service.on('POST', '/v2.1/os-aggregates/{id}/action', 'nova.aggregate.action', (call, auth) => {
    const a = find(call);
    const body = jsonBody(call);
    const { add_host: add, remove_host: remove, set_metadata: set } = body;
    if (isObject(add)) {
      admin(auth, 'add_host');
      const host = String(add.host);
      if (![...compute.hosts.values()].some((h) => h.name === host))
        throw new ApiError(404, `Compute host ${host} could not be found.`);
      if (a.hosts.includes(host)) throw new ApiError(409, `Aggregate ${a.id} already has host ${host}.`);
      a.hosts = [...a.hosts, host];
    } else if (isObject(remove)) {
      admin(auth, 'remove_host');
      const host = String(remove.host);
      if (!a.hosts.includes(host)) throw new ApiError(404, `Aggregate ${a.id} has no host ${host}.`);
      a.hosts = a.hosts.filter((one) => one !== host);
    } else if (isObject(set) && isObject(set.metadata)) {
      admin(auth, 'set_metadata');
      const next = Object.entries({ ...a.metadata, ...set.metadata });
      // null takes a key away.
      a.metadata = Object.fromEntries(next.filter(([, value]) => value !== null).map(([k, v]) => [k, String(v)]));
    } else throw new ApiError(400, `There is no such action: ${Object.keys(body)[0] ?? ''}`);
    changed(a);
    return answer(call, a);
  });
}
