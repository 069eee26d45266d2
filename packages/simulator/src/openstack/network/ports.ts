import { isObject, type Json } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { allocate } from './addresses.ts';
import { commonAttributes } from './attributes.ts';
import { type Kind, touch } from './collection.ts';
import { badRequest, conflict, disallowed, notFound } from './errors.ts';
import { disassociate } from './floating-addresses.ts';
import { defaultGroup } from './groups.ts';
import type { NetRow, Network, Port } from './state.ts';

/** A port with everything at its default; addresses and groups are the caller's affair. */
export function blankPort(cloud: Cloud, base: NetRow, network: Network): Port {
  return {
    ...base,
    network_id: network.id,
    mac_address: freeMac(cloud, network.id),
    admin_state_up: true,
    status: 'DOWN',
    device_id: '',
    device_owner: '',
    fixed_ips: [],
    allowed_address_pairs: [],
    security_groups: [],
    port_security_enabled: network.port_security_enabled,
    dns_name: '',
    extra_dhcp_opts: [],
    propagate_uplink_status: true,
    'binding:vnic_type': 'normal',
    'binding:host_id': '',
    'binding:profile': {},
    'binding:vif_type': 'unbound',
    'binding:vif_details': {},
  };
}

/** Takes a port away for good, and floating addresses off it. */
export function releasePort(cloud: Cloud, port: Port): void {
  for (const f of [...cloud.network.floatingIps.by('port', port.id)]) disassociate(cloud, f);
  cloud.network.ports.delete(port.id);
}

/** Ports. */
export function portKind(cloud: Cloud): Kind<Port> {
  const { network } = cloud;
  return {
    singular: 'port',
    plural: 'ports',
    quota: 'port',
    table: network.ports,
    indexes: {
      device_id: 'device',
      mac_address: 'macOnly',
      network_id: 'network',
      project_id: 'project',
      tenant_id: 'project',
    },
    adminOnly: ['binding:host_id', 'binding:profile', 'binding:vif_type', 'binding:vif_details'],
    attributes: {
      ...commonAttributes,
      network_id: { type: 'uuid', required: true, put: false },
      admin_state_up: { type: 'bool' },
      mac_address: { type: 'mac' },
      fixed_ips: { type: 'list' },
      device_id: { type: 'string' },
      device_owner: { type: 'string' },
      allowed_address_pairs: { type: 'list', nullable: true },
      security_groups: { type: 'list', nullable: true },
      port_security_enabled: { type: 'bool' },
      dns_name: { type: 'string' },
      dns_domain: { type: 'string', nullable: true },
      extra_dhcp_opts: { type: 'list', nullable: true },
      propagate_uplink_status: { type: 'bool' },
      qos_policy_id: { type: 'uuid', nullable: true },
      tags: { type: 'strings', put: false },
      'binding:vnic_type': { type: 'string' },
      'binding:host_id': { type: 'string', nullable: true, admin: true },
      'binding:profile': { type: 'object', nullable: true, admin: true },
      'binding:vif_type': { type: 'string', put: false, post: false },
      'binding:vif_details': { type: 'object', put: false, post: false },
      numa_affinity_policy: { type: 'string', nullable: true, admin: true },
    },
    view: (p): Json => ({
      ...p,
      dns_assignment: p.fixed_ips.map((f) => {
        const host = p.dns_name || `host-${f.ip_address.replace(/[.:]+/g, '-')}`;
        return { hostname: host, ip_address: f.ip_address, fqdn: `${host}.openstacklocal.` };
      }),
      qos_policy_id: null,
      qos_network_policy_id: null,
      resource_request: null,
    }),
    create: (a, auth, base) => {
      const owner = network.networks.get(a.network_id as string);
      if (!owner || !(auth.isAdmin || owner.project_id === auth.projectId || owner.shared || owner['router:external']))
        throw notFound('network', a.network_id as string);
      const mine = auth.isAdmin || owner.project_id === auth.projectId;
      if (!mine) {
        for (const key of ['mac_address', 'allowed_address_pairs', 'port_security_enabled'] as const) {
          if (a[key] !== undefined) throw disallowed('create_port', `create_port:${key}`);
        }
        if (
          Array.isArray(a.fixed_ips) &&
          a.fixed_ips.some((f) => isObject(f) && f.ip_address !== undefined && !owner.shared)
        )
          throw disallowed('create_port', 'create_port:fixed_ips');
      }
      const port = blankPort(cloud, base, owner);
      if (typeof a.mac_address === 'string') port.mac_address = claimMac(cloud, owner.id, a.mac_address);
      port.fixed_ips = allocate(cloud, owner, a.fixed_ips);
      port.port_security_enabled =
        a.port_security_enabled === undefined ? owner.port_security_enabled : a.port_security_enabled === true;
      port.device_owner = (a.device_owner as string | undefined) ?? '';
      if (
        port.port_security_enabled &&
        !Array.isArray(a.security_groups) &&
        port.fixed_ips.length > 0 &&
        !port.device_owner.startsWith('network:')
      ) {
        port.security_groups = [defaultGroup(cloud, base.project_id).id];
      }
      port.tags = [...new Set((a.tags as string[] | undefined) ?? [])];
      apply(cloud, port, a, auth);
      return network.ports.save(port);
    },
    update: (p, a, auth) => {
      if (typeof a.mac_address === 'string' && a.mac_address.toLowerCase() !== p.mac_address) {
        if (p['binding:host_id'] !== '')
          throw conflict(
            'PortBound',
            `Unable to complete operation on port ${p.id}, port is already bound, port type: ${p['binding:vif_type']}, old_mac ${p.mac_address}, new_mac ${a.mac_address}.`,
          );
        p.mac_address = claimMac(cloud, p.network_id, a.mac_address);
      }
      if (a.fixed_ips !== undefined)
        p.fixed_ips = allocate(cloud, network.networks.get(p.network_id)!, a.fixed_ips, p.fixed_ips);
      if (typeof a.device_owner === 'string') p.device_owner = a.device_owner;
      if (a.port_security_enabled !== undefined) p.port_security_enabled = a.port_security_enabled === true;
      apply(cloud, p, a, auth);
    },
    remove: (p) => {
      if (['network:router_interface', 'network:router_gateway', 'network:floatingip'].includes(p.device_owner)) {
        throw conflict(
          'ServicePortInUse',
          `Port ${p.id} cannot be deleted directly via the port API: has device owner ${p.device_owner}.`,
        );
      }
      releasePort(cloud, p);
    },
  };
}

function apply(cloud: Cloud, p: Port, a: Json, auth: Auth): void {
  if (a.admin_state_up !== undefined) p.admin_state_up = a.admin_state_up === true;
  if (typeof a.device_id === 'string') p.device_id = a.device_id;
  if (typeof a.dns_name === 'string') p.dns_name = a.dns_name;
  if (Array.isArray(a.extra_dhcp_opts)) p.extra_dhcp_opts = a.extra_dhcp_opts;
  if (typeof a.propagate_uplink_status === 'boolean') p.propagate_uplink_status = a.propagate_uplink_status;
  if (typeof a['binding:vnic_type'] === 'string') p['binding:vnic_type'] = a['binding:vnic_type'];
  if (typeof a['binding:host_id'] === 'string') bindPort(p, a['binding:host_id']);
  if (isObject(a['binding:profile'])) p['binding:profile'] = a['binding:profile'];
  let groups = p.security_groups;
  if (a.security_groups === null) groups = [];
  else if (Array.isArray(a.security_groups)) groups = checkGroups(cloud, a.security_groups, auth);
  let pairs = p.allowed_address_pairs;
  if (a.allowed_address_pairs === null) pairs = [];
  else if (Array.isArray(a.allowed_address_pairs)) pairs = checkPairs(p, a.allowed_address_pairs);
  if (!p.port_security_enabled) {
    if (groups.length > 0)
      throw conflict(
        'PortSecurityPortHasSecurityGroup',
        'Port has security group associated. Cannot disable port security or IP address until security group is removed.',
      );
    if (pairs.length > 0)
      throw conflict(
        'AddressPairAndPortSecurityRequired',
        'Port Security must be enabled in order to have allowed address pairs on a port.',
      );
  }
  p.security_groups = groups;
  p.allowed_address_pairs = pairs;
}

/** Binds a port to a host, or unbinds it with an empty name. */
export function bindPort(p: Port, host: string): void {
  p['binding:host_id'] = host;
  p['binding:vif_type'] = host === '' ? 'unbound' : 'ovs';
  p['binding:vif_details'] = host === '' ? {} : { port_filter: true, bridge_name: 'br-int', datapath_type: 'system' };
  p.status = host !== '' && p.admin_state_up ? 'ACTIVE' : 'DOWN';
}

/** Sets who uses a port (Nova, Octavia), as of now. */
export function setDevice(cloud: Cloud, p: Port, deviceId: string, deviceOwner: string, host: string): void {
  p.device_id = deviceId;
  p.device_owner = deviceOwner;
  bindPort(p, host);
  touch(cloud, cloud.network.ports, p);
}

function checkGroups(cloud: Cloud, wanted: unknown[], auth: Auth): string[] {
  return [
    ...new Set(
      wanted.map((id) => {
        const group = typeof id === 'string' ? cloud.network.groups.get(id) : undefined;
        if (!group || !(auth.isAdmin || group.project_id === auth.projectId || group.shared))
          throw notFound('security_group', String(id));
        return group.id;
      }),
    ),
  ];
}

function checkPairs(p: Port, wanted: unknown[]): Port['allowed_address_pairs'] {
  const seen = new Set<string>();
  return wanted.map((given) => {
    if (!isObject(given) || typeof given.ip_address !== 'string')
      throw badRequest('AllowedAddressPair must contain ip_address', 'AddressPairMissingIP');
    const pair = {
      ip_address: given.ip_address,
      mac_address: typeof given.mac_address === 'string' ? given.mac_address : p.mac_address,
    };
    const key = `${pair.ip_address} ${pair.mac_address}`;
    if (seen.has(key))
      throw badRequest(
        `Request contains duplicate address pair: mac_address ${pair.mac_address} ip_address ${pair.ip_address}.`,
        'DuplicateAddressPairInRequest',
      );
    seen.add(key);
    return pair;
  });
}

function claimMac(cloud: Cloud, networkId: string, wanted: string): string {
  const mac = wanted.toLowerCase();
  if (cloud.network.ports.count('mac', `${networkId} ${mac}`) > 0) {
    throw conflict(
      'MacAddressInUse',
      `Unable to complete operation for network ${networkId}. The mac address ${mac} is in use.`,
    );
  }
  return mac;
}

function freeMac(cloud: Cloud, networkId: string): string {
  for (;;) {
    const tail = cloud.ids.hex(6);
    const mac = `fa:16:3e:${tail.slice(0, 2)}:${tail.slice(2, 4)}:${tail.slice(4)}`;
    if (cloud.network.ports.count('mac', `${networkId} ${mac}`) === 0) return mac;
  }
}
