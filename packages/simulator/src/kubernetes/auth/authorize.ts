import type { Store } from '../store/store.ts';
import type { KubeObject, User } from '../types.ts';
import { isRecord, list, record, text } from '../util/json.ts';
import { stringsAt } from './authenticate.ts';

/** What somebody wants to do. */
export interface Attributes {
  user: User;
  verb: string;
  /** For objects. */
  resource?: { group: string; plural: string; subresource: string; namespace: string; name: string };
  /** For other paths. */
  path?: string;
}

/** One rule of a Role, read once. */
export interface Rule {
  verbs: string[];
  apiGroups: string[];
  resources: string[];
  resourceNames: string[];
  nonResourceURLs: string[];
}

const has = (values: string[], wanted: string): boolean => values.includes('*') || values.includes(wanted);

function covers(rule: Rule, a: Attributes): boolean {
  if (!has(rule.verbs, a.verb)) return false;
  if (a.path !== undefined) {
    const path = a.path;
    return rule.nonResourceURLs.some(
      (u) => u === '*' || u === path || (u.endsWith('*') && path.startsWith(u.slice(0, -1))),
    );
  }
  const r = a.resource;
  if (!r || !has(rule.apiGroups, r.group)) return false;
  const full = r.subresource === '' ? r.plural : `${r.plural}/${r.subresource}`;
  if (!rule.resources.some((x) => x === '*' || x === full || (r.subresource !== '' && x === `*/${r.subresource}`)))
    return false;
  return rule.resourceNames.length === 0 || rule.resourceNames.includes(r.name);
}

/** The rules of a role; none where it is not there. */
export const readRules = (role: KubeObject | undefined): Rule[] =>
  list(role?.rules)
    .filter(isRecord)
    .map((r) => ({
      verbs: stringsAt(r, 'verbs'),
      apiGroups: stringsAt(r, 'apiGroups'),
      resources: stringsAt(r, 'resources'),
      resourceNames: stringsAt(r, 'resourceNames'),
      nonResourceURLs: stringsAt(r, 'nonResourceURLs'),
    }));

const rbac = (plural: string): string => `${plural}.rbac.authorization.k8s.io`;

/** Whether a subject of a binding is this user. */
function isSubject(subject: unknown, user: User, namespace: string): boolean {
  const s = record(subject);
  if (s.kind === 'User') return s.name === user.name;
  if (s.kind === 'Group') return user.groups.includes(text(s.name));
  return (
    s.kind === 'ServiceAccount' &&
    user.name === `system:serviceaccount:${text(s.namespace) || namespace}:${text(s.name)}`
  );
}

/** What a user may do in one namespace ('' for what is cluster-wide); the rules of all roles bound to it. */
interface Grants {
  everywhere: Rule[];
  inNamespace: Map<string, Rule[]>;
}

/** RBAC over the roles and bindings in the store, with the Node authorizer's grant to kubelets. `system:masters` may do everything. */
export class Authorizer {
  private readonly store: Store;
  private readonly always: boolean;
  private readonly cache = new Map<string, Grants>();

  /** @param always allow everything */
  constructor(store: Store, always = false) {
    this.store = store;
    this.always = always;
    for (const plural of ['clusterroles', 'clusterrolebindings', 'roles', 'rolebindings'])
      store.listen(rbac(plural), () => this.cache.clear());
  }

  allowed(a: Attributes): boolean {
    if (this.always || a.user.groups.includes('system:masters')) return true;
    const grants = this.grants(a.user);
    if (grants.everywhere.some((r) => covers(r, a))) return true;
    const namespace = a.resource?.namespace ?? '';
    return namespace !== '' && (grants.inNamespace.get(namespace) ?? []).some((r) => covers(r, a));
  }

  /** All rules that hold for a user in a namespace. */
  rules(user: User, namespace: string): Rule[] {
    if (this.always || user.groups.includes('system:masters')) {
      const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], resourceNames: [], nonResourceURLs: [] };
      return [all, { ...all, apiGroups: [], resources: [], nonResourceURLs: ['*'] }];
    }
    const grants = this.grants(user);
    return [...grants.everywhere, ...(grants.inNamespace.get(namespace) ?? [])];
  }

  private grants(user: User): Grants {
    const key = JSON.stringify([user.name, user.groups]);
    const known = this.cache.get(key);
    if (known) return known;
    const grants: Grants = { everywhere: [], inNamespace: new Map() };
    for (const binding of this.store.scan(rbac('clusterrolebindings'), undefined)) {
      if (list(binding.subjects).some((s) => isSubject(s, user, ''))) grants.everywhere.push(...this.role(binding, ''));
    }
    for (const binding of this.store.scan(rbac('rolebindings'), undefined)) {
      const namespace = binding.metadata.namespace ?? '';
      if (!list(binding.subjects).some((s) => isSubject(s, user, namespace))) continue;
      grants.inNamespace.set(namespace, [
        ...(grants.inNamespace.get(namespace) ?? []),
        ...this.role(binding, namespace),
      ]);
    }
    // The Node authorizer gives kubelets what the role system:node lists (it also narrows it to objects of their own pods, which is left out).
    if (user.groups.includes('system:nodes') && user.name.startsWith('system:node:'))
      grants.everywhere.push(...readRules(this.store.get(rbac('clusterroles'), '', 'system:node')));
    if (this.cache.size > 1000) this.cache.clear();
    this.cache.set(key, grants);
    return grants;
  }

  private role(binding: KubeObject, namespace: string): Rule[] {
    const ref = record(binding.roleRef);
    const cluster = ref.kind === 'ClusterRole';
    return readRules(
      this.store.get(rbac(cluster ? 'clusterroles' : 'roles'), cluster ? '' : namespace, text(ref.name)),
    );
  }
}

/** What a refusal says, without the object's name. */
export function refusal(a: Attributes): string {
  const r = a.resource;
  if (!r) return `User "${a.user.name}" cannot ${a.verb} path "${a.path}"`;
  const what = r.subresource === '' ? r.plural : `${r.plural}/${r.subresource}`;
  const where = r.namespace === '' ? 'at the cluster scope' : `in the namespace "${r.namespace}"`;
  return `User "${a.user.name}" cannot ${a.verb} resource "${what}" in API group "${r.group}" ${where}`;
}
