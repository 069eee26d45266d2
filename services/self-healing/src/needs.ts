import { type Cluster, findCondition, isTrue, type Machine, type Region } from '@shoto/api';

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

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const spoken = (c: { status: string; reason: string } | undefined): unknown => c && [c.status, c.reason];

/** What of a Machine the deciding pass looks at. Not among it: what that pass writes itself. */
const forHealing = (m: Machine | undefined): unknown => {
  if (!m) return undefined;
  const { server, bootstrap, health } = m.status ?? {};
  return [
    m.metadata.deletionTimestamp !== undefined,
    m.metadata.annotations,
    // Whether it runs, and what ails it.
    server?.state,
    server?.activeAt,
    server?.handled,
    spoken(findCondition(server?.conditions, 'ServerReady')),
    bootstrap?.joinedAt,
    spoken(findCondition(bootstrap?.conditions, 'Joined')),
    spoken(findCondition(bootstrap?.conditions, 'TicketMisused')),
    health?.sickSince,
    spoken(findCondition(health?.conditions, 'Healthy')),
  ];
};

/**
 * Whether a change of a Machine is for the deciding pass of its region.
 *
 * @param isSuspect - whether healing has to look at a machine at all
 */
export const movesRegion = (
  now: Machine | undefined,
  before: Machine | undefined,
  isSuspect: (m: Machine) => boolean,
): boolean =>
  ((now !== undefined && isSuspect(now)) || (before !== undefined && isSuspect(before))) &&
  !same(forHealing(now), forHealing(before));

const ofCluster = (c: Cluster | undefined): unknown =>
  c && [
    c.metadata.deletionTimestamp !== undefined,
    c.spec.paused,
    c.spec.healing,
    c.status?.controlPlane?.initialized,
    spoken(findCondition(c.status?.infrastructure?.conditions, 'UpToDate')),
    spoken(findCondition(c.status?.controlPlane?.conditions, 'EndpointHealthy')),
    spoken(findCondition(c.status?.controlPlane?.conditions, 'EtcdHealthy')),
    spoken(findCondition(c.status?.health?.conditions, 'Reachable')),
  ];

/** Whether a change of a Cluster may change what is decided about its machines. */
export const clusterMovesRegion = (now: Cluster | undefined, before: Cluster | undefined): boolean =>
  before !== undefined && !same(ofCluster(now), ofCluster(before));

/** Whether a change of a Region may change what is decided: its cloud answers, or does so no more. */
export const regionChanged = (now: Region | undefined, before: Region): boolean =>
  now !== undefined &&
  findCondition(now.status?.provisioner?.conditions, 'Ready')?.status !==
    findCondition(before.status?.provisioner?.conditions, 'Ready')?.status;
