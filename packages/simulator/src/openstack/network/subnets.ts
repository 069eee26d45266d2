import { contains, formatIp, overlaps, parseCidr, parseIp } from '../../core/ip.ts';
import { isObject, type Json } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { allocate } from './addresses.ts';
import { commonAttributes } from './attributes.ts';
import { type Kind, newBase, readable, touch } from './collection.ts';
import { badRequest, conflict, disallowed, invalidInput } from './errors.ts';
import { networkKind } from './networks.ts';
import { blankPort, releasePort } from './ports.ts';
import type { Pool, Subnet } from './state.ts';

/** Subnets. */
export function subnetKind(cloud: Cloud): Kind<Subnet> {
  const { network } = cloud;
  const networks = networkKind(cloud);
  return {
    singular: 'subnet',
    plural: 'subnets',
    quota: 'subnet',
    table: network.subnets,
    indexes: { network_id: 'network' },
    shared: (s) =>
      network.networks.get(s.network_id)?.shared === true ||
      network.networks.get(s.network_id)?.['router:external'] === true,
    attributes: {
      ...commonAttributes,
      network_id: { type: 'uuid', required: true, put: false },
      ip_version: { type: 'int', put: false },
      cidr: { type: 'string', nullable: true, put: false },
      prefixlen: { type: 'int', put: false },
      subnetpool_id: { type: 'uuid', nullable: true, put: false },
      use_default_subnetpool: { type: 'bool', put: false },
      gateway_ip: { type: 'ip', nullable: true },
      allocation_pools: { type: 'list' },
      enable_dhcp: { type: 'bool' },
      dns_nameservers: { type: 'strings' },
      dns_publish_fixed_ip: { type: 'bool' },
      host_routes: { type: 'list' },
      ipv6_address_mode: { type: 'string', nullable: true, put: false },
      ipv6_ra_mode: { type: 'string', nullable: true, put: false },
      service_types: { type: 'strings' },
      segment_id: { type: 'uuid', nullable: true },
    },
    create: (a, auth, base) => {
      const owner = readable(networks, a.network_id as string, auth);
      if (!auth.isAdmin && owner.project_id !== auth.projectId) throw disallowed('create_subnet');
      if (a.ip_version === undefined)
        throw badRequest("Failed to parse request. Required attribute 'ip_version' not specified");
      if (a.ip_version !== 4 && a.ip_version !== 6)
        throw badRequest(`Invalid input for ip_version. Reason: '${String(a.ip_version)}' is not in [4, 6].`);
      if (typeof a.cidr !== 'string')
        throw badRequest('Bad subnets request: a subnetpool must be specified in the absence of a cidr.', 'BadRequest');
      const cidr = parseCidr(a.cidr);
      if (!cidr) throw invalidInput(`${a.cidr} is not in a CIDR format.`);
      if (cidr.version !== a.ip_version)
        throw invalidInput(
          `ip_version '${a.ip_version}' does not match cidr '${a.cidr}' ip_version '${cidr.version}'.`,
        );
      for (const other of network.subnets.by('network', owner.id)) {
        if (overlaps(network.cidr(other.cidr), cidr)) {
          throw invalidInput(
            `Requested subnet with cidr: ${cidr.text} for network: ${owner.id} overlaps with another subnet.`,
          );
        }
      }
      const version = cidr.version;
      const gateway =
        a.gateway_ip === undefined
          ? formatIp(version, cidr.first + (cidr.prefix >= (version === 4 ? 32 : 128) ? 0n : 1n))
          : (a.gateway_ip as string | null);
      const subnet: Subnet = {
        ...base,
        network_id: owner.id,
        ip_version: version,
        cidr: cidr.text,
        gateway_ip: gateway,
        allocation_pools: [],
        enable_dhcp: a.enable_dhcp !== false,
        dns_nameservers: (a.dns_nameservers as string[] | undefined) ?? [],
        dns_publish_fixed_ip: a.dns_publish_fixed_ip === true,
        host_routes: (a.host_routes as Subnet['host_routes'] | undefined) ?? [],
        ipv6_address_mode: (a.ipv6_address_mode as string | undefined) ?? null,
        ipv6_ra_mode: (a.ipv6_ra_mode as string | undefined) ?? null,
        service_types: (a.service_types as string[] | undefined) ?? [],
        subnetpool_id: null,
      };
      subnet.allocation_pools = Array.isArray(a.allocation_pools)
        ? checkPools(subnet, a.allocation_pools)
        : defaultPools(subnet);
      network.subnets.save(subnet);
      network.networks.save(owner);
      if (subnet.enable_dhcp && !owner['router:external']) addDhcpPort(cloud, subnet);
      return subnet;
    },
    update: (s, a) => {
      if (a.gateway_ip !== undefined) {
        const used = [...network.ports.by('subnet', s.id)].find(
          (p) =>
            p.device_owner === 'network:router_interface' && p.fixed_ips.some((f) => f.ip_address === s.gateway_ip),
        );
        if (used && a.gateway_ip !== s.gateway_ip)
          throw conflict(
            'GatewayIpInUse',
            `Current gateway ip ${s.gateway_ip} already in use by port ${used.id}. Unable to update.`,
          );
        s.gateway_ip = a.gateway_ip as string | null;
        if (!Array.isArray(a.allocation_pools)) checkPools(s, s.allocation_pools);
      }
      if (Array.isArray(a.allocation_pools)) s.allocation_pools = checkPools(s, a.allocation_pools);
      for (const key of [
        'enable_dhcp',
        'dns_nameservers',
        'host_routes',
        'service_types',
        'dns_publish_fixed_ip',
      ] as const) {
        if (a[key] !== undefined) (s as unknown as Json)[key] = a[key];
      }
    },
    remove: (s) => {
      const ports = [...network.ports.by('subnet', s.id)];
      if (ports.some((p) => p.device_owner !== 'network:dhcp')) {
        throw conflict(
          'SubnetInUse',
          `Unable to complete operation on subnet ${s.id}: One or more ports have an IP allocation from this subnet.`,
        );
      }
      for (const p of ports) {
        p.fixed_ips = p.fixed_ips.filter((f) => f.subnet_id !== s.id);
        if (p.fixed_ips.length === 0) releasePort(cloud, p);
        else touch(cloud, network.ports, p);
      }
      network.subnets.delete(s.id);
      network.cursors.delete(s.id);
      const owner = network.networks.get(s.network_id);
      if (owner) network.networks.save(owner);
    },
  };
}

/** The DHCP server's port: one a network, with an address in each of its subnets that has DHCP. */
function addDhcpPort(cloud: Cloud, subnet: Subnet): void {
  const owner = cloud.network.networks.get(subnet.network_id)!;
  const existing = [...cloud.network.ports.by('network', owner.id)].find((p) => p.device_owner === 'network:dhcp');
  const [address] = allocate(cloud, owner, [{ subnet_id: subnet.id }]);
  if (existing) {
    existing.fixed_ips.push(address!);
    touch(cloud, cloud.network.ports, existing);
    return;
  }
  cloud.network.ports.save({
    ...blankPort(cloud, newBase(cloud, owner.project_id), owner),
    fixed_ips: [address!],
    status: 'ACTIVE',
    device_owner: 'network:dhcp',
    device_id: `dhcp${cloud.ids.uuid()}-${owner.id}`,
    port_security_enabled: false,
  });
}

function defaultPools(s: Subnet): Pool[] {
  const cidr = parseCidr(s.cidr)!;
  const host = cidr.version === 4 ? cidr.prefix >= 31 : cidr.prefix >= 127;
  const first = host ? cidr.first : cidr.first + 1n;
  const last = host || cidr.version === 6 ? cidr.last : cidr.last - 1n;
  const gateway = s.gateway_ip === null ? undefined : parseIp(s.gateway_ip)?.value;
  const parts: [bigint, bigint][] =
    gateway !== undefined && gateway >= first && gateway <= last
      ? [
          [first, gateway - 1n],
          [gateway + 1n, last],
        ]
      : [[first, last]];
  return parts
    .filter(([a, b]) => a <= b)
    .map(([a, b]) => ({ start: formatIp(cidr.version, a), end: formatIp(cidr.version, b) }));
}

function checkPools(s: Subnet, pools: unknown[]): Pool[] {
  const cidr = parseCidr(s.cidr)!;
  const seen: { start: bigint; end: bigint; text: string }[] = [];
  return pools.map((given) => {
    const start = isObject(given) && typeof given.start === 'string' ? parseIp(given.start) : undefined;
    const end = isObject(given) && typeof given.end === 'string' ? parseIp(given.end) : undefined;
    if (!start || !end)
      throw badRequest(
        `Invalid input for allocation_pools. Reason: Invalid data format for IP pool: '${JSON.stringify(given)}'.`,
      );
    const pool = { start: formatIp(start.version, start.value), end: formatIp(end.version, end.value) };
    const text = `${pool.start}-${pool.end}`;
    if (end.value < start.value || start.version !== cidr.version)
      throw badRequest(`The allocation pool ${text} is not valid.`, 'InvalidAllocationPool');
    if (!contains(cidr, pool.start) || !contains(cidr, pool.end)) {
      throw badRequest(
        `The allocation pool ${text} spans beyond the subnet cidr ${s.cidr}.`,
        'OutOfBoundsAllocationPool',
      );
    }
    const gateway = s.gateway_ip === null ? undefined : parseIp(s.gateway_ip);
    if (gateway && gateway.value >= start.value && gateway.value <= end.value) {
      throw conflict(
        'GatewayConflictWithAllocationPools',
        `Gateway ip ${s.gateway_ip} conflicts with allocation pool ${text}.`,
      );
    }
    const clash = seen.find((o) => start.value <= o.end && o.start <= end.value);
    if (clash)
      throw conflict(
        'OverlappingAllocationPools',
        `Found overlapping allocation pools: ${clash.text} ${text} for subnet ${s.cidr}.`,
      );
    seen.push({ start: start.value, end: end.value, text });
    return pool;
  });
}
