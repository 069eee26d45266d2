import { type Cidr, parseCidr } from '../../core/ip.ts';
import { Table } from '../../core/table.ts';

/** What every Neutron resource has; rows have the shape they have on the wire. */
export interface NetRow {
  id: string;
  name: string;
  project_id: string;
  tenant_id: string;
  description: string;
  tags: string[];
  created_at: string;
  updated_at: string;
  revision_number: number;
}

export interface Network extends NetRow {
  admin_state_up: boolean;
  status: string;
  shared: boolean;
  'router:external': boolean;
  is_default: boolean;
  mtu: number;
  port_security_enabled: boolean;
  availability_zone_hints: string[];
  availability_zones: string[];
  dns_domain: string;
  'provider:network_type': string;
  'provider:physical_network': string | null;
  'provider:segmentation_id': number | null;
}

export interface Pool {
  start: string;
  end: string;
}

export interface Subnet extends NetRow {
  network_id: string;
  ip_version: 4 | 6;
  cidr: string;
  gateway_ip: string | null;
  allocation_pools: Pool[];
  enable_dhcp: boolean;
  dns_nameservers: string[];
  dns_publish_fixed_ip: boolean;
  host_routes: { destination: string; nexthop: string }[];
  ipv6_address_mode: string | null;
  ipv6_ra_mode: string | null;
  service_types: string[];
  subnetpool_id: string | null;
}

export interface FixedIp {
  subnet_id: string;
  ip_address: string;
}

export interface Port extends NetRow {
  network_id: string;
  mac_address: string;
  admin_state_up: boolean;
  status: string;
  device_id: string;
  device_owner: string;
  fixed_ips: FixedIp[];
  allowed_address_pairs: { ip_address: string; mac_address: string }[];
  security_groups: string[];
  port_security_enabled: boolean;
  dns_name: string;
  extra_dhcp_opts: unknown[];
  propagate_uplink_status: boolean;
  'binding:vnic_type': string;
  'binding:host_id': string;
  'binding:profile': Record<string, unknown>;
  'binding:vif_type': string;
  'binding:vif_details': Record<string, unknown>;
}

export interface Router extends NetRow {
  admin_state_up: boolean;
  status: string;
  external_gateway_info: { network_id: string; enable_snat: boolean; external_fixed_ips: FixedIp[] } | null;
  gatewayPortId: string | null;
  routes: { destination: string; nexthop: string }[];
  availability_zone_hints: string[];
  availability_zones: string[];
  flavor_id: string | null;
}

export interface FloatingIp extends NetRow {
  floating_network_id: string;
  floating_ip_address: string;
  fixed_ip_address: string | null;
  port_id: string | null;
  router_id: string | null;
  status: string;
  dns_name: string;
  dns_domain: string;
  /** Its own port on the external network. */
  ownPortId: string;
}

export interface SecurityGroup extends NetRow {
  stateful: boolean;
  shared: boolean;
}

export interface SecurityGroupRule extends NetRow {
  security_group_id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  remote_address_group_id: string | null;
  normalized_cidr: string | null;
  belongs_to_default_sg: boolean;
}

const common = { project: (r: NetRow) => r.project_id, name: (r: NetRow) => r.name, tag: (r: NetRow) => r.tags };

/** Neutron's memory. */
export class NetworkState {
  readonly networks = new Table<Network>({ ...common, external: (n) => (n['router:external'] ? 'yes' : null) });
  readonly subnets = new Table<Subnet>({ ...common, network: (s) => s.network_id });
  readonly ports = new Table<Port>({
    ...common,
    network: (p) => p.network_id,
    device: (p) => p.device_id || null,
    owner: (p) => p.device_owner || null,
    macOnly: (p) => p.mac_address,
    mac: (p) => `${p.network_id} ${p.mac_address}`,
    subnet: (p) => p.fixed_ips.map((f) => f.subnet_id),
    address: (p) => p.fixed_ips.map((f) => `${f.subnet_id} ${f.ip_address}`),
    ip: (p) => p.fixed_ips.map((f) => f.ip_address),
    group: (p) => p.security_groups,
  });
  readonly routers = new Table<Router>({ ...common, gatewayNetwork: (r) => r.external_gateway_info?.network_id });
  readonly floatingIps = new Table<FloatingIp>({
    ...common,
    port: (f) => f.port_id,
    router: (f) => f.router_id,
    address: (f) => f.floating_ip_address,
    network: (f) => f.floating_network_id,
  });
  readonly groups = new Table<SecurityGroup>(common);
  readonly rules = new Table<SecurityGroupRule>({
    ...common,
    group: (r) => r.security_group_id,
    remote: (r) => r.remote_group_id,
  });
  /** Where the search for a free address goes on, by subnet. */
  readonly cursors = new Map<string, bigint>();
  #cidrs = new Map<string, Cidr>();

  /** A range taken apart, remembered. */
  cidr(text: string): Cidr {
    let found = this.#cidrs.get(text);
    if (!found) {
      found = parseCidr(text);
      if (!found) throw new Error(`not a range: ${text}`);
      this.#cidrs.set(text, found);
    }
    return found;
  }

  /** The floating address that leads to a port. */
  floatingAddress(portId: string): string | undefined {
    for (const f of this.floatingIps.by('port', portId)) return f.floating_ip_address;
    return undefined;
  }
}
