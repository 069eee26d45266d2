import { overlaps } from '../../core/ip.ts';
import { ApiError, isObject, type Json, jsonBody } from '../../core/message.ts';
import type { Auth, Cloud, OpenStackService } from '../cloud.ts';
import { allocate } from './addresses.ts';
import { commonAttributes } from './attributes.ts';
import { type Kind, newBase, readable, touch, writable } from './collection.ts';
import { badRequest, conflict, notFound } from './errors.ts';
import { blankPort, releasePort } from './ports.ts';
import type { FixedIp, Port, Router, Subnet } from './state.ts';
import { subnetKind } from './subnets.ts';

/** Routers. */
export function routerKind(cloud: Cloud): Kind<Router> {
  const { network } = cloud;
  return {
    singular: 'router',
    plural: 'routers',
    quota: 'router',
    table: network.routers,
    indexes: {},
    adminOnly: ['distributed', 'ha'],
    attributes: {
      ...commonAttributes,
      admin_state_up: { type: 'bool' },
      external_gateway_info: { type: 'object', nullable: true },
      routes: { type: 'list', nullable: true },
      distributed: { type: 'bool', admin: true },
      ha: { type: 'bool', admin: true },
      availability_zone_hints: { type: 'strings', put: false },
      flavor_id: { type: 'uuid', nullable: true, put: false },
    },
    view: (r): Json => {
      const { gatewayPortId: _port, ...rest } = r;
      return { ...rest, distributed: false, ha: false };
    },
    create: (a, _auth, base) => {
      const router: Router = {
        ...base,
        admin_state_up: a.admin_state_up !== false,
        status: 'ACTIVE',
        external_gateway_info: null,
        gatewayPortId: null,
        routes: [],
        availability_zone_hints: (a.availability_zone_hints as string[] | undefined) ?? [],
        availability_zones: ['nova'],
        flavor_id: null,
      };
      if (isObject(a.external_gateway_info)) setGateway(cloud, router, a.external_gateway_info);
      return network.routers.save(router);
    },
    update: (r, a) => {
      if (a.admin_state_up !== undefined) r.admin_state_up = a.admin_state_up === true;
      if (Array.isArray(a.routes)) r.routes = a.routes as Router['routes'];
      if (a.routes === null) r.routes = [];
      if (a.external_gateway_info !== undefined) setGateway(cloud, r, a.external_gateway_info);
    },
    remove: (r) => {
      const inside = [...network.ports.by('device', r.id)].filter((p) => p.device_owner === 'network:router_interface');
      if (inside.length > 0) throw conflict('RouterInUse', `Router ${r.id} still has ports`);
      if (r.gatewayPortId !== null) network.ports.delete(r.gatewayPortId);
      network.routers.delete(r.id);
    },
  };
}

function setGateway(cloud: Cloud, r: Router, info: unknown): void {
  const { network } = cloud;
  const networkId = isObject(info) ? info.network_id : undefined;
  const before = r.external_gateway_info;
  if (before && networkId !== before.network_id && network.floatingIps.count('router', r.id) > 0) {
    throw conflict(
      'RouterExternalGatewayInUseByFloatingIp',
      `Gateway cannot be updated for router ${r.id}, since a gateway to external network ${before.network_id} is required by one or more floating IPs.`,
    );
  }
  if (!isObject(info) || typeof networkId !== 'string') {
    if (isObject(info) && Object.keys(info).length > 0)
      throw badRequest(
        "Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. Expected keys: {'network_id'}.",
      );
    if (r.gatewayPortId !== null) network.ports.delete(r.gatewayPortId);
    r.gatewayPortId = null;
    r.external_gateway_info = null;
    return;
  }
  const external = network.networks.get(networkId);
  if (!external) throw notFound('network', networkId);
  if (!external['router:external'])
    throw badRequest(`Bad router request: Network ${networkId} is not an external network.`, 'BadRequest');
  let addresses: FixedIp[];
  if (before?.network_id === networkId && !Array.isArray(info.external_fixed_ips)) {
    addresses = before.external_fixed_ips;
  } else {
    addresses = allocate(
      cloud,
      external,
      Array.isArray(info.external_fixed_ips) && info.external_fixed_ips.length > 0
        ? info.external_fixed_ips
        : undefined,
      before?.external_fixed_ips,
    );
    if (r.gatewayPortId !== null) network.ports.delete(r.gatewayPortId);
    const port: Port = {
      ...blankPort(cloud, newBase(cloud, ''), external),
      fixed_ips: addresses,
      device_owner: 'network:router_gateway',
      device_id: r.id,
      status: 'ACTIVE',
      port_security_enabled: false,
    };
    network.ports.save(port);
    r.gatewayPortId = port.id;
  }
  r.external_gateway_info = {
    network_id: networkId,
    external_fixed_ips: addresses,
    enable_snat: info.enable_snat === undefined ? (before?.enable_snat ?? true) : info.enable_snat === true,
  };
}

/** add_router_interface, remove_router_interface and the extra routes. */
export function serveRouterActions(service: OpenStackService, cloud: Cloud): void {
  const { network } = cloud;
  const routers = routerKind(cloud);
  const answer = (r: Router, port: Port) => ({
    status: 200,
    json: {
      id: r.id,
      tenant_id: r.tenant_id,
      project_id: r.project_id,
      port_id: port.id,
      network_id: port.network_id,
      subnet_id: port.fixed_ips[0]?.subnet_id,
      subnet_ids: port.fixed_ips.map((f) => f.subnet_id),
      tags: port.tags,
    },
  });
  service.on('PUT', '/v2.0/routers/{id}/add_router_interface', 'neutron.router.add_interface', (call, auth) => {
    const router = writable(routers, call, auth, 'update');
    const body = jsonBody(call);
    const port = typeof body.port_id === 'string' ? portForInterface(cloud, body.port_id, auth) : undefined;
    const subnets = port
      ? port.fixed_ips.map((f) => network.subnets.get(f.subnet_id)!)
      : [subnetOf(cloud, body.subnet_id, auth)];
    if (port && subnets.length === 0)
      throw badRequest('Bad router request: Port must have at least one fixed IP.', 'BadRequest');
    for (const subnet of subnets) checkInterface(cloud, router, subnet);
    if (port) {
      Object.assign(port, { device_id: router.id, device_owner: 'network:router_interface', status: 'ACTIVE' });
      touch(cloud, network.ports, port);
      touch(cloud, network.routers, router);
      return answer(router, port);
    }
    const subnet = subnets[0]!;
    if (subnet.gateway_ip === null)
      throw badRequest('Bad router request: Subnet for router interface must have a gateway IP.', 'BadRequest');
    const owner = network.networks.get(subnet.network_id)!;
    const fixed = allocate(cloud, owner, [{ subnet_id: subnet.id, ip_address: subnet.gateway_ip }]);
    const made: Port = {
      ...blankPort(cloud, newBase(cloud, router.project_id), owner),
      fixed_ips: fixed,
      device_owner: 'network:router_interface',
      device_id: router.id,
      status: 'ACTIVE',
      port_security_enabled: false,
    };
    network.ports.save(made);
    touch(cloud, network.routers, router);
    return answer(router, made);
  });
  service.on('PUT', '/v2.0/routers/{id}/remove_router_interface', 'neutron.router.remove_interface', (call, auth) => {
    const router = writable(routers, call, auth, 'update');
    const body = jsonBody(call);
    const mine = [...network.ports.by('device', router.id)].filter(
      (p) => p.device_owner === 'network:router_interface',
    );
    let port: Port | undefined;
    if (typeof body.port_id === 'string') {
      port = mine.find((p) => p.id === body.port_id);
      if (!port)
        throw new ApiError(
          404,
          `Router ${router.id} does not have an interface with id ${body.port_id}`,
          'RouterInterfaceNotFound',
        );
    } else {
      const subnet = subnetOf(cloud, body.subnet_id, auth);
      port = mine.find((p) => p.fixed_ips.some((f) => f.subnet_id === subnet.id));
      if (!port)
        throw new ApiError(
          404,
          `Router ${router.id} has no interface on subnet ${subnet.id}`,
          'RouterInterfaceNotFoundForSubnet',
        );
    }
    for (const fixed of port.fixed_ips) {
      for (const f of network.floatingIps.by('router', router.id)) {
        const inside = f.port_id === null ? undefined : network.ports.get(f.port_id);
        if (inside?.fixed_ips.some((i) => i.subnet_id === fixed.subnet_id)) {
          throw conflict(
            'RouterInterfaceInUseByFloatingIP',
            `Router interface for subnet ${fixed.subnet_id} on router ${router.id} cannot be deleted, as it is required by one or more floating IPs.`,
          );
        }
      }
    }
    const out = answer(router, port);
    releasePort(cloud, port);
    touch(cloud, network.routers, router);
    return out;
  });
  for (const verb of ['add', 'remove'] as const) {
    service.on('PUT', `/v2.0/routers/{id}/${verb}_extraroutes`, `neutron.router.${verb}_extraroutes`, (call, auth) => {
      const router = writable(routers, call, auth, 'update');
      const given = jsonBody(call).router;
      const routes = isObject(given) && Array.isArray(given.routes) ? (given.routes as Router['routes']) : [];
      const others = router.routes.filter(
        (r) => !routes.some((o) => o.destination === r.destination && o.nexthop === r.nexthop),
      );
      router.routes = verb === 'add' ? [...others, ...routes] : others;
      touch(cloud, network.routers, router);
      return { status: 200, json: { router: routers.view!(router) } };
    });
  }
}

function subnetOf(cloud: Cloud, id: unknown, auth: Auth): Subnet {
  if (typeof id !== 'string')
    throw badRequest('Bad router request: Either subnet_id or port_id must be specified.', 'BadRequest');
  return readable(subnetKind(cloud), id, auth);
}

function portForInterface(cloud: Cloud, id: string, auth: Auth): Port {
  const port = cloud.network.ports.get(id);
  if (!port || (!auth.isAdmin && port.project_id !== auth.projectId)) throw notFound('port', id);
  if (port.device_id !== '')
    throw conflict(
      'PortInUse',
      `Unable to complete operation on port ${port.id} for network ${port.network_id}. Port already has an attached device ${port.device_id}.`,
    );
  return port;
}

function checkInterface(cloud: Cloud, router: Router, subnet: Subnet): void {
  const { network } = cloud;
  const cidr = network.cidr(subnet.cidr);
  const addresses = [...network.ports.by('device', router.id)].flatMap((p) => p.fixed_ips);
  for (const { subnet_id: id } of addresses) {
    if (id === subnet.id)
      throw badRequest(`Bad router request: Router already has a port on subnet ${subnet.id}.`, 'BadRequest');
    const other = network.subnets.get(id);
    if (other && overlaps(network.cidr(other.cidr), cidr)) {
      throw badRequest(
        `Bad router request: Cidr ${subnet.cidr} of subnet ${subnet.id} overlaps with cidr ${other.cidr} of subnet ${other.id}.`,
        'BadRequest',
      );
    }
  }
}
