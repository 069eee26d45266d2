import { Collection } from '../collection.ts';
import { path } from '../http/query.ts';
import type { Paged } from '../paged.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions, Query } from '../types.ts';
import type {
  HealthMonitor,
  HealthMonitorCreate,
  Listener,
  ListenerCreate,
  LoadBalancerCreate,
  LoadBalancerInfo,
  LoadBalancerQuota,
  Member,
  MemberCreate,
  Pool,
  PoolCreate,
  StatusNode,
} from './types.ts';

/** Fields of an update: any of the create's, and unknown ones. */
type Change<C> = { [K in keyof C]?: C[K] };

/** Octavia. While a tree is in a PENDING state every change of it is refused with a ConflictError. */
export class LoadBalancer {
  /** For calls that have no method here. */
  readonly client: ServiceClient;
  readonly loadBalancers: LoadBalancers;
  readonly listeners: Collection<Listener, ListenerCreate, Change<ListenerCreate>>;
  readonly pools: Collection<Pool, PoolCreate, Change<PoolCreate>>;
  readonly members: Members;
  readonly healthMonitors: Collection<HealthMonitor, HealthMonitorCreate, Change<HealthMonitorCreate>>;
  readonly quotas: LoadBalancerQuotas;

  constructor(session: Session) {
    const client = new ServiceClient(session, 'load-balancer');
    this.client = client;
    this.loadBalancers = new LoadBalancers(client);
    this.listeners = new Collection(client, { path: '/lbaas/listeners', one: 'listener', many: 'listeners' });
    this.pools = new Collection(client, { path: '/lbaas/pools', one: 'pool', many: 'pools' });
    this.members = new Members(client);
    this.healthMonitors = new Collection(client, {
      path: '/lbaas/healthmonitors',
      one: 'healthmonitor',
      many: 'healthmonitors',
    });
    this.quotas = new LoadBalancerQuotas(client);
  }

  /** The drivers that may be named as `provider`. */
  providers(options?: CallOptions): Paged<{ name: string; description: string }> {
    return this.client.list({ path: '/lbaas/providers', key: 'providers' }, options);
  }
}

/** Octavia's load balancers. */
export class LoadBalancers extends Collection<
  LoadBalancerInfo,
  LoadBalancerCreate,
  { name?: string; description?: string; admin_state_up?: boolean; tags?: string[]; [field: string]: unknown }
> {
  constructor(client: ServiceClient) {
    super(client, { path: '/lbaas/loadbalancers', one: 'loadbalancer', many: 'loadbalancers' });
  }

  /** With everything below it. It is PENDING_DELETE for a while, then 404 (or DELETED). */
  async deleteCascade(id: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'DELETE', path: this.pathOf(id), query: { cascade: true } }, options);
  }

  /** Both statuses of the load balancer and all below it, in one call. */
  async statusTree(id: string, options?: CallOptions): Promise<StatusNode> {
    const request = { method: 'GET', path: `${this.pathOf(id)}/status` } as const;
    return (await this.client.json<{ loadbalancer: StatusNode }>(request, 'statuses', options)).loadbalancer;
  }

  stats(id: string, options?: CallOptions): Promise<Record<string, number>> {
    return this.client.json({ method: 'GET', path: `${this.pathOf(id)}/stats` }, 'stats', options);
  }

  /** Makes it anew with the same address; only for administrators, and not with every provider. */
  async failover(id: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'PUT', path: `${this.pathOf(id)}/failover`, idempotent: false }, options);
  }
}

/** Members of a pool. */
export class Members {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  list(poolId: string, query?: Query, options?: CallOptions): Paged<Member> {
    return this.#client.list({ path: path`/lbaas/pools/${poolId}/members`, key: 'members', query }, options);
  }

  get(poolId: string, id: string, options?: CallOptions): Promise<Member> {
    return this.#client.json({ method: 'GET', path: path`/lbaas/pools/${poolId}/members/${id}` }, 'member', options);
  }

  /** ConflictError when the pool has this address and port already. */
  create(poolId: string, body: MemberCreate, options?: CallOptions): Promise<Member> {
    const url = path`/lbaas/pools/${poolId}/members`;
    return this.#client.json({ method: 'POST', path: url, body: { member: body } }, 'member', options);
  }

  update(poolId: string, id: string, body: Partial<MemberCreate>, options?: CallOptions): Promise<Member> {
    const url = path`/lbaas/pools/${poolId}/members/${id}`;
    return this.#client.json({ method: 'PUT', path: url, body: { member: body } }, 'member', options);
  }

  async delete(poolId: string, id: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/lbaas/pools/${poolId}/members/${id}` }, options);
  }

  /** Makes these the pool's members, told apart by address and port; with `additiveOnly` others stay. */
  async replaceAll(
    poolId: string,
    members: readonly MemberCreate[],
    options: CallOptions & { additiveOnly?: boolean } = {},
  ): Promise<void> {
    const { additiveOnly, ...rest } = options;
    const query = additiveOnly === true ? { additive_only: true } : undefined;
    const request = { method: 'PUT', path: path`/lbaas/pools/${poolId}/members`, query, body: { members } } as const;
    await this.#client.request(request, rest);
  }
}

/** What projects may use of Octavia. */
export class LoadBalancerQuotas {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  get(projectId: string, options?: CallOptions): Promise<LoadBalancerQuota> {
    return this.#client.json({ method: 'GET', path: path`/lbaas/quotas/${projectId}` }, 'quota', options);
  }

  /** Only for administrators. */
  set(projectId: string, quota: Partial<LoadBalancerQuota>, options?: CallOptions): Promise<LoadBalancerQuota> {
    const url = path`/lbaas/quotas/${projectId}`;
    return this.#client.json({ method: 'PUT', path: url, body: { quota } }, 'quota', options);
  }

  /** Back to the defaults. */
  async reset(projectId: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/lbaas/quotas/${projectId}` }, options);
  }
}
