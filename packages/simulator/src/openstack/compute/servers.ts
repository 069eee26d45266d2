import { type Answer, ApiError, type Call, isObject, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { runAction } from './actions.ts';
import { createServers } from './create.ts';
import { checkName, microversion, policy, schemaError } from './dialect.ts';
import { change, destroy, startAction } from './lifecycle.ts';
import type { Server } from './state.ts';
import { serverJson, serverLinks } from './views.ts';

/** The caller's server, or 404. */
export function findServer(cloud: Cloud, id: string, auth: Auth): Server {
  const s = cloud.compute.servers.get(id);
  if (!s || (!auth.isAdmin && s.projectId !== auth.projectId))
    throw new ApiError(404, `Instance ${id} could not be found.`);
  return s;
}

/** Servers: create, list, show, update, delete, actions. */
export function serveServers(service: OpenStackService, cloud: Cloud): void {
  service.on('POST', '/v2.1/servers', 'nova.server.create', (call, auth) => createServers(cloud, call, auth));
  service.on('GET', '/v2.1/servers', 'nova.server.list', (call, auth) => list(cloud, call, auth, false));
  service.on('GET', '/v2.1/servers/detail', 'nova.server.list', (call, auth) => list(cloud, call, auth, true));
  service.on('GET', '/v2.1/servers/{id}', 'nova.server.show', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    const minor = microversion(call);
    return {
      status: 200,
      text: `{"server":${serverJson(cloud, s, minor, auth, minor >= 71 ? { server_groups: s.groupId === null ? [] : [s.groupId] } : {})}}`,
    };
  });
  service.on('PUT', '/v2.1/servers/{id}', 'nova.server.update', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    const given = jsonBody(call).server;
    if (!isObject(given)) throw schemaError('body', {}, "'server' is a required property");
    if (given.name !== undefined) s.name = checkName(given.name);
    if (given.description !== undefined) s.description = given.description === null ? null : String(given.description);
    if (typeof given.accessIPv4 === 'string') s.accessIPv4 = given.accessIPv4;
    if (typeof given.accessIPv6 === 'string') s.accessIPv6 = given.accessIPv6;
    if (typeof given.hostname === 'string') s.hostname = given.hostname;
    if (given['OS-DCF:diskConfig'] === 'AUTO' || given['OS-DCF:diskConfig'] === 'MANUAL')
      s.diskConfig = given['OS-DCF:diskConfig'];
    change(cloud, s, {});
    return { status: 200, text: `{"server":${serverJson(cloud, s, microversion(call), auth)}}` };
  });
  service.on('DELETE', '/v2.1/servers/{id}', 'nova.server.delete', (call, auth) => {
    const s = findServer(cloud, call.params.id!, auth);
    if (s.locked && !auth.isAdmin) throw new ApiError(409, `Instance ${s.id} is locked`);
    if (s.taskState === 'deleting') return { status: 204 };
    const action = startAction(cloud, s, 'delete', call.requestId, auth.userId);
    if (cloud.config.softDelete && s.status !== 'ERROR' && s.status !== 'BUILD') {
      cloud.hypervisor.powerOff(s.id, 'hard');
      change(cloud, s, { status: 'SOFT_DELETED', vmState: 'soft-delete', taskState: null, powerState: 4 });
    } else {
      destroy(cloud, s, action);
    }
    return { status: 204 };
  });
  service.on('POST', '/v2.1/servers/{id}/action', 'nova.server.action', (call, auth) =>
    runAction(cloud, call, auth, findServer(cloud, call.params.id!, auth)),
  );
}

const userFilters = new Set([
  'reservation_id',
  'name',
  'status',
  'image',
  'flavor',
  'ip',
  'ip6',
  'changes-since',
  'changes-before',
  'tags',
  'tags-any',
  'not-tags',
  'not-tags-any',
  'availability_zone',
  'key_name',
  'config_drive',
  'locked',
  'power_state',
  'vm_state',
  'task_state',
  'uuid',
  'user_id',
  'description',
  'hostname',
]);

function list(cloud: Cloud, call: Call, auth: Auth, detail: boolean): Answer {
  const { compute } = cloud;
  const q = call.query;
  const minor = microversion(call);
  const everyone = ['1', 'true', 'yes', ''].includes(
    (q.get('all_tenants') ?? q.get('all_projects') ?? 'no').toLowerCase(),
  );
  if (everyone && !auth.isAdmin) throw policy(`os_compute_api:servers:${detail ? 'detail' : 'index'}:get_all_tenants`);
  const project = auth.isAdmin
    ? everyone
      ? (q.get('project_id') ?? q.get('tenant_id'))
      : auth.projectId
    : auth.projectId;
  const since = time(q.get('changes-since'), 'changes-since');
  const before = time(q.get('changes-before'), 'changes-before');
  const deletedOnly = auth.isAdmin && ['true', '1'].includes((q.get('deleted') ?? '').toLowerCase());
  const wantsDeleted = q.getAll('status').some((s) => s.toUpperCase() === 'DELETED');
  if (wantsDeleted && !auth.isAdmin) throw new ApiError(403, 'Only administrators may list deleted instances');
  const live = (): Iterable<Server> => {
    const tag = minor >= 26 ? (q.get('tags') ?? '').split(',')[0]! : '';
    if (tag !== '' && project) return compute.servers.by('tag', `${project} ${tag}`);
    return project ? compute.servers.by('project', project) : compute.servers.values();
  };
  let rows: Server[] = [];
  if (!deletedOnly && !wantsDeleted) for (const s of live()) rows.push(s);
  if (since !== undefined || deletedOnly || wantsDeleted)
    for (const s of project ? compute.gone.by('project', project) : compute.gone.values()) rows.push(s);
  const keeps = predicate(cloud, q, minor, auth.isAdmin);
  rows = rows.filter(
    (s) => (since === undefined || s.updatedAt >= since) && (before === undefined || s.updatedAt <= before) && keeps(s),
  );
  sort(rows, q.getAll('sort_key'), q.getAll('sort_dir'));
  const marker = q.get('marker');
  if (marker) {
    const at = rows.findIndex((s) => s.id === marker);
    if (at < 0) throw new ApiError(400, `marker [${marker}] not found`);
    rows = rows.slice(at + 1);
  }
  const limit = pageSize(q.get('limit'));
  const page = rows.slice(0, limit);
  const items = page.map((s) =>
    detail
      ? serverJson(cloud, s, minor, auth)
      : JSON.stringify({ id: s.id, name: s.name, links: serverLinks(cloud, s.id) }),
  );
  let links = '';
  if (page.length === limit && page.length > 0 && (q.has('limit') || rows.length > limit)) {
    const next = new URLSearchParams(q);
    next.set('marker', page.at(-1)!.id);
    links = `,"servers_links":${JSON.stringify([{ rel: 'next', href: `${cloud.base}/compute${call.path}?${next}` }])}`;
  }
  return { status: 200, text: `{"servers":[${items.join(',')}]${links}}` };
}

function pageSize(given: string | null): number {
  if (given === null) return 1000;
  if (!/^\d+$/.test(given))
    throw new ApiError(
      400,
      `Invalid input for query parameters limit. Value: ${given}. '${given}' does not match '^[0-9]*$'`,
    );
  return Number(given) === 0 ? 1000 : Math.min(1000, Number(given));
}

function time(given: string | null, field: string): number | undefined {
  if (given === null) return undefined;
  const at = Date.parse(/Z$|[+-]\d\d:?\d\d$/.test(given) ? given : `${given}Z`);
  if (Number.isNaN(at)) throw schemaError(field, given, `'${given}' is not a 'date-time'`);
  // Nova's clock for this has whole seconds.
  return Math.floor(at / 1000) * 1000;
}

function predicate(cloud: Cloud, q: URLSearchParams, minor: number, isAdmin: boolean): (s: Server) => boolean {
  const tests: ((s: Server) => boolean)[] = [];
  const regex = (text: string) => {
    try {
      return new RegExp(text);
    } catch {
      throw new ApiError(400, `Invalid input received: Invalid regular expression '${text}'`);
    }
  };
  for (const key of new Set(q.keys())) {
    if (!userFilters.has(key) && !(isAdmin && ['host', 'node', 'tenant_id', 'project_id', 'task_state'].includes(key)))
      continue;
    const values = q.getAll(key);
    const value = values.at(-1)!;
    if (key === 'name' || key === 'hostname' || key === 'description') {
      const expression = regex(value);
      tests.push((s) =>
        expression.test((key === 'name' ? s.name : key === 'hostname' ? s.hostname : s.description) ?? ''),
      );
    } else if (key === 'status') {
      const wanted = values.map((v) => v.toUpperCase());
      tests.push((s) => wanted.includes(s.status));
    } else if (key === 'ip' || key === 'ip6') {
      const expression = regex(value);
      tests.push((s) =>
        s.portIds.some((id) =>
          cloud.network.ports
            .get(id)
            ?.fixed_ips.some((f) => f.ip_address.includes(':') === (key === 'ip6') && expression.test(f.ip_address)),
        ),
      );
    } else if (key.includes('tags')) {
      if (minor < 26) continue;
      const wanted = value.split(',');
      tests.push((s) => {
        const all = wanted.every((t) => s.tags.includes(t));
        const any = wanted.some((t) => s.tags.includes(t));
        return key === 'tags' ? all : key === 'tags-any' ? any : key === 'not-tags' ? !all : !any;
      });
    } else {
      const pick = plain[key];
      if (pick) tests.push((s) => pick(s) === value);
    }
  }
  return (s) => tests.every((test) => test(s));
}

const plain: Record<string, (s: Server) => string | null> = {
  reservation_id: (s) => s.reservationId,
  image: (s) => s.imageId,
  flavor: (s) => s.flavor.id,
  availability_zone: (s) => s.zone,
  key_name: (s) => s.keyName,
  config_drive: (s) => (s.configDrive ? 'True' : ''),
  locked: (s) => String(s.locked),
  power_state: (s) => String(s.powerState),
  vm_state: (s) => s.vmState,
  task_state: (s) => s.taskState,
  uuid: (s) => s.id,
  user_id: (s) => s.userId,
  host: (s) => s.host,
  node: (s) => s.host,
  project_id: (s) => s.projectId,
  tenant_id: (s) => s.projectId,
};

function sort(rows: Server[], keys: string[], dirs: string[]): void {
  const pick: Record<string, (s: Server) => string | number> = {
    created_at: (s) => s.createdAt,
    updated_at: (s) => s.updatedAt,
    display_name: (s) => s.name,
    name: (s) => s.name,
    uuid: (s) => s.id,
    id: (s) => s.id,
    vm_state: (s) => s.vmState,
    host: (s) => s.host ?? '',
  };
  const by = keys.length > 0 ? keys : ['created_at'];
  rows.sort((a, b) => {
    for (let i = 0; i < by.length; i++) {
      const value = pick[by[i]!];
      if (!value) continue;
      const [x, y] = [value(a), value(b)];
      if (x !== y) return (x < y ? -1 : 1) * (dirs[i] === 'asc' ? 1 : -1);
    }
    return b.serial - a.serial;
  });
}
