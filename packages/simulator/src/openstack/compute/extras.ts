import { ApiError, isObject, type Json, jsonBody } from '../../core/message.ts';
import { type Auth, type Cloud, isoMicros, type OpenStackService } from '../cloud.ts';
import { serveAggregates } from './aggregates.ts';
import { microversion, policy, schemaError } from './dialect.ts';
import type { Host } from './state.ts';

/** Zones, hypervisors, services, limits, quota sets, extensions, usage. */
export function serveComputeExtras(service: OpenStackService, cloud: Cloud): void {
  const { compute, quotas } = cloud;
  const admin = (auth: Auth, rule: string) => {
    if (!auth.isAdmin) throw policy(`os_compute_api:${rule}`);
  };
  const zones = () => [...new Set([...compute.hosts.values()].map((h) => h.zone))];
  service.on('GET', '/v2.1/os-availability-zone', 'nova.availability_zone.list', () => ({
    status: 200,
    json: {
      availabilityZoneInfo: zones().map((zoneName) => ({ zoneName, zoneState: { available: true }, hosts: null })),
    },
  }));
  service.on('GET', '/v2.1/os-availability-zone/detail', 'nova.availability_zone.list', (_call, auth) => {
    admin(auth, 'os-availability-zone:detail');
    const hosts = (zone: string) =>
      Object.fromEntries(
        [...compute.hosts.by('zone', zone)].map((h) => [
          h.name,
          { 'nova-compute': { available: true, active: !h.disabled, updated_at: isoMicros(cloud.clock.now()) } },
        ]),
      );
    return {
      status: 200,
      json: {
        availabilityZoneInfo: zones().map((zoneName) => ({
          zoneName,
          zoneState: { available: true },
          hosts: hosts(zoneName),
        })),
      },
    };
  });
  serveAggregates(service, cloud);
  const hypervisor = (h: Host, at: number, minor: number, detail: boolean): Json => {
    const id = minor >= 53 ? h.id : at + 1;
    const brief = { id, hypervisor_hostname: h.name, state: 'up', status: h.disabled ? 'disabled' : 'enabled' };
    if (!detail) return brief;
    const running = compute.servers.count('host', h.name);
    return {
      ...brief,
      hypervisor_type: 'fake',
      hypervisor_version: 1000,
      host_ip: '127.0.0.1',
      service: { id: minor >= 53 ? h.id : at + 1, host: h.name, disabled_reason: null },
      ...(minor >= 88
        ? { uptime: null }
        : {
            vcpus: 1000,
            vcpus_used: running,
            memory_mb: 800000,
            memory_mb_used: 512,
            local_gb: 600000,
            local_gb_used: 0,
            free_ram_mb: 799488,
            free_disk_gb: 600000,
            current_workload: 0,
            running_vms: running,
            disk_available_least: 0,
            cpu_info: minor >= 28 ? {} : '{}',
          }),
    };
  };
  for (const detail of [false, true]) {
    service.on(
      'GET',
      detail ? '/v2.1/os-hypervisors/detail' : '/v2.1/os-hypervisors',
      'nova.hypervisor.list',
      (call, auth) => {
        admin(auth, `os-hypervisors:list${detail ? '-detail' : ''}`);
        return {
          status: 200,
          json: {
            hypervisors: [...compute.hosts.values()].map((h, i) => hypervisor(h, i, microversion(call), detail)),
          },
        };
      },
    );
  }
  service.on('GET', '/v2.1/os-hypervisors/statistics', 'nova.hypervisor.statistics', (call, auth) => {
    admin(auth, 'os-hypervisors:statistics');
    if (microversion(call) >= 88) throw new ApiError(404, "Hypervisor with ID 'statistics' could not be found.");
    const total: Record<string, number> = { count: compute.hosts.size };
    for (const [i, h] of [...compute.hosts.values()].entries()) {
      for (const [key, value] of Object.entries(hypervisor(h, i, 1, true)))
        if (typeof value === 'number' && key !== 'id' && key !== 'hypervisor_version')
          total[key] = (total[key] ?? 0) + value;
    }
    return { status: 200, json: { hypervisor_statistics: total } };
  });
  service.on('GET', '/v2.1/os-hypervisors/{id}/uptime', 'nova.hypervisor.uptime', (call, auth) => {
    admin(auth, 'os-hypervisors:uptime');
    const all = [...compute.hosts.values()];
    const at = all.findIndex((h, i) => h.id === call.params.id || String(i + 1) === call.params.id);
    const h = all[at];
    if (!h) throw new ApiError(404, `Hypervisor with ID '${call.params.id}' could not be found.`);
    const brief = hypervisor(h, at, microversion(call), false);
    const uptime = ' 02:00:00 up 93 days, 18:25, 0 users, load average: 0.20, 0.12, 0.14';
    return { status: 200, json: { hypervisor: { ...brief, uptime } } };
  });
  service.on('GET', '/v2.1/os-hypervisors/{id}', 'nova.hypervisor.show', (call, auth) => {
    admin(auth, 'os-hypervisors:show');
    const all = [...compute.hosts.values()];
    const at = all.findIndex((h, i) => h.id === call.params.id || String(i + 1) === call.params.id);
    if (at < 0) throw new ApiError(404, `Hypervisor with ID '${call.params.id}' could not be found.`);
    return { status: 200, json: { hypervisor: hypervisor(all[at]!, at, microversion(call), true) } };
  });
  const serviceView = (h: Host, at: number, minor: number): Json => ({
    id: minor >= 53 ? h.id : at + 1,
    binary: 'nova-compute',
    host: h.name,
    zone: h.zone,
    status: h.disabled ? 'disabled' : 'enabled',
    state: 'up',
    updated_at: isoMicros(cloud.clock.now()),
    disabled_reason: null,
    ...(minor >= 11 ? { forced_down: false } : {}),
  });
  service.on('GET', '/v2.1/os-services', 'nova.service.list', (call, auth) => {
    admin(auth, 'os-services:list');
    const minor = microversion(call);
    const hosts = [...compute.hosts.values()].map((h, i) => serviceView(h, i, minor));
    return {
      status: 200,
      json: {
        services: hosts.filter(
          (s) =>
            (!call.query.has('host') || s.host === call.query.get('host')) &&
            (!call.query.has('binary') || s.binary === call.query.get('binary')),
        ),
      },
    };
  });
  service.on('PUT', '/v2.1/os-services/{id}', 'nova.service.update', (call, auth) => {
    admin(auth, 'os-services:update');
    const at = [...compute.hosts.values()].findIndex((h) => h.id === call.params.id);
    const h = compute.hosts.get(call.params.id!);
    if (!h) throw new ApiError(404, `Service ${call.params.id} not found.`);
    h.disabled = jsonBody(call).status === 'disabled';
    return { status: 200, json: { service: serviceView(h, at, microversion(call)) } };
  });
  service.on('GET', '/v2.1/limits', 'nova.limit.show', (call, auth) => {
    const project = (auth.isAdmin && call.query.get('tenant_id')) || auth.projectId;
    const q = quotas.all('compute', project);
    const used = compute.usage(project);
    const minor = microversion(call);
    return {
      status: 200,
      json: {
        limits: {
          rate: [],
          absolute: {
            maxTotalInstances: q.instances,
            maxTotalCores: q.cores,
            maxTotalRAMSize: q.ram,
            maxTotalKeypairs: q.key_pairs,
            maxServerMeta: q.metadata_items,
            maxServerGroups: q.server_groups,
            maxServerGroupMembers: q.server_group_members,
            totalInstancesUsed: used.instances,
            totalCoresUsed: used.cores,
            totalRAMUsed: used.ram,
            totalServerGroupsUsed: compute.groups.count('project', project),
            ...(minor < 57
              ? {
                  maxPersonality: q.injected_files,
                  maxPersonalitySize: q.injected_file_content_bytes,
                  maxImageMeta: q.metadata_items,
                }
              : {}),
            ...(minor < 36
              ? {
                  maxSecurityGroups: -1,
                  maxSecurityGroupRules: -1,
                  maxTotalFloatingIps: -1,
                  totalSecurityGroupsUsed: 0,
                  totalFloatingIpsUsed: 0,
                }
              : {}),
          },
        },
      },
    };
  });
  serveQuotaSets(service, cloud);
  service.on('GET', '/v2.1/extensions', 'nova.extension.list', () => ({ status: 200, json: { extensions: [] } }));
  service.on('GET', '/v2.1/os-simple-tenant-usage/{id}', 'nova.usage.show', () => ({
    status: 200,
    json: { tenant_usage: {} },
  }));
  service.on('GET', '/v2.1/os-simple-tenant-usage', 'nova.usage.list', () => ({
    status: 200,
    json: { tenant_usages: [] },
  }));
  service.on('GET', '/v2.1/os-migrations', 'nova.migration.list', () => ({ status: 200, json: { migrations: [] } }));
}

function serveQuotaSets(service: OpenStackService, cloud: Cloud): void {
  const { compute, quotas } = cloud;
  const shown = (all: Record<string, number>, minor: number) => {
    const out: Record<string, number> = { ...all };
    if (minor >= 36)
      for (const key of ['fixed_ips', 'floating_ips', 'security_groups', 'security_group_rules', 'networks'])
        delete out[key];
    else delete out.networks;
    if (minor >= 57)
      for (const key of ['injected_files', 'injected_file_content_bytes', 'injected_file_path_bytes']) delete out[key];
    return out;
  };
  const need = (auth: Auth, id: string, verb: string) => {
    if (!auth.isAdmin && !(verb !== 'update' && verb !== 'delete' && id === auth.projectId))
      throw policy(`os_compute_api:os-quota-sets:${verb}`);
  };
  const base = '/v2.1/os-quota-sets/{id}';
  service.on('GET', base, 'nova.quota.show', (call, auth) => {
    need(auth, call.params.id!, 'show');
    return {
      status: 200,
      json: { quota_set: { id: call.params.id, ...shown(quotas.all('compute', call.params.id!), microversion(call)) } },
    };
  });
  service.on('GET', `${base}/defaults`, 'nova.quota.default', (call) => ({
    status: 200,
    json: { quota_set: { id: call.params.id, ...shown(quotas.defaults('compute'), microversion(call)) } },
  }));
  service.on('GET', `${base}/detail`, 'nova.quota.detail', (call, auth) => {
    const id = call.params.id!;
    need(auth, id, 'detail');
    const used: Record<string, number> = { ...compute.usage(id), server_groups: compute.groups.count('project', id) };
    const all = shown(quotas.all('compute', id), microversion(call));
    return {
      status: 200,
      json: {
        quota_set: {
          id,
          ...Object.fromEntries(
            Object.entries(all).map(([name, limit]) => [name, { limit, in_use: used[name] ?? 0, reserved: 0 }]),
          ),
        },
      },
    };
  });
  service.on('PUT', base, 'nova.quota.update', (call, auth) => {
    const id = call.params.id!;
    need(auth, id, 'update');
    const given = jsonBody(call).quota_set;
    if (!isObject(given)) throw schemaError('body', {}, "'quota_set' is a required property");
    const known = quotas.defaults('compute');
    const used: Record<string, number> = { ...compute.usage(id), server_groups: compute.groups.count('project', id) };
    const limits: Record<string, number> = {};
    for (const [key, value] of Object.entries(given)) {
      if (key === 'force' || key === 'tenant_id') continue;
      if (!(key in known))
        throw schemaError('quota_set', given, `Additional properties are not allowed ('${key}' was unexpected)`);
      const limit = Number(value);
      if (!Number.isInteger(limit) || limit < -1)
        throw schemaError(key, value, `${String(value)} is less than the minimum of -1`);
      if (limit >= 0 && (used[key] ?? 0) > limit && given.force !== true && given.force !== 'True')
        throw new ApiError(
          400,
          `Quota limit ${limit} for ${key} must be greater than or equal to already used and reserved ${used[key]}.`,
        );
      limits[key] = limit;
    }
    quotas.set('compute', id, limits);
    return { status: 200, json: { quota_set: shown(quotas.all('compute', id), microversion(call)) } };
  });
  service.on('DELETE', base, 'nova.quota.delete', (call, auth) => {
    need(auth, call.params.id!, 'delete');
    quotas.reset('compute', call.params.id!);
    return { status: 202 };
  });
  service.on('GET', '/v2.1/os-quota-class-sets/{id}', 'nova.quota.class', (call) => ({
    status: 200,
    json: { quota_class_set: { id: call.params.id, ...shown(quotas.defaults('compute'), microversion(call)) } },
  }));
}
