import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, type Cloud, isoMicros, type OpenStackService } from '../cloud.ts';
import { checkTags } from './create.ts';
import { checkMetadata, microversion, schemaError, show } from './dialect.ts';
import { change, makePort, plug, unplug } from './lifecycle.ts';
import { checkNetwork, checkPort } from './requested-networks.ts';
import { findServer } from './servers.ts';
import type { Server, ServerAction } from './state.ts';

/** What hangs on a server: metadata, tags, interfaces, addresses, actions, security groups. */
export function serveServerDetails(service: OpenStackService, cloud: Cloud): void {
  const server = (call: Call, auth: Auth): Server => findServer(cloud, call.params.id!, auth);
  serveMetadata(service, cloud);
  serveTags(service, cloud);

  const iface = (id: string): Json => {
    const port = cloud.network.ports.get(id)!;
    return {
      net_id: port.network_id,
      port_id: port.id,
      mac_addr: port.mac_address,
      port_state: port.status,
      fixed_ips: port.fixed_ips,
    };
  };
  service.on('GET', '/v2.1/servers/{id}/os-interface', 'nova.interface.list', (call, auth) => {
    const s = server(call, auth);
    return {
      status: 200,
      json: { interfaceAttachments: s.portIds.filter((id) => cloud.network.ports.get(id)).map((id) => iface(id)) },
    };
  });
  service.on('GET', '/v2.1/servers/{id}/os-interface/{port}', 'nova.interface.show', (call, auth) => {
    const s = server(call, auth);
    if (!s.portIds.includes(call.params.port!) || !cloud.network.ports.get(call.params.port!))
      throw new ApiError(404, `Port id ${call.params.port} could not be found.`);
    return { status: 200, json: { interfaceAttachment: iface(call.params.port!) } };
  });
  service.on('POST', '/v2.1/servers/{id}/os-interface', 'nova.interface.create', (call, auth) => {
    const s = server(call, auth);
    const given = jsonBody(call).interfaceAttachment;
    const wanted: Json = isObject(given) ? given : {};
    if (!['active', 'paused', 'stopped'].includes(s.vmState))
      throw new ApiError(409, `Cannot 'attach_interface' instance ${s.id} while it is in vm_state ${s.vmState}`);
    let portId: string;
    if (typeof wanted.port_id === 'string') {
      try {
        checkPort(cloud, wanted.port_id, auth);
      } catch (error) {
        throw error instanceof ApiError && error.status === 409 ? new ApiError(400, error.message) : error;
      }
      portId = wanted.port_id;
      plug(cloud, s, cloud.network.ports.get(portId)!, false);
    } else {
      const networkId =
        typeof wanted.net_id === 'string'
          ? wanted.net_id
          : [...cloud.network.networks.by('project', auth.projectId)][0]?.id;
      const network = networkId === undefined ? undefined : cloud.network.networks.get(networkId);
      if (!network) throw new ApiError(404, `Network ${networkId} could not be found.`);
      checkNetwork(cloud, network, auth);
      const fixed =
        Array.isArray(wanted.fixed_ips) && isObject(wanted.fixed_ips[0])
          ? String(wanted.fixed_ips[0].ip_address)
          : null;
      const port = makePort(cloud, s, network.id, fixed, []);
      portId = port.id;
      plug(cloud, s, port, true);
    }
    return { status: 200, json: { interfaceAttachment: iface(portId) } };
  });
  service.on('DELETE', '/v2.1/servers/{id}/os-interface/{port}', 'nova.interface.delete', (call, auth) => {
    const s = server(call, auth);
    if (!s.portIds.includes(call.params.port!))
      throw new ApiError(404, `Port id ${call.params.port} could not be found.`);
    unplug(cloud, s, call.params.port!);
    return { status: 202 };
  });

  const addresses = (s: Server) => {
    const out: Record<string, { version: number; addr: string }[]> = {};
    for (const id of s.portIds) {
      const port = cloud.network.ports.get(id);
      const name = cloud.network.networks.get(port?.network_id ?? '')?.name ?? '';
      out[name] ??= [];
      for (const f of port?.fixed_ips ?? [])
        out[name].push({ version: f.ip_address.includes(':') ? 6 : 4, addr: f.ip_address });
      const floating = port && cloud.network.floatingAddress(port.id);
      if (floating) out[name].push({ version: 4, addr: floating });
    }
    return out;
  };
  service.on('GET', '/v2.1/servers/{id}/ips', 'nova.server.ips', (call, auth) => ({
    status: 200,
    json: { addresses: addresses(server(call, auth)) },
  }));
  service.on('GET', '/v2.1/servers/{id}/ips/{network}', 'nova.server.ips', (call, auth) => {
    const found = addresses(server(call, auth))[call.params.network!];
    if (!found) throw new ApiError(404, 'Instance is not a member of specified network');
    return { status: 200, json: { [call.params.network!]: found } };
  });
  service.on('GET', '/v2.1/servers/{id}/os-security-groups', 'nova.server.security_groups', (call, auth) => {
    const ids = new Set(server(call, auth).portIds.flatMap((id) => cloud.network.ports.get(id)?.security_groups ?? []));
    const groups = [...ids].flatMap((id) => cloud.network.groups.get(id) ?? []);
    return {
      status: 200,
      json: {
        security_groups: groups.map((g) => ({
          id: g.id,
          name: g.name,
          description: g.description,
          tenant_id: g.project_id,
          rules: [],
        })),
      },
    };
  });
  service.on('GET', '/v2.1/servers/{id}/diagnostics', 'nova.server.diagnostics', (call, auth) => {
    server(call, auth);
    return { status: 200, json: {} };
  });

  const find = (call: Call, auth: Auth): Server => {
    const gone = cloud.compute.gone.get(call.params.id!);
    return gone && microversion(call) >= 21 && (auth.isAdmin || gone.projectId === auth.projectId)
      ? gone
      : server(call, auth);
  };
  const view = (s: Server, a: ServerAction, minor: number): Json => ({
    action: a.action,
    instance_uuid: s.id,
    message: a.message,
    project_id: a.projectId,
    request_id: a.requestId,
    start_time: isoMicros(a.startedAt),
    user_id: a.userId,
    ...(minor >= 58 ? { updated_at: isoMicros(a.finishedAt ?? a.startedAt) } : {}),
  });
  service.on('GET', '/v2.1/servers/{id}/os-instance-actions', 'nova.instance_action.list', (call, auth) => {
    const s = find(call, auth);
    const minor = microversion(call);
    return { status: 200, json: { instanceActions: pageOfActions(s, call, minor).map((a) => view(s, a, minor)) } };
  });
  service.on('GET', '/v2.1/servers/{id}/os-instance-actions/{request}', 'nova.instance_action.show', (call, auth) => {
    const s = find(call, auth);
    const a = s.actions.find((x) => x.requestId === call.params.request);
    if (!a) throw new ApiError(404, `Action for request_id ${call.params.request} on instance ${s.id} not found`);
    const event = {
      event: `compute_${a.action === 'create' ? '_do_build_and_run_instance' : `${a.action}_instance`}`.replace(
        '__',
        '__',
      ),
      start_time: isoMicros(a.startedAt),
      finish_time: a.finishedAt === null ? null : isoMicros(a.finishedAt),
      result: a.result,
      traceback: null,
    };
    return { status: 200, json: { instanceAction: { ...view(s, a, microversion(call)), events: [event] } } };
  });
}

/** The actions that a list asks for; times and pages came with 2.58, changes-before with 2.66. */
function pageOfActions(s: Server, call: Call, minor: number): ServerAction[] {
  if (minor < 58) return s.actions;
  const q = call.query;
  const time = (name: string, missing: number): number => {
    const text = q.get(name);
    const at = text === null ? missing : Date.parse(text);
    if (Number.isNaN(at)) throw new ApiError(400, `Invalid filter field: ${name}.`);
    return at;
  };
  const since = time('changes-since', Number.NEGATIVE_INFINITY);
  const before = minor >= 66 ? time('changes-before', Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  let found = s.actions.filter((a) => {
    const updated = a.finishedAt ?? a.startedAt;
    return updated >= since && updated <= before;
  });
  const marker = q.get('marker');
  if (marker !== null) {
    const at = found.findIndex((a) => a.requestId === marker);
    if (at < 0) throw new ApiError(400, `marker [${marker}] not found`);
    found = found.slice(at + 1);
  }
  return found.slice(0, Number(q.get('limit') ?? 1000));
}

function serveMetadata(service: OpenStackService, cloud: Cloud): void {
  const base = '/v2.1/servers/{id}/metadata';
  const set = (s: Server, metadata: Record<string, string>) => {
    const limit = cloud.quotas.limit('compute', s.projectId, 'metadata_items');
    if (limit >= 0 && Object.keys(metadata).length > limit)
      throw new ApiError(403, `Maximum number of metadata items exceeds ${limit}`);
    change(cloud, s, { metadata });
  };
  const given = (call: Call) => {
    const body = jsonBody(call);
    if (body.metadata === undefined) throw schemaError('body', body, "'metadata' is a required property");
    return checkMetadata(body.metadata);
  };
  const absent = () => new ApiError(404, 'Metadata item was not found');
  service.on('GET', base, 'nova.server.metadata', (call, auth) => ({
    status: 200,
    json: { metadata: findServer(cloud, call.params.id!, auth).metadata },
  }));
  service.on('POST', base, 'nova.server.metadata_update', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    set(s, { ...s.metadata, ...given(call) });
    return { status: 200, json: { metadata: s.metadata } };
  });
  service.on('PUT', base, 'nova.server.metadata_update', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    set(s, given(call));
    return { status: 200, json: { metadata: s.metadata } };
  });
  service.on('GET', `${base}/{key}`, 'nova.server.metadata', (call, auth) => {
    const value = findServer(cloud, call.params.id!, auth).metadata[call.params.key!];
    if (value === undefined) throw absent();
    return { status: 200, json: { meta: { [call.params.key!]: value } } };
  });
  service.on('PUT', `${base}/{key}`, 'nova.server.metadata_update', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    const meta = checkMetadata(jsonBody(call).meta);
    if (!(call.params.key! in meta)) throw new ApiError(400, 'Request body and URI mismatch');
    set(s, { ...s.metadata, ...meta });
    return { status: 200, json: { meta } };
  });
  service.on('DELETE', `${base}/{key}`, 'nova.server.metadata_update', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    if (!(call.params.key! in s.metadata)) throw absent();
    const { [call.params.key!]: _gone, ...rest } = s.metadata;
    set(s, rest);
    return { status: 204 };
  });
}

function serveTags(service: OpenStackService, cloud: Cloud): void {
  const base = '/v2.1/servers/{id}/tags';
  const tagged = (call: Call, auth: Auth): Server => {
    if (microversion(call) < 26) throw new ApiError(404, 'The resource could not be found.');
    return findServer(cloud, call.params.id!, auth);
  };
  const absent = (s: Server, tag: string) => new ApiError(404, `Server ${s.id} has no tag '${tag}'`);
  service.on('GET', base, 'nova.server.tags', (call, auth) => ({
    status: 200,
    json: { tags: tagged(call, auth).tags },
  }));
  service.on('PUT', base, 'nova.server.tags_update', (call, auth) => {
    const s = tagged(call, auth);
    const body = jsonBody(call);
    if (body.tags === undefined) throw schemaError('body', body, "'tags' is a required property");
    change(cloud, s, { tags: checkTags(body.tags) });
    return { status: 200, json: { tags: s.tags } };
  });
  service.on('DELETE', base, 'nova.server.tags_update', (call, auth) => {
    change(cloud, tagged(call, auth), { tags: [] });
    return { status: 204 };
  });
  service.on('GET', `${base}/{tag}`, 'nova.server.tags', (call, auth) => {
    const s = tagged(call, auth);
    if (!s.tags.includes(call.params.tag!)) throw absent(s, call.params.tag!);
    return { status: 204 };
  });
  service.on('PUT', `${base}/{tag}`, 'nova.server.tags_update', (call, auth) => {
    const s = tagged(call, auth);
    const tag = checkTags([call.params.tag])[0]!;
    if (s.tags.includes(tag)) return { status: 204 };
    if (s.tags.length >= 50) throw new ApiError(400, `The number of tags exceeded the per-server limit 50`);
    change(cloud, s, { tags: [...s.tags, tag] });
    return { status: 201, headers: { Location: `${cloud.base}/compute${call.path}` } };
  });
  service.on('DELETE', `${base}/{tag}`, 'nova.server.tags_update', (call, auth) => {
    const s = tagged(call, auth);
    if (!s.tags.includes(call.params.tag!)) throw absent(s, show(call.params.tag));
    change(cloud, s, { tags: s.tags.filter((t) => t !== call.params.tag) });
    return { status: 204 };
  });
}
