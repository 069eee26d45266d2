import { API_VERSION } from '@shoto/api';
import type { EventRecord } from '@shoto/kube';
import type { MachinePass } from './pass.ts';

/** What kind of thing happened to a Machine. */
export type MachineEvent = Pick<EventRecord, 'type' | 'reason' | 'action'>;

/** Records an Event on the pass's Machine. Never throws: what it tells is in a condition too. */
export async function tell({ d, machine, uid }: MachinePass, e: MachineEvent, message: string): Promise<void> {
  const { name, namespace } = machine.metadata;
  await d.events({
    ...e,
    message,
    regarding: { apiVersion: API_VERSION, kind: 'Machine', name, uid, ...(namespace ? { namespace } : {}) },
    reportingController: 'shoto.dev/provisioner',
  });
}
