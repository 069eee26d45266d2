import { emergencyStopMessage } from '@shoto/api';
import { WaitingError } from '@shoto/reconciler';
import type { MachinePass } from './pass.ts';

/**
 * Nothing goes while the emergency stop of the fleet is on, or is not known, or the Cluster, that stays, is paused.
 *
 * @throws {WaitingError} `EmergencyStop`, `Paused`. The change that ends the wait wakes the Machine
 */
export function mayDestroy({ d, key, cluster }: MachinePass): void {
  const stop = d.emergencyStop();
  if (stop !== undefined)
    throw new WaitingError(
      'EmergencyStop',
      stop === 'unknown'
        ? `${key} waits to know whether the emergency stop of the fleet is on`
        : emergencyStopMessage(stop.stop),
      d.times.recheckMs,
    );
  if (cluster?.spec.paused && !cluster.metadata.deletionTimestamp)
    throw new WaitingError('Paused', `${key} waits until spec.paused of its cluster is false`, d.times.recheckMs);
}
