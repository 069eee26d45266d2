import type { Addon } from '@shoto/api';
import type { EventRecord } from '@shoto/kube';
import type { Deps } from '../deps.ts';

/** Records an Event of an Addon; nothing where that is not there (yet). */
export function tellOf(
  d: Pick<Deps, 'events'>,
  addon: Addon | undefined,
  e: Pick<EventRecord, 'type' | 'reason' | 'message' | 'action'>,
): void {
  const { namespace, name, uid } = addon?.metadata ?? {};
  if (!addon || !name || !namespace || !uid) return;
  d.events({
    regarding: { apiVersion: addon.apiVersion, kind: 'Addon', namespace, name, uid },
    reportingController: 'shoto.dev/addon-manager',
    ...e,
  });
}
