import type { Machine } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import type { Bootstrap } from './check-in/steps.ts';
import { type Freshest, type Kube, MACHINES } from './world.ts';

/** Tries when others write the same map at the same time: replicas that serve the same machine. */
const TRIES = 5;

/** What a Machine without any status has in this service's map. */
const bootstrapOf = (m: Machine): Bootstrap => m.status?.bootstrap ?? { revision: 0 };

/**
 * Changes this service's map of a Machine by compare-and-swap. When another replica was first, the Machine is read live and the change is
 * decided again on what is there now.
 *
 * @param change - pure; undefined = nothing to write
 * @returns the Machine as it is now; undefined when it is gone
 * @throws {KubeError}
 */
export async function changeBootstrap(
  d: { kube: Kube; machines: Freshest<Machine> },
  machine: Machine,
  change: (before: Bootstrap) => Bootstrap | undefined,
): Promise<Machine | undefined> {
  let current = machine;
  for (let tries = 1; ; tries++) {
    const next = change(bootstrapOf(current));
    if (!next) return current;
    try {
      return d.machines.note(await d.kube.patchStatusMap(MACHINES, current, 'bootstrap', next));
    } catch (e) {
      if (e instanceof KubeError && e.isNotFound) return undefined;
      if (!(e instanceof KubeError && e.isConflict) || tries >= TRIES) throw e;
      const live = await d.kube.get<Machine>(MACHINES, machine.metadata);
      if (live?.metadata.uid !== machine.metadata.uid || !live) return undefined;
      current = d.machines.note(live);
    }
  }
}
