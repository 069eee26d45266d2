import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { Service } from '../../core/service.ts';
import type { Countable, Table } from '../../core/table.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { authenticate } from '../identity/tokens.ts';
import { serveLbExtras } from './extras.ts';
import { fullBalancer } from './full.ts';
import {
  inner,
  lbViews,
  listenerDefaults,
  monitorDefaults,
  newBalancer,
  newListener,
  newMember,
  newMonitor,
  newPool,
  poolDefaults,
} from './kinds.ts';
import { addL7Policy, serveL7 } from './l7.ts';
import type { LbRow, Listener, LoadBalancer, Pool } from './state.ts';
import { destroyTree, mutable, pending } from './tree.ts';

/** Octavia v2 under /load-balancer (v2 and v2.0, as clients write it). */
export function loadBalancerService(cloud: Cloud): OpenStackService {
  const s = cloud.loadBalancer;
  const views = lbViews(cloud);
  const service: OpenStackService = new Service<Auth>({
    name: 'octavia',
    prefix: 'load-balancer',
    authenticate: authenticate(cloud, 'load-balancer'),
    renderError: (_call, e) =>
      e.status === 401
        ? { status: 401, json: { error: { code: 401, title: 'Unauthorized', message: e.message } } }
        : {
            status: e.status,
            json: { faultcode: e.status >= 500 ? 'Server' : 'Client', faultstring: e.message, debuginfo: null },
          },
    decorate: (call, headers) => {
      headers['x-openstack-request-id'] = call.requestId;
    },
    prepare: (call) => {
      // Octavia serves everything with and without /lbaas.
      call.path = call.path
        .replace(/^\/v2\.\d+(?=\/|$)/, '/v2')
        .replace(/^\/v2\/(?!lbaas\/|octavia\/)(?=.)/, '/v2/lbaas/');
    },
    resource: (call) => {
      const row = s.balancers.get(call.params.id ?? '');
      return row && { name: row.name, tags: row.tags };
    },
  });
  service.open('GET', '/', 'octavia.version.list', () => ({
    status: 200,
    json: {
      versions: Array.from({ length: 27 }, (_, i) => ({
        id: `v2.${i}`,
        status: i === 26 ? 'CURRENT' : 'SUPPORTED',
        updated: '2022-08-29T00:00:00Z',
        links: [{ rel: 'self', href: `${cloud.base}/load-balancer/v2` }],
      })),
    },
  }));
  service.open('GET', '/v2', 'octavia.version.show', () => ({
    status: 200,
    json: {
      versions: [
        {
          id: 'v2.26',
          status: 'CURRENT',
          updated: '2022-08-29T00:00:00Z',
          links: [{ rel: 'self', href: `${cloud.base}/load-balancer/v2` }],
        },
      ],
    },
  }));

  const find = <T extends LbRow>(table: Table<T>, id: string, label: string, auth: Auth): T => {
    const row = table.get(id);
    if (!row || (!auth.isAdmin && row.project_id !== auth.projectId))
      throw new ApiError(404, `${label} ${id} not found.`);
    return row;
  };
  const quota = (
    name: 'loadbalancer' | 'listener' | 'pool' | 'member' | 'healthmonitor',
    table: Countable,
    auth: Auth,
    label: string,
  ) => {
    const limit = cloud.quotas.limit('loadBalancer', auth.projectId, name);
    if (limit >= 0 && table.count('project', auth.projectId) >= limit)
      throw new ApiError(403, `Quota has been met for resources: ${label}`);
  };
  const listAnswer = (call: Call, key: string, rows: Json[]) => {
    const q = call.query;
    const control = [
      'limit',
      'marker',
      'sort',
      'fields',
      'page_reverse',
      'not-tags',
      'not-tags-any',
      'tags',
      'tags-any',
      'all_projects',
    ];
    let found = rows.filter((row) =>
      [...q].every(([k, v]) => {
        const tags = row.tags as string[];
        // Given more than once, they count as one list.
        const wanted = q.getAll(k).flatMap((one) => one.split(','));
        if (k === 'tags') return wanted.every((t) => tags.includes(t));
        if (k === 'tags-any') return wanted.some((t) => tags.includes(t));
        if (k === 'not-tags') return !wanted.every((t) => tags.includes(t));
        if (k === 'not-tags-any') return !wanted.some((t) => tags.includes(t));
        const value =
          k === 'loadbalancer_id'
            ? (row.loadbalancers as { id: string }[] | undefined)?.[0]?.id
            : k === 'pool_id'
              ? (row.pools as { id: string }[] | undefined)?.[0]?.id
              : row[k];
        return control.includes(k) || String(value).toLowerCase() === v.toLowerCase();
      }),
    );
    const marker = q.get('marker');
    if (marker) found = found.slice(found.findIndex((r) => r.id === marker) + 1);
    const limit = Number(q.get('limit') ?? 1000);
    const page = found.slice(0, limit);
    const out: Json = { [key]: page, [`${key}_links`]: [] };
    if (q.has('limit') && found.length > limit) {
      const next = new URLSearchParams(q);
      next.set('marker', String(page.at(-1)!.id));
      out[`${key}_links`] = [{ rel: 'next', href: `${cloud.base}/load-balancer${call.path}?${next}` }];
    }
    return { status: 200, json: out };
  };
  const own = <T extends LbRow>(table: Table<T>, auth: Auth): Iterable<T> =>
    auth.isAdmin ? table.values() : table.by('project', auth.projectId);
  const common = (row: LbRow, a: Json) => {
    if (typeof a.name === 'string') row.name = a.name;
    if (typeof a.description === 'string') row.description = a.description;
    if (typeof a.admin_state_up === 'boolean') row.admin_state_up = a.admin_state_up;
    if (Array.isArray(a.tags)) row.tags = a.tags.map(String);
  };

  /** List, show, update and delete of one kind; create differs. */
  const kind = <T extends LbRow>(o: {
    singular: string;
    path: string;
    label: string;
    table: Table<T>;
    view: (row: T) => Json;
    update: (row: T, a: Json) => void;
    removed: (row: T) => void;
  }) => {
    const key = o.path.split('/').pop()!;
    service.on('GET', `/v2/lbaas/${o.path}`, `octavia.${o.singular}.list`, (call, auth) =>
      listAnswer(
        call,
        key,
        [...own(o.table, auth)]
          .filter((r) => !call.params.pool || (r as unknown as { poolId: string }).poolId === call.params.pool)
          .map(o.view),
      ),
    );
    service.on('GET', `/v2/lbaas/${o.path}/{id}`, `octavia.${o.singular}.show`, (call, auth) => ({
      status: 200,
      json: { [o.singular]: o.view(find(o.table, call.params.id!, o.label, auth)) },
    }));
    service.on('PUT', `/v2/lbaas/${o.path}/{id}`, `octavia.${o.singular}.update`, (call, auth) => {
      const row = find(o.table, call.params.id!, o.label, auth);
      const a = inner(jsonBody(call), o.singular);
      const lb = mutable(cloud, row.lb);
      common(row, a);
      o.update(row, a);
      o.table.save(row);
      pending(cloud, lb, [row], 'PENDING_UPDATE', 'octavia.loadbalancer.update');
      return { status: 200, json: { [o.singular]: o.view(row) } };
    });
    service.on('DELETE', `/v2/lbaas/${o.path}/{id}`, `octavia.${o.singular}.delete`, (call, auth) => {
      const row = find(o.table, call.params.id!, o.label, auth);
      const lb = mutable(cloud, row.lb);
      if ((row as LbRow) === lb) {
        if (
          call.query.get('cascade')?.toLowerCase() !== 'true' &&
          s.listeners.count('lb', lb.id) + s.pools.count('lb', lb.id) > 0
        ) {
          throw new ApiError(400, `Validation failure: Cannot delete Load Balancer ${lb.id} - it has children`);
        }
        destroyTree(cloud, lb);
        return { status: 204 };
      }
      pending(cloud, lb, [row], 'PENDING_DELETE', 'octavia.loadbalancer.update', () => {
        o.table.delete(row.id);
        o.removed(row);
      });
      return { status: 204 };
    });
  };
  const update = (row: { settings: Json }, a: Json, defaults: Json, more: string[] = []) => {
    for (const k of [...Object.keys(defaults), ...more])
      if (a[k] !== undefined) row.settings = { ...row.settings, [k]: a[k] };
  };
  kind({
    singular: 'loadbalancer',
    path: 'loadbalancers',
    label: 'Load Balancer',
    table: s.balancers,
    view: views.balancer,
    update: () => {},
    removed: () => {},
  });
  kind({
    singular: 'listener',
    path: 'listeners',
    label: 'Listener',
    table: s.listeners,
    view: views.listener,
    update: (l, a) => {
      if (a.default_pool_id !== undefined) l.default_pool_id = a.default_pool_id as string | null;
      update(l, a, listenerDefaults);
    },
    removed: (l) => {
      for (const p of [...s.policies.by('listener', l.id)]) {
        for (const r of [...s.rules.by('policy', p.id)]) s.rules.delete(r.id);
        s.policies.delete(p.id);
      }
    },
  });
  kind({
    singular: 'pool',
    path: 'pools',
    label: 'Pool',
    table: s.pools,
    view: views.pool,
    update: (p, a) => {
      if (typeof a.lb_algorithm === 'string') p.lb_algorithm = a.lb_algorithm;
      if (a.session_persistence !== undefined) p.session_persistence = a.session_persistence;
      update(p, a, poolDefaults);
    },
    removed: (p) => {
      for (const m of [...s.members.by('pool', p.id)]) s.members.delete(m.id);
      for (const h of [...s.monitors.by('pool', p.id)]) s.monitors.delete(h.id);
      for (const l of s.listeners.by('lb', p.lb)) if (l.default_pool_id === p.id) l.default_pool_id = null;
    },
  });
  kind({
    singular: 'member',
    path: 'pools/{pool}/members',
    label: 'Member',
    table: s.members,
    view: views.member,
    update: (m, a) => {
      if (a.weight !== undefined) m.weight = Number(a.weight);
      if (typeof a.backup === 'boolean') m.backup = a.backup;
      if (a.monitor_address !== undefined) m.monitor_address = a.monitor_address as string | null;
      if (a.monitor_port !== undefined) m.monitor_port = a.monitor_port as number | null;
    },
    removed: () => {},
  });
  kind({
    singular: 'healthmonitor',
    path: 'healthmonitors',
    label: 'Health Monitor',
    table: s.monitors,
    view: views.monitor,
    update: (h, a) => update(h, a, monitorDefaults, ['delay', 'timeout', 'max_retries']),
    removed: () => {},
  });

  const addPool = (auth: Auth, a: Json, lb: LoadBalancer, listener: Listener | undefined): LbRow[] => {
    const pool = s.pools.save(newPool(cloud, auth, a, lb, listener));
    if (listener) listener.default_pool_id = pool.id;
    const rows: LbRow[] = [pool];
    for (const m of Array.isArray(a.members) ? a.members.filter(isObject) : [])
      rows.push(s.members.save(newMember(cloud, auth, m, pool)));
    if (isObject(a.healthmonitor)) rows.push(s.monitors.save(newMonitor(cloud, auth, a.healthmonitor, pool)));
    return rows;
  };
  const addListener = (auth: Auth, a: Json, lb: LoadBalancer): LbRow[] => {
    const listener = s.listeners.save(newListener(cloud, auth, a, lb));
    const rows: LbRow[] = [listener];
    if (isObject(a.default_pool)) rows.push(...addPool(auth, a.default_pool, lb, listener));
    for (const policy of Array.isArray(a.l7policies) ? a.l7policies.filter(isObject) : []) {
      const pool = isObject(policy.redirect_pool) ? addPool(auth, policy.redirect_pool, lb, undefined) : [];
      const target = pool[0] ? { redirect_pool_id: pool[0].id } : {};
      rows.push(...pool, ...addL7Policy(cloud, auth, { ...policy, ...target }, listener));
    }
    return rows;
  };
  const created = (key: string, lb: LoadBalancer, rows: LbRow[], view: Json) => {
    pending(
      cloud,
      lb,
      rows,
      'PENDING_CREATE',
      rows.includes(lb) ? 'octavia.loadbalancer.provision' : 'octavia.loadbalancer.update',
    );
    const fresh = { ...view, provisioning_status: rows[0]!.provisioning_status };
    return { status: 201, json: { [key]: fresh } };
  };
  service.on('POST', '/v2/lbaas/loadbalancers', 'octavia.loadbalancer.create', (call, auth) => {
    const a = inner(jsonBody(call), 'loadbalancer');
    quota('loadbalancer', s.balancers, auth, 'Load Balancer');
    const lb = s.balancers.save(newBalancer(cloud, auth, a));
    const rows: LbRow[] = [lb];
    for (const l of Array.isArray(a.listeners) ? a.listeners.filter(isObject) : [])
      rows.push(...addListener(auth, l, lb));
    for (const p of Array.isArray(a.pools) ? a.pools.filter(isObject) : [])
      rows.push(...addPool(auth, p, lb, undefined));
    return created('loadbalancer', lb, rows, rows.length > 1 ? fullBalancer(cloud, lb) : views.balancer(lb));
  });
  service.on('POST', '/v2/lbaas/listeners', 'octavia.listener.create', (call, auth) => {
    const a = inner(jsonBody(call), 'listener');
    const lb = mutable(cloud, find(s.balancers, String(a.loadbalancer_id), 'Load Balancer', auth).id);
    quota('listener', s.listeners, auth, 'Listener');
    const rows = addListener(auth, a, lb);
    return created('listener', lb, rows, views.listener(rows[0] as Listener));
  });
  service.on('POST', '/v2/lbaas/pools', 'octavia.pool.create', (call, auth) => {
    const a = inner(jsonBody(call), 'pool');
    const listener = typeof a.listener_id === 'string' ? find(s.listeners, a.listener_id, 'Listener', auth) : undefined;
    if (!listener && typeof a.loadbalancer_id !== 'string')
      throw new ApiError(400, 'Validation failure: Must provide at least one of: loadbalancer_id, listener_id');
    const lb = mutable(cloud, listener?.lb ?? find(s.balancers, String(a.loadbalancer_id), 'Load Balancer', auth).id);
    quota('pool', s.pools, auth, 'Pool');
    const rows = addPool(auth, a, lb, listener);
    return created('pool', lb, rows, views.pool(rows[0] as Pool));
  });
  service.on('POST', '/v2/lbaas/pools/{pool}/members', 'octavia.member.create', (call, auth) => {
    const pool = find(s.pools, call.params.pool!, 'Pool', auth);
    const lb = mutable(cloud, pool.lb);
    quota('member', s.members, auth, 'Member');
    const member = s.members.save(newMember(cloud, auth, inner(jsonBody(call), 'member'), pool));
    return created('member', lb, [member], views.member(member));
  });
  service.on('PUT', '/v2/lbaas/pools/{pool}/members', 'octavia.member.batch', (call, auth) => {
    const pool = find(s.pools, call.params.pool!, 'Pool', auth);
    const lb = mutable(cloud, pool.lb);
    const wanted = jsonBody(call).members;
    const list = Array.isArray(wanted) ? wanted.filter(isObject) : [];
    const before = [...s.members.by('pool', pool.id)];
    const rows: LbRow[] = [];
    for (const a of list) {
      const there = before.find((m) => m.address === a.address && m.protocol_port === Number(a.protocol_port));
      if (there) {
        common(there, a);
        if (a.weight !== undefined) there.weight = Number(a.weight);
        rows.push(there);
      } else rows.push(s.members.save(newMember(cloud, auth, a, pool)));
    }
    const gone =
      call.query.get('additive_only')?.toLowerCase() === 'true' ? [] : before.filter((m) => !rows.includes(m));
    for (const m of gone) m.provisioning_status = 'PENDING_DELETE';
    pending(cloud, lb, rows, 'PENDING_UPDATE', 'octavia.loadbalancer.update', () => {
      for (const m of gone) s.members.delete(m.id);
    });
    return { status: 202 };
  });
  service.on('POST', '/v2/lbaas/healthmonitors', 'octavia.healthmonitor.create', (call, auth) => {
    const a = inner(jsonBody(call), 'healthmonitor');
    const pool = find(s.pools, String(a.pool_id), 'Pool', auth);
    const lb = mutable(cloud, pool.lb);
    quota('healthmonitor', s.monitors, auth, 'Health Monitor');
    const monitor = s.monitors.save(newMonitor(cloud, auth, a, pool));
    return created('healthmonitor', lb, [monitor], views.monitor(monitor));
  });
  serveL7(service, cloud, { listAnswer, listener: (id, auth) => find(s.listeners, id, 'Listener', auth) });
  serveLbExtras(service, cloud, (call, auth) => find(s.balancers, call.params.id!, 'Load Balancer', auth));
  return service;
}
