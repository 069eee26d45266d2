import { type ConditionInput, type Machine, MachineKind, resourceOf, timestamp } from '@shoto/api';
import { type Outcome, RetryableError, WaitingError } from '@shoto/reconciler';
import { faultOf } from '../../cloud/errors.ts';
import { bad, CONDITIONS, good, isStated, stated } from '../../conditions.ts';
import type { ServerView } from '../../region/server-poller.ts';
import type { MachinePass } from '../pass.ts';
import { findPort } from './ensure-port.ts';
import { backOff, readServer } from './ensure-server.ts';

export const MACHINES = resourceOf(MachineKind);
type ServerMap = NonNullable<Machine['status']>['server'];
type State = NonNullable<ServerMap['state']>;

/** What Nova's status means for a Machine; others are in between and say nothing. */
const STATES: Record<string, State> = {
  ACTIVE: 'Active',
  SHUTOFF: 'Stopped',
  ERROR: 'Error',
  DELETED: 'Gone',
  SOFT_DELETED: 'Gone',
};

/** The state that a status of Nova's leads to; undefined while it is in between. */
export const stateOf = (status: string): State | undefined => STATES[status];

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
  const view: Pick<ServerView, 'status' | 'zone'> | undefined = listed ?? (await live(pass, id));
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
      await write(
        pass,
        {
          state,
          id,
          portId: port.id,
          addresses: [port.address],
          ...(view.zone ? { zone: view.zone } : {}),
          activeAt: machine.status?.server.activeAt ?? timestamp(d.clock.now()),
        },
        good(CONDITIONS.server, 'Active', 'the server runs'),
      );
      memory.failures = 0;
      delete memory.retryAt;
    }
  }
}

/** A server that ran already: says what became of it. To mend it is the business of self-healing. */
export async function followServer(pass: MachinePass): Promise<void> {
  const id = pass.machine.status?.server?.id;
  if (!id) return;
  const view = pass.region.servers.get(id);
  if (view) await stateServer(pass, view.status);
}

/**
 * The server of a Machine that goes, while its node is not out of its cluster yet: a node whose server is gone needs no drain and could never
 * be drained, so that it is gone must be told. What no list tells (it was deleted while nobody looked) a look of our own does, seldom.
 */
export async function followLeaving(pass: MachinePass): Promise<Outcome> {
  const { machine, region, memory, cluster, d } = pass;
  const server = machine.status?.server;
  // With the whole cluster no node is waited for.
  if (!server?.id || server.state === 'Gone' || !cluster || cluster.metadata.deletionTimestamp) return undefined;
  const now = d.clock.now();
  const listed = region.servers.get(server.id)?.status;
  // A list is believed for a while: most nodes are out long before that.
  memory.leavingLookedAt ??= listed && stateOf(listed) !== 'Gone' ? now : Number.NEGATIVE_INFINITY;
  if (now - memory.leavingLookedAt < d.times.recheckMs) await followServer(pass);
  else {
    const found = await readServer(pass, server.id);
    memory.leavingLookedAt = now;
    await stateServer(pass, found?.status ?? 'DELETED');
  }
  if (pass.machine.status?.server?.state === 'Gone') return undefined;
  return { requeueAfterMs: memory.leavingLookedAt + d.times.recheckMs - now };
}

/** States what a status of Nova's means for a server that ran already. */
async function stateServer(pass: MachinePass, status: string): Promise<void> {
  const { machine } = pass;
  const server = machine.status?.server;
  const id = server?.id;
  if (!server || !id) return;
  let state = stateOf(status);
  if (state === undefined || state === server.state) return;
  let condition: ConditionInput = good(CONDITIONS.server, 'Active', 'the server runs');
  if (state === 'Gone') {
    // A list may say so of a server that is only on its way; gone is what the cloud says of it alone.
    const left = await readServer(pass, id);
    const isOff = left?.status === 'SOFT_DELETED' && machine.metadata.deletionTimestamp !== undefined;
    if (left && !isOff) state = server.state ?? 'Active';
    else
      condition = bad(
        CONDITIONS.server,
        'ServerGone',
        machine.metadata.deletionTimestamp
          ? `the server ${id} was deleted, and not by Shoto: its node goes without a drain`
          : `the server ${id} was deleted, and not by Shoto: delete the machine to have it replaced`,
      );
  }
  if (state === 'Stopped') condition = bad(CONDITIONS.server, 'ServerStopped', `the server ${id} is shut off`);
  if (state === 'Error') {
    const fault = faultOf((await readServer(pass, id))?.fault);
    condition = bad(CONDITIONS.server, 'ServerFailed', `the server ${id} is in ERROR: ${fault.message}`);
  }
  if (state === server.state) return;
  const { revision: _, conditions: __, ...rest } = server;
  await write(pass, { ...rest, state }, condition);
}

/** States why there is no server yet, if that is not stated already. One write for a problem, however long it lasts. */
export async function stateProblem(pass: MachinePass, reason: string, message: string): Promise<void> {
  const { revision: _, conditions: __, ...rest } = pass.machine.status?.server ?? { revision: 0 };
  await write(pass, { ...rest, state: 'Pending' }, bad(CONDITIONS.server, reason, message));
}

/** States a condition of the server's map and leaves the rest as it is. */
export async function stateCondition(pass: MachinePass, condition: ConditionInput): Promise<void> {
  const { revision: _, conditions: __, ...rest } = pass.machine.status?.server ?? { revision: 0 };
  await write(pass, rest, condition);
}

async function write(
  pass: MachinePass,
  map: Omit<ServerMap, 'revision' | 'conditions'>,
  condition: ConditionInput,
): Promise<void> {
  const { d, machine, signal } = pass;
  const have = machine.status?.server;
  if (have?.state === map.state && have?.id === map.id && isStated(have?.conditions, condition)) return;
  const conditions = stated(have?.conditions, [condition], d.clock.now());
  pass.machine = await d.kube.patchStatusMap<Machine>(MACHINES, machine, 'server', { ...map, conditions }, { signal });
  d.machines.wrote(pass.machine);
}

async function live(pass: MachinePass, id: string): Promise<{ status: string; zone: string | undefined } | undefined> {
  const server = await readServer(pass, id);
  return server && { status: server.status, zone: server['OS-EXT-AZ:availability_zone'] || undefined };
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
  await region.cloud.remove(`delete the failed server of ${key}`, (c, o) => c.compute.servers.delete(id, o), signal);
  const left = await readServer(pass, id);
  if (left) throw new WaitingError('ServerDeleting', `the failed server of ${key} is being deleted`, 1_000);
  forgetServer(pass);
  backOff(pass);
  throw new WaitingError(fault.reason, fault.message, (memory.retryAt ?? 0) - d.clock.now());
}
