import { ApiError, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Countable } from '../../core/table.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { badRequest, disallowed, notFound } from './errors.ts';

const extensions: [string, string][] = [
  ['address-group', 'Address group'],
  ['agent', 'agent'],
  ['allowed-address-pairs', 'Allowed Address Pairs'],
  ['availability_zone', 'Availability Zone'],
  ['binding', 'Port Binding'],
  ['default-subnetpools', 'Default Subnetpools'],
  ['dhcp_agent_scheduler', 'DHCP Agent Scheduler'],
  ['dns-integration', 'DNS Integration'],
  ['empty-string-filtering', 'Empty String Filtering Extension'],
  ['ext-gw-mode', 'Neutron L3 Configurable external gateway mode'],
  ['external-net', 'Neutron external network'],
  ['extra_dhcp_opt', 'Neutron Extra DHCP options'],
  ['extraroute', 'Neutron Extra Route'],
  ['extraroute-atomic', 'Atomically add/remove extra routes'],
  ['filter-validation', 'Filter parameters validation'],
  ['fip-port-details', 'Floating IP Port Details Extension'],
  ['floating-ip-distributed', 'Floating IP Distributed Extension'],
  ['ip-substring-filtering', 'IP address substring filtering'],
  ['l3_agent_scheduler', 'L3 Agent Scheduler'],
  ['multi-provider', 'Multi Provider Network'],
  ['net-mtu', 'Network MTU'],
  ['net-mtu-writable', 'Network MTU (writable)'],
  ['network_availability_zone', 'Network Availability Zone'],
  ['pagination', 'Pagination support'],
  ['port-mac-address-regenerate', 'Neutron Port MAC address regenerate'],
  ['port-security', 'Port Security'],
  ['port-security-groups-filtering', 'Port filtering on security groups'],
  ['project-id', 'project_id field enabled'],
  ['provider', 'Provider Network'],
  ['quota-check-limit', 'Quota engine limit check'],
  ['quota_details', 'Quota details management support'],
  ['quotas', 'Quota management support'],
  ['revision-if-match', 'If-Match constraints based on revision_number'],
  ['router', 'Neutron L3 Router'],
  ['router_availability_zone', 'Router Availability Zone'],
  ['security-group', 'security-group'],
  ['security-groups-normalized-cidr', 'Normalized CIDR field for security group rules'],
  ['service-type', 'Neutron Service Type Management'],
  ['sorting', 'Sorting support'],
  ['standard-attr-description', 'standard-attr-description'],
  ['standard-attr-revisions', 'Resource revision numbers'],
  [
    'standard-attr-tag',
    'Tag support for resources with standard attribute: network, subnet, port, router, floatingip, security_group',
  ],
  ['standard-attr-timestamp', 'Resource timestamps'],
  ['stateful-security-group', 'Stateful security group'],
  ['subnet-service-types', 'Subnet service types'],
  ['subnet_allocation', 'Subnet Allocation'],
  ['tag-ports-during-bulk-creation', 'Tag Ports During Bulk Creation'],
  ['uplink-status-propagation', 'Uplink status propagation'],
];

/** Extensions, quotas, zones, agents and service providers. */
export function serveNetworkExtras(service: OpenStackService, cloud: Cloud): void {
  const extensionView = ([alias, name]: [string, string]): Json => ({
    alias,
    name,
    description: name,
    updated: '2015-01-01T10:00:00-00:00',
    links: [],
  });
  service.on('GET', '/v2.0/extensions', 'neutron.extension.list', () => ({
    status: 200,
    json: { extensions: extensions.map(extensionView) },
  }));
  service.on('GET', '/v2.0/extensions/{alias}', 'neutron.extension.show', (call) => {
    const found = extensions.find(([alias]) => alias === call.params.alias);
    if (!found) throw new ApiError(404, 'The resource could not be found.', 'HTTPNotFound');
    return { status: 200, json: { extension: extensionView(found) } };
  });
  const zones = ['network', 'router'].map((resource) => ({ name: 'nova', resource, state: 'available' }));
  service.on('GET', '/v2.0/availability_zones', 'neutron.availability_zone.list', () => ({
    status: 200,
    json: { availability_zones: zones },
  }));
  service.on('GET', '/v2.0/service-providers', 'neutron.service_provider.list', () => ({
    status: 200,
    json: { service_providers: [{ service_type: 'L3_ROUTER_NAT', name: 'single_node', default: true }] },
  }));
  service.on('GET', '/v2.0/agents', 'neutron.agent.list', (_call, auth) => {
    if (!auth.isAdmin) return { status: 200, json: { agents: [] } };
    const kinds: [string, string, string][] = [
      ['DHCP agent', 'neutron-dhcp-agent', 'dhcp_agent'],
      ['L3 agent', 'neutron-l3-agent', 'l3_agent'],
      ['Open vSwitch agent', 'neutron-openvswitch-agent', 'N/A'],
    ];
    const now = new Date(cloud.clock.now()).toISOString().slice(0, 19).replace('T', ' ');
    return {
      status: 200,
      json: {
        agents: kinds.map(([agent_type, binary, topic], i) => ({
          id: `00000000-0000-4000-8000-00000000000${i}`,
          agent_type,
          binary,
          topic,
          host: 'network-1',
          availability_zone: 'nova',
          alive: true,
          admin_state_up: true,
          created_at: now,
          started_at: now,
          heartbeat_timestamp: now,
          description: null,
          configurations: {},
          resources_synced: null,
        })),
      },
    };
  });
  serveQuotas(service, cloud);
  for (const [path, key] of [
    ['subnetpools', 'subnetpools'],
    ['address-scopes', 'address_scopes'],
    ['rbac-policies', 'rbac_policies'],
    ['address-groups', 'address_groups'],
    ['trunks', 'trunks'],
    ['segments', 'segments'],
  ] as const) {
    service.on('GET', `/v2.0/${path}`, `neutron.${key}.list`, () => ({ status: 200, json: { [key]: [] } }));
  }
}

function serveQuotas(service: OpenStackService, cloud: Cloud): void {
  const { network, quotas } = cloud;
  const tables: Record<string, Countable> = {
    network: network.networks,
    subnet: network.subnets,
    port: network.ports,
    router: network.routers,
    floatingip: network.floatingIps,
    security_group: network.groups,
    security_group_rule: network.rules,
  };
  const need = (auth: Auth, id: string, verb: string) => {
    if (!auth.isAdmin && !(verb === 'get' && id === auth.projectId)) throw disallowed(`${verb}_quota`);
  };
  service.on('GET', '/v2.0/quotas', 'neutron.quota.list', (_call, auth) => {
    need(auth, '', 'get');
    const own = Object.entries(quotas.own()).filter(([, areas]) => Object.keys(areas.network).length > 0);
    return {
      status: 200,
      json: { quotas: own.map(([id]) => ({ ...quotas.all('network', id), project_id: id, tenant_id: id })) },
    };
  });
  service.on('GET', '/v2.0/quotas/{id}', 'neutron.quota.show', (call, auth) => {
    need(auth, call.params.id!, 'get');
    return { status: 200, json: { quota: quotas.all('network', call.params.id!) } };
  });
  service.on('GET', '/v2.0/quotas/{id}/default', 'neutron.quota.default', (call, auth) => {
    need(auth, call.params.id!, 'get');
    return { status: 200, json: { quota: quotas.defaults('network') } };
  });
  const details = (id: string) =>
    Object.fromEntries(
      Object.entries(quotas.all('network', id)).map(([name, limit]) => [
        name,
        { limit, used: tables[name]?.count('project', id) ?? 0, reserved: 0 },
      ]),
    );
  for (const suffix of ['details', 'details.json']) {
    service.on('GET', `/v2.0/quotas/{id}/${suffix}`, 'neutron.quota.details', (call, auth) => {
      need(auth, call.params.id!, 'get');
      return { status: 200, json: { quota: details(call.params.id!) } };
    });
  }
  service.on('PUT', '/v2.0/quotas/{id}', 'neutron.quota.update', (call, auth) => {
    need(auth, call.params.id!, 'update');
    const given = jsonBody(call).quota;
    if (!isObject(given)) throw badRequest("Unable to find 'quota' in request body");
    const limits: Record<string, number> = {};
    const known = quotas.defaults('network');
    for (const [key, value] of Object.entries(given)) {
      if (['force', 'check_limit', 'project_id', 'tenant_id'].includes(key)) continue;
      if (!(key in known)) throw badRequest(`Unrecognized attribute(s) '${key}'`);
      const limit = Number(value);
      if (!Number.isInteger(limit) || limit < -1)
        throw badRequest(`Invalid input for ${key}. Reason: '${String(value)}' is not a valid quota.`);
      limits[key] = limit;
    }
    quotas.set('network', call.params.id!, limits);
    return { status: 200, json: { quota: quotas.all('network', call.params.id!) } };
  });
  service.on('DELETE', '/v2.0/quotas/{id}', 'neutron.quota.delete', (call, auth) => {
    need(auth, call.params.id!, 'delete');
    if (!quotas.own()[call.params.id!]) throw notFound('quota', call.params.id!);
    quotas.reset('network', call.params.id!);
    return { status: 204 };
  });
}
