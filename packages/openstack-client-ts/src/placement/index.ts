import { path } from '../http/query.ts';
import type { Paged } from '../paged.ts';
import { ServiceClient, type Session } from '../service-client.ts';
import type { CallOptions, Fields, Query } from '../types.ts';

export interface ResourceProvider extends Fields {
  uuid: string;
  name: string;
  generation: number;
  parent_provider_uuid?: string | null;
  root_provider_uuid?: string;
}

export interface Inventory extends Fields {
  total: number;
  reserved: number;
  min_unit: number;
  max_unit: number;
  step_size: number;
  allocation_ratio: number;
}

/** Where something of the wanted size would fit. */
export interface AllocationCandidates extends Fields {
  allocation_requests: {
    allocations: Record<string, { resources: Record<string, number> }>;
    [field: string]: unknown;
  }[];
  provider_summaries: Record<
    string,
    { resources: Record<string, { capacity: number; used: number }>; traits?: string[] }
  >;
}

/** Placement; most of it only for administrators. */
export class Placement {
  /** For calls that have no method here. */
  readonly client: ServiceClient;

  constructor(session: Session) {
    this.client = new ServiceClient(session, 'placement');
  }

  resourceProviders(query?: Query, options?: CallOptions): Paged<ResourceProvider> {
    return this.client.list({ path: '/resource_providers', key: 'resource_providers', query }, options);
  }

  resourceProvider(uuid: string, options?: CallOptions): Promise<ResourceProvider> {
    return this.client.json({ method: 'GET', path: path`/resource_providers/${uuid}` }, undefined, options);
  }

  /** By resource class: `VCPU`, `MEMORY_MB`, `DISK_GB`. */
  inventories(uuid: string, options?: CallOptions): Promise<Record<string, Inventory>> {
    return this.client.json(
      { method: 'GET', path: path`/resource_providers/${uuid}/inventories` },
      'inventories',
      options,
    );
  }

  /** What is used of a provider, by resource class. */
  providerUsages(uuid: string, options?: CallOptions): Promise<Record<string, number>> {
    return this.client.json({ method: 'GET', path: path`/resource_providers/${uuid}/usages` }, 'usages', options);
  }

  /** What a project uses, by resource class (by consumer type first, from 1.38). */
  usages(projectId: string, options?: CallOptions): Promise<Record<string, unknown>> {
    const request = {
      method: 'GET',
      path: '/usages',
      query: { project_id: projectId },
      minimum: '1.9',
      what: 'usages',
    } as const;
    return this.client.json(request, 'usages', options);
  }

  /** `resources: { VCPU: 2, MEMORY_MB: 2048 }`; at most `limit` of them (placement sends no pages). */
  allocationCandidates(
    query: { resources: Readonly<Record<string, number>>; required?: readonly string[]; limit?: number },
    options?: CallOptions,
  ): Promise<AllocationCandidates> {
    const resources = Object.entries(query.resources).map(([name, amount]) => `${name}:${amount}`);
    const request = {
      method: 'GET',
      path: '/allocation_candidates',
      query: { ...query, resources },
      minimum: '1.10',
      what: 'allocation candidates',
    } as const;
    return this.client.json(request, undefined, options);
  }
}
