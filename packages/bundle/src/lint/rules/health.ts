import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';
import { podOf } from '../pods.ts';

/** Health checks: there are some, and of objects that are there. */
export function health(c: LintContext): Raw[] {
  const { checks } = c.bundle.manifest.health;
  const at = { file: 'bundle.yaml' };
  if (!c.isWhole) return [];
  const objects = c.subjects.map((s) => s.object);
  if (checks.length === 0 && objects.some((o) => podOf(o)))
    return [
      {
        rule: 'health',
        severity: 'warning',
        at,
        path: ['health', 'checks'],
        message: 'no health check: a version that never comes up counts as good, and is not taken back',
        fix: 'name the workloads that must be rolled out',
      },
    ];
  return checks.flatMap((check, i): Raw[] => {
    const isThere = objects.some(
      (o) =>
        o.apiVersion === check.apiVersion &&
        o.kind === check.kind &&
        o.metadata.name === check.name &&
        o.metadata.namespace === check.namespace,
    );
    // What a condition looks at may be made by the addon itself.
    if (isThere || check.cel !== undefined) return [];
    return [
      {
        rule: 'health',
        severity: 'error',
        at,
        path: ['health', 'checks', i],
        message: `the bundle has no ${check.apiVersion} ${check.kind} ${check.namespace ? `${check.namespace}/` : ''}${check.name}: it is never healthy`,
        fix: 'mend apiVersion, kind, namespace and name, or give cel where the addon makes the object itself',
      },
    ];
  });
}
