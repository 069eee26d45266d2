import { path } from '../http/query.ts';
import type { Paged } from '../paged.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions } from '../types.ts';
import { NetworkCollection, TaggedCollection } from './collection.ts';
import type {
  FloatingIp,
  FloatingIpCreate,
  NetworkAvailabilityZone,
  NetworkCreate,
  NetworkExtension,
  Network as NetworkObject,
  NetworkQuota,
  NetworkQuotaUsage,
  Port,
  PortCreate,
  PortQuery,
  Router,
  RouterCreate,
  RouterInterface,
  SecurityGroup,
  SecurityGroupRule,
  SecurityGroupRuleCreate,
  Subnet,
  SubnetCreate,
} from './types.ts';

/** Fields of an update: any of the create's, and unknown ones. */
type Change<C> = { [K in keyof C]?: C[K] };

/** Filter for the `fixed_ips` of the port list: all given must match. */
export function fixedIps(filter: { ip_address?: string; subnet_id?: string; ip_address_substr?: string }): string[] {
  return Object.entries(filter)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`);
}

/** Neutron. */
export class Network {
  /** For calls that have no method here. */
  readonly client: ServiceClient;
  readonly networks: TaggedCollection<NetworkObject, NetworkCreate, Change<NetworkCreate>>;
  readonly subnets: TaggedCollection<Subnet, SubnetCreate, Change<SubnetCreate>>;
  readonly ports: TaggedCollection<Port, PortCreate, Change<PortCreate>, PortQuery>;
  readonly routers: Routers;
  readonly floatingIps: TaggedCollection<
    FloatingIp,
    FloatingIpCreate,
    { port_id?: string | null; [field: string]: unknown }
  >;
  readonly securityGroups: TaggedCollection<
    SecurityGroup,
    { name: string; description?: string; stateful?: boolean },
    { name?: string; description?: string; stateful?: boolean }
  >;
  readonly securityGroupRules: NetworkCollection<SecurityGroupRule, SecurityGroupRuleCreate, never>;
  readonly quotas: NetworkQuotas;

  constructor(session: Session) {
    const client = new ServiceClient(session, 'network');
    this.client = client;
    this.networks = new TaggedCollection(client, { path: '/networks', one: 'network', many: 'networks' });
    this.subnets = new TaggedCollection(client, { path: '/subnets', one: 'subnet', many: 'subnets' });
    this.ports = new TaggedCollection(client, { path: '/ports', one: 'port', many: 'ports' });
    this.routers = new Routers(client);
    this.floatingIps = new TaggedCollection(client, { path: '/floatingips', one: 'floatingip', many: 'floatingips' });
    this.securityGroups = new TaggedCollection(client, {
      path: '/security-groups',
      one: 'security_group',
      many: 'security_groups',
    });
    this.securityGroupRules = new NetworkCollection(client, {
      path: '/security-group-rules',
      one: 'security_group_rule',
      many: 'security_group_rules',
    });
    this.quotas = new NetworkQuotas(client);
  }

  availabilityZones(options?: CallOptions): Paged<NetworkAvailabilityZone> {
    return this.client.list({ path: '/availability_zones', key: 'availability_zones' }, options);
  }

  extensions(options?: CallOptions): Paged<NetworkExtension> {
    return this.client.list({ path: '/extensions', key: 'extensions' }, options);
  }
}

/** Neutron's routers. */
export class Routers extends TaggedCollection<
  Router,
  RouterCreate,
  Change<RouterCreate & { routes?: Router['routes'] }>
> {
  constructor(client: ServiceClient) {
    super(client, { path: '/routers', one: 'router', many: 'routers' });
  }

  /** BadRequestError when the subnet is on this router already. Not repeated after a lost answer. */
  addInterface(
    id: string,
    by: { subnet_id: string } | { port_id: string },
    options?: CallOptions,
  ): Promise<RouterInterface> {
    const url = path`/routers/${id}/add_router_interface`;
    return this.client.json({ method: 'PUT', path: url, body: by, idempotent: false }, undefined, options);
  }

  /** NotFoundError when it is not there. Not repeated after a lost answer. */
  removeInterface(
    id: string,
    by: { subnet_id: string } | { port_id: string },
    options?: CallOptions,
  ): Promise<RouterInterface> {
    const url = path`/routers/${id}/remove_router_interface`;
    return this.client.json({ method: 'PUT', path: url, body: by, idempotent: false }, undefined, options);
  }
}

/** What projects may use of Neutron. */
export class NetworkQuotas {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  get(projectId: string, options?: CallOptions): Promise<NetworkQuota> {
    return this.#client.json({ method: 'GET', path: path`/quotas/${projectId}` }, 'quota', options);
  }

  /** With what is used of each. */
  details(projectId: string, options?: CallOptions): Promise<Record<string, NetworkQuotaUsage>> {
    return this.#client.json({ method: 'GET', path: path`/quotas/${projectId}/details.json` }, 'quota', options);
  }

  /** Only for administrators. */
  set(projectId: string, quota: Partial<NetworkQuota>, options?: CallOptions): Promise<NetworkQuota> {
    return this.#client.json({ method: 'PUT', path: path`/quotas/${projectId}`, body: { quota } }, 'quota', options);
  }

  /** Back to the defaults. */
  async reset(projectId: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/quotas/${projectId}` }, options);
  }
}
