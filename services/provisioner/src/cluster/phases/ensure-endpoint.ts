import { WaitingError } from '@shoto/reconciler';
import { clusterTags, ownedBy } from '../../names.ts';
import { backendsOf } from '../control-planes.ts';
import { type ClusterPass, found, isInitialized } from '../pass.ts';
import {
  API_PORT,
  ensureLoadBalancer,
  ensureLoadBalancerAddress,
  ensureLoadBalancerParts,
  ensureMembers,
} from './ensure-load-balancer.ts';
import { adoptOrCreate, ensureRouted } from './ensure-network.ts';

/**
 * The address of the Cluster's API, in the way that its region chose, and the control-plane machines behind it.
 *
 * @throws {WaitingError} while the cloud makes it, or while no control-plane machine has an address
 */
export async function ensureEndpoint(pass: ClusterPass): Promise<void> {
  switch (pass.region.region.spec.apiEndpoint.type) {
    case 'LoadBalancer': {
      const [lb] = await Promise.all([ensureLoadBalancer(pass), ensureRouted(pass)]);
      await ensureLoadBalancerAddress(pass, lb);
      await ensureLoadBalancerParts(pass, lb);
      return await ensureMembers(pass);
    }
    case 'FloatingIP':
      await Promise.all([ensureFloatingIp(pass), ensureRouted(pass)]);
      return await bindFloatingIp(pass);
    case 'MachineAddress':
      return ensureMachineAddress(pass);
  }
}

/** A floating IP that belongs to the Cluster and not to a machine: it outlives each of them. */
async function ensureFloatingIp(pass: ClusterPass): Promise<void> {
  const { infra, region, key, signal, owner } = pass;
  if (infra.floatingIp) return;
  const floating_network_id = await region.references.externalNetwork(region.region.spec.externalNetwork);
  const description = ownedBy(owner);
  const ip = await adoptOrCreate(pass, {
    what: `floating IPs of ${key}`,
    find: () =>
      region.cloud.call(
        `look up the floating IP of ${key}`,
        (c, o) => c.network.floatingIps.list({ description }, o).all(),
        signal,
      ),
    create: () =>
      region.cloud.call(
        `make the floating IP of ${key}`,
        (c, o) => c.network.floatingIps.create({ floating_network_id, description }, o),
        signal,
      ),
    tag: (id) =>
      region.cloud.call(
        `tag the floating IP of ${key}`,
        (c, o) => c.network.floatingIps.tags.replaceAll(id, clusterTags(owner), o),
        signal,
      ),
  });
  const address = `${ip.floating_ip_address}:${API_PORT}`;
  // Machines use it too: it stays when the machine behind it is replaced.
  found(pass, {
    floatingIp: { id: ip.id, address: ip.floating_ip_address },
    endpoint: { internal: address, external: address },
  });
  if (ip.port_id) pass.memory.boundTo = ip.port_id;
}

/** Binds the floating IP to the oldest control-plane machine that stays (and has joined, once the cluster runs), unless it is bound to one of them. */
async function bindFloatingIp(pass: ClusterPass): Promise<void> {
  const { infra, memory, region, key, signal, d } = pass;
  const ip = infra.floatingIp;
  if (!ip) return;
  const backends = backendsOf(pass.machines, d.memory, isInitialized(pass));
  const first = backends[0];
  if (!first)
    throw new WaitingError(
      'MachinePending',
      `the floating IP of ${key} waits for a control-plane machine`,
      d.times.lookAgainMs,
    );
  if (memory.boundTo === undefined) {
    const now = await region.cloud.call(
      `look up the floating IP of ${key}`,
      (c, o) => c.network.floatingIps.get(ip.id, o),
      signal,
    );
    if (now.port_id) memory.boundTo = now.port_id;
  }
  if (backends.some((b) => b.portId === memory.boundTo)) return;
  await region.cloud.call(
    `bind the floating IP of ${key} to ${first.machine.metadata.name}`,
    (c, o) => c.network.floatingIps.update(ip.id, { port_id: first.portId }, o),
    signal,
  );
  memory.boundTo = first.portId;
}

/** The one control-plane machine's own address, on the network that the region's machines share. */
function ensureMachineAddress(pass: ClusterPass): void {
  // Before the cluster runs its one machine may be replaced, and the address with it; afterwards neither.
  if (pass.infra.endpoint && isInitialized(pass)) return;
  const first = backendsOf(pass.machines, pass.d.memory)[0];
  if (!first && pass.infra.endpoint) return;
  if (!first)
    throw new WaitingError(
      'MachinePending',
      `the endpoint of ${pass.key} is the address of its control-plane machine, which has none yet`,
      pass.d.times.lookAgainMs,
    );
  const address = `${first.address}:${API_PORT}`;
  if (pass.infra.endpoint?.internal !== address) found(pass, { endpoint: { internal: address, external: address } });
}
