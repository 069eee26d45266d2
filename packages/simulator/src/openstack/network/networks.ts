import type { Json } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { commonAttributes } from './attributes.ts';
import type { Kind } from './collection.ts';
import { conflict } from './errors.ts';
import { releasePort } from './ports.ts';
import type { Network } from './state.ts';

/** Networks. */
export function networkKind(cloud: Cloud): Kind<Network> {
  const { network } = cloud;
  let segment = 100;
  return {
    singular: 'network',
    plural: 'networks',
    quota: 'network',
    table: network.networks,
    indexes: {},
    adminOnly: ['provider:network_type', 'provider:physical_network', 'provider:segmentation_id'],
    shared: (n) => n.shared || n['router:external'],
    attributes: {
      ...commonAttributes,
      admin_state_up: { type: 'bool' },
      shared: { type: 'bool', admin: true },
      'router:external': { type: 'bool', admin: true },
      is_default: { type: 'bool', admin: true },
      mtu: { type: 'int' },
      port_security_enabled: { type: 'bool' },
      availability_zone_hints: { type: 'strings', put: false },
      dns_domain: { type: 'string' },
      qos_policy_id: { type: 'uuid', nullable: true },
      'provider:network_type': { type: 'string', admin: true },
      'provider:physical_network': { type: 'string', nullable: true, admin: true },
      'provider:segmentation_id': { type: 'int', nullable: true, admin: true },
    },
    view: (n): Json => {
      const { description, tags, created_at, updated_at, revision_number, ...rest } = n;
      return {
        ...rest,
        subnets: [...network.subnets.by('network', n.id)].map((s) => s.id),
        ipv4_address_scope: null,
        ipv6_address_scope: null,
        qos_policy_id: null,
        vlan_transparent: null,
        l2_adjacency: true,
        description,
        tags,
        created_at,
        updated_at,
        revision_number,
      };
    },
    create: (a, _auth, base) => {
      const mtu = a.mtu === undefined || a.mtu === 0 ? 1450 : (a.mtu as number);
      return network.networks.save({
        ...base,
        admin_state_up: a.admin_state_up !== false,
        status: 'ACTIVE',
        shared: a.shared === true,
        'router:external': a['router:external'] === true,
        is_default: a.is_default === true,
        mtu,
        port_security_enabled: a.port_security_enabled !== false,
        availability_zone_hints: (a.availability_zone_hints as string[] | undefined) ?? [],
        availability_zones: ['nova'],
        dns_domain: (a.dns_domain as string | undefined) ?? '',
        'provider:network_type': (a['provider:network_type'] as string | undefined) ?? 'vxlan',
        'provider:physical_network': (a['provider:physical_network'] as string | undefined) ?? null,
        'provider:segmentation_id': (a['provider:segmentation_id'] as number | undefined) ?? segment++,
      });
    },
    update: (n, a) => {
      for (const key of [
        'admin_state_up',
        'shared',
        'router:external',
        'is_default',
        'mtu',
        'port_security_enabled',
        'dns_domain',
      ] as const) {
        if (a[key] !== undefined) (n as unknown as Json)[key] = a[key];
      }
    },
    remove: (n) => {
      const used = [...network.ports.by('network', n.id)].filter((p) => p.device_owner !== 'network:dhcp');
      if (used.length > 0) {
        throw conflict(
          'NetworkInUse',
          `Unable to complete operation on network ${n.id}. There are one or more ports still in use on the network, id for these ports: ${used.map((p) => p.id).join(',')}.`,
        );
      }
      for (const p of [...network.ports.by('network', n.id)]) releasePort(cloud, p);
      for (const s of [...network.subnets.by('network', n.id)]) {
        network.subnets.delete(s.id);
        network.cursors.delete(s.id);
      }
      network.networks.delete(n.id);
    },
  };
}
