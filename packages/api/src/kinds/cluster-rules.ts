import { overlap } from '../cidr.ts';
import type { Rule } from '../kind.ts';
import { DNS_LABEL } from '../meta.ts';
import { compareReleases, parseRelease } from '../release-name.ts';
import {
  CLUSTER_NAME_MAX,
  type ClusterSpec,
  isNone,
  NO_ROOM,
  type NodePool,
  SERVER_GROUP_FIXED,
} from './cluster-spec.ts';
import { isTimeZone, NO_TIME_ZONE } from './maintenance-window.ts';

const MINOR = (field: string) => `int(${field}.split('.')[1])`;
const PATCH = (field: string) => `int(${field}.split('.')[2].split('-')[0])`;
const REVISION = (field: string) => `(${field}.contains('-') ? int(${field}.split('-')[1]) : 0)`;
/** CEL: release `a` is not older than release `b`. */
const notOlder = (a: string, b: string) =>
  `(${MINOR(a)} * 1000000 + ${PATCH(a)} * 1000 + ${REVISION(a)}) >= (${MINOR(b)} * 1000000 + ${PATCH(b)} * 1000 + ${REVISION(b)})`;

const disjoint = (
  a: 'podCIDR' | 'serviceCIDR' | 'nodeCIDR',
  b: 'podCIDR' | 'serviceCIDR' | 'nodeCIDR',
): Rule<ClusterSpec> => ({
  // Two networks share an address exactly when the wider one holds the first address of the narrower one.
  cel: `!(cidr(self.spec.network.${a}).prefixLength() <= cidr(self.spec.network.${b}).prefixLength() ? cidr(self.spec.network.${a}).containsCIDR(cidr(self.spec.network.${b}).masked()) : cidr(self.spec.network.${b}).containsCIDR(cidr(self.spec.network.${a}).masked()))`,
  message: `${a} and ${b} overlap: choose networks that share no address`,
  fieldPath: `.spec.network.${a}`,
  check: ({ spec }) => !overlap(spec.network[a], spec.network[b]),
});

const fixed = (field: 'region' | 'network', why: string): Rule<ClusterSpec> => ({
  cel: `self.spec.${field} == oldSelf.spec.${field}`,
  message: `${field} cannot change${why}`,
  fieldPath: `.spec.${field}`,
  check: (now, before) => !before || same(now.spec[field], before.spec[field]),
});

/** A rule that the CRD holds on each pool. @param isWrong - asked of a pool and of what it was before */
const ofPools = (
  message: string,
  isWrong: (pool: NodePool, before: NodePool | undefined) => boolean,
): Rule<ClusterSpec> => {
  const items: Rule<ClusterSpec>['items'] = (now, before) =>
    now.spec.nodePools.flatMap((p, i) =>
      isWrong(
        p,
        before?.spec.nodePools.find((x) => x.name === p.name),
      )
        ? [i]
        : [],
    );
  return { message, fieldPath: '.spec.nodePools', items, check: (now, before) => items(now, before).length === 0 };
};

/** Deep equality of plain data, whatever the order of the keys. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const ka = Object.keys(a);
  if (ka.length !== Object.keys(b).length) return false;
  return ka.every((k) => k in b && same((a as Record<string, unknown>)[k], (b as Record<string, unknown>)[k]));
}

/** What spans the fields of a Cluster, for the API server (CEL) and for the parser. */
export const clusterRules: Rule<ClusterSpec>[] = [
  {
    cel: `self.metadata.name.size() <= ${CLUSTER_NAME_MAX} && self.metadata.name.matches('${DNS_LABEL.source}')`,
    message: `a cluster is named by at most ${CLUSTER_NAME_MAX} lower-case letters, digits and dashes, with no dash at either end: host names are made from it`,
    fieldPath: '.metadata.name',
    check: ({ metadata }) => metadata.name.length <= CLUSTER_NAME_MAX && DNS_LABEL.test(metadata.name),
  },
  {
    cel: 'self.spec.controlPlane.count % 2 == 1',
    message: 'etcd needs an odd number of control-plane machines: 1, 3 or 5',
    fieldPath: '.spec.controlPlane.count',
    check: ({ spec }) => spec.controlPlane.count % 2 === 1,
  },
  disjoint('podCIDR', 'serviceCIDR'),
  disjoint('podCIDR', 'nodeCIDR'),
  disjoint('serviceCIDR', 'nodeCIDR'),
  {
    cel: "self.spec.nodePools.all(p, p.name != 'control-plane')",
    message: 'control-plane is the name of the control plane: choose another name for the pool',
    fieldPath: '.spec.nodePools',
    check: ({ spec }) => spec.nodePools.every((p) => p.name !== 'control-plane'),
  },
  {
    cel: `self.spec.nodePools.all(p, !has(p.release) || ${notOlder('self.spec.release', 'p.release')})`,
    message: "a pool's release cannot be newer than the cluster's",
    fieldPath: '.spec.nodePools',
    check: ({ spec }) => spec.nodePools.every((p) => !p.release || compareReleases(spec.release, p.release) >= 0),
  },
  {
    cel: `self.spec.nodePools.all(p, !has(p.release) || ${MINOR('self.spec.release')} - ${MINOR('p.release')} <= 3)`,
    message:
      "a pool's release cannot be more than three minors older than the cluster's (Kubernetes' version skew policy)",
    fieldPath: '.spec.nodePools',
    check: ({ spec }) =>
      spec.nodePools.every(
        (p) => !p.release || (parseRelease(spec.release)?.minor ?? 0) - (parseRelease(p.release)?.minor ?? 0) <= 3,
      ),
  },
  {
    // Below what a control-plane machine has joined with there is no way back: its data may be in the new form already.
    cel: `has(oldSelf.status) && has(oldSelf.status.infrastructure) && has(oldSelf.status.infrastructure.release) ? ${notOlder('self.spec.release', 'oldSelf.status.infrastructure.release')} : ${notOlder('self.spec.release', 'oldSelf.spec.release')}`,
    message:
      'release cannot go below the one that the control plane runs: Kubernetes has no way back; a pool can stay on, or go back to, an older release by a release of its own',
    fieldPath: '.spec.release',
    check: (now, before) =>
      !before || compareReleases(now.spec.release, runningRelease(before) ?? before.spec.release) >= 0,
  },
  {
    cel: 'self.spec.controlPlane.serverGroupPolicy == oldSelf.spec.controlPlane.serverGroupPolicy',
    message: SERVER_GROUP_FIXED,
    fieldPath: '.spec.controlPlane.serverGroupPolicy',
    check: (now, before) =>
      !before || now.spec.controlPlane.serverGroupPolicy === before.spec.controlPlane.serverGroupPolicy,
  },
  {
    // In the CRD it is a rule of the field itself.
    message: NO_TIME_ZONE,
    fieldPath: '.spec.maintenanceWindow.timeZone',
    check: ({ spec }) => !spec.maintenanceWindow || isTimeZone(spec.maintenanceWindow.timeZone),
  },
  fixed('region', ': a cluster cannot move'),
  fixed('network', ''),
  ofPools(SERVER_GROUP_FIXED, (p, before) => before !== undefined && p.serverGroupPolicy !== before.serverGroupPolicy),
  ofPools(NO_ROOM, (p) => isNone(p.maxSurge) && isNone(p.maxUnavailable)),
];

/** The newest release that a control-plane machine of the stored Cluster has joined with. */
const runningRelease = (before: object): string | undefined =>
  (before as { status?: { infrastructure?: { release?: string } } }).status?.infrastructure?.release;
