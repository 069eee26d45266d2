import { type ClusterSpec, emergencyStopMessage, openingOf, timestamp } from '@shoto/api';
import type { Deps } from '../deps.ts';
import type { Standing } from './standing.ts';

/** Why something is not done now. */
export interface Hold {
  reason: string;
  message: string;
}

/** What a tenant's quota keeps from being done. */
export interface Shortage extends Hold {
  /** Machines that counts ask for are missing; else it is only a replacement that waits. */
  isGrowth: boolean;
}

/** What may not be done now. */
export interface Gates {
  /** Nothing may be removed. */
  removals: Hold | undefined;
  /** No replacement of an outdated machine may begin; sizing and lost machines do not wait for it. */
  starts: Hold | undefined;
  /** Sick machines: while there are any, no replacement begins either. */
  sick: readonly Standing[];
  /** When a maintenance window that is closed opens, milliseconds since the epoch. */
  opensAt?: number;
}

/**
 * What holds a cluster's machines as they are: the emergency stop, a closed maintenance window, sick machines.
 *
 * @param now - milliseconds since the epoch
 */
export function gatesOf(
  spec: Pick<ClusterSpec, 'maintenanceWindow'>,
  stop: ReturnType<Deps['emergencyStop']>,
  standing: readonly Standing[],
  now: number,
): Gates {
  const sick = standing.filter((s) => s.sick);
  if (stop) {
    const message =
      stop === 'unknown'
        ? 'it is not known yet whether the emergency stop of the fleet is on: nothing is removed until it is'
        : emergencyStopMessage(stop.stop);
    const held = { reason: 'EmergencyStop', message };
    return { removals: held, starts: held, sick };
  }
  const window = spec.maintenanceWindow;
  const opening = window && openingOf(window, now);
  if (!opening || opening.opensAt <= now) return { removals: undefined, starts: undefined, sick };
  const starts = {
    reason: 'OutsideMaintenanceWindow',
    message: `the maintenance window opens at ${timestamp(opening.opensAt)}`,
  };
  return { removals: undefined, starts, sick, opensAt: opening.opensAt };
}

/** Which machines are waited for, in one line. */
export function healthHold(sick: readonly Standing[]): Hold {
  const [first] = sick.map((s) => s.name).sort();
  const more = sick.length > 1 ? ` (and ${sick.length - 1} more)` : '';
  return {
    reason: 'WaitingForHealth',
    message: `no further machine is replaced while ${first}${more} is sick: it goes on when self-healing, or a person, has mended it`,
  };
}
