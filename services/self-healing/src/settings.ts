/** Times and limits of healing. All times in milliseconds. */
export interface Settings {
  /** How long a node may be silent, missing or not ready. */
  silentMs: number;
  /** How long a machine may take from its server's start to its join; a control-plane machine twice that, since they take turns. */
  joinMs: number;
  /** How long a node may be short of disk, memory or process ids, or have services that keep restarting. */
  pressureMs: number;
  /** How long a file system may be read-only, or a kernel hang. */
  brokenMs: number;
  /** How old a sign must be that is acted on at once: those that fail together are then seen together. */
  settleMs: number;
  /** How long a reboot is given to help before the next rung. */
  helps: { Reboot: number; HardReboot: number };
  /** After this an order that nobody carried out is said to be stuck. */
  stuckMs: number;
  /** A machine that was well for this long begins at the lowest rung again. */
  decayMs: number;
  /** Pause between the two full observations of a cluster's nodes before anything is done about one of them. */
  observeMs: number;
  /** Calm that must follow a storm before orders go on. */
  coolingMs: number;
  /** Above this share of sick machines, from 0 to 1, of a pool, zone, cluster or region nothing is ordered there. */
  share: number;
  /** Machines of one host or zone that fell sick within this time of one another fell sick together. */
  togetherMs: number;
}

const MINUTE = 60_000;

export const DEFAULTS: Settings = {
  silentMs: 5 * MINUTE,
  joinMs: 15 * MINUTE,
  pressureMs: 10 * MINUTE,
  brokenMs: MINUTE,
  settleMs: 30_000,
  helps: { Reboot: 5 * MINUTE, HardReboot: 10 * MINUTE },
  stuckMs: 10 * MINUTE,
  decayMs: 60 * MINUTE,
  observeMs: MINUTE,
  coolingMs: 10 * MINUTE,
  share: 0.4,
  togetherMs: 60 * MINUTE,
};
