import { isObject, type Json } from '../../json.ts';
import { nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';
import { containersOf, podOf } from '../pods.ts';

/** Capabilities that lead out of a container, or nearly. */
const CAPABILITIES = [
  'ALL',
  'SYS_ADMIN',
  'SYS_MODULE',
  'SYS_PTRACE',
  'SYS_RAWIO',
  'NET_ADMIN',
  'BPF',
  'DAC_READ_SEARCH',
];

/** What reaches the host, for objects that are not under `privileged` in bundle.yaml; and entries there that are for nothing. */
export function privileged(c: LintContext): Raw[] {
  const found: Raw[] = [];
  const entries = c.bundle.manifest.privileged;
  const used = new Set<number>();
  for (const s of c.subjects) {
    const i = entries.findIndex((p) => p.kind === s.object.kind && p.name === s.object.metadata.name);
    used.add(i);
    const pod = podOf(s.object);
    if (!pod || i >= 0) continue;
    const say = (path: PropertyKey[], message: string): void =>
      void found.push({
        rule: 'privileged',
        severity: 'error',
        at: s.at,
        path: [...pod.path, ...path],
        message: `${nameOf(s.object)}: ${message}`,
        fix: `do without it, or list ${s.object.kind} ${s.object.metadata.name} under privileged in bundle.yaml with why`,
      });
    for (const field of ['hostNetwork', 'hostPID', 'hostIPC'])
      if (pod.spec[field] === true) say([field], `${field} puts its pods into the host's own`);
    (Array.isArray(pod.spec.volumes) ? pod.spec.volumes : []).forEach((v, n) => {
      if (isObject(v) && isObject(v.hostPath))
        say(['volumes', n, 'hostPath'], `reaches ${String(v.hostPath.path)} of the host`);
    });
    for (const { container, path, name } of containersOf(pod)) {
      const context = isObject(container.securityContext) ? container.securityContext : {};
      const at = [...path.slice(pod.path.length), 'securityContext'];
      if (context.privileged === true) say([...at, 'privileged'], `container ${name} is privileged`);
      const capabilities: Json = isObject(context.capabilities) ? context.capabilities : {};
      const far = (Array.isArray(capabilities.add) ? capabilities.add : []).filter((x) =>
        CAPABILITIES.includes(String(x)),
      );
      if (far.length > 0) say([...at, 'capabilities', 'add'], `container ${name} adds ${far.join(', ')}`);
    }
  }
  entries.forEach((p, i) => {
    if (!used.has(i) && c.isWhole)
      found.push({
        rule: 'privileged',
        severity: 'warning',
        at: { file: 'bundle.yaml' },
        path: ['privileged', i],
        message: `there is no ${p.kind} ${p.name}`,
        fix: 'remove the entry, or mend its kind and name',
      });
  });
  return found;
}
