import { isObject } from '../../json.ts';
import { nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';
import { containersOf, podOf } from '../pods.ts';

/** Containers say how much they need, and how much memory they may take at most. A limit of CPU slows down, and is nobody's duty. */
export function limits(c: LintContext): Raw[] {
  return c.subjects.flatMap((s) => {
    const pod = podOf(s.object);
    if (!pod) return [];
    return containersOf(pod)
      .filter((x) => !x.isInit)
      .flatMap(({ container, path, name }): Raw[] => {
        const resources = isObject(container.resources) ? container.resources : {};
        const has = (of: string, what: string) => isObject(resources[of]) && resources[of][what] !== undefined;
        const missing = [
          ...(has('requests', 'cpu') || has('limits', 'cpu') ? [] : ['requests.cpu']),
          ...(has('requests', 'memory') || has('limits', 'memory') ? [] : ['requests.memory']),
          ...(has('limits', 'memory') ? [] : ['limits.memory']),
        ];
        if (missing.length === 0) return [];
        return [
          {
            rule: 'resources',
            severity: 'warning',
            at: s.at,
            path: [...path, 'resources'],
            message: `${nameOf(s.object)}, container ${name}: no ${missing.join(', ')}: it may take what others need`,
            fix: 'give requests of cpu and memory, and a limit of memory',
          },
        ];
      });
  });
}
