import { ANNOTATIONS, type Cluster, emergencyStopMessage, isTrue, type Machine } from '@shoto/api';
import { MACHINE_CONDITIONS } from '../conditions.ts';
import type { FleetStop } from '../fleet.ts';

/** What is to be done about the node of a Machine that goes. */
export type WayOut =
  /** Nothing is left to do in the workload cluster: the finalizer may go. */
  | { way: 'free' }
  /** Nothing may be done now. */
  | { way: 'wait'; reason: 'EmergencyStop' | 'ClusterPaused' | 'WaitingForMember'; message: string; isSaid: boolean }
  /** Its pods are moved first. */
  | { way: 'drain'; next: 'node' | 'member'; isMemberGone: boolean };

/**
 * Whether nobody can end the pods of this machine any more, so that a drain would wait for ever: its server is gone or goes, or self-healing has
 * seen the node silent or missing and ordered another in its place.
 */
export function isLost(m: Machine): boolean {
  const { server, health } = m.status ?? {};
  if (server?.state === 'Gone' || server?.state === 'Deleting') return true;
  return health?.unreachable === true && health.order?.action === 'Replace';
}

/** Whether its member is out of etcd. */
export const isMemberRemoved = (m: Machine): boolean =>
  isTrue(m.status?.bootstrap.conditions, MACHINE_CONDITIONS.memberRemoved);

/** Whether a person has said that its node part is to be skipped. */
export const isForced = (m: Machine): boolean => m.metadata.annotations?.[ANNOTATIONS.force] !== undefined;

const wait = (
  reason: Extract<WayOut, { way: 'wait' }>['reason'],
  message: string,
  isSaid = true,
): Extract<WayOut, { way: 'wait' }> => ({ way: 'wait', reason, message, isSaid });

const MEMBER =
  "it leaves the cluster's etcd first; the Cluster's condition EtcdHealthy says what that waits for, where it waits";

/** What a machine that is drained, or cannot be, waits for before its server may go. */
export const waitingForMember = (): Extract<WayOut, { way: 'wait' }> => wait('WaitingForMember', MEMBER);

/**
 * The way out of a Machine that is being deleted. A control-plane machine is drained before its etcd member goes: its kubelet speaks to
 * its own API server, which is deaf without etcd, so that nobody would end its pods after it.
 *
 * @param cluster - undefined where it is gone
 */
export function wayOut(machine: Machine, cluster: Cluster | undefined, stop: FleetStop): WayOut {
  const free: WayOut = { way: 'free' };
  if (!cluster || cluster.metadata.deletionTimestamp) return free;
  const { joinedAt, keyHash } = machine.status?.bootstrap ?? {};
  // kubeadm may have made it a member of etcd already, although it has not said so yet.
  const mayBeMember = machine.spec.role === 'control-plane' && keyHash !== undefined && !isMemberRemoved(machine);
  if (!cluster.status?.controlPlane.initialized || (!joinedAt && !mayBeMember)) return free;
  if (stop === 'unknown') return wait('EmergencyStop', 'it is not known yet whether the fleet is stopped', false);
  if (stop) return wait('EmergencyStop', emergencyStopMessage(stop));
  if (isForced(machine)) return free;
  if (cluster.spec.paused)
    return wait('ClusterPaused', 'the cluster is paused (spec.paused): no node is taken out until it goes on');
  const hasMember = machine.spec.role === 'control-plane' && !isMemberRemoved(machine);
  if (!joinedAt) return waitingForMember();
  if (isLost(machine)) return hasMember ? waitingForMember() : free;
  return { way: 'drain', next: hasMember ? 'member' : 'node', isMemberGone: isMemberRemoved(machine) };
}
