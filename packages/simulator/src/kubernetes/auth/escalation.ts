import type { Admission } from '../http/exchange.ts';
import type { Target } from '../operations/target.ts';
import { forbidden, notFound } from '../status.ts';
import type { Store } from '../store/store.ts';
import type { KubeObject, User } from '../types.ts';
import { equal, record, text } from '../util/json.ts';
import { type Authorizer, type Rule, readRules } from './authorize.ts';

const RBAC = 'rbac.authorization.k8s.io';

/**
 * Nobody gives rights that they do not hold, as kube-apiserver has it: a role is written only by who holds all of it or may `escalate` it, a binding is
 * made only by who holds all of its role or may `bind` it. What an update leaves as it is, is not asked about.
 */
export function refusingEscalation(inner: Admission, authorizer: Authorizer, store: Store): Admission {
  return {
    async admit(x, target, call, operation, object, old, subresource) {
      const admitted = await inner.admit(x, target, call, operation, object, old, subresource);
      if (admitted && target.type.group === RBAC && (operation === 'CREATE' || operation === 'UPDATE'))
        check(x.user, target, admitted, old, authorizer, store);
      return admitted;
    },
  };
}

function check(
  user: User,
  target: Target,
  object: KubeObject,
  old: KubeObject | undefined,
  authorizer: Authorizer,
  store: Store,
): void {
  const { plural } = target.type;
  const namespace = target.namespace ?? '';
  const may = (verb: string, of: string, name: string): boolean =>
    authorizer.allowed({ user, verb, resource: { group: RBAC, plural: of, subresource: '', namespace, name } });
  let rules: Rule[];
  if (plural.endsWith('roles')) {
    if (old && equal(old.rules, object.rules) && equal(old.aggregationRule, object.aggregationRule)) return;
    if (may('escalate', plural, object.metadata.name)) return;
    rules = object.aggregationRule ? [EVERYTHING] : readRules(object);
  } else {
    if (old && equal(old.subjects, object.subjects)) return;
    const ref = record(object.roleRef);
    const of = ref.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
    if (may('bind', of, text(ref.name))) return;
    const role = store.get(`${of}.${RBAC}`, ref.kind === 'ClusterRole' ? '' : namespace, text(ref.name));
    if (!role) throw notFound({ group: RBAC, plural: of }, text(ref.name));
    rules = readRules(role);
  }
  const held = authorizer.rules(user, namespace);
  const missing = rules.filter((r) => !holds(held, r));
  if (missing.length === 0) return;
  const groups = user.groups.map((g) => JSON.stringify(g)).join(' ');
  throw forbidden(
    { group: RBAC, plural },
    object.metadata.name,
    `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(inWords).join('\n')}`,
  );
}

const EVERYTHING: Rule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], resourceNames: [], nonResourceURLs: [] };

const within = (owned: string[], wanted: string): boolean => owned.includes('*') || owned.includes(wanted);

/** Whether these rules together give all that another gives: each verb on each thing. */
function holds(held: readonly Rule[], rule: Rule): boolean {
  const names = rule.resourceNames.length > 0 ? rule.resourceNames : [undefined];
  return rule.verbs.every(
    (verb) =>
      rule.nonResourceURLs.every((url) =>
        held.some((h) => within(h.verbs, verb) && h.nonResourceURLs.some((u) => coversUrl(u, url))),
      ) &&
      rule.apiGroups.every((group) =>
        rule.resources.every((resource) =>
          names.every((name) =>
            held.some(
              (h) =>
                within(h.verbs, verb) &&
                within(h.apiGroups, group) &&
                coversResource(h.resources, resource) &&
                (h.resourceNames.length === 0 || (name !== undefined && h.resourceNames.includes(name))),
            ),
          ),
        ),
      ),
  );
}

const coversUrl = (owned: string, wanted: string): boolean =>
  owned === wanted || owned === '*' || (owned.endsWith('*') && wanted.startsWith(owned.slice(0, -1)));

const coversResource = (owned: string[], wanted: string): boolean =>
  within(owned, wanted) || (wanted.includes('/') && owned.includes(`*/${wanted.slice(wanted.indexOf('/') + 1)}`));

function inWords(r: Rule): string {
  const of = (title: string, values: string[]): string[] =>
    values.length === 0 ? [] : [`${title}:[${values.map((v) => JSON.stringify(v)).join(' ')}]`];
  const parts = [
    ...of('APIGroups', r.apiGroups),
    ...of('Resources', r.resources),
    ...of('ResourceNames', r.resourceNames),
    ...of('NonResourceURLs', r.nonResourceURLs),
    ...of('Verbs', r.verbs),
  ];
  return `{${parts.join(', ')}}`;
}
