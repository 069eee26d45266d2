import { type Cluster, FINALIZERS, isTrue } from '@shoto/api';

/** Whether the Cluster waits for us before it goes. */
export const holds = (c: Cluster): boolean => c.metadata.finalizers?.includes(FINALIZERS.addons) ?? false;

/** Whether a Cluster that is new to this process needs a pass. */
export const needsWork = (c: Cluster): boolean =>
  c.metadata.deletionTimestamp
    ? holds(c)
    : !holds(c) ||
      (c.status?.controlPlane?.initialized === true &&
        (!isTrue(c.status.addons?.conditions, 'Healthy') || c.status.addons?.items?.length !== c.spec.addons.length));

/** Whether a change of a Cluster needs a pass; what this service wrote itself does not. */
export const changed = (now: Cluster | undefined, before: Cluster): boolean =>
  now !== undefined &&
  (now.metadata.generation !== before.metadata.generation ||
    now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    now.status?.controlPlane?.initialized !== before.status?.controlPlane?.initialized);
