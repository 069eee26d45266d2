import { BundleError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import type { Origin } from './template.ts';

/** One Kubernetes object of a bundle. Not to be changed: it may be shared with what was rendered for other clusters. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    [key: string]: unknown;
  };
  [key: string]: unknown;
}

/** Namespaces that every cluster has. */
export const BUILT_IN_NAMESPACES: ReadonlySet<string> = new Set([
  'default',
  'kube-system',
  'kube-public',
  'kube-node-lease',
]);

/** Kinds of Kubernetes 1.35 to 1.37 that stand in no namespace, by group. */
const CLUSTER_SCOPED: Record<string, string[]> = {
  '': ['Namespace', 'Node', 'PersistentVolume'],
  'admissionregistration.k8s.io': [
    'MutatingAdmissionPolicy',
    'MutatingAdmissionPolicyBinding',
    'MutatingWebhookConfiguration',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
    'ValidatingWebhookConfiguration',
  ],
  'apiextensions.k8s.io': ['CustomResourceDefinition'],
  'apiregistration.k8s.io': ['APIService'],
  'certificates.k8s.io': ['CertificateSigningRequest', 'ClusterTrustBundle'],
  'flowcontrol.apiserver.k8s.io': ['FlowSchema', 'PriorityLevelConfiguration'],
  'internal.apiserver.k8s.io': ['StorageVersion'],
  'networking.k8s.io': ['IPAddress', 'IngressClass', 'ServiceCIDR'],
  'node.k8s.io': ['RuntimeClass'],
  'rbac.authorization.k8s.io': ['ClusterRole', 'ClusterRoleBinding'],
  'resource.k8s.io': ['DeviceClass', 'DeviceTaintRule', 'ResourceSlice'],
  'scheduling.k8s.io': ['PriorityClass'],
  'storage.k8s.io': ['CSIDriver', 'CSINode', 'StorageClass', 'VolumeAttachment', 'VolumeAttributesClass'],
  'storagemigration.k8s.io': ['StorageVersionMigration'],
};
/** Groups of Kubernetes itself that are not in the list above: all their kinds stand in namespaces. */
const NAMESPACED_GROUPS = new Set([
  'apps',
  'autoscaling',
  'batch',
  'coordination.k8s.io',
  'discovery.k8s.io',
  'events.k8s.io',
  'policy',
]);

export const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '');

/** Scopes of the custom resources that a bundle itself defines, by `group/kind`. */
export function customScopes(objects: readonly Manifest[]): Map<string, boolean> {
  const scopes = new Map<string, boolean>();
  for (const o of objects) {
    const spec = o.kind === 'CustomResourceDefinition' && isObject(o.spec) ? o.spec : undefined;
    const kind = isObject(spec?.names) ? spec.names.kind : undefined;
    if (kind !== undefined) scopes.set(`${spec!.group}/${kind}`, spec!.scope === 'Namespaced');
  }
  return scopes;
}

/**
 * Whether objects of a kind stand in a namespace.
 *
 * @param scopes - of the custom resources that the bundle defines
 * @returns undefined for a custom resource that another bundle defines
 */
export function isNamespaced(
  o: { apiVersion: string; kind: string },
  scopes: Map<string, boolean>,
): boolean | undefined {
  const group = groupOf(o.apiVersion);
  const custom = scopes.get(`${group}/${o.kind}`);
  if (custom !== undefined) return custom;
  const cluster = CLUSTER_SCOPED[group];
  return cluster ? !cluster.includes(o.kind) : NAMESPACED_GROUPS.has(group) || undefined;
}

const NAME_PARTS = /^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$/;

/** Reads a value as objects: a List (v1) is its items. @throws {BundleError} `BrokenManifest` */
export function objectsIn(value: Json, origin: Origin): Manifest[] {
  const broken = (path: string, message: string): BundleError =>
    new BundleError('BrokenManifest', { ...origin, path, message });
  if (!isObject(value)) throw broken('', 'is no object: give apiVersion, kind and metadata.name');
  if (value.kind === 'List' && value.apiVersion === 'v1') {
    if (!Array.isArray(value.items)) throw broken('items', 'required: give a list');
    return value.items.flatMap((item) => objectsIn(item, origin));
  }
  for (const field of ['apiVersion', 'kind'] as const)
    if (typeof value[field] !== 'string' || value[field] === '') throw broken(field, 'required: give a string');
  const metadata = value.metadata;
  if (!isObject(metadata)) throw broken('metadata', 'required: give an object');
  if (typeof metadata.name !== 'string' || metadata.name.length > 253 || !NAME_PARTS.test(metadata.name))
    throw broken('metadata.name', 'required: give a name of at most 253 letters, digits, dashes and dots');
  if (metadata.namespace !== undefined && (typeof metadata.namespace !== 'string' || metadata.namespace === ''))
    throw broken('metadata.namespace', 'is no string');
  for (const field of ['labels', 'annotations'] as const) {
    const map = metadata[field];
    if (map === undefined) continue;
    if (map === null) continue;
    if (!isObject(map)) throw broken(`metadata.${field}`, 'is no object');
    for (const [key, v] of Object.entries(map))
      if (typeof v !== 'string')
        throw broken(`metadata.${field}[${JSON.stringify(key)}]`, 'is no string: put it in quotes');
  }
  return [value as JsonObject & Manifest];
}

/** What tells objects of a cluster apart. The version of a group is no part of it. */
export const identityOf = (o: Manifest): string =>
  `${groupOf(o.apiVersion)}/${o.kind} ${o.metadata.namespace ?? ''}/${o.metadata.name}`;

/** For messages: `DaemonSet kube-system/agent`. */
export const nameOf = (o: Manifest): string =>
  `${o.kind} ${o.metadata.namespace === undefined ? '' : `${o.metadata.namespace}/`}${o.metadata.name}`;
