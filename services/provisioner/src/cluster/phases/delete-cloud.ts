import { WaitingError } from '@shoto/reconciler';
import { isConflict, isNotFound } from '../../cloud/errors.ts';
import { cloudName, isOwned } from '../../names.ts';
import { type ClusterPass, together } from '../pass.ts';
import { deleteAddonLeftovers, mayHaveWorked } from './delete-addon-leftovers.ts';
import { revokeAddonCredentials } from './ensure-addon-credentials.ts';
import { pendingPause } from './ensure-load-balancer.ts';

type Step = (pass: ClusterPass) => Promise<void>;

/**
 * Removes everything that was made for the Cluster, in the order in which the cloud lets it go. Looks live, by id and by name: what was made and never
 * stored goes too. Returns only when the cloud says that nothing is left; what the region shares stays.
 *
 * @throws {WaitingError} while something is still going
 */
export async function deleteCloud(pass: ClusterPass): Promise<void> {
  if (!pass.memory.addonsLeft && mayHaveWorked(pass)) {
    await deleteAddonLeftovers(pass);
    await revokeAddonCredentials(pass);
    pass.memory.addonsLeft = true;
  }
  await deleteLoadBalancers(pass);
  await Promise.all([deleteFloatingIps(pass), deleteServerGroups(pass)]);
  if (pass.region.region.spec.sharedNetwork === undefined) await deleteNetworking(pass);
  else await deletePorts(pass, pass.infra.networkId);
  await deleteSecurityGroups(pass);
}

const going = (pass: ClusterPass, what: string, ms = 1_000): WaitingError =>
  new WaitingError('Deleting', `waits until the cloud has let go of ${what} of ${pass.key}`, ms);

const deleteLoadBalancers: Step = async (pass) => {
  const { region, key, signal, ref, owner, memory } = pass;
  const name = cloudName(ref);
  const list = () =>
    region.cloud.call(
      `look up the load balancers of ${key}`,
      (c, o) => c.loadBalancer.loadBalancers.list({ name }, o).all(),
      signal,
    );
  if (region.region.spec.apiEndpoint.type !== 'LoadBalancer' && !pass.infra.loadBalancerId) return;
  const left = (await list()).filter((lb) => isOwned(owner, lb) && lb.provisioning_status !== 'DELETED');
  if (left.length === 0) return;
  for (const lb of left) {
    if (lb.provisioning_status.startsWith('PENDING')) continue;
    await region.cloud.remove(
      `delete the load balancer of ${key}`,
      (c, o) => c.loadBalancer.loadBalancers.deleteCascade(lb.id, o),
      signal,
    );
  }
  throw going(pass, 'the load balancer', pendingPause(memory.looks++));
};

const deleteFloatingIps: Step = async (pass) => {
  const { region, key, signal, owner, infra } = pass;
  const list = async () => {
    const all = await region.cloud.call(
      `look up the floating IPs of ${key}`,
      (c, o) =>
        c.network.floatingIps.list({ description: `Shoto ${owner.installation} cluster ${owner.clusterUid}` }, o).all(),
      signal,
    );
    return all.filter((ip) => isOwned(owner, ip) || ip.id === infra.floatingIp?.id);
  };
  const left = await list();
  for (const ip of left)
    await region.cloud.remove(
      `delete the floating IP of ${key}`,
      (c, o) => c.network.floatingIps.delete(ip.id, o),
      signal,
    );
  if (left.length > 0 && (await list()).length > 0) throw going(pass, 'the floating IP');
};

const deleteServerGroups: Step = async (pass) => {
  const { region, key, signal, ref } = pass;
  const list = async () => {
    const all = await region.cloud.call(
      `look up the server groups of ${key}`,
      (c, o) => c.compute.serverGroups.list({}, o).all(),
      signal,
    );
    return all.filter((g) => g.name.startsWith(`${cloudName(ref)}-`));
  };
  const left = await list();
  for (const group of left)
    await region.cloud.remove(
      `delete the server group ${group.name} of ${key}`,
      (c, o) => c.compute.serverGroups.delete(group.id, o),
      signal,
    );
  if (left.length > 0 && (await list()).length > 0) throw going(pass, 'the server groups');
};

async function deleteNetworking(pass: ClusterPass): Promise<void> {
  const { region, key, signal, ref, owner } = pass;
  const name = cloudName(ref);
  const networks = async () =>
    (
      await region.cloud.call(
        `look up the network of ${key}`,
        (c, o) => c.network.networks.list({ name }, o).all(),
        signal,
      )
    ).filter((n) => isOwned(owner, n));
  const found = await networks();
  for (const network of found) await deletePorts(pass, network.id);
  await deleteRouters(pass);
  for (const network of found) {
    await inUse(pass, network.id, async () => {
      for (const subnet of network.subnets)
        await region.cloud.remove(`delete the subnet of ${key}`, (c, o) => c.network.subnets.delete(subnet, o), signal);
      await region.cloud.remove(
        `delete the network of ${key}`,
        (c, o) => c.network.networks.delete(network.id, o),
        signal,
      );
    });
  }
  if (found.length > 0 && (await networks()).length > 0) throw going(pass, 'the network');
}

/** Ports of ours that no machine holds any more: a pass ended between making one and saying so. */
async function deletePorts(pass: ClusterPass, networkId: string | undefined): Promise<void> {
  if (!networkId) return;
  const { region, key, signal, owner } = pass;
  const list = async () =>
    (
      await region.cloud.call(
        `look up the ports of ${key}`,
        (c, o) => c.network.ports.list({ network_id: networkId }, o).all(),
        signal,
      )
    ).filter((p) => isOwned(owner, p) && !p.device_owner.startsWith('network:'));
  const left = await list();
  for (const port of left)
    await region.cloud.remove(
      `delete the port ${port.name} of ${key}`,
      (c, o) => c.network.ports.delete(port.id, o),
      signal,
    );
  if (left.length > 0 && (await list()).length > 0) throw going(pass, 'ports');
}

async function deleteRouters(pass: ClusterPass): Promise<void> {
  const { region, key, signal, ref, owner } = pass;
  const name = cloudName(ref);
  const list = async () =>
    (
      await region.cloud.call(
        `look up the router of ${key}`,
        (c, o) => c.network.routers.list({ name }, o).all(),
        signal,
      )
    ).filter((r) => isOwned(owner, r));
  const left = await list();
  for (const router of left) {
    const interfaces = await region.cloud.call(
      `look up the interfaces of the router of ${key}`,
      (c, o) => c.network.ports.list({ device_id: router.id }, o).all(),
      signal,
    );
    for (const port of interfaces.filter((p) => /^network:(ha_)?router_interface/.test(p.device_owner)))
      await region.cloud
        .call(
          `take the subnet of ${key} off its router`,
          (c, o) => c.network.routers.removeInterface(router.id, { port_id: port.id }, o),
          signal,
        )
        .catch((e: unknown) => {
          if (!isNotFound(e)) throw e;
        });
    await region.cloud.remove(`delete the router of ${key}`, (c, o) => c.network.routers.delete(router.id, o), signal);
  }
  if (left.length > 0 && (await list()).length > 0) throw going(pass, 'the router');
}

const deleteSecurityGroups: Step = async (pass) => {
  const { region, key, signal, ref, owner } = pass;
  const names = [cloudName(ref, 'control-plane'), cloudName(ref, 'worker')];
  const list = async () => {
    const all = await Promise.all(
      names.map((name) =>
        region.cloud.call(
          `look up the security groups of ${key}`,
          (c, o) => c.network.securityGroups.list({ name }, o).all(),
          signal,
        ),
      ),
    );
    return all.flat().filter((g) => isOwned(owner, g));
  };
  const left = await list();
  await together(
    ...left.map((g) =>
      region.cloud.remove(
        `delete the security group ${g.name} of ${key}`,
        (c, o) => c.network.securityGroups.delete(g.id, o),
        signal,
      ),
    ),
  );
  if (left.length > 0 && (await list()).length > 0) throw going(pass, 'the security groups');
};

/** Says what hangs on the network when the cloud will not let it go: it is not ours to delete, but a person must know. */
async function inUse(pass: ClusterPass, networkId: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (e) {
    if (!isConflict(e)) throw e;
    const ports = await pass.region.cloud.call(
      `look up the ports of ${pass.key}`,
      (c, o) => c.network.ports.list({ network_id: networkId }, o).all(),
      pass.signal,
    );
    const foreign = ports.filter((p) => !p.device_owner.startsWith('network:'));
    if (foreign.length === 0) throw going(pass, 'the network');
    const names = foreign.map((p) => `${p.name || p.id} (${p.device_owner || 'unused'})`).sort();
    throw new WaitingError(
      'NetworkInUse',
      `the network of ${pass.key} cannot go while ports that Shoto did not make are on it: delete ${names.join(', ')}`,
      10_000,
    );
  }
}
