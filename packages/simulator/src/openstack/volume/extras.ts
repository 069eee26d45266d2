import { ApiError, isObject, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { serveVolumeTypes } from './types.ts';

/** Quotas, limits, zones, services. */
export function serveVolumeExtras(service: OpenStackService, cloud: Cloud): void {
  const { types, volumes, snapshots } = cloud.volume;
  const { quotas } = cloud;
  const admin = (auth: Auth, rule: string) => {
    if (!auth.isAdmin) throw new ApiError(403, `Policy doesn't allow ${rule} to be performed.`);
  };
  serveVolumeTypes(service, cloud);

  const usage = (id: string): Record<string, number> => {
    const own = [...volumes.by('project', id)];
    const snaps = [...snapshots.by('project', id)];
    return {
      volumes: own.length,
      snapshots: snaps.length,
      gigabytes: own.reduce((n, v) => n + v.size, 0) + snaps.reduce((n, s) => n + s.size, 0),
    };
  };
  service.on('GET', '/v3/os-quota-sets/{id}', 'cinder.quota.show', (call, auth) => {
    const id = call.params.id!;
    if (id !== auth.projectId) admin(auth, 'volume_extension:quotas:show');
    const all = quotas.all('volume', id);
    const used = usage(id);
    const detailed = (call.query.get('usage') ?? '').toLowerCase() === 'true';
    return {
      status: 200,
      json: {
        quota_set: {
          id,
          ...(detailed
            ? Object.fromEntries(
                Object.entries(all).map(([k, limit]) => [
                  k,
                  { limit, in_use: used[k] ?? 0, reserved: 0, allocated: 0 },
                ]),
              )
            : all),
        },
      },
    };
  });
  service.on('GET', '/v3/os-quota-sets/{id}/defaults', 'cinder.quota.default', (call) => ({
    status: 200,
    json: { quota_set: { id: call.params.id, ...quotas.defaults('volume') } },
  }));
  service.on('PUT', '/v3/os-quota-sets/{id}', 'cinder.quota.update', (call, auth) => {
    admin(auth, 'volume_extension:quotas:update');
    const given = jsonBody(call).quota_set;
    const limits: Record<string, number> = {};
    for (const [key, value] of Object.entries(isObject(given) ? given : {})) {
      // Each volume type has limits of its own too: volumes_lvm, snapshots_lvm, gigabytes_lvm.
      const ofType = /^(?:volumes|snapshots|gigabytes)_(.+)$/.exec(key)?.[1];
      if (key in quotas.defaults('volume') || (ofType !== undefined && types.count('name', ofType) > 0))
        limits[key] = Number(value);
      else if (!['tenant_id', 'project_id', 'skip_validation', 'force'].includes(key))
        throw new ApiError(400, `Bad key(s) in quota set: ${key}`);
    }
    quotas.set('volume', call.params.id!, limits);
    return { status: 200, json: { quota_set: quotas.all('volume', call.params.id!) } };
  });
  service.on('DELETE', '/v3/os-quota-sets/{id}', 'cinder.quota.delete', (call, auth) => {
    admin(auth, 'volume_extension:quotas:delete');
    quotas.reset('volume', call.params.id!);
    return { status: 200 };
  });
  service.on('GET', '/v3/os-quota-class-sets/{id}', 'cinder.quota.class', (call) => ({
    status: 200,
    json: { quota_class_set: { id: call.params.id, ...quotas.defaults('volume') } },
  }));
  service.on('GET', '/v3/limits', 'cinder.limit.show', (_call, auth) => {
    const q = quotas.all('volume', auth.projectId);
    const used = usage(auth.projectId);
    return {
      status: 200,
      json: {
        limits: {
          rate: [],
          absolute: {
            maxTotalVolumes: q.volumes,
            maxTotalSnapshots: q.snapshots,
            maxTotalVolumeGigabytes: q.gigabytes,
            maxTotalBackups: q.backups,
            maxTotalBackupGigabytes: q.backup_gigabytes,
            totalVolumesUsed: used.volumes,
            totalSnapshotsUsed: used.snapshots,
            totalGigabytesUsed: used.gigabytes,
            totalBackupsUsed: 0,
            totalBackupGigabytesUsed: 0,
          },
        },
      },
    };
  });
  service.on('GET', '/v3/os-availability-zone', 'cinder.availability_zone.list', () => {
    const zones = ['nova', ...new Set([...cloud.compute.hosts.values()].map((h) => h.zone))];
    return {
      status: 200,
      json: { availabilityZoneInfo: zones.map((zoneName) => ({ zoneName, zoneState: { available: true } })) },
    };
  });
  service.on('GET', '/v3/os-services', 'cinder.service.list', (_call, auth) => {
    admin(auth, 'volume_extension:services:index');
    return {
      status: 200,
      json: {
        services: ['cinder-scheduler', 'cinder-volume'].map((binary) => ({
          binary,
          host: binary === 'cinder-volume' ? 'volume-1@lvm' : 'volume-1',
          zone: 'nova',
          status: 'enabled',
          state: 'up',
          updated_at: new Date(cloud.clock.now()).toISOString().slice(0, 19),
        })),
      },
    };
  });
  service.on('GET', '/v3/extensions', 'cinder.extension.list', () => ({ status: 200, json: { extensions: [] } }));
  for (const path of ['/v3/backups', '/v3/backups/detail'])
    service.on('GET', path, 'cinder.backup.list', () => ({ status: 200, json: { backups: [] } }));
  service.on('GET', '/v3/attachments', 'cinder.attachment.list', (_call, auth) => ({
    status: 200,
    json: {
      attachments: [...volumes.by('project', auth.projectId)].flatMap((v) =>
        v.attachments.map((a) => ({ id: a.id, volume_id: v.id, instance: a.serverId, status: 'attached' })),
      ),
    },
  }));
}
