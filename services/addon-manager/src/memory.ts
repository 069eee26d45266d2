import type { Conflict } from './apply/apply.ts';
import { type Inventory, type Item, idOf } from './apply/inventory.ts';
import type { HealthMemory } from './health/known.ts';

/** How often everything of an addon is compared, also what no watch told of. */
export const SLOW_PASS_MS = 6 * 3_600_000;

/** What a process knows of one cluster: forgotten with it, and found again in the cluster itself. */
export interface ClusterMemory extends HealthMemory {
  /** Undefined until they were read. */
  inventories: Map<string, Inventory> | undefined;
  /** What this process applied whole, by addon: it need not do so again while health is waited for; without input where that is over. */
  applied: Map<string, { input?: string; items: readonly Item[]; conflicts: readonly Conflict[]; at: number }>;
  /** Of what is not rolled out in time, which pod does not run and why, by addon: a late rollout is looked at often, and its pods are not. */
  latePods: Map<string, { problem: string; said: string | undefined; at: number }>;
  /** Identities of objects that may have drifted, by addon. */
  dirty: Map<string, Set<string>>;
  /** When everything of an addon is compared next, milliseconds since the epoch. */
  slowPassAt: Map<string, number>;
  /** What our rights on custom objects were written for last; undefined until they were looked at. */
  crdRights: string | undefined;
}

/** What a process knows of all clusters, by UID. */
export class Memory {
  readonly #clusters = new Map<string, ClusterMemory>();

  of(uid: string): ClusterMemory {
    let known = this.#clusters.get(uid);
    if (!known) {
      known = {
        inventories: undefined,
        applied: new Map(),
        latePods: new Map(),
        dirty: new Map(),
        slowPassAt: new Map(),
        health: new Map(),
        lookAt: undefined,
        crdRights: undefined,
      };
      this.#clusters.set(uid, known);
    }
    return known;
  }

  forget(uid: string): void {
    this.#clusters.delete(uid);
  }
}

/**
 * Takes in what a watch saw of an object. It is suspect where our fields are not as they were applied; while an addon is being applied its objects
 * change by our own hand.
 *
 * @returns whether a pass is needed
 */
export function suspect(memory: ClusterMemory, s: { addon: string; id: string; owned: string | undefined }): boolean {
  const inventory = memory.inventories?.get(s.addon);
  const item = inventory?.items.find((i) => idOf(i) === s.id);
  if (!inventory?.settled || !item || item.owned === s.owned) return false;
  const dirty = memory.dirty.get(s.addon) ?? new Set<string>();
  memory.dirty.set(s.addon, dirty);
  dirty.add(s.id);
  return true;
}

/** When an addon is compared as a whole for the first time: spread, so that a fleet does not come at once. */
export function firstSlowPass(uid: string, addon: string, now: number): number {
  let h = 0;
  for (const c of `${uid}/${addon}`) h = (h * 31 + c.charCodeAt(0)) >>> 0;
  return now + (h % SLOW_PASS_MS);
}
