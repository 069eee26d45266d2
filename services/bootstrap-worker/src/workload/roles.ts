import { CLUSTERROLEBINDINGS, CLUSTERROLES, type HasMeta, type ResourceType } from '@shoto/kube';
import { type EnteringService, groupOf } from '../secrets/service-kubeconfigs.ts';
import type { Kube } from '../world.ts';

/** The group of people who got a kubeconfig from Shoto. */
export const ADMINS_GROUP = 'shoto:cluster-admins';

interface PolicyRule {
  apiGroups?: string[];
  resources?: string[];
  nonResourceURLs?: string[];
  verbs: string[];
}
interface Role extends HasMeta {
  rules: PolicyRule[];
}
interface Binding extends HasMeta {
  roleRef: { apiGroup: string; kind: string; name: string };
  subjects: { apiGroup: string; kind: string; name: string }[];
}

const WRITE = ['create', 'get', 'list', 'watch', 'patch', 'update', 'delete'];
const READ = ['get', 'list', 'watch'];

/**
 * What each service may do in a workload cluster.
 *
 * addon-manager installs a CNI, that is privileged pods on each node and ClusterRoles of their own: whoever may do that could make itself an
 * administrator. So its role is a fence against mistakes, and for the audit log, not against a hostile addon-manager. Still it is no administrator:
 * it reads no Secret and touches no node and no kind that a bundle has no use for. `escalate` and `bind` let it apply the roles of
 * bundles without holding every right that these name. With them it also keeps a role of its own, `shoto:addon-manager:crds`, for the kinds that
 * bundles define.
 *
 * self-healing only looks: what it wants done it orders on the Machine.
 */
const RULES: Record<EnteringService, PolicyRule[]> = {
  'addon-manager': [
    { apiGroups: [''], resources: ['namespaces', 'configmaps', 'serviceaccounts', 'services'], verbs: WRITE },
    { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: WRITE },
    { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'patch', 'update', 'delete'] },
    { apiGroups: [''], resources: ['nodes', 'events', 'endpoints', 'persistentvolumes'], verbs: READ },
    // When the cluster goes: volumes go with their claims, and claims only when no pod uses them.
    { apiGroups: [''], resources: ['pods', 'persistentvolumeclaims'], verbs: [...READ, 'delete'] },
    { apiGroups: ['apps'], resources: ['daemonsets', 'deployments', 'statefulsets'], verbs: WRITE },
    { apiGroups: ['apps'], resources: ['replicasets', 'controllerrevisions'], verbs: READ },
    { apiGroups: ['batch'], resources: ['jobs', 'cronjobs'], verbs: WRITE },
    {
      apiGroups: ['rbac.authorization.k8s.io'],
      resources: ['roles', 'clusterroles'],
      verbs: [...WRITE, 'escalate'],
    },
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['rolebindings', 'clusterrolebindings'], verbs: WRITE },
    { apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'clusterroles'], verbs: ['bind'] },
    { apiGroups: ['apiextensions.k8s.io'], resources: ['customresourcedefinitions'], verbs: WRITE },
    { apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], verbs: WRITE },
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: [
        'validatingwebhookconfigurations',
        'mutatingwebhookconfigurations',
        'validatingadmissionpolicies',
        'validatingadmissionpolicybindings',
      ],
      verbs: WRITE,
    },
    { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: WRITE },
    { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies', 'ingressclasses'], verbs: WRITE },
    { apiGroups: ['scheduling.k8s.io'], resources: ['priorityclasses'], verbs: WRITE },
    { apiGroups: ['storage.k8s.io'], resources: ['storageclasses', 'csidrivers', 'volumeattachments'], verbs: WRITE },
    // Kinds of CRDs that bundles have objects of.
    { apiGroups: ['snapshot.storage.k8s.io'], resources: ['volumesnapshotclasses'], verbs: WRITE },
    {
      apiGroups: ['flowcontrol.apiserver.k8s.io'],
      resources: ['flowschemas', 'prioritylevelconfigurations'],
      verbs: WRITE,
    },
  ],
  'self-healing': [
    { apiGroups: [''], resources: ['nodes', 'pods', 'events'], verbs: READ },
    { apiGroups: ['apps'], resources: ['daemonsets', 'deployments'], verbs: READ },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: READ },
  ],
};

const RBAC = 'rbac.authorization.k8s.io';
const labels = { 'app.kubernetes.io/managed-by': 'shoto' };

const binding = (name: string, role: string, group: string): [ResourceType, Binding] => [
  CLUSTERROLEBINDINGS,
  {
    metadata: { name, labels },
    roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: RBAC, kind: 'Group', name: group }],
  },
];

/** Roles and bindings that every workload cluster gets. */
function roleObjects(): [ResourceType, Role | Binding][] {
  const services = Object.entries(RULES) as [EnteringService, PolicyRule[]][];
  return [
    ...services.map(([s, rules]): [ResourceType, Role] => [
      CLUSTERROLES,
      { metadata: { name: groupOf(s), labels }, rules },
    ]),
    ...services.map(([s]) => binding(groupOf(s), groupOf(s), groupOf(s))),
    binding(ADMINS_GROUP, 'cluster-admin', ADMINS_GROUP),
  ];
}

/** Applies them. Safe to repeat; what others changed in them is put back. */
export async function applyRoles(workload: Kube, signal: AbortSignal): Promise<void> {
  await Promise.all(
    roleObjects().map(([type, object]) =>
      workload.apply(type, object, { fieldManager: 'shoto-bootstrap-worker', force: true, signal }),
    ),
  );
}
