import { type Answer, ApiError, type Call, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud } from '../cloud.ts';
import { checkMetadata, checkName, microversion, schemaError, show } from './dialect.ts';
import { findFlavor } from './flavors.ts';
import { findKeyPair } from './keypairs.ts';
import { boot, startAction } from './lifecycle.ts';
import { requestedDisks } from './requested-disks.ts';
import { requestedNetworks } from './requested-networks.ts';
import { securityGroupIds } from './security.ts';
import type { Flavor, Server } from './state.ts';
import { serverLinks } from './views.ts';

const known = new Set([
  'name',
  'imageRef',
  'flavorRef',
  'adminPass',
  'metadata',
  'networks',
  'OS-DCF:diskConfig',
  'accessIPv4',
  'accessIPv6',
  'personality',
  'availability_zone',
  'block_device_mapping',
  'block_device_mapping_v2',
  'config_drive',
  'key_name',
  'min_count',
  'max_count',
  'return_reservation_id',
  'security_groups',
  'user_data',
  'description',
  'tags',
  'host',
  'hypervisor_hostname',
  'hostname',
  'trusted_image_certificates',
  'os:scheduler_hints',
  'OS-SCH-HNT:scheduler_hints',
]);

/** POST /servers: checks in Nova's order and words, then builds in the background. */
export function createServers(cloud: Cloud, call: Call, auth: Auth): Answer {
  const minor = microversion(call);
  const body = jsonBody(call, 'Malformed request body');
  const given = body.server;
  if (!isObject(given)) throw schemaError('body', body, "'server' is a required property");
  if (given.name === undefined) throw schemaError('server', given, "'name' is a required property");
  const name = checkName(given.name);
  if (given.flavorRef === undefined) throw schemaError('server', given, "'flavorRef' is a required property");
  if (minor >= 37 && given.networks === undefined)
    throw schemaError('server', given, "'networks' is a required property");
  const odd = Object.keys(given).find(
    (key) =>
      !known.has(key) ||
      (key === 'description' && minor < 19) ||
      (key === 'tags' && minor < 52) ||
      (key === 'personality' && minor >= 57),
  );
  if (odd !== undefined)
    throw schemaError('server', given, `Additional properties are not allowed ('${odd}' was unexpected)`);
  const metadata = given.metadata === undefined ? {} : checkMetadata(given.metadata);
  const tags = checkTags(given.tags);
  checkUserData(given.user_data);

  const flavorRef = String(given.flavorRef).split('/').pop()!;
  const flavor = findFlavor(cloud, flavorRef, auth);
  if (!flavor) throw new ApiError(400, `Flavor ${flavorRef} could not be found.`);
  const { disks, bootsFromVolume } = requestedDisks(cloud, given, auth);
  const imageId = resolveImage(cloud, given.imageRef, bootsFromVolume, auth, flavor);
  const zone = typeof given.availability_zone === 'string' ? given.availability_zone : null;
  if (zone !== null && cloud.compute.hosts.count('zone', zone.split(':')[0]!) === 0)
    throw new ApiError(400, 'The requested availability zone is not available');
  if (typeof given.key_name === 'string' && !findKeyPair(cloud, auth.userId, given.key_name))
    throw new ApiError(400, 'Invalid key_name provided.');
  const groups = securityGroupIds(cloud, given.security_groups, auth.projectId);
  const min = Number(given.min_count ?? 1);
  const max = Number(given.max_count ?? min);
  if (!(min >= 1) || min > max) throw new ApiError(400, 'min_count must be <= max_count');
  const networks = requestedNetworks(cloud, given.networks, auth);
  if (max > 1 && networks.some((n) => 'portId' in n))
    throw new ApiError(
      400,
      'Unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports.',
    );
  const hints = isObject(body['os:scheduler_hints'])
    ? body['os:scheduler_hints']
    : isObject(body['OS-SCH-HNT:scheduler_hints'])
      ? body['OS-SCH-HNT:scheduler_hints']
      : {};
  const groupId = resolveGroup(cloud, hints, auth);
  const count = checkServerQuota(cloud, auth.projectId, flavor, min, max, metadata);

  const reservationId = `r-${cloud.ids.hex(8)}`;
  const adminPass = typeof given.adminPass === 'string' ? given.adminPass : cloud.ids.hex(12);
  const now = cloud.clock.now();
  const made: Server[] = [];
  for (let i = 0; i < count; i++) {
    const ownName = count > 1 ? `${name}-${i + 1}` : name;
    const server: Server = {
      id: cloud.ids.uuid(),
      name: ownName,
      hostname:
        typeof given.hostname === 'string'
          ? given.hostname
          : ownName
              .toLowerCase()
              .replace(/[ _]/g, '-')
              .replace(/[^a-z0-9.-]/g, '')
              .slice(0, 63),
      description: typeof given.description === 'string' ? given.description : minor < 19 ? ownName : null,
      projectId: auth.projectId,
      userId: auth.userId,
      status: 'BUILD',
      vmState: 'building',
      taskState: 'scheduling',
      powerState: 0,
      createdAt: now,
      updatedAt: now,
      launchedAt: null,
      terminatedAt: null,
      deletedAt: null,
      host: null,
      zone: zone?.split(':')[0] ?? '',
      requestedZone: zone,
      flavor,
      imageId,
      keyName: typeof given.key_name === 'string' ? given.key_name : null,
      metadata: { ...metadata },
      tags: [...tags],
      userData: typeof given.user_data === 'string' ? given.user_data : null,
      configDrive: given.config_drive === true || String(given.config_drive).toLowerCase() === 'true',
      diskConfig: given['OS-DCF:diskConfig'] === 'AUTO' ? 'AUTO' : 'MANUAL',
      locked: false,
      lockedReason: null,
      fault: null,
      accessIPv4: typeof given.accessIPv4 === 'string' ? given.accessIPv4 : '',
      accessIPv6: typeof given.accessIPv6 === 'string' ? given.accessIPv6 : '',
      portIds: [],
      ownPortIds: [],
      volumes: [],
      groupId,
      securityGroups: groups.map((g) => g.id),
      reservationId,
      launchIndex: i,
      actions: [],
      serial: ++cloud.compute.serial,
    };
    cloud.compute.servers.save(server);
    cloud.compute.count(auth.projectId, flavor, 1);
    if (groupId !== null) cloud.compute.groups.get(groupId)?.members.push(server.id);
    const action = startAction(cloud, server, 'create', call.requestId, auth.userId);
    boot(cloud, server, { networks, disks, doom: call.doom }, action);
    made.push(server);
  }
  if (given.return_reservation_id === true) return { status: 202, json: { reservation_id: reservationId } };
  const first = made[0]!;
  return {
    status: 202,
    headers: { Location: `${cloud.base}/compute/v2.1/servers/${first.id}` },
    json: {
      server: {
        id: first.id,
        links: serverLinks(cloud, first.id),
        'OS-DCF:diskConfig': first.diskConfig,
        security_groups: groups.length > 0 ? groups.map((g) => ({ name: g.name })) : [{ name: 'default' }],
        adminPass,
      },
    },
  };
}

/** 400 unless these are tags as Nova takes them. */
export function checkTags(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw schemaError('tags', value, `${show(value)} is not of type 'array'`);
  if (value.length > 50) throw schemaError('tags', value, `${show(value)} is too long`);
  for (const tag of value) {
    if (typeof tag !== 'string' || tag === '' || tag.length > 60)
      throw schemaError(
        'tags',
        tag,
        typeof tag === 'string'
          ? `'${tag}' is too ${tag === '' ? 'short' : 'long'}`
          : `${show(tag)} is not of type 'string'`,
      );
    if (/[/,]/.test(tag)) throw schemaError('tags', tag, `'${tag}' does not match '^[^,/]*$'`);
  }
  return [...new Set(value as string[])];
}

function checkUserData(value: unknown): void {
  if (value === undefined || value === null) return;
  if (typeof value !== 'string') throw schemaError('user_data', value, `${show(value)} is not of type 'string'`);
  if (value.length > 65535)
    throw schemaError('user_data', `${value.slice(0, 60)}...`, `'${value.slice(0, 60)}...' is too long`);
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value) || value.replace(/\s/g, '').length % 4 !== 0)
    throw schemaError('user_data', value, `'${value}' is not a 'base64'`);
}

function resolveImage(
  cloud: Cloud,
  ref: unknown,
  bootsFromVolume: boolean,
  auth: Auth,
  flavor: Flavor | undefined,
): string {
  if (ref === undefined || ref === null || ref === '') {
    if (!bootsFromVolume) throw new ApiError(400, 'Invalid imageRef provided.');
    return '';
  }
  const id = String(ref).split('/').pop()!;
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) throw new ApiError(400, 'Invalid imageRef provided.');
  const image = cloud.image.images.get(id);
  if (!image || !cloud.image.mayRead(image, auth)) throw new ApiError(400, 'Can not find requested image');
  if (image.status !== 'active') throw new ApiError(400, `Image ${id} is not active.`);
  if (flavor && image.minRam > flavor.ram) throw new ApiError(400, "Flavor's memory is too small for requested image.");
  const needed = Math.max(image.minDisk * 1024 ** 3, 0);
  if (flavor && flavor.disk > 0 && !bootsFromVolume && needed > flavor.disk * 1024 ** 3) {
    throw new ApiError(
      400,
      `The created instance's disk would be too small. Flavor's disk is too small for requested image. Flavor disk is ${flavor.disk * 1024 ** 3} bytes, minimum size is ${needed} bytes.`.replace(
        "The created instance's disk would be too small. ",
        '',
      ),
    );
  }
  return id;
}

function resolveGroup(cloud: Cloud, hints: Json, auth: Auth): string | null {
  const id = Array.isArray(hints.group) ? (hints.group as unknown[])[0] : hints.group;
  if (id === undefined || id === null) return null;
  const group = typeof id === 'string' ? cloud.compute.groups.get(id) : undefined;
  if (!group || (!auth.isAdmin && group.projectId !== auth.projectId))
    throw new ApiError(400, `Instance group ${show(id)} could not be found.`);
  const limit = cloud.quotas.limit('compute', auth.projectId, 'server_group_members');
  if (limit >= 0 && group.members.length >= limit) throw new ApiError(403, 'Quota exceeded, too many servers in group');
  return group.id;
}

/** How many servers may be made, at least `min`; 403 in Nova's words if fewer. */
function checkServerQuota(
  cloud: Cloud,
  projectId: string,
  flavor: Flavor,
  min: number,
  max: number,
  metadata: Record<string, string>,
): number {
  const limits = cloud.quotas.all('compute', projectId);
  const most = limits.metadata_items ?? -1;
  if (most >= 0 && Object.keys(metadata).length > most)
    throw new ApiError(403, `Maximum number of metadata items exceeds ${most}`);
  const used = cloud.compute.usage(projectId);
  const each = { instances: 1, cores: flavor.vcpus, ram: flavor.ram };
  let count = max;
  const over: string[] = [];
  for (const name of ['cores', 'instances', 'ram'] as const) {
    const limit = limits[name] ?? -1;
    if (limit < 0) continue;
    const room = Math.floor((limit - used[name]) / each[name]);
    if (room < min) over.push(name);
    count = Math.min(count, room);
  }
  if (over.length === 0) return count;
  const list = (pick: (name: 'cores' | 'instances' | 'ram') => number) => over.map((n) => pick(n as 'ram')).join(', ');
  throw new ApiError(
    403,
    `Quota exceeded for ${over.join(', ')}: Requested ${list((n) => each[n] * min)}, but already used ${list((n) => used[n])} of ${list((n) => limits[n]!)} ${over.join(', ')}`,
  );
}
