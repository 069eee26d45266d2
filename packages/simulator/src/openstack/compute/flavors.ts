import { ApiError, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { checkName, microversion, policy, schemaError } from './dialect.ts';
import type { Flavor } from './state.ts';

/** A flavor the caller may use, by id. */
export function findFlavor(cloud: Cloud, id: string, auth: Auth): Flavor | undefined {
  const f = cloud.compute.flavors.get(id);
  return f && (f.isPublic || auth.isAdmin || f.access.includes(auth.projectId)) ? f : undefined;
}

/** Flavors, their extra specs and access lists. */
export function serveFlavors(service: OpenStackService, cloud: Cloud): void {
  const { flavors } = cloud.compute;
  const links = (f: Flavor) => [
    { rel: 'self', href: `${cloud.base}/compute/v2.1/flavors/${f.id}` },
    { rel: 'bookmark', href: `${cloud.base}/compute/flavors/${f.id}` },
  ];
  const view = (f: Flavor, minor: number): Json => ({
    id: f.id,
    name: f.name,
    ram: f.ram,
    disk: f.disk,
    swap: f.swap === 0 && minor < 75 ? '' : f.swap,
    'OS-FLV-EXT-DATA:ephemeral': f.ephemeral,
    'OS-FLV-DISABLED:disabled': false,
    vcpus: f.vcpus,
    'os-flavor-access:is_public': f.isPublic,
    rxtx_factor: f.rxtxFactor,
    links: links(f),
    ...(minor >= 55 ? { description: f.description } : {}),
    ...(minor >= 61 ? { extra_specs: f.extraSpecs } : {}),
  });
  const need = (id: string, auth: Auth): Flavor => {
    const f = findFlavor(cloud, id, auth);
    if (!f) throw new ApiError(404, `Flavor ${id} could not be found.`);
    return f;
  };
  const admin = (auth: Auth, rule: string) => {
    if (!auth.isAdmin) throw policy(`os_compute_api:${rule}`);
  };
  for (const detail of [false, true]) {
    service.on('GET', detail ? '/v2.1/flavors/detail' : '/v2.1/flavors', 'nova.flavor.list', (call, auth) => {
      const q = call.query;
      const isPublic = q.get('is_public')?.toLowerCase();
      let rows = [...flavors.values()].filter((f) => {
        if (!auth.isAdmin) return f.isPublic || f.access.includes(auth.projectId);
        return isPublic === 'none' ? true : isPublic === 'false' ? !f.isPublic : f.isPublic;
      });
      if (q.has('minRam')) rows = rows.filter((f) => f.ram >= Number(q.get('minRam')));
      if (q.has('minDisk')) rows = rows.filter((f) => f.disk >= Number(q.get('minDisk')));
      const sort = q.get('sort_key') ?? 'flavorid';
      const key = (f: Flavor): string | number =>
        sort === 'flavorid'
          ? f.id
          : sort === 'memory_mb'
            ? f.ram
            : sort === 'root_gb'
              ? f.disk
              : sort === 'vcpus'
                ? f.vcpus
                : sort === 'name'
                  ? f.name
                  : f.id;
      rows.sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0) * (q.get('sort_dir') === 'desc' ? -1 : 1));
      const marker = q.get('marker');
      if (marker) {
        const at = rows.findIndex((f) => f.id === marker);
        if (at < 0) throw new ApiError(400, `marker [${marker}] not found`);
        rows = rows.slice(at + 1);
      }
      const limit = Number(q.get('limit') ?? 1000);
      const page = rows.slice(0, limit);
      const minor = microversion(call);
      const out: Json = {
        flavors: page.map((f) =>
          detail
            ? view(f, minor)
            : { id: f.id, name: f.name, links: links(f), ...(minor >= 55 ? { description: f.description } : {}) },
        ),
      };
      if (q.has('limit') && page.length === limit && page.length > 0) {
        out.flavors_links = [
          { rel: 'next', href: `${cloud.base}/compute${call.path}?limit=${limit}&marker=${page.at(-1)!.id}` },
        ];
      }
      return { status: 200, json: out };
    });
  }
  service.on('GET', '/v2.1/flavors/{id}', 'nova.flavor.show', (call, auth) => ({
    status: 200,
    json: { flavor: view(need(call.params.id!, auth), microversion(call)) },
  }));
  service.on('POST', '/v2.1/flavors', 'nova.flavor.create', (call, auth) => {
    admin(auth, 'os-flavor-manage:create');
    const given = jsonBody(call).flavor;
    if (!isObject(given)) throw schemaError('body', {}, "'flavor' is a required property");
    const name = checkName(given.name);
    for (const key of ['ram', 'vcpus', 'disk']) {
      const n = Number(given[key]);
      if (given[key] === undefined) throw schemaError('flavor', given, `'${key}' is a required property`);
      if (!Number.isInteger(n) || n < (key === 'disk' ? 0 : 1))
        throw schemaError(
          key,
          given[key],
          `${String(given[key])} is less than the minimum of ${key === 'disk' ? 0 : 1}`,
        );
    }
    const id = given.id === undefined || given.id === null || given.id === 'auto' ? cloud.ids.uuid() : String(given.id);
    if (flavors.get(id)) throw new ApiError(409, `Flavor with ID ${id} already exists.`);
    if (flavors.count('name', name) > 0) throw new ApiError(409, `Flavor with name ${name} already exists.`);
    const f: Flavor = {
      id,
      name,
      vcpus: Number(given.vcpus),
      ram: Number(given.ram),
      disk: Number(given.disk),
      ephemeral: Number(given['OS-FLV-EXT-DATA:ephemeral'] ?? 0),
      swap: Number(given.swap ?? 0),
      rxtxFactor: Number(given.rxtx_factor ?? 1),
      isPublic: given['os-flavor-access:is_public'] !== false,
      description: typeof given.description === 'string' ? given.description : null,
      extraSpecs: {},
      // Who makes a private flavor is not on its list.
      access: [],
    };
    flavors.save(f);
    return { status: 200, json: { flavor: view(f, microversion(call)) } };
  });
  service.on('PUT', '/v2.1/flavors/{id}', 'nova.flavor.update', (call, auth) => {
    admin(auth, 'os-flavor-manage:update');
    const f = need(call.params.id!, auth);
    const given = jsonBody(call).flavor;
    if (isObject(given)) f.description = typeof given.description === 'string' ? given.description : null;
    return { status: 200, json: { flavor: view(f, microversion(call)) } };
  });
  service.on('DELETE', '/v2.1/flavors/{id}', 'nova.flavor.delete', (call, auth) => {
    admin(auth, 'os-flavor-manage:delete');
    flavors.delete(need(call.params.id!, auth).id);
    return { status: 202 };
  });
  const specs = '/v2.1/flavors/{id}/os-extra_specs';
  const absent = (f: Flavor, key: string) => new ApiError(404, `Flavor ${f.id} has no extra specs with key ${key}.`);
  service.on('GET', specs, 'nova.flavor.specs', (call, auth) => ({
    status: 200,
    json: { extra_specs: need(call.params.id!, auth).extraSpecs },
  }));
  service.on('POST', specs, 'nova.flavor.specs', (call, auth) => {
    admin(auth, 'os-flavor-extra-specs:create');
    const f = need(call.params.id!, auth);
    const given = jsonBody(call).extra_specs;
    if (!isObject(given)) throw schemaError('body', {}, "'extra_specs' is a required property");
    f.extraSpecs = { ...f.extraSpecs, ...(given as Record<string, string>) };
    return { status: 200, json: { extra_specs: given } };
  });
  service.on('GET', `${specs}/{key}`, 'nova.flavor.specs', (call, auth) => {
    const f = need(call.params.id!, auth);
    const key = call.params.key!;
    if (!(key in f.extraSpecs)) throw absent(f, key);
    return { status: 200, json: { [key]: f.extraSpecs[key] } };
  });
  service.on('PUT', `${specs}/{key}`, 'nova.flavor.specs', (call, auth) => {
    admin(auth, 'os-flavor-extra-specs:update');
    const f = need(call.params.id!, auth);
    const key = call.params.key!;
    const value = jsonBody(call)[key];
    if (typeof value !== 'string') throw new ApiError(400, 'Request body and URI mismatch');
    f.extraSpecs = { ...f.extraSpecs, [key]: value };
    return { status: 200, json: { [key]: value } };
  });
  service.on('DELETE', `${specs}/{key}`, 'nova.flavor.specs', (call, auth) => {
    admin(auth, 'os-flavor-extra-specs:delete');
    const f = need(call.params.id!, auth);
    if (!(call.params.key! in f.extraSpecs)) throw absent(f, call.params.key!);
    const { [call.params.key!]: _gone, ...rest } = f.extraSpecs;
    f.extraSpecs = rest;
    return { status: 200 };
  });
  const access = (f: Flavor) => ({ flavor_access: f.access.map((tenant_id) => ({ flavor_id: f.id, tenant_id })) });
  service.on('GET', '/v2.1/flavors/{id}/os-flavor-access', 'nova.flavor.access', (call, auth) => {
    admin(auth, 'os-flavor-access');
    const f = need(call.params.id!, auth);
    if (f.isPublic) throw new ApiError(404, 'Access list not available for public flavors.');
    return { status: 200, json: access(f) };
  });
  service.on('POST', '/v2.1/flavors/{id}/action', 'nova.flavor.action', (call, auth) => {
    admin(auth, 'os-flavor-access:add_tenant_access');
    const f = need(call.params.id!, auth);
    const body = jsonBody(call);
    const add = isObject(body.addTenantAccess) ? String(body.addTenantAccess.tenant) : undefined;
    const remove = isObject(body.removeTenantAccess) ? String(body.removeTenantAccess.tenant) : undefined;
    if (add !== undefined) {
      if (f.isPublic) throw new ApiError(409, 'Can not add access to a public flavor.');
      if (f.access.includes(add))
        throw new ApiError(409, `Flavor access already exists for flavor ${f.id} and project ${add} combination.`);
      f.access.push(add);
    } else if (remove !== undefined) {
      if (!f.access.includes(remove))
        throw new ApiError(404, `Flavor access not found for ${f.id} / ${remove} combination.`);
      f.access = f.access.filter((p) => p !== remove);
    } else {
      throw new ApiError(400, `There is no such action: ${Object.keys(body)[0] ?? ''}`);
    }
    return { status: 200, json: access(f) };
  });
}
