import { isDeepStrictEqual } from 'node:util';
import { type Addon, type AddonRegistry, ANNOTATIONS, type Cluster, FINALIZERS, findCondition } from '@shoto/api';

/** Whether the Cluster waits for us before it goes. */
export const holds = (c: Cluster): boolean => c.metadata.finalizers?.includes(FINALIZERS.addons) ?? false;

/** Whether a Cluster that is new to this process needs a pass: one whose addons are there too, since they are to be watched. */
export const needsWork = (c: Cluster): boolean =>
  c.metadata.deletionTimestamp ? holds(c) : !holds(c) || c.status?.controlPlane?.initialized === true;

/** What other services say of a Cluster that its addons go by. */
const heard = ({ status }: Cluster): unknown => [
  status?.controlPlane?.initialized,
  status?.infrastructure?.release,
  status?.infrastructure?.rollout?.release,
  status?.infrastructure?.endpoint?.internal,
  findCondition(status?.infrastructure?.conditions, 'UpToDate')?.reason,
  findCondition(status?.infrastructure?.conditions, 'AddonCredentialsReady')?.status,
  status?.infrastructure?.addonCredentials?.current?.id,
];

/** Whether a change of a Cluster needs a pass; what this service wrote itself does not. */
export const changed = (now: Cluster | undefined, before: Cluster): boolean =>
  now !== undefined &&
  (now.metadata.generation !== before.metadata.generation ||
    now.metadata.deletionTimestamp !== before.metadata.deletionTimestamp ||
    !isDeepStrictEqual(heard(now), heard(before)));

/** Whether a change of an AddonRegistry is worth a look at it: of its spec, or somebody asks for one. */
export const registryAsks = (now: AddonRegistry | undefined, before: AddonRegistry): boolean =>
  now !== undefined &&
  (now.metadata.generation !== before.metadata.generation ||
    now.metadata.annotations?.[ANNOTATIONS.pollNow] !== before.metadata.annotations?.[ANNOTATIONS.pollNow]);

/** Whether somebody asks for an addon's update to be tried again, or took the Addon away. */
export const addonAsks = (now: Addon | undefined, before: Addon | undefined): boolean =>
  before !== undefined &&
  (now === undefined ||
    now.metadata.annotations?.[ANNOTATIONS.retry] !== before.metadata.annotations?.[ANNOTATIONS.retry]);
