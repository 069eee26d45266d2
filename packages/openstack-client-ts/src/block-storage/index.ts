import { Collection } from '../collection.ts';
import { path } from '../http/query.ts';
import type { Paged } from '../paged.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions, Query } from '../types.ts';
import type {
  Attachment,
  Snapshot,
  Volume,
  VolumeCreate,
  VolumeQuery,
  VolumeQuota,
  VolumeQuotaUsage,
  VolumeType,
} from './types.ts';

/**
 * The filter `metadata` of Cinder's lists, in the form that Cinder reads: a Python dictionary. An operator may have taken the filter away
 * (`resource_filters.json`), so look at what comes back. Source: https://docs.openstack.org/api-ref/block-storage/v3/#list-accessible-volumes-with-details
 */
export function metadataQuery(metadata: Record<string, string>): string {
  const text = (value: string): string => `'${value.replace(/[\\']/g, '\\$&')}'`;
  return `{${Object.entries(metadata)
    .map(([key, value]) => `${text(key)}: ${text(value)}`)
    .join(', ')}}`;
}

/** Cinder v3. */
export class BlockStorage {
  /** For calls that have no method here. */
  readonly client: ServiceClient;
  readonly volumes: Volumes;
  readonly snapshots: Collection<
    Snapshot,
    { volume_id: string; name?: string; description?: string; force?: boolean; metadata?: Record<string, string> },
    { name?: string; description?: string }
  >;
  readonly types: Collection<
    VolumeType,
    {
      name: string;
      description?: string;
      extra_specs?: Record<string, string>;
      'os-volume-type-access:is_public'?: boolean;
    },
    { name?: string; description?: string; is_public?: boolean }
  >;
  readonly attachments: Attachments;
  readonly quotas: VolumeQuotas;

  constructor(session: Session) {
    const client = new ServiceClient(session, 'block-storage');
    this.client = client;
    this.volumes = new Volumes(client);
    this.snapshots = new Collection(client, {
      path: '/snapshots',
      listPath: '/snapshots/detail',
      one: 'snapshot',
      many: 'snapshots',
    });
    this.types = new Collection(client, { path: '/types', one: 'volume_type', many: 'volume_types' });
    this.attachments = new Attachments(client);
    this.quotas = new VolumeQuotas(client);
  }

  availabilityZones(options?: CallOptions): Paged<{ zoneName: string; zoneState: { available: boolean } }> {
    return this.client.list({ path: '/os-availability-zone', key: 'availabilityZoneInfo' }, options);
  }
}

/** Cinder's volumes. */
export class Volumes extends Collection<
  Volume,
  VolumeCreate,
  { name?: string; description?: string; metadata?: Record<string, string> },
  VolumeQuery
> {
  constructor(client: ServiceClient) {
    super(client, { path: '/volumes', listPath: '/volumes/detail', one: 'volume', many: 'volumes' });
  }

  /** With its snapshots. */
  async deleteCascade(id: string, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'DELETE', path: this.pathOf(id), query: { cascade: true } }, options);
  }

  /** To a new size in GiB. A volume in use needs 3.42. */
  extend(id: string, newSize: number, options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-extend': { new_size: newSize } }, options);
  }

  setBootable(id: string, bootable: boolean, options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-set_bootable': { bootable } }, options);
  }

  /** Only for administrators. */
  resetStatus(id: string, status: string, options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-reset_status': { status } }, options);
  }

  /** Only for administrators. */
  forceDelete(id: string, options?: CallOptions): Promise<void> {
    return this.act(id, { 'os-force_delete': {} }, options);
  }

  /** Any other action, as the API reference writes its body. Never repeated after a lost answer. */
  async act(id: string, body: Record<string, unknown>, options?: CallOptions): Promise<void> {
    await this.client.request({ method: 'POST', path: path`/volumes/${id}/action`, body }, options);
  }
}

const ATTACHMENTS = { minimum: '3.27', what: 'attachments' } as const;

/** Cinder's own attachments, for those that attach without Nova. */
export class Attachments {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  list(query?: Query, options?: CallOptions): Paged<Attachment> {
    return this.#client.list({ path: '/attachments/detail', key: 'attachments', query, ...ATTACHMENTS }, options);
  }

  get(id: string, options?: CallOptions): Promise<Attachment> {
    return this.#client.json({ method: 'GET', path: path`/attachments/${id}`, ...ATTACHMENTS }, 'attachment', options);
  }

  create(
    body: { volume_uuid: string; instance_uuid?: string; connector?: Record<string, unknown>; mode?: 'rw' | 'ro' },
    options?: CallOptions,
  ): Promise<Attachment> {
    const request = { method: 'POST', path: '/attachments', body: { attachment: body }, ...ATTACHMENTS } as const;
    return this.#client.json(request, 'attachment', options);
  }

  /** Tells the connector; the answer says how to connect. */
  update(id: string, connector: Record<string, unknown>, options?: CallOptions): Promise<Attachment> {
    const url = path`/attachments/${id}`;
    const request = { method: 'PUT', path: url, body: { attachment: { connector } }, ...ATTACHMENTS } as const;
    return this.#client.json(request, 'attachment', options);
  }

  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/attachments/${id}`, ...ATTACHMENTS }, options);
  }
}

/** What projects may use of Cinder. */
export class VolumeQuotas {
  readonly #client: ServiceClient;

  constructor(client: ServiceClient) {
    this.#client = client;
  }

  get(projectId: string, options?: CallOptions): Promise<VolumeQuota> {
    return this.#client.json({ method: 'GET', path: path`/os-quota-sets/${projectId}` }, 'quota_set', options);
  }

  /** With what is used of each. */
  usage(projectId: string, options?: CallOptions): Promise<Record<string, VolumeQuotaUsage>> {
    const request = { method: 'GET', path: path`/os-quota-sets/${projectId}`, query: { usage: true } } as const;
    return this.#client.json(request, 'quota_set', options);
  }

  /** Only for administrators. */
  set(projectId: string, quota: Partial<VolumeQuota>, options?: CallOptions): Promise<VolumeQuota> {
    const url = path`/os-quota-sets/${projectId}`;
    return this.#client.json({ method: 'PUT', path: url, body: { quota_set: quota } }, 'quota_set', options);
  }

  /** Back to the defaults. */
  async reset(projectId: string, options?: CallOptions): Promise<void> {
    await this.#client.request({ method: 'DELETE', path: path`/os-quota-sets/${projectId}` }, options);
  }
}
