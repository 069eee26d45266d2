import { parseIp } from '../../core/ip.ts';
import { ApiError, isObject, type Json } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { allocate } from '../network/addresses.ts';
import { newBase } from '../network/collection.ts';
import { blankPort } from '../network/ports.ts';
import type { HealthMonitor, LbRow, Listener, LoadBalancer, Member, Pool } from './state.ts';
import { lbTime, refs } from './tree.ts';

/** 400 as Octavia words it. */
export function invalid(message: string): ApiError {
  return new ApiError(400, message, 'Client');
}

/** What all kinds begin with. */
export function base(cloud: Cloud, auth: Auth, a: Json, lb: string | null, projectId = auth.projectId): LbRow {
  const id = cloud.ids.uuid();
  return {
    id,
    name: typeof a.name === 'string' ? a.name : '',
    description: typeof a.description === 'string' ? a.description : '',
    project_id: projectId,
    tenant_id: projectId,
    admin_state_up: a.admin_state_up !== false,
    provisioning_status: 'PENDING_CREATE',
    operating_status: 'OFFLINE',
    created_at: lbTime(cloud),
    updated_at: null,
    tags: Array.isArray(a.tags) ? a.tags.map(String) : [],
    lb: lb ?? id,
  };
}

/** 400 unless all are given. */
export function need(a: Json, ...keys: string[]): void {
  for (const key of keys) {
    if (a[key] === undefined || a[key] === null)
      throw invalid(`Invalid input for field/attribute ${key}. Value: 'None'. Mandatory field missing.`);
  }
}

/** The value of a field that has few. */
export function oneOf(a: Json, key: string, allowed: string[]): string {
  if (!allowed.includes(String(a[key])))
    throw invalid(
      `Invalid input for field/attribute ${key}. Value: '${String(a[key])}'. Value should be one of: ${allowed.join(', ')}`,
    );
  return String(a[key]);
}

function portNumber(a: Json): number {
  const port = Number(a.protocol_port);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw invalid(
      `Invalid input for field/attribute protocol_port. Value: '${String(a.protocol_port)}'. Value should be lower or equal to 65535 and greater or equal to 1`,
    );
  return port;
}

/** A new load balancer with its VIP's port in Neutron; its row is not yet stored. */
export function newBalancer(cloud: Cloud, auth: Auth, a: Json): LoadBalancer {
  const { network } = cloud;
  const wanted = a.project_id ?? a.tenant_id;
  const row = base(cloud, auth, a, null, typeof wanted === 'string' && auth.isAdmin ? wanted : auth.projectId);
  const seen = (projectId: string) => auth.isAdmin || projectId === auth.projectId;
  let port = typeof a.vip_port_id === 'string' ? network.ports.get(a.vip_port_id) : undefined;
  const ownPort = a.vip_port_id === undefined || a.vip_port_id === null;
  if (!ownPort && (!port || !seen(port.project_id))) throw invalid(`Port ${String(a.vip_port_id)} not found.`);
  if (port && port.device_owner === 'Octavia')
    throw new ApiError(409, `VIP address conflict: port ${port.id} is already in use.`, 'Client');
  if (!port) {
    const subnet = typeof a.vip_subnet_id === 'string' ? network.subnets.get(a.vip_subnet_id) : undefined;
    if (a.vip_subnet_id && !subnet) throw invalid(`Subnet ${String(a.vip_subnet_id)} not found.`);
    const net = network.networks.get(subnet?.network_id ?? String(a.vip_network_id ?? ''));
    if (!subnet && !a.vip_network_id)
      throw invalid('Validation failure: VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.');
    if (!net || !(seen(net.project_id) || net.shared || net['router:external']))
      throw invalid(`Network ${String(a.vip_network_id ?? subnet?.network_id)} not found.`);
    const limit = cloud.quotas.limit('network', row.project_id, 'port');
    if (limit >= 0 && network.ports.count('project', row.project_id) >= limit)
      throw new ApiError(403, 'Quota has been met for resources: Port', 'Client');
    const first = subnet ?? [...network.subnets.by('network', net.id)].find((s) => s.ip_version === 4);
    if (!first) throw invalid('Validation failure: Supplied network does not contain a subnet.');
    const fixed = allocate(cloud, net, [
      { subnet_id: first.id, ...(typeof a.vip_address === 'string' ? { ip_address: a.vip_address } : {}) },
    ]);
    port = {
      ...blankPort(cloud, newBase(cloud, row.project_id, { name: `octavia-lb-${row.id}` }), net),
      fixed_ips: fixed,
      admin_state_up: false,
    };
  }
  const fixed = port.fixed_ips[0];
  if (!fixed) throw invalid(`Port ${port.id} has no fixed IP.`);
  Object.assign(port, { device_id: `lb-${row.id}`, device_owner: 'Octavia' });
  network.ports.save(port);
  return {
    ...row,
    vip_address: fixed.ip_address,
    vip_port_id: port.id,
    vip_subnet_id: fixed.subnet_id,
    vip_network_id: port.network_id,
    vip_qos_policy_id: null,
    vip_vnic_type: 'normal',
    additional_vips: [],
    provider: typeof a.provider === 'string' ? a.provider : 'amphora',
    flavor_id: typeof a.flavor_id === 'string' ? a.flavor_id : null,
    availability_zone: typeof a.availability_zone === 'string' ? a.availability_zone : null,
    ownPort,
  };
}

/** Settings of a listener beyond the main ones, with Octavia's defaults. */
export const listenerDefaults: Json = {
  connection_limit: -1,
  default_tls_container_ref: null,
  sni_container_refs: [],
  insert_headers: {},
  timeout_client_data: 50000,
  timeout_member_connect: 5000,
  timeout_member_data: 50000,
  timeout_tcp_inspect: 0,
  client_ca_tls_container_ref: null,
  client_authentication: 'NONE',
  client_crl_container_ref: null,
  allowed_cidrs: null,
  tls_ciphers: null,
  tls_versions: null,
  alpn_protocols: null,
};

/** Those of a pool. */
export const poolDefaults: Json = {
  tls_container_ref: null,
  ca_tls_container_ref: null,
  crl_container_ref: null,
  tls_enabled: false,
  tls_ciphers: null,
  tls_versions: null,
  alpn_protocols: null,
};

/** Those of a health monitor. */
export const monitorDefaults: Json = {
  max_retries_down: 3,
  http_method: null,
  url_path: null,
  expected_codes: null,
  http_version: null,
  domain_name: null,
};

function settings(a: Json, defaults: Json, more: string[] = []): Json {
  const out: Json = { ...defaults };
  for (const key of [...Object.keys(defaults), ...more]) if (a[key] !== undefined) out[key] = a[key];
  return out;
}

export function newListener(cloud: Cloud, auth: Auth, a: Json, lb: LoadBalancer): Listener {
  need(a, 'protocol', 'protocol_port');
  const protocol = oneOf(a, 'protocol', ['TCP', 'HTTP', 'HTTPS', 'TERMINATED_HTTPS', 'UDP', 'SCTP', 'PROMETHEUS']);
  const port = portNumber(a);
  const udp = (p: string) => (p === 'UDP' || p === 'SCTP' ? p : 'TCP');
  for (const other of cloud.loadBalancer.listeners.by('lb', lb.id)) {
    if (other.protocol_port === port && udp(other.protocol) === udp(protocol))
      throw new ApiError(
        409,
        `Another Listener on this Load Balancer is already using protocol ${protocol} and protocol_port ${port}`,
        'Client',
      );
  }
  const pool = typeof a.default_pool_id === 'string' ? a.default_pool_id : null;
  if (pool !== null && cloud.loadBalancer.pools.get(pool)?.lb !== lb.id)
    throw new ApiError(404, `Pool ${pool} not found.`, 'Client');
  return {
    ...base(cloud, auth, a, lb.id, lb.project_id),
    protocol,
    protocol_port: port,
    default_pool_id: pool,
    settings: settings(a, listenerDefaults),
  };
}

export function newPool(cloud: Cloud, auth: Auth, a: Json, lb: LoadBalancer, listener: Listener | undefined): Pool {
  need(a, 'protocol', 'lb_algorithm');
  if (listener?.default_pool_id)
    throw new ApiError(409, `Listener ${listener.id} already has a default pool.`, 'Client');
  return {
    ...base(cloud, auth, a, lb.id, lb.project_id),
    protocol: oneOf(a, 'protocol', ['TCP', 'HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'UDP', 'SCTP']),
    lb_algorithm: oneOf(a, 'lb_algorithm', ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT']),
    session_persistence: a.session_persistence ?? null,
    listenerId: listener?.id ?? null,
    settings: settings(a, poolDefaults),
  };
}

export function newMember(cloud: Cloud, auth: Auth, a: Json, pool: Pool): Member {
  need(a, 'address', 'protocol_port');
  if (typeof a.address !== 'string' || !parseIp(a.address))
    throw invalid(
      `Invalid input for field/attribute address. Value: '${String(a.address)}'. Value should be IPv4 or IPv6 format`,
    );
  const port = portNumber(a);
  for (const other of cloud.loadBalancer.members.by('pool', pool.id)) {
    if (other.address === a.address && other.protocol_port === port)
      throw new ApiError(
        409,
        `Another member on this pool is already using ip ${a.address} on protocol_port ${port}`,
        'Client',
      );
  }
  if (typeof a.subnet_id === 'string' && !cloud.network.subnets.get(a.subnet_id))
    throw invalid(`Subnet ${a.subnet_id} not found.`);
  return {
    ...base(cloud, auth, a, pool.lb, pool.project_id),
    operating_status: 'NO_MONITOR',
    poolId: pool.id,
    address: a.address,
    protocol_port: port,
    weight: a.weight === undefined ? 1 : Number(a.weight),
    backup: a.backup === true,
    subnet_id: typeof a.subnet_id === 'string' ? a.subnet_id : null,
    monitor_address: typeof a.monitor_address === 'string' ? a.monitor_address : null,
    monitor_port: typeof a.monitor_port === 'number' ? a.monitor_port : null,
  };
}

export function newMonitor(cloud: Cloud, auth: Auth, a: Json, pool: Pool): HealthMonitor {
  need(a, 'type', 'delay', 'timeout', 'max_retries');
  if (cloud.loadBalancer.monitors.count('pool', pool.id) > 0)
    throw new ApiError(409, 'This pool already has a health monitor', 'Client');
  const type = oneOf(a, 'type', ['HTTP', 'HTTPS', 'PING', 'SCTP', 'TCP', 'TLS-HELLO', 'UDP-CONNECT']);
  if (Number(a.timeout) > Number(a.delay))
    throw invalid('Validation failure: The delay must be greater than or equal to the timeout.');
  const http = type === 'HTTP' || type === 'HTTPS';
  return {
    ...base(cloud, auth, a, pool.lb, pool.project_id),
    poolId: pool.id,
    type,
    settings: {
      ...settings(a, {
        ...monitorDefaults,
        ...(http ? { http_method: 'GET', url_path: '/', expected_codes: '200' } : {}),
      }),
      ...(a.http_version === undefined || a.http_version === null ? {} : { http_version: Number(a.http_version) }),
      delay: Number(a.delay),
      timeout: Number(a.timeout),
      max_retries: Number(a.max_retries),
    },
  };
}

const rest = (row: Omit<LbRow, 'description'> & { settings?: Json }): Json => {
  const { lb: _lb, settings: more, ...out } = row;
  return { ...out, ...more };
};

/** Rows on the wire. */
export function lbViews(cloud: Cloud) {
  const s = cloud.loadBalancer;
  return {
    balancer: (b: LoadBalancer): Json => {
      const { ownPort: _own, ...out } = b;
      return { ...rest(out), listeners: refs(s.listeners.by('lb', b.id)), pools: refs(s.pools.by('lb', b.id)) };
    },
    listener: (l: Listener): Json => ({
      ...rest(l),
      loadbalancers: [{ id: l.lb }],
      l7policies: refs([...s.policies.by('listener', l.id)].sort((a, b) => a.position - b.position)),
    }),
    pool: (p: Pool): Json => {
      const { listenerId: _id, ...out } = p;
      return {
        ...rest(out),
        loadbalancers: [{ id: p.lb }],
        listeners: refs([...s.listeners.by('lb', p.lb)].filter((l) => l.default_pool_id === p.id)),
        members: refs(s.members.by('pool', p.id)),
        healthmonitor_id: [...s.monitors.by('pool', p.id)][0]?.id ?? null,
      };
    },
    member: (m: Member): Json => {
      const { poolId: _pool, description: _text, ...out } = m;
      return rest(out);
    },
    monitor: (h: HealthMonitor): Json => {
      const { poolId, description: _text, ...out } = h;
      return { ...rest(out), pools: [{ id: poolId }] };
    },
  };
}

/** An object's inner part of a body, or 400. */
export function inner(body: Json, key: string): Json {
  const value = body[key];
  if (!isObject(value))
    throw invalid(`Invalid input for field/attribute ${key}. Value: 'None'. Mandatory field missing.`);
  return value;
}
