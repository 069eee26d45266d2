import { ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import { Service } from '../../core/service.ts';
import { type Auth, background, type Cloud, isoMicros, type OpenStackService } from '../cloud.ts';
import { faultAnswer } from '../compute/dialect.ts';
import { authenticate } from '../identity/tokens.ts';
import { serveVolumeActions } from './actions.ts';
import { checkVolumeQuota, makeVolume, removeVolume } from './attach.ts';
import { serveVolumeExtras } from './extras.ts';
import type { Snapshot, Volume } from './state.ts';

/** The minor of the microversion that a call asks for. */
function minor(call: Call): number {
  const asked = /volume\s+(?:3\.(\d+)|latest)/.exec(String(call.headers['openstack-api-version'] ?? ''));
  return asked ? Number(asked[1] ?? 70) : 0;
}

/**
 * The filter `metadata`, which Cinder reads as a Python dictionary of texts: `{'key': 'value'}`. All its pairs must be there; what cannot be read
 * matches nothing.
 */
function metadataFilter(call: Call): (v: Volume) => boolean {
  const given = call.query.get('metadata');
  if (given === null) return () => true;
  const pairs = [...given.matchAll(/(['"])(.*?)\1\s*:\s*(['"])(.*?)\3/g)].map((m) => [m[2]!, m[4]!] as const);
  return (v) => pairs.length > 0 && pairs.every(([key, value]) => v.metadata[key] === value);
}

/** Cinder v3 under /volume. */
export function volumeService(cloud: Cloud): OpenStackService {
  const { volumes, snapshots, types } = cloud.volume;
  const service: OpenStackService = new Service<Auth>({
    name: 'cinder',
    prefix: 'volume',
    authenticate: authenticate(cloud, 'volumev3'),
    renderError: (_call, e) =>
      e.status === 401
        ? { status: 401, json: { error: { code: 401, title: 'Unauthorized', message: e.message } } }
        : faultAnswer(e),
    prepare: (call) => {
      // The project's id in the path is optional since 3.67.
      call.path = call.path.replace(/^\/v3\/[0-9a-f]{32}(?=\/|$)/, '/v3');
    },
    decorate: (call, headers) => {
      headers['x-openstack-request-id'] = call.requestId;
      headers['x-compute-request-id'] = call.requestId;
      const asked = /volume\s+(\d+\.\d+|latest)/.exec(String(call.headers['openstack-api-version'] ?? ''))?.[1];
      headers['OpenStack-API-Version'] = `volume ${asked === 'latest' ? '3.70' : (asked ?? '3.0')}`;
      headers.Vary = 'OpenStack-API-Version';
    },
    resource: (call) => {
      const v = volumes.get(call.params.id ?? '');
      return v && { name: v.name, metadata: v.metadata };
    },
  });
  const version = () => ({
    id: 'v3.0',
    status: 'CURRENT',
    version: '3.70',
    min_version: '3.0',
    updated: '2022-08-31T00:00:00Z',
    links: [{ rel: 'self', href: `${cloud.base}/volume/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' }],
  });
  service.open('GET', '/', 'cinder.version.list', () => ({ status: 300, json: { versions: [version()] } }));
  service.open('GET', '/v3', 'cinder.version.show', () => ({ status: 200, json: { versions: [version()] } }));

  const volumeView = (v: Volume, auth: Auth): Json => ({
    id: v.id,
    name: v.name,
    description: v.description,
    status: v.status,
    size: v.size,
    availability_zone: v.zone,
    created_at: isoMicros(v.createdAt),
    updated_at: isoMicros(v.updatedAt),
    attachments: v.attachments.map((a) => ({
      id: v.id,
      attachment_id: a.id,
      volume_id: v.id,
      server_id: a.serverId,
      host_name: auth.isAdmin ? a.host : null,
      device: a.device,
      attached_at: isoMicros(a.attachedAt),
    })),
    metadata: v.metadata,
    volume_type: v.type,
    user_id: v.userId,
    bootable: String(v.bootable),
    encrypted: false,
    replication_status: null,
    consistencygroup_id: null,
    multiattach: v.multiattach,
    snapshot_id: v.snapshotId,
    source_volid: v.sourceVolumeId,
    migration_status: null,
    links: links('volumes', v.id),
    'os-vol-tenant-attr:tenant_id': v.projectId,
    ...(v.imageId || Object.keys(v.imageMetadata).length > 0
      ? {
          volume_image_metadata: {
            ...(v.imageId ? { image_id: v.imageId, image_name: cloud.image.images.get(v.imageId)?.name ?? '' } : {}),
            ...cloud.image.images.get(v.imageId ?? '')?.properties,
            ...v.imageMetadata,
          },
        }
      : {}),
    ...(auth.isAdmin
      ? {
          'os-vol-host-attr:host': 'volume-1@lvm#lvm',
          'os-vol-mig-status-attr:migstat': null,
          'os-vol-mig-status-attr:name_id': null,
        }
      : {}),
  });
  const links = (kind: string, id: string) => [
    { rel: 'self', href: `${cloud.base}/volume/v3/${kind}/${id}` },
    { rel: 'bookmark', href: `${cloud.base}/volume/${kind}/${id}` },
  ];
  const snapshotView = (s: Snapshot): Json => ({
    id: s.id,
    name: s.name,
    description: s.description,
    volume_id: s.volumeId,
    size: s.size,
    status: s.status,
    metadata: s.metadata,
    created_at: isoMicros(s.createdAt),
    updated_at: null,
    'os-extended-snapshot-attributes:progress': '100%',
    'os-extended-snapshot-attributes:project_id': s.projectId,
  });
  const volume = (call: Call, auth: Auth): Volume => {
    const v = volumes.get(call.params.id!);
    if (!v || (!auth.isAdmin && v.projectId !== auth.projectId))
      throw new ApiError(404, `Volume ${call.params.id} could not be found.`);
    return v;
  };
  const snapshot = (call: Call, auth: Auth): Snapshot => {
    const s = snapshots.get(call.params.id!);
    if (!s || (!auth.isAdmin && s.projectId !== auth.projectId))
      throw new ApiError(404, `Snapshot ${call.params.id} could not be found.`);
    return s;
  };
  const page = <T extends { id: string; name: string; status: string; createdAt: number }>(
    call: Call,
    rows: T[],
    key: string,
    view: (row: T) => Json,
    brief: (row: T) => Json,
  ): Json => {
    const q = call.query;
    let found = rows
      .filter((r) => (!q.has('name') || r.name === q.get('name')) && (!q.has('status') || r.status === q.get('status')))
      .reverse();
    const marker = q.get('marker');
    if (marker) found = found.slice(found.findIndex((r) => r.id === marker) + 1);
    const limit = Number(q.get('limit') ?? 1000);
    const some = found.slice(Number(q.get('offset') ?? 0), Number(q.get('offset') ?? 0) + limit);
    const next = new URLSearchParams(q);
    if (some.length > 0) next.set('marker', some.at(-1)!.id);
    return {
      [key]: some.map(call.path.endsWith('/detail') ? view : brief),
      ...(q.has('limit') && some.length === limit && some.length > 0
        ? { [`${key}_links`]: [{ rel: 'next', href: `${cloud.base}/volume${call.path}?${next}` }] }
        : {}),
    };
  };
  const visible = <T extends { projectId: string }>(call: Call, auth: Auth, rows: Iterable<T>): T[] => {
    const everyone = auth.isAdmin && ['1', 'true'].includes((call.query.get('all_tenants') ?? '').toLowerCase());
    return [...rows].filter((r) => everyone || r.projectId === auth.projectId);
  };

  for (const path of ['/v3/volumes', '/v3/volumes/detail']) {
    service.on('GET', path, 'cinder.volume.list', (call, auth) => ({
      status: 200,
      json: page(
        call,
        visible(call, auth, volumes.values()).filter(metadataFilter(call)),
        'volumes',
        (v) => volumeView(v, auth),
        (v) => ({ id: v.id, name: v.name, links: links('volumes', v.id) }),
      ),
    }));
  }
  service.on('POST', '/v3/volumes', 'cinder.volume.create', (call, auth) => {
    const given = jsonBody(call).volume;
    if (!isObject(given))
      throw new ApiError(400, "Invalid input for field/attribute body. 'volume' is a required property");
    if (given.size === 0)
      throw new ApiError(400, 'Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1');
    const text = (key: string) => (typeof given[key] === 'string' && given[key] !== '' ? (given[key] as string) : null);
    const source = text('source_volid');
    const from = source === null ? undefined : volumes.get(source);
    if (source !== null && from?.projectId !== auth.projectId)
      throw new ApiError(404, `Volume ${source} could not be found.`);
    const snap = text('snapshot_id') === null ? undefined : snapshots.get(text('snapshot_id')!);
    if (text('snapshot_id') !== null && !snap)
      throw new ApiError(404, `Snapshot ${text('snapshot_id')} could not be found.`);
    const imageId = text('imageRef');
    const image = imageId === null ? undefined : cloud.image.images.get(imageId);
    if (imageId !== null && (!image || !cloud.image.mayRead(image, auth)))
      throw new ApiError(400, 'Invalid image identifier or unable to access requested image.');
    const size = Number(given.size ?? snap?.size ?? from?.size ?? Number.NaN);
    if (!Number.isInteger(size) || size <= 0)
      throw new ApiError(
        400,
        `Invalid input received: Invalid volume size provided for create request: ${String(given.size ?? 'None')} (size argument must be an integer (or string representation of an integer) and greater than zero).`,
      );
    if (image && size < image.minDisk)
      throw new ApiError(
        400,
        `Invalid input received: Volume size ${size}GB cannot be smaller than the image minDisk size ${image.minDisk}GB.`,
      );
    const typeName = text('volume_type');
    const type =
      typeName === null ? [...types.values()][0] : (types.get(typeName) ?? [...types.by('name', typeName)][0]);
    if (!type) throw new ApiError(404, `Volume type ${typeName} could not be found.`);
    const zone = text('availability_zone');
    if (zone !== null && zone !== 'nova' && cloud.compute.hosts.count('zone', zone) === 0)
      throw new ApiError(400, `Invalid input received: Availability zone '${zone}' is invalid.`);
    checkVolumeQuota(cloud, auth.projectId, size);
    const v = makeVolume(cloud, {
      projectId: auth.projectId,
      userId: auth.userId,
      size,
      name: text('name') ?? '',
      description: text('description'),
      zone: zone ?? 'nova',
      type: type.name,
      bootable: imageId !== null || from?.bootable === true,
      multiattach: given.multiattach === true,
      metadata: isObject(given.metadata) ? (given.metadata as Record<string, string>) : {},
      imageId: imageId ?? from?.imageId ?? null,
      snapshotId: snap?.id ?? null,
      sourceVolumeId: source,
    });
    return { status: 202, json: { volume: volumeView(v, auth) } };
  });
  service.on('GET', '/v3/volumes/{id}', 'cinder.volume.show', (call, auth) => ({
    status: 200,
    json: { volume: volumeView(volume(call, auth), auth) },
  }));
  service.on('PUT', '/v3/volumes/{id}', 'cinder.volume.update', (call, auth) => {
    const v = volume(call, auth);
    const given = jsonBody(call).volume;
    if (isObject(given)) {
      if (typeof given.name === 'string') v.name = given.name;
      if (given.description !== undefined)
        v.description = given.description === null ? null : String(given.description);
      if (isObject(given.metadata)) v.metadata = given.metadata as Record<string, string>;
    }
    v.updatedAt = cloud.clock.now();
    volumes.save(v);
    return { status: 200, json: { volume: volumeView(v, auth) } };
  });
  service.on('DELETE', '/v3/volumes/{id}', 'cinder.volume.delete', (call, auth) => {
    const v = volume(call, auth);
    if (
      !['available', 'error', 'error_deleting', 'error_restoring', 'error_extending', 'in-use'].includes(v.status) ||
      v.attachments.length > 0
    ) {
      throw new ApiError(
        400,
        'Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots or be disassociated from snapshots after volume transfer.',
      );
    }
    if (
      snapshots.count('volume', v.id) > 0 &&
      call.query.get('cascade') !== 'True' &&
      call.query.get('cascade') !== 'true'
    ) {
      throw new ApiError(
        400,
        'Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots or be disassociated from snapshots after volume transfer.',
      );
    }
    for (const s of [...snapshots.by('volume', v.id)]) snapshots.delete(s.id);
    removeVolume(cloud, v.id);
    return { status: 202 };
  });
  serveVolumeActions(service, cloud, { volume, snapshot });
  service.on('GET', '/v3/volumes/{id}/metadata', 'cinder.volume.metadata', (call, auth) => ({
    status: 200,
    json: { metadata: volume(call, auth).metadata },
  }));
  for (const verb of ['POST', 'PUT'] as const) {
    service.on(verb, '/v3/volumes/{id}/metadata', 'cinder.volume.metadata_update', (call, auth) => {
      const v = volume(call, auth);
      const given = jsonBody(call).metadata;
      v.metadata = {
        ...(verb === 'POST' ? v.metadata : {}),
        ...(isObject(given) ? (given as Record<string, string>) : {}),
      };
      volumes.save(v);
      return { status: 200, json: { metadata: v.metadata } };
    });
  }
  service.on('DELETE', '/v3/volumes/{id}/metadata/{key}', 'cinder.volume.metadata_update', (call, auth) => {
    const v = volume(call, auth);
    const { [call.params.key!]: gone, ...rest } = v.metadata;
    if (gone === undefined) throw new ApiError(404, `Volume ${v.id} has no metadata with key ${call.params.key}.`);
    v.metadata = rest;
    return { status: 200 };
  });

  for (const path of ['/v3/snapshots', '/v3/snapshots/detail']) {
    service.on('GET', path, 'cinder.snapshot.list', (call, auth) => ({
      status: 200,
      json: page(
        call,
        visible(call, auth, snapshots.values()).filter(
          (s) => !call.query.has('volume_id') || s.volumeId === call.query.get('volume_id'),
        ),
        'snapshots',
        snapshotView,
        snapshotView,
      ),
    }));
  }
  service.on('POST', '/v3/snapshots', 'cinder.snapshot.create', (call, auth) => {
    const given = jsonBody(call).snapshot;
    if (!isObject(given) || typeof given.volume_id !== 'string')
      throw new ApiError(400, "Invalid input for field/attribute snapshot. 'volume_id' is a required property");
    const v = volumes.get(given.volume_id);
    if (!v || v.projectId !== auth.projectId) throw new ApiError(404, `Volume ${given.volume_id} could not be found.`);
    if (
      v.status !== 'available' &&
      !(v.status === 'in-use' && (minor(call) >= 66 || String(given.force).toLowerCase() === 'true'))
    )
      throw new ApiError(
        400,
        `Invalid volume: Volume ${v.id} status must be available, but current status is: ${v.status}.`,
      );
    const limit = cloud.quotas.limit('volume', auth.projectId, 'snapshots');
    if (limit >= 0 && snapshots.count('project', auth.projectId) >= limit)
      throw new ApiError(413, `SnapshotLimitExceeded: Maximum number of snapshots allowed (${limit}) exceeded`);
    const s: Snapshot = {
      id: cloud.ids.uuid(),
      name: typeof given.name === 'string' ? given.name : '',
      description: typeof given.description === 'string' ? given.description : null,
      projectId: auth.projectId,
      volumeId: v.id,
      size: v.size,
      status: 'creating',
      metadata: isObject(given.metadata) ? (given.metadata as Record<string, string>) : {},
      createdAt: cloud.clock.now(),
    };
    snapshots.save(s);
    background(cloud, 'cinder.snapshot.provision', () => {
      s.status = 'available';
    });
    return { status: 202, json: { snapshot: snapshotView(s) } };
  });
  service.on('GET', '/v3/snapshots/{id}', 'cinder.snapshot.show', (call, auth) => ({
    status: 200,
    json: { snapshot: snapshotView(snapshot(call, auth)) },
  }));
  service.on('PUT', '/v3/snapshots/{id}', 'cinder.snapshot.update', (call, auth) => {
    const s = snapshot(call, auth);
    const given = jsonBody(call).snapshot;
    if (isObject(given) && typeof given.name === 'string') s.name = given.name;
    if (isObject(given) && typeof given.description === 'string') s.description = given.description;
    return { status: 200, json: { snapshot: snapshotView(s) } };
  });
  service.on('DELETE', '/v3/snapshots/{id}', 'cinder.snapshot.delete', (call, auth) => {
    const s = snapshot(call, auth);
    s.status = 'deleting';
    background(cloud, 'cinder.snapshot.destroy', () => snapshots.delete(s.id));
    return { status: 202 };
  });
  serveVolumeExtras(service, cloud);
  return service;
}
