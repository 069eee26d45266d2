import { RetryableError, WaitingError } from '@shoto/reconciler';
import type { Network, Router, Subnet } from 'openstack-client-ts';
import { isConflict, isOver, mayHaveHappened } from '../../cloud/errors.ts';
import { onlyOne } from '../../cloud/region-cloud.ts';
import { cloudName, clusterTags, isOwned, ownedBy } from '../../names.ts';
import { type ClusterPass, found, together } from '../pass.ts';

/**
 * The network, subnet and router of the Cluster, or those of the region where all share one. Adopts what an earlier pass made.
 * Afterwards `infra.networkId` and `infra.subnetId` are set.
 */
export async function ensureNetwork(pass: ClusterPass): Promise<void> {
  const { sharedNetwork } = pass.region.region.spec;
  if (sharedNetwork !== undefined) {
    if (!pass.infra.subnetId) found(pass, await pass.region.references.sharedNetwork(sharedNetwork));
    return;
  }
  await together(
    (async () => {
      await ensureOwnNetwork(pass);
      await ensureSubnet(pass);
    })(),
    ensureRouter(pass),
  );
}

/** The subnet on the router, so that machines reach the world and floating IPs reach machines. */
export async function ensureRouted(pass: ClusterPass): Promise<void> {
  const { infra, memory, region, signal, key } = pass;
  if (region.region.spec.sharedNetwork !== undefined || memory.routed) return;
  const { routerId, subnetId } = infra;
  if (!routerId || !subnetId) return;
  const on = async () =>
    (
      await region.cloud.call(
        `look up the router's interfaces of ${key}`,
        (c, o) => c.network.ports.list({ device_id: routerId, network_id: infra.networkId }, o).all(),
        signal,
      )
    ).some((p) => p.fixed_ips.some((ip) => ip.subnet_id === subnetId));
  if (!(await on()))
    await region.cloud.call(
      `put the subnet of ${key} on its router`,
      (c, o) => c.network.routers.addInterface(routerId, { subnet_id: subnetId }, o),
      signal,
    );
  memory.routed = true;
}

async function ensureOwnNetwork(pass: ClusterPass): Promise<void> {
  if (pass.infra.networkId) return;
  const { ref, owner, key, region, signal } = pass;
  const name = cloudName(ref);
  const network = await adoptOrCreate<Network>(pass, {
    what: `networks of ${key}`,
    find: () =>
      region.cloud.call(`look up the network of ${key}`, (c, o) => c.network.networks.list({ name }, o).all(), signal),
    create: () =>
      region.cloud.call(
        `make the network of ${key}`,
        (c, o) => c.network.networks.create({ name, description: ownedBy(owner) }, o),
        signal,
      ),
    tag: (id) =>
      region.cloud.call(
        `tag the network of ${key}`,
        (c, o) => c.network.networks.tags.replaceAll(id, clusterTags(owner), o),
        signal,
      ),
  });
  found(pass, { networkId: network.id });
}

async function ensureSubnet(pass: ClusterPass): Promise<void> {
  if (pass.infra.subnetId) return;
  const { ref, owner, key, region, signal, cluster, infra } = pass;
  const name = cloudName(ref);
  const networkId = infra.networkId as string;
  const subnet = await adoptOrCreate<Subnet>(pass, {
    what: `subnets of ${key}`,
    find: () =>
      region.cloud.call(
        `look up the subnet of ${key}`,
        (c, o) => c.network.subnets.list({ name, network_id: networkId }, o).all(),
        signal,
      ),
    create: () =>
      region.cloud.call(
        `make the subnet ${cluster.spec.network.nodeCIDR} of ${key}`,
        (c, o) =>
          c.network.subnets.create(
            {
              network_id: networkId,
              ip_version: 4,
              cidr: cluster.spec.network.nodeCIDR,
              name,
              description: ownedBy(owner),
              enable_dhcp: true,
              dns_nameservers: region.region.spec.nameservers,
            },
            o,
          ),
        signal,
      ),
    tag: (id) =>
      region.cloud.call(
        `tag the subnet of ${key}`,
        (c, o) => c.network.subnets.tags.replaceAll(id, clusterTags(owner), o),
        signal,
      ),
  });
  found(pass, { subnetId: subnet.id });
}

async function ensureRouter(pass: ClusterPass): Promise<void> {
  if (pass.infra.routerId) return;
  const { ref, owner, key, region, signal } = pass;
  const name = cloudName(ref);
  const external = await region.references.externalNetwork(region.region.spec.externalNetwork);
  const router = await adoptOrCreate<Router>(pass, {
    what: `routers of ${key}`,
    find: () =>
      region.cloud.call(`look up the router of ${key}`, (c, o) => c.network.routers.list({ name }, o).all(), signal),
    create: () =>
      region.cloud.call(
        `make the router of ${key}`,
        (c, o) =>
          c.network.routers.create(
            { name, description: ownedBy(owner), external_gateway_info: { network_id: external } },
            o,
          ),
        signal,
      ),
    tag: (id) =>
      region.cloud.call(
        `tag the router of ${key}`,
        (c, o) => c.network.routers.tags.replaceAll(id, clusterTags(owner), o),
        signal,
      ),
  });
  found(pass, { routerId: router.id });
}

/** How a thing of a Cluster is found, made and marked. */
export interface Adoption<T> {
  /** What there may be only one of, for messages. */
  what: string;
  /** Candidates; which of them are ours is decided by tag and description. */
  find: () => Promise<T[]>;
  create: () => Promise<T>;
  /** Absent where the create call takes tags. */
  tag?: (id: string) => Promise<unknown>;
}

/** So long a call that nobody answered may still be carried out (a Nova or Octavia under load takes minutes). */
const LATE_DEED_MS = 180_000;
/** How soon what such a call may have made is looked for again. */
const LOOK_AGAIN_MS = 2_000;

/**
 * Adopt before create: what an earlier pass made, or a lost answer was about, is taken and not made twice.
 *
 * @throws {WaitingError} `Ambiguous` when there are two
 */
export async function adoptOrCreate<
  T extends { id: string; tags?: readonly string[] | null; description?: string | null },
>(pass: ClusterPass, a: Adoption<T>): Promise<T> {
  const ours = async () =>
    onlyOne(
      a.what,
      (await a.find()).filter((t) => isOwned(pass.owner, t)),
    );
  const { unanswered } = pass.memory;
  let thing = await ours();
  if (!thing) {
    const since = unanswered.get(a.what);
    if (since !== undefined && pass.d.clock.now() - since < LATE_DEED_MS)
      throw new WaitingError(
        'AnswerLost',
        `the cloud was asked for ${a.what} and did not answer in time: it may still make one, so it is looked for before it is asked again`,
        LOOK_AGAIN_MS,
      );
    // Noted before the call: a pass that is cut short knows as little of the deed as one that got no answer.
    unanswered.set(a.what, pass.d.clock.now());
    try {
      thing = await a.create();
    } catch (e) {
      const conflict = isConflict(e);
      if (isOver(e)) unanswered.delete(a.what);
      // The answer may have been lost after the deed; or it was done by the call before.
      if (!mayHaveHappened(e) && !conflict) throw e;
      thing = await ours();
      if (!thing)
        throw e instanceof RetryableError ? e : new RetryableError('CloudConflict', (e as Error).message, { cause: e });
    }
  }
  unanswered.delete(a.what);
  const wanted = clusterTags(pass.owner);
  if (a.tag && !wanted.every((t) => thing?.tags?.includes(t))) await a.tag(thing.id);
  return thing;
}
