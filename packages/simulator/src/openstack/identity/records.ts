import { ApiError, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Table } from '../../core/table.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Assignment } from './state.ts';

/** How one kind of Keystone record is read and written. */
interface RecordKind<T extends { id: string }> {
  singular: string;
  plural: string;
  table: Table<T>;
  view: (row: T) => Json;
  create: (body: Json) => T;
  /** Attributes that may be changed. */
  mutable: readonly string[];
  /** Someone without the admin role may read this one. */
  readable?: (row: T, auth: Auth) => boolean;
  /** Everyone may list them. */
  publicList?: boolean;
  /** Cleans up what hangs on the row. */
  removed?: (row: T) => void;
  /** Throws where the row cannot go now. */
  mayDelete?: (row: T) => void;
}

/** Domains, projects, users, groups, roles, regions, services, endpoints. */
export function serveIdentityRecords(service: OpenStackService, cloud: Cloud): void {
  const { identity } = cloud;
  const id = () => cloud.ids.hex(32);
  const text = (value: unknown, fallback = '') => (typeof value === 'string' ? value : fallback);
  const self = (plural: string, row: { id: string }) => ({ self: `${cloud.base}/identity/v3/${plural}/${row.id}` });
  const unique = <T extends { id: string; name: string; domain_id: string | null }>(
    table: Table<T>,
    kind: string,
    name: string,
    domainId: string | null,
  ) => {
    for (const row of table.by('name', name)) {
      if (row.domain_id === domainId)
        throw new ApiError(
          409,
          `Conflict occurred attempting to store ${kind} - Duplicate entry found with name ${name}${domainId ? ` at domain ID ${domainId}` : ''}.`,
        );
    }
  };
  const named = (body: Json, kind: string) => {
    const name = text(body.name);
    if (name === '') throw new ApiError(400, `Invalid input for field 'name': '' should be non-empty`);
    if (name.length > 255) throw new ApiError(400, `Invalid input for field 'name': '${name}' is too long`);
    return {
      id: id(),
      name,
      description: text(body.description),
      enabled: body.enabled !== false,
      extra: extraOf(body),
      kind,
    };
  };
  const domainOf = (body: Json): string => {
    const wanted = text(body.domain_id, 'default');
    if (!identity.domains.get(wanted)) throw new ApiError(404, `Could not find domain: ${wanted}.`);
    return wanted;
  };
  const forget = (predicate: (a: Assignment) => boolean) => {
    for (const a of [...identity.assignments.values()]) if (predicate(a)) identity.assignments.delete(a.id);
  };

  serveRecord(service, cloud, {
    singular: 'domain',
    plural: 'domains',
    table: identity.domains,
    mutable: ['name', 'description', 'enabled'],
    view: (d) => ({
      id: d.id,
      name: d.name,
      description: d.description,
      enabled: d.enabled,
      ...d.extra,
      tags: [],
      options: {},
      links: self('domains', d),
    }),
    create: (body) => {
      const { kind: _, ...row } = named(body, 'domain');
      unique(identity.domains, 'domain', row.name, null);
      return { ...row, domain_id: null };
    },
    mayDelete: (d) => {
      if (d.enabled) throw new ApiError(403, 'Cannot delete a domain that is enabled, please disable it first.');
    },
    removed: (d) => {
      forget((a) => a.domainId === d.id);
      for (const table of [identity.projects, identity.users, identity.groups])
        for (const row of [...table.values()]) if (row.domain_id === d.id) table.delete(row.id);
    },
    readable: (d) => d.id === 'default',
  });
  serveRecord(service, cloud, {
    singular: 'project',
    plural: 'projects',
    table: identity.projects,
    mutable: ['name', 'description', 'enabled', 'tags'],
    view: (p) => ({
      id: p.id,
      name: p.name,
      domain_id: p.domain_id,
      description: p.description,
      enabled: p.enabled,
      parent_id: p.parent_id,
      is_domain: p.is_domain,
      ...p.extra,
      tags: p.tags,
      options: {},
      links: self('projects', p),
    }),
    create: (body) => {
      const { kind: _, ...row } = named(body, 'project');
      if (body.is_domain === true) {
        // A project that acts as a domain is one too, of the same id.
        unique(identity.domains, 'domain', row.name, null);
        identity.domains.save({ ...row, domain_id: null });
        return { ...row, domain_id: null, is_domain: true, parent_id: null, tags: [] };
      }
      const domainId = domainOf(body);
      unique(identity.projects, 'project', row.name, domainId);
      return {
        ...row,
        domain_id: domainId,
        is_domain: false,
        parent_id: text(body.parent_id, domainId),
        tags: Array.isArray(body.tags) ? (body.tags as string[]) : [],
      };
    },
    readable: (p, auth) => identity.rolesOf(auth.userId, { projectId: p.id }).length > 0,
    mayDelete: (p) => {
      const below = [...identity.projects.values()].some((other) => other.parent_id === p.id);
      if (below || (p.is_domain && p.enabled))
        throw new ApiError(
          403,
          below
            ? `Cannot delete project: ${p.id}, since it is not a leaf in the hierarchy. Use the cascade option if you want to delete a whole subtree.`
            : `Cannot delete project: ${p.id}, since it acts as a domain and is enabled.`,
        );
    },
    removed: (p) => {
      forget((a) => a.projectId === p.id);
      if (p.is_domain) identity.domains.delete(p.id);
    },
  });
  serveRecord(service, cloud, {
    singular: 'user',
    plural: 'users',
    table: identity.users,
    mutable: ['name', 'description', 'enabled', 'password', 'default_project_id'],
    view: (u) => ({
      id: u.id,
      name: u.name,
      domain_id: u.domain_id,
      enabled: u.enabled,
      ...(u.description ? { description: u.description } : {}),
      ...(u.default_project_id ? { default_project_id: u.default_project_id } : {}),
      ...u.extra,
      password_expires_at: null,
      options: {},
      links: self('users', u),
    }),
    create: (body) => {
      const { kind: _, ...row } = named(body, 'user');
      const domainId = domainOf(body);
      unique(identity.users, 'user', row.name, domainId);
      const project = text(body.default_project_id);
      return {
        ...row,
        domain_id: domainId,
        password: text(body.password),
        default_project_id: project === '' ? null : project,
      };
    },
    readable: (u, auth) => u.id === auth.userId,
    removed: (u) => {
      forget((a) => a.userId === u.id);
      for (const m of [...identity.memberships.by('user', u.id)]) identity.memberships.delete(m.id);
      for (const c of [...identity.applicationCredentials.by('user', u.id)])
        identity.applicationCredentials.delete(c.id);
      for (const r of [...identity.accessRules.by('user', u.id)]) identity.accessRules.delete(r.id);
      for (const t of [...identity.tokens.by('user', u.id)]) identity.tokens.delete(t.id);
    },
  });
  serveRecord(service, cloud, {
    singular: 'group',
    plural: 'groups',
    table: identity.groups,
    mutable: ['name', 'description'],
    view: (g) => ({
      id: g.id,
      name: g.name,
      domain_id: g.domain_id,
      description: g.description,
      ...g.extra,
      links: self('groups', g),
    }),
    create: (body) => {
      const { kind: _, ...row } = named(body, 'group');
      const domainId = domainOf(body);
      unique(identity.groups, 'group', row.name, domainId);
      return { ...row, domain_id: domainId };
    },
    removed: (g) => {
      forget((a) => a.groupId === g.id);
      for (const m of [...identity.memberships.by('group', g.id)]) identity.memberships.delete(m.id);
    },
  });
  serveRecord(service, cloud, {
    singular: 'role',
    plural: 'roles',
    table: identity.roles,
    mutable: ['name', 'description'],
    view: (r) => ({
      id: r.id,
      name: r.name,
      domain_id: r.domain_id,
      description: r.description || null,
      ...r.extra,
      options: {},
      links: self('roles', r),
    }),
    create: (body) => {
      const { kind: _, ...row } = named(body, 'role');
      const domainId = typeof body.domain_id === 'string' ? body.domain_id : null;
      unique(identity.roles, 'role', row.name, domainId);
      return { ...row, domain_id: domainId };
    },
    removed: (r) => {
      forget((a) => a.roleId === r.id);
      for (const i of [...identity.implications.values()])
        if (i.priorId === r.id || i.impliedId === r.id) identity.implications.delete(i.id);
    },
  });
  serveRecord(service, cloud, {
    singular: 'region',
    plural: 'regions',
    table: identity.regions,
    mutable: ['description', 'parent_region_id'],
    publicList: true,
    view: (r) => ({ ...r, links: self('regions', r) }),
    create: (body) => ({
      id: text(body.id) || id(),
      description: text(body.description),
      parent_region_id: typeof body.parent_region_id === 'string' ? body.parent_region_id : null,
    }),
  });
  serveRecord(service, cloud, {
    singular: 'service',
    plural: 'services',
    table: identity.services,
    mutable: ['name', 'type', 'description', 'enabled'],
    view: (s) => ({ ...s, links: self('services', s) }),
    create: (body) => {
      if (text(body.type) === '') throw new ApiError(400, `'type' is a required property`);
      return {
        id: id(),
        name: text(body.name),
        type: text(body.type),
        description: text(body.description),
        enabled: body.enabled !== false,
      };
    },
    removed: (s) => {
      for (const e of [...identity.endpoints.by('service', s.id)]) identity.endpoints.delete(e.id);
    },
  });
  serveRecord(service, cloud, {
    singular: 'endpoint',
    plural: 'endpoints',
    table: identity.endpoints,
    mutable: ['url', 'interface', 'region_id', 'enabled', 'service_id', 'name'],
    view: (e) => ({ ...e, region: e.region_id, links: self('endpoints', e) }),
    create: (body) => {
      const serviceId = text(body.service_id);
      if (!identity.services.get(serviceId)) throw new ApiError(404, `Could not find service: ${serviceId}.`);
      return {
        id: id(),
        service_id: serviceId,
        interface: text(body.interface),
        region_id: text(body.region_id) || text(body.region),
        url: text(body.url),
        enabled: body.enabled !== false,
        ...(typeof body.name === 'string' ? { name: body.name } : {}),
      };
    },
  });
}

/** Attributes that are Keystone's own, in any of its records. */
const known = new Set(
  'id name description enabled password default_project_id domain_id options is_domain parent_id tags links'.split(' '),
);

/** The rest, which Keystone keeps as it is. */
const extraOf = (body: Json): Json => Object.fromEntries(Object.entries(body).filter(([key]) => !known.has(key)));

function serveRecord<T extends { id: string }>(service: OpenStackService, cloud: Cloud, kind: RecordKind<T>): void {
  const { singular, plural, table } = kind;
  const need = (auth: Auth, action: string, allowed = false) => {
    if (!auth.isAdmin && !allowed)
      throw new ApiError(403, `You are not authorized to perform the requested action: identity:${action}.`);
  };
  const find = (id: string): T => {
    const row = table.get(id);
    if (!row) throw new ApiError(404, `Could not find ${singular}: ${id}.`);
    return row;
  };
  const inner = (body: Json): Json => {
    const value = body[singular];
    if (!isObject(value)) throw new ApiError(400, `'${singular}' is a required property`);
    return value;
  };
  service.on('GET', `/v3/${plural}`, `keystone.${singular}.list`, (call, auth) => {
    need(auth, `list_${plural}`, kind.publicList);
    const rows = [...table.values()].map(kind.view).filter((view) => matches(view, call.query));
    return {
      status: 200,
      json: { [plural]: rows, links: { next: null, self: `${cloud.base}/identity/v3/${plural}`, previous: null } },
    };
  });
  service.on('POST', `/v3/${plural}`, `keystone.${singular}.create`, (call, auth) => {
    need(auth, `create_${singular}`);
    const row = table.save(kind.create(inner(jsonBody(call))));
    return { status: 201, json: { [singular]: kind.view(row) } };
  });
  service.on('GET', `/v3/${plural}/{id}`, `keystone.${singular}.show`, (call, auth) => {
    const row = table.get(call.params.id!);
    need(auth, `get_${singular}`, kind.publicList || (row !== undefined && kind.readable?.(row, auth)));
    return { status: 200, json: { [singular]: kind.view(find(call.params.id!)) } };
  });
  service.on('PATCH', `/v3/${plural}/{id}`, `keystone.${singular}.update`, (call, auth) => {
    need(auth, `update_${singular}`);
    const row = find(call.params.id!);
    for (const [key, value] of Object.entries(inner(jsonBody(call)))) {
      if (kind.mutable.includes(key)) (row as Json)[key] = value;
      else if ('extra' in row && isObject(row.extra) && !known.has(key)) row.extra[key] = value;
    }
    table.save(row);
    return { status: 200, json: { [singular]: kind.view(row) } };
  });
  service.on('DELETE', `/v3/${plural}/{id}`, `keystone.${singular}.delete`, (call, auth) => {
    need(auth, `delete_${singular}`);
    const row = find(call.params.id!);
    kind.mayDelete?.(row);
    table.delete(row.id);
    kind.removed?.(row);
    return { status: 204 };
  });
}

function matches(view: Json, query: URLSearchParams): boolean {
  for (const [key, value] of query) {
    if (key === 'limit' || key === 'marker' || key === 'sort_key') continue;
    const wanted = value.split(',');
    const tags = Array.isArray(view.tags) ? view.tags : [];
    const tagged: Record<string, () => boolean> = {
      tags: () => wanted.every((tag) => tags.includes(tag)),
      'tags-any': () => wanted.some((tag) => tags.includes(tag)),
      'not-tags': () => !wanted.every((tag) => tags.includes(tag)),
      'not-tags-any': () => !wanted.some((tag) => tags.includes(tag)),
    };
    const byTag = tagged[key];
    if (byTag) {
      if (!byTag()) return false;
      continue;
    }
    if (
      key.endsWith('__contains')
        ? !String(view[key.slice(0, -10)] ?? '').includes(value)
        : key in view && String(view[key]).toLowerCase() !== value.toLowerCase()
    )
      return false;
  }
  return true;
}
