import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { VolumeType } from './state.ts';

/** Volume types: who may use which, and what is special about them. */
export function serveVolumeTypes(service: OpenStackService, cloud: Cloud): void {
  const { types, volumes } = cloud.volume;
  const admin = (auth: Auth, rule: string): void => {
    if (!auth.isAdmin) throw new ApiError(403, `Policy doesn't allow ${rule} to be performed.`);
  };
  const view = (t: VolumeType): Json => ({
    id: t.id,
    name: t.name,
    description: t.description,
    is_public: t.isPublic,
    'os-volume-type-access:is_public': t.isPublic,
    extra_specs: t.extraSpecs,
    qos_specs_id: null,
  });
  const visible = (t: VolumeType, auth: Auth): boolean =>
    t.isPublic || auth.isAdmin || t.access.includes(auth.projectId);
  const find = (call: Call, auth: Auth): VolumeType => {
    const id = call.params.id!;
    const t = id === 'default' ? [...types.values()][0] : (types.get(id) ?? [...types.by('name', id)][0]);
    if (!t || !visible(t, auth)) throw new ApiError(404, `Volume type ${id} could not be found.`);
    return t;
  };
  const nameFree = (name: string, self?: VolumeType): void => {
    for (const other of types.by('name', name))
      if (other !== self) throw new ApiError(409, `Volume Type ${name} already exists.`);
  };
  const specs = (value: unknown): Record<string, string> => {
    if (!isObject(value))
      throw new ApiError(400, "Invalid input for field/attribute extra_specs. 'extra_specs' is a required property");
    return value as Record<string, string>;
  };

  service.on('GET', '/v3/types', 'cinder.type.list', (call, auth) => {
    const wanted = (call.query.get('is_public') ?? (auth.isAdmin ? 'none' : 'true')).toLowerCase();
    const asked = call.query.get('extra_specs');
    // As Python prints a dict: {'key': 'value'}
    const filter = asked === null ? [] : [...asked.matchAll(/'([^']*)':\s*'([^']*)'/g)];
    const rows = [...types.values()].filter(
      (t) =>
        visible(t, auth) &&
        (!auth.isAdmin || wanted === 'none' || t.isPublic === (wanted === 'true')) &&
        (call.query.get('name') ?? t.name) === t.name &&
        filter.every(([, key, value]) => t.extraSpecs[key ?? ''] === value),
    );
    return { status: 200, json: { volume_types: rows.map(view) } };
  });
  service.on('GET', '/v3/types/{id}', 'cinder.type.show', (call, auth) => ({
    status: 200,
    json: { volume_type: view(find(call, auth)) },
  }));
  service.on('POST', '/v3/types', 'cinder.type.create', (call, auth) => {
    admin(auth, 'volume_extension:type_create');
    const given = jsonBody(call).volume_type;
    if (!isObject(given) || typeof given.name !== 'string')
      throw new ApiError(400, "Invalid input for field/attribute volume_type. 'name' is a required property");
    nameFree(given.name);
    const t: VolumeType = {
      id: cloud.ids.uuid(),
      name: given.name,
      description: String(given.description ?? ''),
      isPublic: given['os-volume-type-access:is_public'] !== false,
      extraSpecs: given.extra_specs === undefined ? {} : specs(given.extra_specs),
      access: [],
    };
    types.save(t);
    return { status: 200, json: { volume_type: view(t) } };
  });
  service.on('PUT', '/v3/types/{id}', 'cinder.type.update', (call, auth) => {
    admin(auth, 'volume_extension:type_update');
    const t = find(call, auth);
    const given = jsonBody(call).volume_type;
    if (!isObject(given))
      throw new ApiError(400, "Invalid input for field/attribute body. 'volume_type' is a required property");
    if (typeof given.name === 'string') {
      nameFree(given.name, t);
      // Volumes name their type by its name.
      for (const v of volumes.values()) if (v.type === t.name) v.type = given.name;
      t.name = given.name;
    }
    if (typeof given.description === 'string') t.description = given.description;
    if (typeof given.is_public === 'boolean') t.isPublic = given.is_public;
    types.save(t);
    return { status: 200, json: { volume_type: view(t) } };
  });
  service.on('DELETE', '/v3/types/{id}', 'cinder.type.delete', (call, auth) => {
    admin(auth, 'volume_extension:type_delete');
    const t = find(call, auth);
    if ([...volumes.values()].some((v) => v.type === t.name))
      throw new ApiError(400, 'Target volume type is still in use.');
    types.delete(t.id);
    return { status: 202 };
  });

  service.on('GET', '/v3/types/{id}/extra_specs', 'cinder.type.specs', (call, auth) => ({
    status: 200,
    json: { extra_specs: find(call, auth).extraSpecs },
  }));
  service.on('POST', '/v3/types/{id}/extra_specs', 'cinder.type.specs_update', (call, auth) => {
    admin(auth, 'volume_extension:types_extra_specs:create');
    const t = find(call, auth);
    const given = specs(jsonBody(call).extra_specs);
    t.extraSpecs = { ...t.extraSpecs, ...given };
    return { status: 200, json: { extra_specs: given } };
  });
  const spec = (call: Call, auth: Auth): VolumeType => {
    const t = find(call, auth);
    if (!(call.params.key! in t.extraSpecs))
      throw new ApiError(404, `Volume Type ${t.id} has no extra specs with key ${call.params.key}.`);
    return t;
  };
  const key = '/v3/types/{id}/extra_specs/{key}';
  service.on('GET', key, 'cinder.type.spec', (call, auth) => ({
    status: 200,
    json: { [call.params.key!]: spec(call, auth).extraSpecs[call.params.key!] },
  }));
  service.on('PUT', key, 'cinder.type.specs_update', (call, auth) => {
    admin(auth, 'volume_extension:types_extra_specs:update');
    const t = find(call, auth);
    const value = jsonBody(call)[call.params.key!];
    if (typeof value !== 'string') throw new ApiError(400, 'Request body and URI mismatch');
    t.extraSpecs = { ...t.extraSpecs, [call.params.key!]: value };
    return { status: 200, json: { [call.params.key!]: value } };
  });
  service.on('DELETE', key, 'cinder.type.specs_update', (call, auth) => {
    admin(auth, 'volume_extension:types_extra_specs:delete');
    const t = spec(call, auth);
    const { [call.params.key!]: _gone, ...rest } = t.extraSpecs;
    t.extraSpecs = rest;
    return { status: 202 };
  });

  const restricted = (call: Call, auth: Auth): VolumeType => {
    const t = find(call, auth);
    if (t.isPublic) throw new ApiError(404, 'Access list not available for public volume types.');
    return t;
  };
  service.on('GET', '/v3/types/{id}/os-volume-type-access', 'cinder.type.access', (call, auth) => {
    admin(auth, 'volume_extension:volume_type_access:get_all_for_type');
    const t = restricted(call, auth);
    const rows = t.access.map((project_id) => ({ volume_type_id: t.id, project_id }));
    return { status: 200, json: { volume_type_access: rows } };
  });
  service.on('POST', '/v3/types/{id}/action', 'cinder.type.action', (call, auth) => {
    admin(auth, 'volume_extension:volume_type_access:add_project_access');
    const body = jsonBody(call);
    const t = find(call, auth);
    const { addProjectAccess: add, removeProjectAccess: remove } = body;
    if (isObject(add)) {
      const project = String(add.project);
      if (t.isPublic) throw new ApiError(409, 'Type access modification is not applicable to public volume type.');
      if (t.access.includes(project))
        throw new ApiError(409, `Volume type access for ${t.id} / ${project} combination already exists.`);
      t.access = [...t.access, project];
    } else if (isObject(remove)) {
      const project = String(remove.project);
      if (!t.access.includes(project))
        throw new ApiError(404, `Volume type access not found for ${t.id} / ${project} combination.`);
      t.access = t.access.filter((one) => one !== project);
    } else throw new ApiError(400, `There is no such action: ${Object.keys(body)[0] ?? ''}`);
    return { status: 202 };
  });
}
