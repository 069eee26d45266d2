/**
 * The emergency stop of the whole fleet: one ConfigMap that every service watches. While it is on, no service does anything that
 * destroys: no machine is drained, rebooted, replaced or deleted, no etcd member removed, no cluster torn down.
 */
export const FLEET_SWITCH = 'fleet-emergency-stop';

/** What the ConfigMap holds in `data`. */
export interface EmergencyStop {
  /** Why, for people. */
  reason: string;
  /** Who. */
  by: string;
  /** Since when, RFC 3339. */
  since: string;
}

/**
 * Whether the stop is on. The ConfigMap alone is the switch: there, it is on, whatever it says.
 *
 * @param configMap - in the system namespace, by the name {@link FLEET_SWITCH}; undefined where there is none
 */
export function emergencyStopOf(configMap: { data?: Record<string, string> } | undefined): EmergencyStop | undefined {
  if (!configMap) return undefined;
  const { reason = 'no reason given', by = 'somebody', since = '' } = configMap.data ?? {};
  return { reason, by, since };
}

/** The stop in one line, for conditions. */
export const emergencyStopMessage = (s: EmergencyStop): string =>
  `the emergency stop of the fleet is on${s.since ? ` since ${s.since}` : ''} (${s.by}: ${s.reason}): nothing is drained, rebooted, replaced or deleted; it goes on when an SRE runs shoto fleet resume`;
