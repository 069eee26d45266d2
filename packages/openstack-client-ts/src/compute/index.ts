import { Collection } from '../collection.ts';
import { path } from '../http/query.ts';
import { compareMicroversions } from '../microversion.ts';
import { Paged } from '../paged.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions, Query } from '../types.ts';
import { Servers } from './servers.ts';
import type {
  AbsoluteLimits,
  AvailabilityZone,
  ComputeQuota,
  ComputeServiceInfo,
  Flavor,
  FlavorCreate,
  Hypervisor,
  Keypair,
  KeypairCreate,
  QuotaUsage,
  ServerGroup,
  ServerGroupCreate,
} from './types.ts';

/** Nova. */
export class Compute {
  /** For calls that have no method here. */
  readonly client: ServiceClient;
  readonly servers: Servers;
  readonly flavors: Flavors;
  readonly keypairs: Keypairs;
  readonly serverGroups: ServerGroups;
  readonly quotas: ComputeQuotas;

  constructor(session: Session) {
    this.client = new ServiceClient(session, 'compute');
    this.servers = new Servers(this.client);
    this.flavors = new Flavors(this.client);
    this.keypairs = new Keypairs(this.client);
    this.serverGroups = new ServerGroups(this.client);
    this.quotas = new ComputeQuotas(this.client);
  }

  availabilityZones(options?: CallOptions): Paged<AvailabilityZone> {
    return this.client.list({ path: '/os-availability-zone', key: 'availabilityZoneInfo' }, options);
  }

  /** Limits and use of the own project. */
  async limits(options?: CallOptions): Promise<AbsoluteLimits> {
    const limits = await this.client.json<{ absolute: AbsoluteLimits }>(
      { method: 'GET', path: '/limits' },
      'limits',
      options,
    );
    return limits.absolute;
  }

  /** Only for administrators. */
  hypervisors(query?: Query, options?: CallOptions): Paged<Hypervisor> {
    return this.client.list({ path: '/os-hypervisors/detail', key: 'hypervisors', query }, options);
  }

  /** Nova's own processes; only for administrators. */
  services(query?: Query, options?: CallOptions): Paged<ComputeServiceInfo> {
    return this.client.list({ path: '/os-services', key: 'services', query }, options);
  }
}

/** Nova's flavors. */
export class Flavors extends Collection<Flavor, FlavorCreate, { description: string | null }> {
  constructor(client: ServiceClient) {
    super(client, { path: '/flavors', listPath: '/flavors/detail', one: 'flavor', many: 'flavors' });
  }

  extraSpecs(id: string, options?: CallOptions): Promise<Record<string, string>> {
    return this.client.json({ method: 'GET', path: path`/flavors/${id}/os-extra_specs` }, 'extra_specs', options);
  }

  /** Sets these, leaves others. */
  setExtraSpecs(id: string, specs: Record<string, string>, options?: CallOptions): Promise<Record<string, string>> {
    const url = path`/flavors/${id}/os-extra_specs`;
    const request = { method: 'POST', path: url, body: { extra_specs: specs }, idempotent: true } as const;
    return this.client.json(request, 'extra_specs', options);
  }

  async removeExtraSpec(id: string, key: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'DELETE', path: path`/flavors/${id}/os-extra_specs/${key}` }, options);
  }
}

/** SSH keys of the user; their name is their id. */
export class Keypairs extends Collection<Keypair, KeypairCreate, never> {
  constructor(client: ServiceClient) {
    super(client, { path: '/os-keypairs', one: 'keypair', many: 'keypairs' });
  }

  override list(query?: Query, options?: CallOptions): Paged<Keypair> {
    const wrapped = this.client.list<{ keypair: Keypair }>({ path: '/os-keypairs', key: 'keypairs', query }, options);
    return new Paged(async function* () {
      for await (const page of wrapped.pages()) yield page.map((item) => item.keypair);
    });
  }
}

/** Groups of servers that the scheduler keeps together or apart. */
export class ServerGroups extends Collection<ServerGroup, ServerGroupCreate, never> {
  constructor(client: ServiceClient) {
    super(client, { path: '/os-server-groups', one: 'server_group', many: 'server_groups' });
  }

  override async create(body: ServerGroupCreate, options?: CallOptions): Promise<ServerGroup> {
    const version = await this.client.microversion(options, {
      minimum: body.rules !== undefined ? '2.64' : body.policy.startsWith('soft-') ? '2.15' : undefined,
      what: body.rules !== undefined ? 'a server group with rules' : `the policy ${body.policy}`,
    });
    const old = version === undefined || compareMicroversions(version, '2.64') < 0;
    const group = old ? { name: body.name, policies: [body.policy] } : body;
    const request = { method: 'POST', path: this.spec.path, body: { server_group: group } } as const;
    return this.client.json<ServerGroup>(request, 'server_group', options);
  }

  /** Nova pages these by offset and sends no links: pages are asked for until one brings nothing new. */
  override list(query: Query = {}, options?: CallOptions): Paged<ServerGroup> {
    const { client, spec } = this;
    return new Paged(async function* () {
      const seen = new Set<string>();
      for (;;) {
        const request = {
          method: 'GET',
          path: spec.path,
          query: { ...query, offset: seen.size || undefined },
        } as const;
        const page = await client.json<ServerGroup[]>(request, spec.many, options);
        const fresh = page.filter((group) => !seen.has(group.id));
        if (fresh.length === 0) return;
        for (const group of fresh) seen.add(group.id);
        yield fresh;
      }
    });
  }
}

/** What projects may use of Nova. */
export class ComputeQuotas {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  get(projectId: string, options?: CallOptions): Promise<ComputeQuota> {
    return this.#client.json({ method: 'GET', path: path`/os-quota-sets/${projectId}` }, 'quota_set', options);
  }

  /** With what is used of each. */
  detail(projectId: string, options?: CallOptions): Promise<Record<string, QuotaUsage> & { id: never }> {
    return this.#client.json({ method: 'GET', path: path`/os-quota-sets/${projectId}/detail` }, 'quota_set', options);
  }

  /** Only for administrators. */
  set(
    projectId: string,
    quota: Partial<ComputeQuota> & { force?: boolean },
    options?: CallOptions,
  ): Promise<ComputeQuota> {
    const url = path`/os-quota-sets/${projectId}`;
    return this.#client.json({ method: 'PUT', path: url, body: { quota_set: quota } }, 'quota_set', options);
  }

  /** Back to the defaults. */
  async reset(projectId: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/os-quota-sets/${projectId}` }, options);
  }
}
