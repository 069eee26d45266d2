import { contains, formatIp, parseIp } from '../../core/ip.ts';
import { isObject } from '../../core/message.ts';
import type { Cloud } from '../cloud.ts';
import { badRequest, conflict, invalidInput } from './errors.ts';
import type { FixedIp, Network, Subnet } from './state.ts';

/** Whether nobody has an address of a subnet. */
function free(cloud: Cloud, subnet: Subnet, address: string): boolean {
  return cloud.network.ports.count('address', `${subnet.id} ${address}`) === 0;
}

/** The next free address of a subnet's pools, or undefined. */
function nextAddress(cloud: Cloud, subnet: Subnet, taken: ReadonlySet<string>): string | undefined {
  const pools = subnet.allocation_pools.map((p) => ({ start: parseIp(p.start)!.value, end: parseIp(p.end)!.value }));
  const cursor = cloud.network.cursors.get(subnet.id);
  const scan = (from: bigint | undefined): string | undefined => {
    for (const pool of pools) {
      for (let at = from !== undefined && from > pool.start ? from : pool.start; at <= pool.end; at++) {
        const address = formatIp(subnet.ip_version, at);
        if (address !== subnet.gateway_ip && !taken.has(address) && free(cloud, subnet, address)) {
          cloud.network.cursors.set(subnet.id, at + 1n);
          return address;
        }
      }
    }
    return undefined;
  };
  return (cursor === undefined ? undefined : scan(cursor)) ?? scan(undefined);
}

/** Chooses and checks the addresses of a port; `keep` are those it has already. */
export function allocate(cloud: Cloud, network: Network, wanted: unknown, keep: readonly FixedIp[] = []): FixedIp[] {
  const subnets = [...cloud.network.subnets.by('network', network.id)];
  const taken = new Set<string>();
  const take = (subnet: Subnet): FixedIp => {
    const address = nextAddress(cloud, subnet, taken);
    if (address === undefined)
      throw conflict('IpAddressGenerationFailure', `No more IP addresses available on network ${network.id}.`);
    taken.add(address);
    return { subnet_id: subnet.id, ip_address: address };
  };
  if (!Array.isArray(wanted)) {
    const out: FixedIp[] = [];
    for (const version of [4, 6] as const) {
      const choice = subnets.filter((s) => s.ip_version === version);
      if (choice.length === 0) continue;
      const found = choice.find((s) => nextAddress(cloud, s, taken) !== undefined);
      if (!found)
        throw conflict('IpAddressGenerationFailure', `No more IP addresses available on network ${network.id}.`);
      // The look above moved the cursor past a free address; take that one.
      cloud.network.cursors.set(found.id, (cloud.network.cursors.get(found.id) ?? 1n) - 1n);
      out.push(take(found));
    }
    return out;
  }
  return wanted.map((given): FixedIp => {
    if (!isObject(given))
      throw badRequest(`Invalid input for fixed_ips. Reason: '${String(given)}' is not a dictionary.`);
    const { ip_address: address, subnet_id: subnetId } = given;
    if (address !== undefined && (typeof address !== 'string' || !parseIp(address))) {
      throw badRequest(`Invalid input for fixed_ips. Reason: '${String(address)}' is not a valid IP address.`);
    }
    let subnet: Subnet | undefined;
    if (typeof subnetId === 'string') {
      subnet = cloud.network.subnets.get(subnetId);
      if (!subnet || subnet.network_id !== network.id) {
        throw invalidInput(
          `Failed to create port on network ${network.id}, because fixed_ips included invalid subnet ${subnetId}.`,
        );
      }
      if (typeof address === 'string' && !contains(cloud.network.cidr(subnet.cidr), address)) {
        throw badRequest(`IP address ${address} is not a valid IP for the specified subnet.`, 'InvalidIpForSubnet');
      }
    } else if (typeof address === 'string') {
      subnet = subnets.find((s) => contains(cloud.network.cidr(s.cidr), address));
      if (!subnet)
        throw badRequest(
          `IP address ${address} is not a valid IP for any of the subnets on the specified network.`,
          'InvalidIpForNetwork',
        );
    }
    if (!subnet)
      throw badRequest('Invalid input for operation: IP allocation requires subnet_id or ip_address.', 'InvalidInput');
    if (typeof address !== 'string') return keep.find((k) => k.subnet_id === subnet.id) ?? take(subnet);
    const kept = keep.find((k) => k.subnet_id === subnet.id && k.ip_address === address);
    if (kept) return kept;
    if (taken.has(address) || !free(cloud, subnet, address)) {
      throw conflict('IpAddressAlreadyAllocated', `IP address ${address} already allocated in subnet ${subnet.id}`);
    }
    taken.add(address);
    return { subnet_id: subnet.id, ip_address: address };
  });
}
