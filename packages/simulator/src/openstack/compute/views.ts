import { createHash } from 'node:crypto';
import type { Json } from '../../core/message.ts';
import { type Auth, type Cloud, isoMicros, isoSeconds } from '../cloud.ts';
import type { Flavor, Server } from './state.ts';

/** A server as the caller reads it in a microversion, as JSON text. */
export function serverJson(cloud: Cloud, s: Server, minor: number, auth: Auth, extra?: Json): string {
  const table = s.deletedAt === null ? cloud.compute.servers : cloud.compute.gone;
  const fixed = table.json(s, `${minor}${auth.isAdmin ? 'a' : ''}`, () => fixedView(cloud, s, minor, auth.isAdmin));
  const moving: Json = { ...network(cloud, s), ...extra };
  return `${fixed.slice(0, -1)},${JSON.stringify(moving).slice(1)}`;
}

/** Links of a server. */
export function serverLinks(cloud: Cloud, id: string): { rel: string; href: string }[] {
  return [
    { rel: 'self', href: `${cloud.base}/compute/v2.1/servers/${id}` },
    { rel: 'bookmark', href: `${cloud.base}/compute/servers/${id}` },
  ];
}

/** Addresses by network name, and security groups by name: they change without the server. */
function network(cloud: Cloud, s: Server): Json {
  const addresses: Record<string, unknown[]> = {};
  const groups = new Set<string>();
  for (const id of s.portIds) {
    const port = cloud.network.ports.get(id);
    if (!port) continue;
    const name = cloud.network.networks.get(port.network_id)?.name ?? port.network_id;
    addresses[name] ??= [];
    const list = addresses[name];
    const floating = [...cloud.network.floatingIps.by('port', port.id)];
    for (const fixed of port.fixed_ips) {
      const version = fixed.ip_address.includes(':') ? 6 : 4;
      list.push({
        version,
        addr: fixed.ip_address,
        'OS-EXT-IPS:type': 'fixed',
        'OS-EXT-IPS-MAC:mac_addr': port.mac_address,
      });
      for (const f of floating) {
        if (f.fixed_ip_address === fixed.ip_address)
          list.push({
            version: 4,
            addr: f.floating_ip_address,
            'OS-EXT-IPS:type': 'floating',
            'OS-EXT-IPS-MAC:mac_addr': port.mac_address,
          });
      }
    }
    for (const group of port.security_groups) {
      const name = cloud.network.groups.get(group)?.name;
      if (name !== undefined) groups.add(name);
    }
  }
  return { addresses, ...(groups.size > 0 ? { security_groups: [...groups].map((name) => ({ name })) } : {}) };
}

/** A flavor inside a server (2.47 and later). */
function embeddedFlavor(f: Flavor): Json {
  return {
    vcpus: f.vcpus,
    ram: f.ram,
    disk: f.disk,
    ephemeral: f.ephemeral,
    swap: f.swap,
    original_name: f.name,
    extra_specs: f.extraSpecs,
  };
}

function fixedView(cloud: Cloud, s: Server, minor: number, isAdmin: boolean): Json {
  const view: Json = {
    id: s.id,
    name: s.name,
    status: s.status,
    tenant_id: s.projectId,
    user_id: s.userId,
    metadata: s.metadata,
    hostId:
      s.host === null
        ? ''
        : createHash('sha224')
            .update(s.projectId + s.host)
            .digest('hex'),
    image:
      s.imageId === ''
        ? ''
        : { id: s.imageId, links: [{ rel: 'bookmark', href: `${cloud.base}/compute/images/${s.imageId}` }] },
    flavor:
      minor >= 47
        ? embeddedFlavor(s.flavor)
        : { id: s.flavor.id, links: [{ rel: 'bookmark', href: `${cloud.base}/compute/flavors/${s.flavor.id}` }] },
    created: isoSeconds(s.createdAt),
    updated: isoSeconds(s.updatedAt),
    accessIPv4: s.accessIPv4,
    accessIPv6: s.accessIPv6,
    links: serverLinks(cloud, s.id),
    'OS-DCF:diskConfig': s.diskConfig,
    'OS-EXT-AZ:availability_zone': s.host === null ? (s.requestedZone?.split(':')[0] ?? '') : s.zone,
    config_drive: s.configDrive ? 'True' : '',
    key_name: s.keyName,
    'OS-SRV-USG:launched_at': s.launchedAt === null ? null : isoMicros(s.launchedAt),
    'OS-SRV-USG:terminated_at': s.terminatedAt === null ? null : isoMicros(s.terminatedAt),
    'OS-EXT-STS:task_state': s.taskState,
    'OS-EXT-STS:vm_state': s.vmState,
    'OS-EXT-STS:power_state': s.powerState,
    'os-extended-volumes:volumes_attached': s.volumes.map((v) => ({
      id: v.volumeId,
      ...(minor >= 3 ? { delete_on_termination: v.deleteOnTermination } : {}),
    })),
  };
  if (['ACTIVE', 'BUILD', 'REBUILD', 'RESIZE', 'VERIFY_RESIZE', 'MIGRATING'].includes(s.status)) view.progress = 0;
  if (s.fault && ['ERROR', 'DELETED'].includes(s.status)) {
    view.fault = {
      code: s.fault.code,
      created: isoSeconds(s.fault.created),
      message: s.fault.message,
      ...(isAdmin && s.fault.details ? { details: s.fault.details } : {}),
    };
  }
  if (minor >= 9) view.locked = s.locked;
  if (minor >= 19) view.description = s.description;
  if (minor >= 26) view.tags = s.tags;
  if (minor >= 63) view.trusted_image_certificates = null;
  if (minor >= 73) view.locked_reason = s.lockedReason;
  if (isAdmin) {
    view['OS-EXT-SRV-ATTR:host'] = s.host;
    view['OS-EXT-SRV-ATTR:hypervisor_hostname'] = s.host;
    view['OS-EXT-SRV-ATTR:instance_name'] = `instance-${s.serial.toString(16).padStart(8, '0')}`;
    if (minor >= 3) {
      view['OS-EXT-SRV-ATTR:reservation_id'] = s.reservationId;
      view['OS-EXT-SRV-ATTR:launch_index'] = s.launchIndex;
      view['OS-EXT-SRV-ATTR:kernel_id'] = '';
      view['OS-EXT-SRV-ATTR:ramdisk_id'] = '';
      view['OS-EXT-SRV-ATTR:root_device_name'] = '/dev/vda';
      view['OS-EXT-SRV-ATTR:user_data'] = s.userData;
    }
    if (minor >= 16) view.host_status = s.host === null ? '' : 'UP';
  }
  if (isAdmin ? minor >= 3 : minor >= 90) view['OS-EXT-SRV-ATTR:hostname'] = s.hostname;
  return view;
}
