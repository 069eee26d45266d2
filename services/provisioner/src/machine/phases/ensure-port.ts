import { RetryableError } from '@shoto/reconciler';
import type { Port } from 'openstack-client-ts';
import { isConflict, mayHaveHappened } from '../../cloud/errors.ts';
import { onlyOne } from '../../cloud/region-cloud.ts';
import { isOwned, machineMac, machineTags, ownedBy } from '../../names.ts';
import type { MachinePass } from '../pass.ts';

/**
 * The Machine's port. Its MAC address comes from the Machine's UID, and Neutron refuses a second one with it: so the port is a lock, and that it exists
 * says that somebody may have asked for a server already.
 *
 * Afterwards `memory.port` is set; `fresh` only when this very call made it and was told so.
 */
export async function ensurePort(pass: MachinePass): Promise<void> {
  const { memory, d } = pass;
  if (memory.port) return;
  try {
    const port = await create(pass);
    memory.port = { id: port.id, address: addressOf(pass, port), fresh: true };
    await tag(pass, port);
  } catch (e) {
    if (!mayHaveHappened(e) && !isConflict(e)) throw e;
    // Made before: by an earlier process, or by this call, whose answer was lost.
    const port = await findPort(pass);
    if (!port)
      throw e instanceof RetryableError ? e : new RetryableError('PortConflict', (e as Error).message, { cause: e });
    adopt(pass, port, isConflict(e) || memory.unsureSince !== undefined);
    await tag(pass, port);
  }
  if (pass.machine.spec.role === 'control-plane')
    d.wake.cluster(`${pass.machine.metadata.namespace}/${pass.machine.spec.cluster.name}`);
}

/** Takes a port that was found for the Machine's. @param unsure - somebody may have asked for a server with it */
export function adopt(pass: MachinePass, port: Port, unsure: boolean): void {
  const { memory, d } = pass;
  memory.port = { id: port.id, address: addressOf(pass, port), fresh: !unsure };
  if (port.device_id) memory.serverId ??= port.device_id;
  else if (unsure) memory.unsureSince ??= d.clock.now();
}

/** The Machine's port as the cloud has it. @throws {WaitingError} when there are two */
export async function findPort(pass: MachinePass): Promise<Port | undefined> {
  const { region, key, uid, owner, signal, infra } = pass;
  const found = await region.cloud.call(
    `look up the port of ${key}`,
    (c, o) =>
      c.network.ports
        .list({ mac_address: machineMac(uid), ...(infra.networkId ? { network_id: infra.networkId } : {}) }, o)
        .all(),
    signal,
  );
  return onlyOne(
    `ports of ${key}`,
    found.filter((p) => isOwned(owner, p)),
  );
}

async function create(pass: MachinePass): Promise<Port> {
  const { region, key, uid, owner, signal, infra, machine } = pass;
  const group =
    machine.spec.role === 'control-plane' ? infra.securityGroups?.controlPlane : infra.securityGroups?.worker;
  return await region.cloud.call(
    `make the port of ${key}`,
    (c, o) =>
      c.network.ports.create(
        {
          network_id: infra.networkId as string,
          name: machine.metadata.name,
          description: ownedBy(owner),
          mac_address: machineMac(uid),
          fixed_ips: [{ subnet_id: infra.subnetId as string }],
          security_groups: [group as string],
        },
        o,
      ),
    signal,
  );
}

async function tag(pass: MachinePass, port: Port): Promise<void> {
  const tags = machineTags(pass.owner, pass.uid);
  if (tags.every((t) => port.tags?.includes(t))) return;
  await pass.region.cloud.call(
    `tag the port of ${pass.key}`,
    (c, o) => c.network.ports.tags.replaceAll(port.id, tags, o),
    pass.signal,
  );
}

function addressOf(pass: MachinePass, port: Port): string {
  const ip = port.fixed_ips.find((f) => f.subnet_id === pass.infra.subnetId) ?? port.fixed_ips[0];
  if (!ip)
    throw new RetryableError(
      'NoAddress',
      `the port ${port.id} of ${pass.key} has no address: its subnet is full; tried again by itself`,
    );
  return ip.ip_address;
}
