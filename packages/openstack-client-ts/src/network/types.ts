import type { Fields, Query } from '../types.ts';

/** What all of Neutron's resources with tags have. */
export interface NetworkResource extends Fields {
  id: string;
  name: string;
  description: string;
  project_id: string;
  tags: string[];
  /** Goes up with each change; see `ifRevision`. */
  revision_number: number;
  /** RFC 3339. */
  created_at: string;
  updated_at: string;
}

/** Filters that all of Neutron's lists with tags take; any field of the resource is one more. */
export interface NetworkQuery extends Query {
  id?: string | readonly string[] | undefined;
  name?: string | readonly string[] | undefined;
  project_id?: string | undefined;
  /** Having all of them. */
  tags?: readonly string[] | undefined;
  /** Having one of them. */
  'tags-any'?: readonly string[] | undefined;
  'not-tags'?: readonly string[] | undefined;
  'not-tags-any'?: readonly string[] | undefined;
  /** Fields of the answer. Default: all. */
  fields?: readonly string[] | undefined;
  sort_key?: string | undefined;
  sort_dir?: 'asc' | 'desc' | undefined;
  /** Size of a page. Default: all in one. */
  limit?: number | undefined;
  marker?: string | undefined;
}

export interface Network extends NetworkResource {
  status: string;
  admin_state_up: boolean;
  shared: boolean;
  subnets: string[];
  mtu?: number;
  port_security_enabled?: boolean;
  'router:external'?: boolean;
  availability_zones?: string[];
  availability_zone_hints?: string[];
  'provider:network_type'?: string | null;
  'provider:physical_network'?: string | null;
  'provider:segmentation_id'?: number | null;
}

export interface NetworkCreate extends Fields {
  name?: string;
  description?: string;
  admin_state_up?: boolean;
  shared?: boolean;
  mtu?: number;
  port_security_enabled?: boolean;
  'router:external'?: boolean;
  availability_zone_hints?: string[];
  project_id?: string;
}

export interface Subnet extends NetworkResource {
  network_id: string;
  ip_version: 4 | 6;
  cidr: string;
  gateway_ip: string | null;
  enable_dhcp: boolean;
  dns_nameservers: string[];
  host_routes: { destination: string; nexthop: string }[];
  allocation_pools: { start: string; end: string }[];
  ipv6_address_mode?: string | null;
  ipv6_ra_mode?: string | null;
  subnetpool_id?: string | null;
}

export interface SubnetCreate extends Fields {
  network_id: string;
  ip_version: 4 | 6;
  /** Left out with a subnet pool. */
  cidr?: string;
  name?: string;
  description?: string;
  /** Null: no gateway. */
  gateway_ip?: string | null;
  enable_dhcp?: boolean;
  dns_nameservers?: string[];
  host_routes?: { destination: string; nexthop: string }[];
  allocation_pools?: { start: string; end: string }[];
  subnetpool_id?: string;
  prefixlen?: number;
}

export interface Port extends NetworkResource {
  network_id: string;
  mac_address: string;
  status: 'ACTIVE' | 'BUILD' | 'DOWN' | 'ERROR' | 'N/A' | (string & {});
  admin_state_up: boolean;
  fixed_ips: { subnet_id: string; ip_address: string }[];
  /** The server that has it, or an empty string. */
  device_id: string;
  /** `compute:nova`, `network:router_interface`, ... */
  device_owner: string;
  security_groups: string[];
  allowed_address_pairs?: { ip_address: string; mac_address?: string }[];
  port_security_enabled?: boolean;
  'binding:vnic_type'?: string;
  'binding:host_id'?: string;
  'binding:vif_type'?: string;
}

export interface PortCreate extends Fields {
  network_id: string;
  name?: string;
  description?: string;
  /** Neutron refuses a second one on the network with 409. */
  mac_address?: string;
  fixed_ips?: { subnet_id?: string; ip_address?: string }[];
  security_groups?: string[];
  allowed_address_pairs?: { ip_address: string; mac_address?: string }[];
  port_security_enabled?: boolean;
  device_id?: string;
  device_owner?: string;
  admin_state_up?: boolean;
  'binding:vnic_type'?: string;
}

export interface PortQuery extends NetworkQuery {
  network_id?: string | readonly string[] | undefined;
  device_id?: string | readonly string[] | undefined;
  device_owner?: string | readonly string[] | undefined;
  mac_address?: string | readonly string[] | undefined;
  status?: string | undefined;
  /** `ip_address=10.0.0.5`, `subnet_id=...`, `ip_address_substr=10.0.`; see `fixedIps`. */
  fixed_ips?: string | readonly string[] | undefined;
}

export interface ExternalGateway {
  network_id: string;
  enable_snat?: boolean;
  external_fixed_ips?: { subnet_id?: string; ip_address?: string }[];
}

export interface Router extends NetworkResource {
  status: string;
  admin_state_up: boolean;
  external_gateway_info: ExternalGateway | null;
  routes: { destination: string; nexthop: string }[];
  distributed?: boolean;
  ha?: boolean;
  availability_zones?: string[];
  availability_zone_hints?: string[];
}

export interface RouterCreate extends Fields {
  name?: string;
  description?: string;
  admin_state_up?: boolean;
  external_gateway_info?: ExternalGateway | null;
  availability_zone_hints?: string[];
}

export interface RouterInterface extends Fields {
  id: string;
  port_id: string;
  subnet_id: string;
}

export interface FloatingIp extends Fields {
  id: string;
  description: string;
  project_id: string;
  tags: string[];
  revision_number: number;
  floating_network_id: string;
  floating_ip_address: string;
  fixed_ip_address: string | null;
  port_id: string | null;
  router_id: string | null;
  status: 'ACTIVE' | 'DOWN' | 'ERROR' | (string & {});
}

export interface FloatingIpCreate extends Fields {
  floating_network_id: string;
  description?: string;
  port_id?: string;
  fixed_ip_address?: string;
  subnet_id?: string;
  /** This very address; only for those whom the policy allows it. */
  floating_ip_address?: string;
}

export interface SecurityGroup extends NetworkResource {
  security_group_rules: SecurityGroupRule[];
  stateful?: boolean;
}

export interface SecurityGroupRule extends Fields {
  id: string;
  security_group_id: string;
  direction: 'ingress' | 'egress';
  ethertype: 'IPv4' | 'IPv6';
  protocol: string | null;
  port_range_min: number | null;
  port_range_max: number | null;
  remote_ip_prefix: string | null;
  remote_group_id: string | null;
  description: string;
}

export interface SecurityGroupRuleCreate extends Fields {
  security_group_id: string;
  direction: 'ingress' | 'egress';
  ethertype?: 'IPv4' | 'IPv6';
  protocol?: string | null;
  port_range_min?: number | null;
  port_range_max?: number | null;
  remote_ip_prefix?: string | null;
  remote_group_id?: string | null;
  description?: string;
}

/** Limits of a project; -1 is without limit. */
export interface NetworkQuota extends Fields {
  network: number;
  subnet: number;
  port: number;
  router: number;
  floatingip: number;
  security_group: number;
  security_group_rule: number;
}

export interface NetworkQuotaUsage {
  limit: number;
  used: number;
  reserved: number;
}

export interface NetworkAvailabilityZone extends Fields {
  name: string;
  resource: 'network' | 'router';
  state: 'available' | 'unavailable';
}

export interface NetworkExtension extends Fields {
  alias: string;
  name: string;
  description: string;
  updated: string;
}
