import type { Json } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { allocate } from './addresses.ts';
import { commonAttributes } from './attributes.ts';
import { type Kind, newBase } from './collection.ts';
import { badRequest, notFound } from './errors.ts';
import { associate, disassociate } from './floating-addresses.ts';
import { blankPort } from './ports.ts';
import type { FloatingIp, Port } from './state.ts';

/** Floating IPs. */
export function floatingIpKind(cloud: Cloud): Kind<FloatingIp> {
  const { network } = cloud;
  const portOf = (id: string, auth: { isAdmin: boolean; projectId: string }): Port => {
    const port = network.ports.get(id);
    if (!port || (!auth.isAdmin && port.project_id !== auth.projectId)) throw notFound('port', id);
    return port;
  };
  return {
    singular: 'floatingip',
    plural: 'floatingips',
    quota: 'floatingip',
    table: network.floatingIps,
    indexes: { port_id: 'port', floating_ip_address: 'address', router_id: 'router' },
    attributes: {
      ...commonAttributes,
      floating_network_id: { type: 'uuid', required: true, put: false },
      floating_ip_address: { type: 'ip', nullable: true, put: false },
      subnet_id: { type: 'uuid', nullable: true, put: false },
      port_id: { type: 'uuid', nullable: true },
      fixed_ip_address: { type: 'ip', nullable: true },
      dns_name: { type: 'string', put: false },
      dns_domain: { type: 'string', put: false },
      qos_policy_id: { type: 'uuid', nullable: true },
      router_id: { type: 'uuid', post: false, put: false },
    },
    view: (f): Json => {
      const { ownPortId: _own, name: _name, ...rest } = f;
      const port = f.port_id === null ? undefined : network.ports.get(f.port_id);
      return {
        ...rest,
        qos_policy_id: null,
        port_details: port
          ? {
              name: port.name,
              network_id: port.network_id,
              mac_address: port.mac_address,
              admin_state_up: port.admin_state_up,
              status: port.status,
              device_id: port.device_id,
              device_owner: port.device_owner,
            }
          : null,
        port_forwardings: [],
      };
    },
    create: (a, auth, base) => {
      const external = network.networks.get(a.floating_network_id as string);
      if (!external) throw notFound('network', a.floating_network_id as string);
      if (!external['router:external'])
        throw badRequest(
          `Bad floatingip request: Network ${external.id} is not a valid external network.`,
          'BadRequest',
        );
      const port = typeof a.port_id === 'string' ? portOf(a.port_id, auth) : undefined;
      const wanted: Json = {};
      if (typeof a.floating_ip_address === 'string') wanted.ip_address = a.floating_ip_address;
      if (typeof a.subnet_id === 'string') wanted.subnet_id = a.subnet_id;
      const addresses = allocate(cloud, external, Object.keys(wanted).length > 0 ? [wanted] : undefined);
      const address = addresses[0];
      if (!address)
        throw badRequest(
          `Bad floatingip request: Network ${external.id} does not contain any IPv4 subnet.`,
          'BadRequest',
        );
      const own = {
        ...blankPort(cloud, newBase(cloud, ''), external),
        fixed_ips: [address],
        device_owner: 'network:floatingip',
        device_id: base.id,
        status: 'N/A',
        port_security_enabled: false,
      };
      const f: FloatingIp = {
        ...base,
        name: address.ip_address,
        floating_network_id: external.id,
        floating_ip_address: address.ip_address,
        fixed_ip_address: null,
        port_id: null,
        router_id: null,
        status: 'DOWN',
        dns_name: (a.dns_name as string | undefined) ?? '',
        dns_domain: (a.dns_domain as string | undefined) ?? '',
        ownPortId: own.id,
      };
      if (port) associate(cloud, f, port, (a.fixed_ip_address as string | null | undefined) ?? undefined);
      network.ports.save(own);
      return network.floatingIps.save(f);
    },
    update: (f, a, auth) => {
      if (a.port_id === undefined) return;
      if (a.port_id === null) {
        if (f.port_id !== null) disassociate(cloud, f);
        return;
      }
      const port = portOf(a.port_id as string, auth);
      associate(cloud, f, port, (a.fixed_ip_address as string | null | undefined) ?? undefined);
    },
    remove: (f) => {
      network.ports.delete(f.ownPortId);
      network.floatingIps.delete(f.id);
      cloud.events.floatingIp({ address: f.floating_ip_address, portId: null, fixedAddress: null });
    },
  };
}
