import { ApiError } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { touch } from './collection.ts';
import { badRequest, conflict } from './errors.ts';
import type { FloatingIp, Port } from './state.ts';

/** Takes a floating address off its port. */
export function disassociate(cloud: Cloud, f: FloatingIp): void {
  f.port_id = null;
  f.fixed_ip_address = null;
  f.router_id = null;
  f.status = 'DOWN';
  touch(cloud, cloud.network.floatingIps, f);
  cloud.events.floatingIp({ address: f.floating_ip_address, portId: null, fixedAddress: null });
}

/** Leads a floating address to a port, by the router between both; throws Neutron's 404 or 409. */
export function associate(cloud: Cloud, f: FloatingIp, port: Port, wantedFixed: string | undefined): void {
  const fixed =
    wantedFixed === undefined
      ? port.fixed_ips.find((i) => cloud.network.subnets.get(i.subnet_id)?.ip_version === 4)
      : port.fixed_ips.find((i) => i.ip_address === wantedFixed);
  if (!fixed) {
    throw badRequest(
      wantedFixed === undefined
        ? `Bad floatingip request: Port ${port.id} does not have any fixed IPv4 addresses.`
        : `Bad floatingip request: Port ${port.id} does not have fixed ip ${wantedFixed}.`,
      'BadRequest',
    );
  }
  const routerId = routerBetween(cloud, fixed.subnet_id, f.floating_network_id);
  if (!routerId) {
    throw new ApiError(
      404,
      `External network ${f.floating_network_id} is not reachable from subnet ${fixed.subnet_id}.  Therefore, cannot associate Port ${port.id} with a Floating IP.`,
      'ExternalGatewayForFloatingIPNotFound',
    );
  }
  for (const other of cloud.network.floatingIps.by('port', port.id)) {
    if (
      other.id !== f.id &&
      other.fixed_ip_address === fixed.ip_address &&
      other.floating_network_id === f.floating_network_id
    ) {
      throw conflict(
        'FloatingIPPortAlreadyAssociated',
        `Cannot associate floating IP ${f.floating_ip_address} (${f.id}) with port ${port.id} using fixed IP ${fixed.ip_address}, as that fixed IP already has a floating IP on external network ${f.floating_network_id}.`,
      );
    }
  }
  f.port_id = port.id;
  f.fixed_ip_address = fixed.ip_address;
  f.router_id = routerId;
  cloud.events.floatingIp({ address: f.floating_ip_address, portId: port.id, fixedAddress: fixed.ip_address });
  // The agent reports the address as wired a moment later.
  const wanted = port.id;
  cloud.clock.setTimeout(() => {
    if (f.port_id !== wanted || cloud.network.floatingIps.get(f.id) !== f || f.status === 'ACTIVE') return;
    f.status = 'ACTIVE';
    touch(cloud, cloud.network.floatingIps, f);
  }, cloud.latency.sample('neutron.floatingip.wire'));
}

function routerBetween(cloud: Cloud, subnetId: string, externalNetworkId: string): string | undefined {
  for (const port of cloud.network.ports.by('subnet', subnetId)) {
    if (port.device_owner !== 'network:router_interface') continue;
    const router = cloud.network.routers.get(port.device_id);
    if (router?.external_gateway_info?.network_id === externalNetworkId) return router.id;
  }
  return undefined;
}
