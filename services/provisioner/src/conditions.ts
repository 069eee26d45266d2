import { type Condition, type ConditionInput, findCondition, withCondition } from '@shoto/api';
import type { ReconcileError } from '@shoto/reconciler';

/**
 * Types of the conditions that the provisioner states. Their reasons are documented in docs/conditions-provisioner.md.
 */
export const CONDITIONS = {
  /** Cluster, status.conditions: the summary. */
  ready: 'Ready',
  /** Cluster, status.infrastructure: network, subnet, router, security groups. */
  network: 'NetworkReady',
  /** Cluster, status.infrastructure: the address of the API. */
  endpoint: 'EndpointReady',
  /** Cluster, status.infrastructure: Machines are as many as asked for and their servers run. */
  machines: 'MachinesReady',
  /** Cluster, status.infrastructure: every machine is made from what the spec asks for. */
  upToDate: 'UpToDate',
  /** Cluster, status.infrastructure: the credential that its addons use in the cloud. */
  addonCredentials: 'AddonCredentialsReady',
  /** Cluster, status.infrastructure: the emergency stop of the fleet is on. */
  emergencyStop: 'EmergencyStop',
  /** Machine, status.server: its server runs. */
  server: 'ServerReady',
  /** Machine, status.server: False once the leaving control-plane machine is out of the API endpoint. */
  inEndpoint: 'InEndpoint',
  /** Region, status.provisioner: the cloud answers with these credentials. */
  region: 'Ready',
  /** Region, status.provisioner: things of ours in the cloud that belong to nobody. */
  orphans: 'Orphans',
} as const;

/** A condition that says what went well. */
export const good = (type: string, reason: string, message: string): ConditionInput => ({
  type,
  status: 'True',
  reason,
  message,
});

/** A condition that says why something is not so. */
export const bad = (type: string, reason: string, message: string): ConditionInput => ({
  type,
  status: 'False',
  reason,
  message,
});

/** Whether addon-manager says with this that addons ran and are not well any more: nothing waits for them. */
export const addonsAil = (c: Condition): boolean => c.status === 'False' && c.reason === 'Unhealthy';

/** A condition that says why a pass could not finish. */
export const ofError = (type: string, e: ReconcileError): ConditionInput => bad(type, e.reason, e.message);

/** The list with these conditions stated; the same list in content when nothing changed. */
export const stated = (
  list: readonly Condition[] | undefined,
  next: readonly ConditionInput[],
  now: number,
): Condition[] => next.reduce<Condition[]>((all, c) => withCondition(all, c, now), [...(list ?? [])]);

/** Whether a condition is stated just so. */
export function isStated(list: readonly Condition[] | undefined, c: ConditionInput): boolean {
  const have = findCondition(list, c.type);
  return have !== undefined && have.status === c.status && have.reason === c.reason && have.message === c.message;
}
