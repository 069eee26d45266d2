import { findCondition, type Machine } from '@shoto/api';
import { withConditionOf } from '../check-in/steps.ts';
import { MACHINE_CONDITIONS } from '../conditions.ts';
import type { MachineDeps } from '../machine-deps.ts';
import { changeBootstrap } from '../machine-status.ts';

/** What of {@link MachineDeps} it takes to say something of a Machine. */
export type SayDeps = Pick<MachineDeps, 'kube' | 'world' | 'clock'>;

/** The condition that says how far a drain is. */
export const drainedOf = (m: Machine) => findCondition(m.status?.bootstrap.conditions, MACHINE_CONDITIONS.drained);

/** The condition that says how far its volumes are. */
export const detachedOf = (m: Machine) =>
  findCondition(m.status?.bootstrap.conditions, MACHINE_CONDITIONS.volumesDetached);

/** States a condition of a Machine; no write where it says so already. @returns the Machine as it is now; undefined when it is gone */
const stateOn =
  (type: string) =>
  (
    d: SayDeps,
    machine: Machine,
    reason: string,
    message: string,
    status: 'True' | 'False' = 'False',
  ): Promise<Machine | undefined> =>
    changeBootstrap({ kube: d.kube, machines: d.world.machines }, machine, (b) =>
      withConditionOf(b, { type, status, reason, message }, d.clock.now()),
    );

/** States `Drained`. */
export const say = stateOn(MACHINE_CONDITIONS.drained);

/** States `VolumesDetached`. */
export const sayVolumes = stateOn(MACHINE_CONDITIONS.volumesDetached);

/** Takes `Drained` away: the machine is in service as ever. */
export const unsayDrained = (d: SayDeps, machine: Machine): Promise<Machine | undefined> =>
  changeBootstrap({ kube: d.kube, machines: d.world.machines }, machine, (b) => {
    const conditions = b.conditions?.filter((c) => c.type !== MACHINE_CONDITIONS.drained);
    return conditions && conditions.length !== b.conditions?.length ? { ...b, conditions } : undefined;
  });
