import { isObject, type Json } from '../../json.ts';
import { type Manifest, nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';

const list = (v: Json | undefined): Json[] => (Array.isArray(v) ? v : []);

/** Rights that are more than an addon should have, and are not under `privileged` in bundle.yaml. */
export function rbac(c: LintContext): Raw[] {
  const allowed = (o: Manifest) =>
    c.bundle.manifest.privileged.some((p) => p.kind === o.kind && p.name === o.metadata.name);
  return c.subjects
    .filter((s) => s.object.apiVersion.startsWith('rbac.authorization.k8s.io/') && !allowed(s.object))
    .flatMap((s): Raw[] => {
      const o = s.object;
      const say = (severity: Raw['severity'], path: PropertyKey[], message: string, fix: string): Raw => ({
        rule: 'rbac',
        severity,
        at: s.at,
        path,
        message: `${nameOf(o)}: ${message}`,
        fix: `${fix}, or list ${o.kind} ${o.metadata.name} under privileged in bundle.yaml with why`,
      });
      const role = isObject(o.roleRef) ? o.roleRef : {};
      if (role.kind === 'ClusterRole' && role.name === 'cluster-admin')
        return [
          say('error', ['roleRef', 'name'], 'gives cluster-admin', 'bind a role with the rights that are needed'),
        ];
      return list(o.rules as Json | undefined).flatMap((rule, i): Raw[] => {
        if (!isObject(rule)) return [];
        const path = ['rules', i];
        const wild = ['apiGroups', 'resources', 'verbs'].filter((f) => list(rule[f]).includes('*'));
        const far = list(rule.verbs).filter((v) => ['escalate', 'bind', 'impersonate'].includes(String(v)));
        if (wild.length === 3)
          return [say('error', path, 'a rule that gives everything', 'name groups, resources and verbs')];
        return [
          ...wild.map((f) => say('warning', [...path, f], `a rule with * in ${f}`, `name the ${f}`)),
          ...far.map((v) =>
            say('warning', [...path, 'verbs'], `the verb ${v} leads to rights that are not its own`, 'do without it'),
          ),
        ];
      });
    });
}
