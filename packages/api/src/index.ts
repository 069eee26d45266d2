export { Blocker, ChangePlan, PlannedAction } from './change-plan.ts';
export { overlap, parseCidr } from './cidr.ts';
export { type ConditionInput, findCondition, isTrue, timestamp, withCondition } from './conditions.ts';
export { crdOf } from './crd.ts';
export { etcdMemberOf } from './etcd-member.ts';
export { type EmergencyStop, emergencyStopMessage, emergencyStopOf, FLEET_SWITCH } from './fleet-switch.ts';
export { type Keep, keepOf } from './keep.ts';
export { type KindDefinition, type KindResource, type ObjectOf, type Rule, resourceOf, type Subject } from './kind.ts';
export * from './kinds/addon.ts';
export * from './kinds/addon-bundle.ts';
export * from './kinds/addon-registry.ts';
export * from './kinds/cluster.ts';
export * from './kinds/cluster-spec.ts';
export * from './kinds/cluster-template.ts';
export * from './kinds/kubernetes-release.ts';
export * from './kinds/machine.ts';
export { DAYS, isOpen, isTimeZone, type Opening, openingOf, TIME_OF_DAY } from './kinds/maintenance-window.ts';
export * from './kinds/region.ts';
export * from './kinds/tenant.ts';
export { KINDS } from './kinds.ts';
export {
  ADDON_CREDENTIALS,
  ANNOTATIONS,
  API_VERSION,
  addonCredentialsRef,
  Condition,
  DNS_LABEL,
  FINALIZERS,
  GROUP,
  LABELS,
  type Metadata,
  tenantNamespace,
  VERSION,
  workloadSecretRef,
} from './meta.ts';
export { type FieldProblem, InvalidObjectError, type ParseOptions, parseObject } from './parse.ts';
export { compareReleases, parseRelease, RELEASE_NAME } from './release-name.ts';
export { isOffered, mayUpgrade, type ReleasePath, releasePath } from './release-path.ts';
