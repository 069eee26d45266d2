import { ApiError, type Json } from '../../core/message.ts';
import { Service } from '../../core/service.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import type { Host } from '../compute/state.ts';
import { authenticate } from '../identity/tokens.ts';

const capacity = { VCPU: 1000, MEMORY_MB: 800_000, DISK_GB: 600_000 };

/** Placement 1.0 to 1.39 under /placement: providers, inventories, usages, candidates. Administrators only. */
export function placementService(cloud: Cloud): OpenStackService {
  const { compute } = cloud;
  const service: OpenStackService = new Service<Auth>({
    name: 'placement',
    prefix: 'placement',
    authenticate: (call) => {
      const auth = authenticate(cloud, 'placement')(call);
      if (!auth.isAdmin)
        throw new ApiError(
          403,
          'Access was denied to this resource.\n\n Policy does not allow placement to be performed.',
        );
      return auth;
    },
    renderError: (call, e) => ({
      status: e.status,
      json: {
        errors: [
          {
            status: e.status,
            request_id: call.requestId,
            title:
              e.status === 404
                ? 'Not Found'
                : e.status === 403
                  ? 'Forbidden'
                  : e.status === 401
                    ? 'Unauthorized'
                    : 'Error',
            detail: e.message,
          },
        ],
      },
    }),
    decorate: (call, headers) => {
      headers['x-openstack-request-id'] = call.requestId;
      const asked = /placement\s+(\d+\.\d+|latest)/.exec(String(call.headers['openstack-api-version'] ?? ''))?.[1];
      headers['OpenStack-API-Version'] = `placement ${asked === 'latest' ? '1.39' : (asked ?? '1.0')}`;
      headers.Vary = 'openstack-api-version';
    },
  });
  service.open('GET', '/', 'placement.version.list', () => ({
    status: 200,
    json: {
      versions: [
        { id: 'v1.0', status: 'CURRENT', min_version: '1.0', max_version: '1.39', links: [{ rel: 'self', href: '' }] },
      ],
    },
  }));
  const host = (id: string): Host => {
    const h = compute.hosts.get(id);
    if (!h)
      throw new ApiError(
        404,
        `No resource provider with uuid ${id} found : No resource provider with uuid ${id} found`,
      );
    return h;
  };
  const view = (h: Host): Json => ({
    uuid: h.id,
    name: h.name,
    generation: 1,
    parent_provider_uuid: null,
    root_provider_uuid: h.id,
    links: ['', '/inventories', '/usages', '/aggregates', '/traits', '/allocations'].map((tail) => ({
      rel: tail.slice(1) || 'self',
      href: `/placement/resource_providers/${h.id}${tail}`,
    })),
  });
  const usage = (h: Host) => {
    const out = { VCPU: 0, MEMORY_MB: 0, DISK_GB: 0 };
    for (const s of compute.servers.by('host', h.name)) {
      out.VCPU += s.flavor.vcpus;
      out.MEMORY_MB += s.flavor.ram;
      out.DISK_GB += s.imageId === '' ? 0 : s.flavor.disk;
    }
    return out;
  };
  service.on('GET', '/resource_providers', 'placement.provider.list', (call) => ({
    status: 200,
    json: {
      resource_providers: [...compute.hosts.values()]
        .filter(
          (h) =>
            (!call.query.has('name') || h.name === call.query.get('name')) &&
            (!call.query.has('uuid') || h.id === call.query.get('uuid')),
        )
        .map(view),
    },
  }));
  service.on('GET', '/resource_providers/{id}', 'placement.provider.show', (call) => ({
    status: 200,
    json: view(host(call.params.id!)),
  }));
  service.on('GET', '/resource_providers/{id}/inventories', 'placement.inventory.list', (call) => {
    host(call.params.id!);
    return {
      status: 200,
      json: {
        resource_provider_generation: 1,
        inventories: Object.fromEntries(
          Object.entries(capacity).map(([k, total]) => [
            k,
            { total, reserved: 0, min_unit: 1, max_unit: total, step_size: 1, allocation_ratio: 1 },
          ]),
        ),
      },
    };
  });
  service.on('GET', '/resource_providers/{id}/usages', 'placement.usage.show', (call) => ({
    status: 200,
    json: { resource_provider_generation: 1, usages: usage(host(call.params.id!)) },
  }));
  service.on('GET', '/resource_providers/{id}/traits', 'placement.trait.list', (call) => {
    host(call.params.id!);
    return { status: 200, json: { resource_provider_generation: 1, traits: ['COMPUTE_STATUS_ENABLED'].slice(0, 0) } };
  });
  service.on('GET', '/resource_providers/{id}/aggregates', 'placement.aggregate.list', (call) => {
    host(call.params.id!);
    return { status: 200, json: { resource_provider_generation: 1, aggregates: [] } };
  });
  service.on('GET', '/resource_providers/{id}/allocations', 'placement.allocation.list', (call) => {
    const h = host(call.params.id!);
    return {
      status: 200,
      json: {
        resource_provider_generation: 1,
        allocations: Object.fromEntries(
          [...compute.servers.by('host', h.name)].map((s) => [
            s.id,
            { resources: { VCPU: s.flavor.vcpus, MEMORY_MB: s.flavor.ram, DISK_GB: s.flavor.disk } },
          ]),
        ),
      },
    };
  });
  service.on('GET', '/allocations/{id}', 'placement.allocation.show', (call) => {
    const s = compute.servers.get(call.params.id!);
    const h = s && [...compute.hosts.values()].find((x) => x.name === s.host);
    return {
      status: 200,
      json: {
        allocations:
          s && h
            ? {
                [h.id]: {
                  generation: 1,
                  resources: { VCPU: s.flavor.vcpus, MEMORY_MB: s.flavor.ram, DISK_GB: s.flavor.disk },
                },
              }
            : {},
      },
    };
  });
  service.on('GET', '/usages', 'placement.usage.list', (call) => {
    const used = compute.usage(call.query.get('project_id') ?? '');
    return { status: 200, json: { usages: { VCPU: used.cores, MEMORY_MB: used.ram } } };
  });
  service.on('GET', '/resource_classes', 'placement.class.list', () => ({
    status: 200,
    json: { resource_classes: Object.keys(capacity).map((name) => ({ name, links: [] })) },
  }));
  service.on('GET', '/traits', 'placement.trait.list', () => ({ status: 200, json: { traits: [] } }));
  service.on('GET', '/allocation_candidates', 'placement.candidate.list', (call) => {
    const wanted = Object.fromEntries(
      (call.query.get('resources') ?? '')
        .split(',')
        .filter(Boolean)
        .map((part) => [part.split(':')[0]!, Number(part.split(':')[1])]),
    );
    if (Object.keys(wanted).length === 0)
      throw new ApiError(400, "JSON does not validate: 'resources' is a required property");
    const fits = [...compute.hosts.values()].filter((h) => {
      const used = usage(h);
      return (
        !h.disabled &&
        Object.entries(wanted).every(([k, n]) => (used[k as 'VCPU'] ?? 0) + n <= (capacity[k as 'VCPU'] ?? 0))
      );
    });
    const page = fits.slice(0, Number(call.query.get('limit') ?? 1000));
    return {
      status: 200,
      json: {
        allocation_requests: page.map((h) => ({
          allocations: { [h.id]: { resources: wanted } },
          mappings: { '': [h.id] },
        })),
        provider_summaries: Object.fromEntries(
          page.map((h) => [
            h.id,
            {
              resources: Object.fromEntries(
                Object.entries(capacity).map(([k, c]) => [k, { capacity: c, used: usage(h)[k as 'VCPU'] }]),
              ),
              traits: [],
              parent_provider_uuid: null,
              root_provider_uuid: h.id,
            },
          ]),
        ),
      },
    };
  });
  return service;
}
