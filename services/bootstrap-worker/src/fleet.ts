import { type EmergencyStop, emergencyStopOf, FLEET_SWITCH } from '@shoto/api';
import { CONFIGMAPS, type HasMeta, type KubeClient, WatchedObject } from '@shoto/kube';

interface ConfigMap extends HasMeta {
  data?: Record<string, string>;
}

/** How the emergency stop of the fleet stands: on, not known yet (which counts as on), or off. */
export type FleetStop = EmergencyStop | 'unknown' | undefined;

/** The emergency stop of the fleet, watched. */
export interface Fleet {
  stop: () => FleetStop;
  start: () => void;
  close: () => Promise<void>;
}

/**
 * Watches the switch.
 *
 * @param o.onChange - it is known now, or is another than before: what waits for it may go on
 */
export function watchFleet(o: {
  kube: KubeClient;
  systemNamespace: string;
  onError: (e: unknown) => void;
  onChange: () => void;
}): Fleet {
  const watched = new WatchedObject<ConfigMap>({
    client: o.kube,
    type: CONFIGMAPS,
    ref: { namespace: o.systemNamespace, name: FLEET_SWITCH },
    onError: o.onError,
    onChange: o.onChange,
  });
  return {
    stop: () => (watched.isSynced ? emergencyStopOf(watched.get()) : 'unknown'),
    start: () => watched.start(),
    close: () => watched.stop(),
  };
}
