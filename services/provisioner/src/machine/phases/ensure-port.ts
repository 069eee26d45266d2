import { timestamp } from '@shoto/api';
import { RetryableError, WaitingError } from '@shoto/reconciler';
import type { Port } from 'openstack-client-ts';
import { isConflict, isOver, mayHaveHappened } from '../../cloud/errors.ts';
import { onlyOne } from '../../cloud/region-cloud.ts';
import { isOwned, machineMac, machineTags, ownedBy } from '../../names.ts';
import type { MachinePass } from '../pass.ts';

/** So long a call that nobody answered may still be carried out. */
const LATE_DEED_MS = 180_000;
/** How soon what such a call may have made is looked for again. */
const LOOK_AGAIN_MS = 2_000;

/**
 * The Machine's port. Its MAC address comes from the Machine's UID, and Neutron refuses a second one with it: so the port is a lock, and that it exists
 * says that somebody may have asked for a server already.
 *
 * On a network that is only shared with us, Neutron's policy gives nobody but its owner the right to choose a MAC address. There the port is looked for
 * before it is asked for, and after a call without an answer only looked for, until that call is surely over.
 *
 * Afterwards `memory.port` is set; `fresh` only when this very call made it and was told so.
 */
export async function ensurePort(pass: MachinePass): Promise<void> {
  const { memory, d } = pass;
  if (memory.port) return;
  if (isShared(pass) && (await adoptShared(pass))) return;
  try {
    if (isShared(pass)) memory.portAskedAt = d.clock.now();
    const port = await create(pass);
    delete memory.portAskedAt;
    memory.port = { id: port.id, address: addressOf(pass, port), fresh: true };
    await tag(pass, port);
  } catch (e) {
    if (isOver(e)) delete memory.portAskedAt;
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

/** Machines are put on a network that somebody else owns. */
const isShared = ({ region }: MachinePass): boolean => region.region.spec.sharedNetwork !== undefined;

/**
 * Takes the port that an earlier call made.
 * @returns whether there is one
 * @throws {WaitingError} `AnswerLost` while a call that was not answered may still make it
 */
async function adoptShared(pass: MachinePass): Promise<boolean> {
  const { memory, d } = pass;
  const port = await findPort(pass);
  if (port) {
    delete memory.portAskedAt;
    adopt(pass, port, true);
    await tag(pass, port);
    return true;
  }
  if (memory.portAskedAt !== undefined && d.clock.now() - memory.portAskedAt < LATE_DEED_MS)
    throw new WaitingError(
      'AnswerLost',
      `the cloud was asked for the port of the machine at ${timestamp(memory.portAskedAt)} and did not answer in time: one may still come. It is looked for until ${timestamp(memory.portAskedAt + LATE_DEED_MS)}, and asked for then if there is none`,
      LOOK_AGAIN_MS,
    );
  return false;
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
  const { region, key, uid, owner, signal, infra, machine } = pass;
  const which = isShared(pass) ? { name: machine.metadata.name } : { mac_address: machineMac(uid) };
  const found = await region.cloud.call(
    `look up the port of ${key}`,
    (c, o) => c.network.ports.list({ ...which, ...(infra.networkId ? { network_id: infra.networkId } : {}) }, o).all(),
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
          ...(isShared(pass) ? {} : { mac_address: machineMac(uid) }),
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
