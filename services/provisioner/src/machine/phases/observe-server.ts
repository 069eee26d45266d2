import { timestamp } from '@shoto/api';
import { RetryableError, WaitingError } from '@shoto/reconciler';
import { faultOf } from '../../cloud/errors.ts';
import { CONDITIONS, good } from '../../conditions.ts';
import type { ServerView } from '../../region/server-poller.ts';
import { mayDestroy } from '../may-destroy.ts';
import type { MachinePass } from '../pass.ts';
import { stateOf, stateProblem, storedFields, writeServer } from '../server-map.ts';
import { findPort } from './ensure-port.ts';
import { backOff, readServer } from './ensure-server.ts';

/**
 * Looks at the server that was asked for, and says in one write that it runs, with all that others need to know of it. What is in between is not
 * stored. A server that ends in ERROR before it ever ran is deleted and asked for again.
 *
 * @throws {WaitingError} while the cloud is building it
 */
export async function observeServer(pass: MachinePass): Promise<void> {
  const { memory, region, machine, d } = pass;
  const id = memory.serverId as string;
  const listed = region.servers.get(id);
  // The region's list will tell, for all servers in one call; a look of our own is only for when it does not.
  const soon = d.times.lookAgainMs - (d.clock.now() - (memory.askedAt ?? Number.NEGATIVE_INFINITY));
  if (!listed && soon > 0)
    throw new WaitingError('ServerBuilding', `the cloud is building the server of ${pass.key}`, soon);
  const view: Pick<ServerView, 'status' | 'zone' | 'hostId'> | undefined = listed ?? (await live(pass, id));
  if (!view) return await startAgain(pass);
  const state = stateOf(view.status);
  switch (state) {
    case undefined:
      throw new WaitingError('ServerBuilding', `the cloud is building the server of ${pass.key}`, d.times.lookAgainMs);
    case 'Error':
      return await replaceFailed(pass, id);
    case 'Gone':
      if (await readServer(pass, id)) throw new WaitingError('ServerBuilding', 'looks again', 5_000);
      return await startAgain(pass);
    default: {
      const port = memory.port ?? (await portOf(pass));
      await writeServer(
        pass,
        {
          ...storedFields(pass),
          state,
          id,
          portId: port.id,
          addresses: [port.address],
          ...(view.zone ? { zone: view.zone } : {}),
          ...(view.hostId ? { hostId: view.hostId } : {}),
          activeAt: machine.status?.server.activeAt ?? timestamp(d.clock.now()),
        },
        good(CONDITIONS.server, 'Active', 'the server runs'),
      );
      memory.failures = 0;
      delete memory.retryAt;
    }
  }
}

async function live(
  pass: MachinePass,
  id: string,
): Promise<Pick<ServerView, 'status' | 'zone' | 'hostId'> | undefined> {
  const server = await readServer(pass, id);
  return (
    server && {
      status: server.status,
      zone: server['OS-EXT-AZ:availability_zone'] || undefined,
      hostId: server.hostId || undefined,
    }
  );
}

async function portOf(pass: MachinePass): Promise<{ id: string; address: string }> {
  const port = await findPort(pass);
  const address = port?.fixed_ips[0]?.ip_address;
  if (!port || !address)
    throw new RetryableError('PortMissing', `the port of ${pass.key} is not there; tried again by itself`);
  pass.memory.port = { id: port.id, address, fresh: false };
  return pass.memory.port;
}

/** The server that we asked for is gone before it ran: ask again. */
async function startAgain(pass: MachinePass): Promise<void> {
  const { memory } = pass;
  forgetServer(pass);
  backOff(pass);
  throw new WaitingError(
    'ServerGone',
    `the server of ${pass.key} went before it ran; it is asked for again`,
    (memory.retryAt ?? 0) - pass.d.clock.now(),
  );
}

/** The server that was asked for came and went: none is coming any more. */
function forgetServer({ memory, region }: MachinePass): void {
  if (memory.serverId) region.servers.forget(memory.serverId);
  delete memory.serverId;
  delete memory.unsureSince;
  delete memory.unanswered;
  if (memory.port) memory.port.fresh = true;
}

/** In ERROR before it ever ran: says why, deletes it (it is provably ours) and asks for another after a while. */
async function replaceFailed(pass: MachinePass, id: string): Promise<void> {
  const { memory, region, key, signal, d } = pass;
  const server = await readServer(pass, id);
  if (!server) return await startAgain(pass);
  if (stateOf(server.status) !== 'Error') {
    region.servers.expect(id);
    throw new WaitingError('ServerBuilding', `the cloud is building the server of ${key}`, 2_000);
  }
  const fault = faultOf(server.fault);
  await stateProblem(pass, fault.reason, fault.message);
  mayDestroy(pass);
  await region.cloud.remove(`delete the failed server of ${key}`, (c, o) => c.compute.servers.delete(id, o), signal);
  const left = await readServer(pass, id);
  if (left) throw new WaitingError('ServerDeleting', `the failed server of ${key} is being deleted`, 1_000);
  forgetServer(pass);
  backOff(pass);
  throw new WaitingError(fault.reason, fault.message, (memory.retryAt ?? 0) - d.clock.now());
}
