import { type ConditionInput, type Machine, MachineKind, resourceOf } from '@shoto/api';
import { bad, CONDITIONS, isStated, stated } from '../conditions.ts';
import type { MachinePass } from './pass.ts';

export const MACHINES = resourceOf(MachineKind);
type ServerMap = NonNullable<Machine['status']>['server'];
type State = NonNullable<ServerMap['state']>;

/** What Nova's status means for a Machine; others are in between and say nothing. */
const STATES: Record<string, State> = {
  ACTIVE: 'Active',
  SHUTOFF: 'Stopped',
  ERROR: 'Error',
  DELETED: 'Gone',
  SOFT_DELETED: 'Gone',
};

/** The state that a status of Nova's leads to; undefined while it is in between. */
export const stateOf = (status: string): State | undefined => STATES[status];

/** What may be written of a server; the conditions come beside it. */
export type ServerFields = Omit<ServerMap, 'revision' | 'conditions'>;

/** The server's map as it is stored, to be written again with a change. */
export function storedFields({ machine }: MachinePass): ServerFields {
  const { revision: _, conditions: __, ...rest } = machine.status?.server ?? { revision: 0 };
  return rest;
}

/** States why there is no server yet, if that is not stated already. One write for a problem, however long it lasts. */
export async function stateProblem(pass: MachinePass, reason: string, message: string): Promise<void> {
  await writeServer(pass, { ...storedFields(pass), state: 'Pending' }, bad(CONDITIONS.server, reason, message));
}

/** States a condition of the server's map and leaves the rest as it is. */
export async function stateCondition(pass: MachinePass, condition: ConditionInput): Promise<void> {
  await writeServer(pass, storedFields(pass), condition);
}

/** Writes the server's map, with a condition where there is one to state; nothing when all of it is stored already. */
export async function writeServer(pass: MachinePass, map: ServerFields, condition?: ConditionInput): Promise<void> {
  const { d, machine, signal } = pass;
  const have = machine.status?.server;
  const isSame =
    have?.state === map.state &&
    have?.id === map.id &&
    have?.hostId === map.hostId &&
    have?.handled === map.handled &&
    (!condition || isStated(have?.conditions, condition));
  if (isSame) return;
  const conditions = stated(have?.conditions, condition ? [condition] : [], d.clock.now());
  pass.machine = await d.kube.patchStatusMap<Machine>(MACHINES, machine, 'server', { ...map, conditions }, { signal });
  d.machines.wrote(pass.machine);
}
