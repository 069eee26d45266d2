import { etcdMemberOf, keepOf, type Machine, MachineKind, resourceOf } from '@shoto/api';
import { type Outcome, ReconcileError, toReconcileError } from '@shoto/reconciler';
import { isConflict, isNotFound, mayHaveHappened } from '../../cloud/errors.ts';
import { machinesOf } from '../../deps.ts';
import { decideOrder, decideReboot, type Order, openOrder } from '../decide-order.ts';
import { tell } from '../events.ts';
import type { MachinePass } from '../pass.ts';
import { storedFields, writeServer } from '../server-map.ts';
import { readServer } from './ensure-server.ts';
import { stateGone } from './follow-server.ts';

const MACHINES = resourceOf(MachineKind);

/** How soon a cap that is full, or an etcd that changes, is tried again. */
const CAP_MS = 2_000;
/** How soon a server that is between two states is looked at again. */
const BUSY_MS = 5_000;

/**
 * Carries out what self-healing ordered for this Machine: a reboot, soft or hard. Each order once: its number is stored with the deed, and what Nova did
 * since the order was given is looked at first, so that a lost answer is no second reboot. An order that the cloud refuses is handled too: the
 * next rung of the ladder is for self-healing to choose.
 *
 * @returns when to look again; undefined: there is nothing to do now
 */
export async function carryOutOrder(pass: MachinePass): Promise<Outcome> {
  const { machine, cluster, d, region, memory, uid, owner } = pass;
  const order = openOrder(machine);
  const id = machine.status?.server?.id;
  const decision = decideOrder({
    order,
    isLeaving: machine.metadata.deletionTimestamp !== undefined || cluster?.metadata.deletionTimestamp !== undefined,
    isStopped: d.emergencyStop() !== undefined,
    isPaused: cluster?.spec.paused ?? true,
    // Only workers can be kept: a kept control-plane machine would be a member of etcd that nobody heals.
    isKept: machine.spec.role === 'worker' && keepOf(machine, d.clock.now()).state === 'kept',
  });
  // The change that ends the wait wakes us.
  if (decision !== 'look' || !order || !id) return undefined;
  if (!region.deletions.enter(uid, owner.clusterUid, false)) return { requeueAfterMs: CAP_MS };
  memory.rebootedAt = d.clock.now();
  const server = await readServer(pass, id);
  const how = decideReboot(order, {
    status: server?.status,
    rebootedAt: server ? await lastReboot(pass, id) : undefined,
  });
  if (how === 'Gone') return await gone(pass, order, id);
  if (how === 'Busy') {
    if (d.clock.now() - Date.parse(order.at) < d.times.recheckMs) return { requeueAfterMs: BUSY_MS };
    return await refused(pass, order, `the server ${id} is ${server?.status} and does not come out of it`);
  }
  if (how !== 'Done') {
    if (await isEtcdChanging(pass)) return { requeueAfterMs: CAP_MS };
    try {
      await region.cloud.call(
        `reboot the server of ${pass.key}`,
        (c, o) => c.compute.servers.reboot(id, how, o),
        pass.signal,
      );
    } catch (e) {
      if (isNotFound(e)) return await gone(pass, order, id);
      const error = toReconcileError(e);
      if (isConflict(e) || (error instanceof ReconcileError && error.kind === 'terminal' && !mayHaveHappened(e)))
        return await refused(pass, order, error.message);
      throw e;
    }
  }
  region.servers.expect(id);
  await writeServer(pass, { ...storedFields(pass), handled: order.number });
  await tell(
    pass,
    { type: 'Normal', reason: how === 'HARD' ? 'HardRebooted' : 'Rebooted', action: 'Reboot' },
    `the server ${id} was rebooted (order ${order.number} of self-healing: ${order.reason})`,
  );
  return { requeueAfterMs: d.times.lookAgainMs };
}

/**
 * Whether a member of this machine's etcd is being taken out at this moment, by a look past the cache: the quorum that the order was given by may be
 * another then. Who takes members out looks for orders after saying so, hence one of the two sees the other.
 */
async function isEtcdChanging({ d, machine, cluster, signal }: MachinePass): Promise<boolean> {
  if (machine.spec.role !== 'control-plane' || !cluster) return false;
  const leaving = machinesOf(d, cluster).filter((m) => m.spec.role === 'control-plane' && m.metadata.deletionTimestamp);
  const live = await Promise.all(leaving.map((m) => d.kube.get<Machine>(MACHINES, m.metadata, { signal })));
  return live.some((m) => m !== undefined && etcdMemberOf(m) === 'leaving');
}

/** A reboot counts among what is being deleted until its server runs again: a cap on all that hurts at once. */
export function afterReboot(pass: MachinePass): void {
  const { memory, region, d, machine, uid } = pass;
  if (memory.rebootedAt === undefined) return;
  const id = machine.status?.server?.id;
  const isUp = id !== undefined && region.servers.get(id)?.status === 'ACTIVE';
  if (!isUp && d.clock.now() - memory.rebootedAt < d.times.unsureMs) return;
  delete memory.rebootedAt;
  region.deletions.leave(uid);
}

async function gone(pass: MachinePass, order: Order, id: string): Promise<Outcome> {
  await stateGone(pass, { handled: order.number });
  // A server in the cloud's bin is no state of its own: the order is handled all the same.
  if (openOrder(pass.machine)) await writeServer(pass, { ...storedFields(pass), handled: order.number });
  return await over(pass, order, `there is no server ${id} any more`);
}

async function refused(pass: MachinePass, order: Order, why: string): Promise<Outcome> {
  await writeServer(pass, { ...storedFields(pass), handled: order.number });
  return await over(pass, order, why);
}

async function over(pass: MachinePass, order: Order, why: string): Promise<Outcome> {
  delete pass.memory.rebootedAt;
  pass.region.deletions.leave(pass.uid);
  await tell(
    pass,
    { type: 'Warning', reason: 'RebootRefused', action: 'Reboot' },
    `order ${order.number} of self-healing (${order.action}: ${order.reason}) could not be carried out: ${why}`,
  );
  return undefined;
}

/** When Nova was last asked to reboot the server, as it writes times. */
async function lastReboot(pass: MachinePass, id: string): Promise<string | undefined> {
  const actions = await pass.region.cloud.find(
    `look up what was done with the server of ${pass.key}`,
    (c, o) => c.compute.servers.actions(id, { limit: 20 }, o).all(),
    pass.signal,
  );
  return actions
    ?.filter((a) => a.action === 'reboot')
    .map((a) => a.start_time)
    .sort()
    .at(-1);
}
