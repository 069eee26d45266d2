/** Limits of a {@link DeletionCap}. */
export interface DeletionLimits {
  perRegion: number;
  /** For a cluster that lives on; one that is being deleted has only the region's limit. */
  perCluster: number;
}

const DELETION_LIMITS: DeletionLimits = { perRegion: 50, perCluster: 10 };

/** How many servers may be on their way out at once, whoever asks: a brake on mistakes of ours and of others. */
export class DeletionCap {
  readonly #limits: DeletionLimits;
  readonly #running = new Map<string, string>();

  constructor(limits: DeletionLimits = DELETION_LIMITS) {
    this.#limits = limits;
  }

  /**
   * Asks for the deletion of a Machine's server; one that was let in stays so until `leave`.
   * @param whole - the whole cluster goes
   */
  enter(machineUid: string, clusterUid: string, whole: boolean): boolean {
    if (this.#running.has(machineUid)) return true;
    if (this.#running.size >= this.#limits.perRegion) return false;
    if (!whole) {
      let ofCluster = 0;
      for (const uid of this.#running.values()) if (uid === clusterUid) ofCluster++;
      if (ofCluster >= this.#limits.perCluster) return false;
    }
    this.#running.set(machineUid, clusterUid);
    return true;
  }

  leave(machineUid: string): void {
    this.#running.delete(machineUid);
  }
}
