import { RetryableError, WaitingError } from '@shoto/reconciler';
import type { LoadBalancerInfo } from 'openstack-client-ts';
import { onlyOne } from '../../cloud/region-cloud.ts';
import { cloudName, clusterTags, ownedBy } from '../../names.ts';
import { backendsOf } from '../control-planes.ts';
import { type ClusterPass, found, isInitialized } from '../pass.ts';
import { adoptOrCreate } from './ensure-network.ts';

/** Port of every cluster's API. */
export const API_PORT = 6443;
/** Watches are quiet for long: the defaults of 50 s would cut them. */
const IDLE_TIMEOUT_MS = 3_600_000;
const MONITOR = { type: 'TCP', delay: 3, timeout: 2, max_retries: 2, max_retries_down: 2 };
const POOL = { protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' };
const LISTENER = {
  protocol: 'TCP',
  protocol_port: API_PORT,
  timeout_client_data: IDLE_TIMEOUT_MS,
  timeout_member_data: IDLE_TIMEOUT_MS,
};

/** Pause until a load balancer that is PENDING is looked at again: short at first. */
export const pendingPause = (looks: number): number => Math.min(5_000, Math.round(200 * 1.5 ** Math.min(looks, 20)));

/** The load balancer, made or adopted; it may still be PENDING. Its VIP is known from now on. */
export async function ensureLoadBalancer(pass: ClusterPass): Promise<LoadBalancerInfo | undefined> {
  const { infra, memory, region, key, signal } = pass;
  if (infra.loadBalancerId && memory.loadBalancerComplete) return undefined;
  const id = infra.loadBalancerId;
  const stored = id
    ? await region.cloud.find(
        `look up the load balancer of ${key}`,
        (c, o) => c.loadBalancer.loadBalancers.get(id, o),
        signal,
      )
    : undefined;
  const lb =
    stored ??
    (await adoptOrCreate<LoadBalancerInfo>(pass, {
      what: `load balancers of ${key}`,
      find: () => find(pass),
      create: () => create(pass),
    }));
  found(pass, { loadBalancerId: lb.id });
  return lb;
}

/** The load balancer's floating IP, and with it the Cluster's endpoint. The subnet must be on the router before. */
export async function ensureLoadBalancerAddress(pass: ClusterPass, lb: LoadBalancerInfo | undefined): Promise<void> {
  const { infra, region, key, signal, owner } = pass;
  if (infra.endpoint || !lb) return;
  const internal = `${lb.vip_address}:${API_PORT}`;
  if (region.region.spec.sharedNetwork !== undefined) {
    found(pass, { endpoint: { internal, external: internal } });
    return;
  }
  const floating_network_id = await region.references.externalNetwork(region.region.spec.externalNetwork);
  const ip = await adoptOrCreate(pass, {
    what: `floating IPs of ${key}`,
    find: () =>
      region.cloud.call(
        `look up the floating IP of ${key}`,
        (c, o) => c.network.floatingIps.list({ port_id: lb.vip_port_id }, o).all(),
        signal,
      ),
    create: () =>
      region.cloud.call(
        `make the floating IP of ${key}`,
        (c, o) =>
          c.network.floatingIps.create(
            { floating_network_id, port_id: lb.vip_port_id, description: ownedBy(owner) },
            o,
          ),
        signal,
      ),
    tag: (id) =>
      region.cloud.call(
        `tag the floating IP of ${key}`,
        (c, o) => c.network.floatingIps.tags.replaceAll(id, clusterTags(owner), o),
        signal,
      ),
  });
  found(pass, {
    floatingIp: { id: ip.id, address: ip.floating_ip_address },
    endpoint: { internal, external: `${ip.floating_ip_address}:${API_PORT}` },
  });
}

/**
 * Listener, pool and health monitor; one at a time, since each makes the load balancer PENDING. A cloud that is done at once gets
 * all of them in one pass.
 *
 * Not made with the load balancer in one call: a real Octavia (Zed, amphora provider) then says ACTIVE of it while listener and
 * pool stay in PENDING_CREATE for ever.
 *
 * @throws {WaitingError} `LoadBalancerPending` until all of it is ACTIVE
 */
export async function ensureLoadBalancerParts(pass: ClusterPass, lb: LoadBalancerInfo | undefined): Promise<void> {
  const { memory, region, key, signal } = pass;
  for (let now = lb; now; ) {
    if (now.provisioning_status.startsWith('PENDING'))
      throw new WaitingError(
        'LoadBalancerPending',
        `the cloud is making the load balancer of ${key}`,
        pendingPause(memory.looks++),
      );
    if (now.provisioning_status !== 'ACTIVE')
      throw new RetryableError(
        'LoadBalancerFailed',
        `the load balancer ${now.id} of ${key} is in ${now.provisioning_status}: the cloud's operator can mend it with a failover; looked at again by itself`,
      );
    if (await isComplete(pass, now)) return;
    memory.looks = 0;
    const { id } = now;
    now = await region.cloud.call(
      `look up the load balancer of ${key}`,
      (c, o) => c.loadBalancer.loadBalancers.get(id, o),
      signal,
    );
  }
}

/** Makes the first part that is missing. @returns whether none was */
async function isComplete(pass: ClusterPass, lb: LoadBalancerInfo): Promise<boolean> {
  const { memory, region, key, signal } = pass;
  const lbs = region.cloud;
  const listenerId = lb.listeners[0]?.id;
  if (!listenerId) {
    const body = { ...LISTENER, loadbalancer_id: lb.id, name: lb.name };
    await lbs.call(`make the listener of ${key}`, (c, o) => c.loadBalancer.listeners.create(body, o), signal);
    return false;
  }
  const poolId = onlyOne(`pools of load balancer ${lb.id}`, lb.pools)?.id;
  if (!poolId) {
    const body = { ...POOL, listener_id: listenerId, name: lb.name };
    await lbs.call(`make the pool of ${key}`, (c, o) => c.loadBalancer.pools.create(body, o), signal);
    return false;
  }
  const pool = await lbs.call(`look up the pool of ${key}`, (c, o) => c.loadBalancer.pools.get(poolId, o), signal);
  if (!pool.healthmonitor_id) {
    const body = { ...MONITOR, pool_id: poolId, name: lb.name };
    await lbs.call(
      `make the health monitor of ${key}`,
      (c, o) => c.loadBalancer.healthMonitors.create(body, o),
      signal,
    );
    return false;
  }
  memory.loadBalancerComplete = true;
  memory.looks = 0;
  found(pass, { loadBalancerPoolId: poolId });
  return true;
}

/**
 * The control-plane machines that stay are the pool's members, once the cluster runs only those that have joined; who leaves is taken out. One call for
 * all, and none when nothing changed.
 */
export async function ensureMembers(pass: ClusterPass): Promise<void> {
  const { infra, memory, region, key, signal, d } = pass;
  const poolId = infra.loadBalancerPoolId;
  if (!poolId) return;
  const wanted = backendsOf(pass.machines, d.memory, isInitialized(pass));
  const addresses = new Set(wanted.map((b) => b.address));
  memory.members ??= new Set(
    (
      await region.cloud.call(
        `look up the members of ${key}`,
        (c, o) => c.loadBalancer.members.list(poolId, {}, o).all(),
        signal,
      )
    ).map((m) => m.address),
  );
  if (addresses.symmetricDifference(memory.members).size === 0) return;
  // No back end at all would only mean that we know of none yet.
  if (addresses.size === 0 && !pass.machines.some((m) => m.metadata.deletionTimestamp)) return;
  const members = wanted.map((b) => ({
    name: b.machine.metadata.name,
    address: b.address,
    protocol_port: API_PORT,
    subnet_id: infra.subnetId as string,
  }));
  await region.cloud.call(
    `set the members of the load balancer of ${key}`,
    (c, o) => c.loadBalancer.members.replaceAll(poolId, members, o),
    signal,
  );
  memory.members = addresses;
}

async function find(pass: ClusterPass): Promise<LoadBalancerInfo[]> {
  const name = cloudName(pass.ref);
  const all = await pass.region.cloud.call(
    `look up the load balancer of ${pass.key}`,
    (c, o) => c.loadBalancer.loadBalancers.list({ name }, o).all(),
    pass.signal,
  );
  return all.filter((lb) => !['DELETED', 'PENDING_DELETE'].includes(lb.provisioning_status));
}

/** The load balancer alone: what belongs to it follows when it is ACTIVE. */
async function create(pass: ClusterPass): Promise<LoadBalancerInfo> {
  const { region, key, signal, ref, owner, infra, memory } = pass;
  const body = {
    name: cloudName(ref),
    description: ownedBy(owner),
    vip_subnet_id: infra.subnetId as string,
    tags: clusterTags(owner),
  };
  const lb = await region.cloud.call(
    `make the load balancer of ${key}`,
    (c, o) => c.loadBalancer.loadBalancers.create(body, o),
    signal,
  );
  memory.members = new Set();
  return lb;
}
