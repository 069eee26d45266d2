import type { ResourceType } from './types.ts';

const type = (group: string, version: string, plural: string, kind: string, namespaced = true): ResourceType => ({
  group,
  version,
  plural,
  kind,
  namespaced,
});

export const SECRETS = type('', 'v1', 'secrets', 'Secret');
export const CONFIGMAPS = type('', 'v1', 'configmaps', 'ConfigMap');
export const SERVICES = type('', 'v1', 'services', 'Service');
export const SERVICE_ACCOUNTS = type('', 'v1', 'serviceaccounts', 'ServiceAccount');
export const PODS = type('', 'v1', 'pods', 'Pod');
export const NODES = type('', 'v1', 'nodes', 'Node', false);
export const NAMESPACES = type('', 'v1', 'namespaces', 'Namespace', false);
export const PERSISTENT_VOLUMES = type('', 'v1', 'persistentvolumes', 'PersistentVolume', false);
export const PERSISTENT_VOLUME_CLAIMS = type('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim');
/** Events as `kubectl describe` and `kubectl get events` show them (both APIs store the same objects). */
export const EVENTS = type('events.k8s.io', 'v1', 'events', 'Event');
export const LEASES = type('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const DEPLOYMENTS = type('apps', 'v1', 'deployments', 'Deployment');
export const DAEMONSETS = type('apps', 'v1', 'daemonsets', 'DaemonSet');
export const REPLICASETS = type('apps', 'v1', 'replicasets', 'ReplicaSet');
export const STATEFULSETS = type('apps', 'v1', 'statefulsets', 'StatefulSet');
export const CRDS = type('apiextensions.k8s.io', 'v1', 'customresourcedefinitions', 'CustomResourceDefinition', false);
export const ROLES = type('rbac.authorization.k8s.io', 'v1', 'roles', 'Role');
export const ROLEBINDINGS = type('rbac.authorization.k8s.io', 'v1', 'rolebindings', 'RoleBinding');
export const CLUSTERROLES = type('rbac.authorization.k8s.io', 'v1', 'clusterroles', 'ClusterRole', false);
export const CLUSTERROLEBINDINGS = type(
  'rbac.authorization.k8s.io',
  'v1',
  'clusterrolebindings',
  'ClusterRoleBinding',
  false,
);
