import { CLUSTERROLEBINDINGS, CLUSTERROLES, type HasMeta, type KubeClient, type ResourceType } from '@shoto/kube';
import type { ClusterMemory } from '../memory.ts';
import type { Inventory } from './inventory.ts';
import { FIELD_MANAGER } from './owned-fields.ts';

/** Our group in every workload cluster, and our own role and binding there beside the one that bootstrap-worker gives us. */
const GROUP = 'shoto:addon-manager';
const NAME = 'shoto:addon-manager:crds';
const RBAC = 'rbac.authorization.k8s.io';
const VERBS = ['create', 'get', 'list', 'watch', 'patch', 'update', 'delete'];

/** Groups that an API server serves itself: a definition in one of them gives nobody a right there. Groups without a dot cannot be defined. */
const BUILT_IN: ReadonlySet<string> = new Set(
  [
    ...['admissionregistration', 'apiextensions', 'apiregistration', 'authentication', 'authorization', 'certificates'],
    ...['coordination', 'discovery', 'events', 'flowcontrol.apiserver', 'internal.apiserver', 'networking', 'node'],
    ...['rbac.authorization', 'resource', 'scheduling', 'storage', 'storagemigration'],
  ].map((group) => `${group}.k8s.io`),
);

interface Rule {
  apiGroups: string[];
  resources: string[];
  verbs: string[];
}

/**
 * Rules for the objects of those CustomResourceDefinitions that a cluster's addons bring: whatever is in these, and nothing else of their groups. Pure.
 *
 * @param inventories - those being applied, too: what they bring is written down before
 */
export function crdRules(inventories: Iterable<Pick<Inventory, 'items'>>): Rule[] {
  const groups = new Map<string, Set<string>>();
  for (const { items } of inventories)
    for (const { apiVersion, kind, name } of items) {
      // A definition is named <plural>.<group>.
      const dot = name.indexOf('.');
      const group = name.slice(dot + 1);
      if (kind !== 'CustomResourceDefinition' || !apiVersion.startsWith('apiextensions.k8s.io/')) continue;
      if (dot < 1 || BUILT_IN.has(group)) continue;
      groups.set(group, (groups.get(group) ?? new Set()).add(name.slice(0, dot)));
    }
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, plurals]) => ({ apiGroups: [group], resources: [...plurals].sort(), verbs: VERBS }));
}

interface Role extends HasMeta {
  rules?: Rule[] | null;
}

interface Binding extends HasMeta {
  roleRef?: { name?: string };
  subjects?: { kind?: string; name?: string }[];
}

/** One change at a time in each cluster: addons are applied side by side, and the last one to write must know of all. */
const turns = new WeakMap<ClusterMemory, Promise<void>>();

/**
 * Keeps our rights on custom objects as wide as the addons of the cluster need them: wider before objects are applied, narrower when their definitions are gone.
 * The API server lets us, since our role may `escalate` and `bind`. Asks nothing while nothing changes.
 *
 * @throws {KubeError}
 */
export async function keepCrdRights(memory: ClusterMemory, client: KubeClient): Promise<void> {
  const before = turns.get(memory) ?? Promise.resolve();
  const turn = before.catch(() => {}).then(() => write(memory, client));
  turns.set(memory, turn);
  await turn;
}

async function write(memory: ClusterMemory, client: KubeClient): Promise<void> {
  const rules = crdRules(memory.inventories?.values() ?? []);
  const wanted = JSON.stringify(rules);
  if (memory.crdRights === wanted) return;
  const metadata = { name: NAME, labels: { 'app.kubernetes.io/managed-by': 'shoto' } };
  const role = await client.get<Role>(CLUSTERROLES, { name: NAME });
  const binding = await client.get<Binding>(CLUSTERROLEBINDINGS, { name: NAME });
  const apply = (type: ResourceType, object: HasMeta) =>
    client.apply(type, object, { fieldManager: FIELD_MANAGER, force: true });
  if (rules.length === 0) {
    if (binding) await client.delete(CLUSTERROLEBINDINGS, { name: NAME });
    if (role) await client.delete(CLUSTERROLES, { name: NAME });
  } else {
    if (!role || JSON.stringify(crdRulesOf(role)) !== wanted) await apply(CLUSTERROLES, { metadata, rules } as HasMeta);
    if (binding?.subjects?.length !== 1 || binding.subjects[0]?.name !== GROUP)
      await apply(CLUSTERROLEBINDINGS, {
        metadata,
        roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: NAME },
        subjects: [{ apiGroup: RBAC, kind: 'Group', name: GROUP }],
      } as HasMeta);
  }
  memory.crdRights = wanted;
}

/** As an API server answers: its fields are in an order of their own. */
const crdRulesOf = ({ rules }: Role): Rule[] =>
  (rules ?? []).map(({ apiGroups, resources, verbs }) => ({ apiGroups, resources, verbs }));
