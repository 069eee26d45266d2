import type { HealthCheck } from '@shoto/bundle';
import { type Inventory, idOf } from '../apply/inventory.ts';

/** How long after an object has changed it is looked at: a rolling update changes it many times, and costs few looks. */
export const LOOK_AFTER_MS = 10_000;

/** How an addon that runs is, as far as this process has looked. */
export interface KnownHealth {
  /** What of the addon this is about: its bundle and the digest of its objects. */
  of: string;
  /** By identity of the object, what is asked of it. */
  checks: ReadonlyMap<string, readonly HealthCheck[]>;
  /** Identities of objects that have changed since they were looked at. */
  changed: Set<string> | undefined;
  /** What does not hold, by identity of the object, the oldest first; `since` in milliseconds since the epoch. */
  problems: Map<string, { message: string; since: number }> | undefined;
}

/** What a process knows of the health of a cluster's addons. */
export interface HealthMemory {
  /** How addons that run are, by addon. */
  health: Map<string, KnownHealth>;
  /** When objects that have changed are looked at, milliseconds since the epoch; undefined while none has. */
  lookAt: number | undefined;
}

/** What {@link KnownHealth} is about. */
export const healthOf = (i: Inventory): string => `${i.bundle} ${i.digest}`;

/**
 * The health of an addon of which nothing is known but that it runs. Asked about is what is watched: objects of the addon that are no Secrets. A Job
 * that was complete stays so, and may be gone.
 */
export function knownHealth(inventory: Inventory): KnownHealth {
  const own = new Set(inventory.items.map(idOf));
  const asked = (inventory.checks ?? []).filter((c) => own.has(idOf(c)) && c.kind !== 'Secret' && c.kind !== 'Job');
  return {
    of: healthOf(inventory),
    checks: Map.groupBy(asked, idOf),
    // Made when they are needed: nearly all addons of a fleet are well.
    changed: undefined,
    problems: undefined,
  };
}

/**
 * Takes in that an object has changed in any way, its status included. All that changes until the next look is looked at then, each object once.
 *
 * @param now - milliseconds since the epoch
 * @returns in how many milliseconds a pass is needed; undefined where none is, or one is on its way
 */
export function noteChange(memory: HealthMemory, s: { addon: string; id: string }, now: number): number | undefined {
  const known = memory.health.get(s.addon);
  if (!known?.checks.has(s.id)) return undefined;
  known.changed ??= new Set();
  known.changed.add(s.id);
  if (memory.lookAt !== undefined && memory.lookAt > now) return undefined;
  memory.lookAt = now + LOOK_AFTER_MS;
  return LOOK_AFTER_MS;
}
