import { type EmergencyStop, emergencyStopOf, FLEET_SWITCH } from '@shoto/api';
import { CONFIGMAPS, type HasMeta, type KubeClient, WatchedObject } from '@shoto/kube';

interface ConfigMap extends HasMeta {
  data?: Record<string, string>;
}

/** The emergency stop of the fleet, watched. */
export interface Fleet {
  /** As Deps has it: undefined = off, `unknown` until it was looked at. */
  stop: () => { stop: EmergencyStop } | 'unknown' | undefined;
  /** Resolves when it is known. */
  known: Promise<void>;
  start: () => void;
  close: () => Promise<void>;
}

/**
 * Watches the switch.
 *
 * @param onChange - it is known now, or is another than before: what waits for it must look again. Told of a first look only when the stop is on, or
 *   somebody was told before that it is not known
 */
export function watchFleet(o: {
  kube: KubeClient;
  systemNamespace: string;
  onError: (e: unknown) => void;
  onChange: () => void;
}): Fleet {
  let known = false;
  let toldUnknown = false;
  const watched = new WatchedObject<ConfigMap>({
    client: o.kube,
    type: CONFIGMAPS,
    ref: { namespace: o.systemNamespace, name: FLEET_SWITCH },
    trim: ({ metadata, data }) => ({ metadata, ...(data ? { data } : {}) }),
    onError: o.onError,
    onChange: (now) => {
      const isFirst = !known;
      known = true;
      if (!isFirst || now || toldUnknown) o.onChange();
    },
  });
  return {
    stop: () => {
      if (!known) {
        toldUnknown = true;
        return 'unknown';
      }
      const stop = emergencyStopOf(watched.get());
      return stop && { stop };
    },
    known: watched.synced,
    start: () => watched.start(),
    close: () => watched.stop(),
  };
}
