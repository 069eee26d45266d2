import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { LbRow, LoadBalancer } from './state.ts';

/** Status tree, statistics, quotas, providers, flavors, zones. */
export function serveLbExtras(
  service: OpenStackService,
  cloud: Cloud,
  find: (call: Call, auth: Auth) => LoadBalancer,
): void {
  const s = cloud.loadBalancer;
  const brief = (row: LbRow): Json => ({
    id: row.id,
    name: row.name,
    provisioning_status: row.provisioning_status,
    operating_status: row.operating_status,
  });
  const poolTree = (id: string): Json | undefined => {
    const pool = s.pools.get(id);
    if (!pool) return undefined;
    const monitor = [...s.monitors.by('pool', id)][0];
    return {
      ...brief(pool),
      members: [...s.members.by('pool', id)].map((m) => ({
        ...brief(m),
        address: m.address,
        protocol_port: m.protocol_port,
      })),
      ...(monitor ? { health_monitor: { ...brief(monitor), type: monitor.type } } : {}),
    };
  };
  for (const word of ['status', 'statuses']) {
    service.on('GET', `/v2/lbaas/loadbalancers/{id}/${word}`, 'octavia.loadbalancer.status', (call, auth) => {
      const lb = find(call, auth);
      const listeners = [...s.listeners.by('lb', lb.id)].map((l) => {
        const pool = l.default_pool_id === null ? undefined : poolTree(l.default_pool_id);
        return { ...brief(l), pools: pool ? [pool] : [] };
      });
      const free = [...s.pools.by('lb', lb.id)].filter(
        (p) => ![...s.listeners.by('lb', lb.id)].some((l) => l.default_pool_id === p.id),
      );
      return {
        status: 200,
        json: { statuses: { loadbalancer: { ...brief(lb), listeners, pools: free.map((p) => poolTree(p.id)) } } },
      };
    });
  }
  const stats = { active_connections: 0, bytes_in: 0, bytes_out: 0, request_errors: 0, total_connections: 0 };
  service.on('GET', '/v2/lbaas/loadbalancers/{id}/stats', 'octavia.loadbalancer.stats', (call, auth) => {
    find(call, auth);
    return { status: 200, json: { stats } };
  });
  service.on('GET', '/v2/lbaas/listeners/{id}/stats', 'octavia.listener.stats', (call) => {
    if (!s.listeners.get(call.params.id!)) throw new ApiError(404, `Listener ${call.params.id} not found.`);
    return { status: 200, json: { stats } };
  });
  service.on('PUT', '/v2/lbaas/loadbalancers/{id}/failover', 'octavia.loadbalancer.failover', (call, auth) => {
    find(call, auth);
    if (!auth.isAdmin) throw new ApiError(403, 'Policy does not allow this request to be performed.');
    return { status: 202 };
  });
  for (const version of ['providers']) {
    service.on('GET', `/v2/lbaas/${version}`, 'octavia.provider.list', () => ({
      status: 200,
      json: {
        providers: [
          { name: 'amphora', description: 'The Octavia Amphora driver.' },
          { name: 'octavia', description: 'Deprecated alias of the Octavia Amphora driver.' },
        ],
      },
    }));
  }
  for (const [path, key] of [
    ['flavors', 'flavors'],
    ['flavorprofiles', 'flavorprofiles'],
    ['availabilityzones', 'availability_zones'],
  ] as const) {
    service.on('GET', `/v2/lbaas/${path}`, `octavia.${key}.list`, () => ({ status: 200, json: { [key]: [] } }));
  }
  const need = (auth: Auth, id: string, write: boolean) => {
    if (!auth.isAdmin && (write || id !== auth.projectId))
      throw new ApiError(403, 'Policy does not allow this request to be performed.');
  };
  service.on('GET', '/v2/lbaas/quotas/defaults', 'octavia.quota.default', () => ({
    status: 200,
    json: { quota: cloud.quotas.defaults('loadBalancer') },
  }));
  service.on('GET', '/v2/lbaas/quotas/{id}', 'octavia.quota.show', (call, auth) => {
    need(auth, call.params.id!, false);
    return { status: 200, json: { quota: cloud.quotas.all('loadBalancer', call.params.id!) } };
  });
  service.on('PUT', '/v2/lbaas/quotas/{id}', 'octavia.quota.update', (call, auth) => {
    need(auth, call.params.id!, true);
    const given = jsonBody(call).quota;
    const limits: Record<string, number> = {};
    for (const [k, v] of Object.entries(isObject(given) ? given : {})) {
      const name = { load_balancer: 'loadbalancer', health_monitor: 'healthmonitor' }[k] ?? k;
      if (name in cloud.quotas.defaults('loadBalancer')) limits[name] = v === null ? -1 : Number(v);
    }
    cloud.quotas.set('loadBalancer', call.params.id!, limits);
    return { status: 202, json: { quota: cloud.quotas.all('loadBalancer', call.params.id!) } };
  });
  service.on('DELETE', '/v2/lbaas/quotas/{id}', 'octavia.quota.delete', (call, auth) => {
    need(auth, call.params.id!, true);
    cloud.quotas.reset('loadBalancer', call.params.id!);
    return { status: 204 };
  });
}
