import { type Cluster, compareReleases, type Machine } from '@shoto/api';
import { newestJoined } from '../upgrade/kubeadm-config.ts';
import type { CheckInRequest, RefusalReason } from './protocol.ts';
import { TICKET_SECONDS } from './ticket.ts';

/** May this caller speak for this Machine? */
export type Admission =
  | { admit: 'known' }
  | { admit: 'redeem' }
  | { admit: 'wait'; reason: string; message: string }
  | { admit: 'refuse'; reason: RefusalReason; message: string };

const refuse = (reason: RefusalReason, message: string): Admission => ({ admit: 'refuse', reason, message });

/**
 * Who may redeem a ticket that is really ours. First what no caller can mend (deleted), then whether it is the server that the cloud
 * knows, then the key that the ticket is bound to, then the time.
 *
 * @param cluster - undefined when it is gone
 * @param keyHash - of the key that the caller proved to hold
 * @param now - milliseconds since the epoch
 */
export function admission(
  machine: Machine,
  cluster: Cluster | undefined,
  instance: CheckInRequest['instance'],
  keyHash: string,
  now: number,
): Admission {
  if (machine.metadata.deletionTimestamp) return refuse('MachineDeleted', 'the machine is being deleted');
  if (!cluster || cluster.metadata.deletionTimestamp) return refuse('ClusterDeleted', 'the cluster is being deleted');

  const server = machine.status?.server;
  if (server?.state === 'Gone' || server?.state === 'Deleting') {
    return refuse('MachineDeleted', "the machine's server is being deleted");
  }
  if (server?.id && server.id !== instance.id) {
    return refuse('AddressMismatch', `the ticket is of another server than ${instance.id}`);
  }
  const bound = machine.status?.bootstrap.keyHash;
  if (bound !== undefined && bound !== keyHash) {
    return refuse('TicketUsed', 'the ticket was redeemed with another key');
  }
  if (!server?.id || !server.activeAt || !server.addresses?.length) {
    return {
      admit: 'wait',
      reason: 'ServerNotActive',
      message: "the cloud has not yet reported the machine's server as active",
    };
  }
  if (!instance.addresses.some((a) => server.addresses?.includes(a))) {
    return refuse(
      'AddressMismatch',
      `the cloud gave the server ${server.addresses.join(', ')}, the caller has ${instance.addresses.join(', ') || 'no address'}`,
    );
  }
  if (bound === keyHash) return { admit: 'known' };
  const until = Date.parse(server.activeAt) + TICKET_SECONDS * 1000;
  if (now >= until) {
    return refuse(
      'TicketExpired',
      `the ticket was good until ${new Date(until).toISOString()}, ${TICKET_SECONDS / 60} minutes after its server became active: the machine must be replaced`,
    );
  }
  return { admit: 'redeem' };
}

/** What an admitted Machine does next. */
export type Task =
  | { task: 'done' }
  | { task: 'wait'; reason: string; message: string }
  /** Ask for the turn by compare-and-swap, then decide again. */
  | { task: 'claim'; field: 'initMachine' | 'joinMachine' }
  | { task: 'init' }
  | { task: 'join' };

const wait = (reason: string, message: string): Task => ({ task: 'wait', reason, message });

/**
 * Whether the turn to join of a Machine is free again: it has joined, or never will. So is one that leaves, whose server is gone, that is to be
 * replaced, or that is older than what the control plane runs.
 *
 * @param holder - undefined where it is gone
 * @param newest - newest release that a control-plane machine has joined with
 */
export function isTurnOver(holder: Machine | undefined, newest: string | undefined): boolean {
  if (!holder || holder.metadata.deletionTimestamp || holder.status?.bootstrap.joinedAt) return true;
  const { server, health } = holder.status ?? {};
  if (server?.state === 'Gone' || server?.state === 'Deleting' || health?.order?.action === 'Replace') return true;
  return newest !== undefined && compareReleases(holder.spec.release, newest) < 0;
}

/**
 * What an admitted Machine does next. One control-plane machine makes the cluster; the others join one after the other, since etcd
 * takes one new member at a time; workers come when the API server is there.
 *
 * @param others - the Cluster's Machines as they are now, by UID: a turn that belongs to a Machine that is gone is free again
 */
export function nextTask(machine: Machine, cluster: Cluster, others: ReadonlyMap<string, Machine>): Task {
  const { uid } = machine.metadata;
  if (machine.status?.bootstrap.joinedAt) return { task: 'done' };
  if (cluster.spec.paused) return wait('ClusterPaused', 'the cluster is paused');
  if (!cluster.status?.infrastructure.endpoint) return wait('WaitingForEndpoint', 'the API endpoint is not there yet');

  const { initialized, initMachine, joinMachine } = cluster.status.controlPlane;
  if (!initialized) {
    if (machine.spec.role !== 'control-plane')
      return wait('WaitingForControlPlane', 'the first control-plane machine is not up yet');
    if (initMachine === uid) return { task: 'init' };
    // One that leaves goes on until its server is gone: two that make a control plane behind one endpoint make two clusters.
    const maker = initMachine === undefined ? undefined : others.get(initMachine);
    if (!maker) return { task: 'claim', field: 'initMachine' };
    const does = maker.metadata.deletionTimestamp
      ? 'was to make the control plane, and leaves'
      : 'makes the control plane';
    return wait('WaitingForControlPlane', `${maker.metadata.name} ${does}`);
  }
  if (machine.spec.role === 'worker') return { task: 'join' };
  const newest = newestJoined(cluster, others.values());
  if (newest !== undefined && compareReleases(machine.spec.release, newest) < 0)
    return wait(
      'ReleaseBehind',
      `the control plane runs ${newest} already, and kubeadm of ${machine.spec.release} cannot join it: the machine is replaced`,
    );
  if (joinMachine === uid) return { task: 'join' };
  const holder = joinMachine === undefined ? undefined : others.get(joinMachine);
  if (holder && !isTurnOver(holder, newest))
    return wait('WaitingForTurn', `${holder.metadata.name} joins the control plane; etcd takes one at a time`);
  return { task: 'claim', field: 'joinMachine' };
}
