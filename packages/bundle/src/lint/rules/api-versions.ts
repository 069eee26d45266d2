import { isObject } from '../../json.ts';
import { groupOf, type Manifest, nameOf } from '../../render/object.ts';
import type { LintContext } from '../context.ts';
import type { Raw } from '../finding.ts';
import type { KubernetesData } from '../kubernetes-data.ts';

const short = (data: KubernetesData): string => data.version.replace(/^v(\d+\.\d+)\..*$/, '$1');

/** API versions that a bundle's own CRDs serve. */
function ownVersions(objects: Manifest[]): Map<string, string[]> {
  const own = new Map<string, string[]>();
  for (const o of objects) {
    const spec = o.kind === 'CustomResourceDefinition' && isObject(o.spec) ? o.spec : undefined;
    if (!spec || !isObject(spec.names) || !Array.isArray(spec.versions)) continue;
    const served = spec.versions.flatMap((v) => (isObject(v) && v.served === true ? [`${spec.group}/${v.name}`] : []));
    own.set(`${spec.group}/${spec.names.kind}`, served);
  }
  return own;
}

/** Whether a group is one of Kubernetes' own. */
const isOfKubernetes = (group: string): boolean =>
  !group.includes('.') ||
  (group.endsWith('.k8s.io') && !/\.(x|sigs|storage|gateway)\./.test(`.${group}`)) ||
  group === 'storage.k8s.io';

/** Kinds and versions that a Kubernetes of the range does not serve, or is going to drop; custom ones that nobody defines. */
export function apiVersions(c: LintContext): Raw[] {
  const found = new Map<string, Raw>();
  for (const { data, subjects } of c.minors) {
    const own = ownVersions(subjects.map((s) => s.object));
    for (const s of subjects) {
      const { apiVersion, kind } = s.object;
      const group = groupOf(apiVersion);
      const path = ['apiVersion'];
      const base = { at: s.at, path };
      const served = data.kinds.find((k) => k.apiVersion === apiVersion && k.kind === kind);
      const say = (raw: Omit<Raw, 'at' | 'path'>): void => {
        const key = `${nameOf(s.object)} ${raw.rule} ${raw.severity}`;
        if (!found.has(key)) found.set(key, { ...base, ...raw });
      };
      if (served?.deprecated)
        say({
          rule: 'api-deprecated',
          severity: 'warning',
          message: `${nameOf(s.object)}: ${served.deprecated} (Kubernetes ${short(data)})`,
          fix: 'use what replaces it',
        });
      if (served) continue;
      const mine = own.get(`${group}/${kind}`);
      if (mine?.includes(apiVersion)) continue;
      if (mine) {
        const fix = mine.length > 0 ? `use ${mine.join(' or ')}` : 'let the CRD serve it';
        say({
          rule: 'api-gone',
          severity: 'error',
          message: `${nameOf(s.object)}: the CRD of the bundle does not serve ${apiVersion}`,
          fix,
        });
        continue;
      }
      const elsewhere = data.kinds.filter((k) => k.kind === kind).map((k) => k.apiVersion);
      if (elsewhere.length > 0 && (isOfKubernetes(group) || data.kinds.some((k) => groupOf(k.apiVersion) === group)))
        say({
          rule: 'api-gone',
          severity: 'error',
          message: `${nameOf(s.object)}: Kubernetes ${short(data)} does not serve ${apiVersion} ${kind}`,
          fix: `use ${elsewhere.join(' or ')}, or end the range before ${short(data)}`,
        });
      else if (data.kinds.some((k) => groupOf(k.apiVersion) === group))
        say({
          rule: 'api-gone',
          severity: 'error',
          message: `${nameOf(s.object)}: Kubernetes ${short(data)} serves no ${kind} in ${apiVersion}`,
          fix: 'mend apiVersion and kind; alpha and beta APIs are not served by default',
        });
      else if (c.bundle.manifest.dependsOn.length === 0)
        say({
          rule: 'api-unknown',
          severity: 'warning',
          message: `${nameOf(s.object)}: neither Kubernetes nor a CRD of the bundle defines ${apiVersion} ${kind}`,
          fix: 'add the CRD, or the addon that brings it to dependsOn',
        });
    }
  }
  return [...found.values()];
}

/** A range that meets nothing that is known. */
export function range(c: LintContext): Raw[] {
  if (c.minors.length > 0) return [];
  return [
    {
      rule: 'range',
      severity: 'warning',
      at: { file: 'bundle.yaml' },
      path: ['kubernetes'],
      message: `${c.bundle.manifest.kubernetes} meets no Kubernetes that lint knows: its objects were not checked against one`,
      fix: 'look whether the range is meant so',
    },
  ];
}
