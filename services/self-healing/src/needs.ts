import { type Cluster, isTrue, type Machine } from '@shoto/api';

/** Whether a Cluster that is new to this process needs a pass: every live one, since its watch is in nobody's memory. */
export const clusterNeedsWork = (c: Cluster): boolean =>
  c.metadata.deletionTimestamp !== undefined || c.status?.controlPlane?.initialized === true;

/** Whether a change of a Cluster needs a pass; what this service wrote itself does not. */
export const clusterChanged = (now: Cluster | undefined, before: Cluster): boolean =>
  now?.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
  now?.status?.controlPlane?.initialized !== before.status?.controlPlane?.initialized ||
  now === undefined;

/** Whether a Machine that is new to this process needs a pass: one whose health is not known to be good. */
export const machineNeedsWork = (m: Machine): boolean =>
  !m.metadata.deletionTimestamp && !m.status?.health?.ready && isTrue(m.status?.bootstrap?.conditions, 'Joined');

/** Whether a change of a Machine needs a pass: it has joined. Its node's own changes come by the watch of nodes. */
export const machineChanged = (now: Machine | undefined, before: Machine): boolean =>
  now !== undefined &&
  isTrue(now.status?.bootstrap?.conditions, 'Joined') &&
  !isTrue(before.status?.bootstrap?.conditions, 'Joined');
