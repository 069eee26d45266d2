import { stringify } from 'yaml';
import { BundleError } from '../errors.ts';
import { type BundleContent, filesIn, textOf } from '../format/content.ts';
import { isObject, type Json } from '../json.ts';
import { readYaml } from '../yaml.ts';
import { objectsIn } from './object.ts';
import { fill, referencesOf, type Scope, templateOf } from './template.ts';
import { staticUnit, type Unit } from './unit.ts';

/** What Grafana's sidecar looks for. */
export const DASHBOARD_LABEL = 'grafana_dashboard';
/** What Prometheus's sidecar looks for. */
export const RULES_LABEL = 'prometheus_rules';
/** An object of Kubernetes may have a little more, with all that is around. */
const LARGEST = 900 * 1024;

/**
 * ConfigMaps of a bundle's dashboards and alert rules. In rules facts and values are filled in, as in manifests; dashboards have braces of their own
 * and stay as they are.
 *
 * @throws {BundleError} `BrokenManifest`, `BrokenYaml`, `BrokenBundle`
 */
export function extrasOf(bundle: BundleContent): Unit[] {
  const { name, namespace } = bundle.manifest;
  const configMap = (what: string, file: string, label: string, text: string): Json => {
    if (Buffer.byteLength(text) > LARGEST)
      throw new BundleError('BrokenBundle', {
        file,
        message: `larger than the ${LARGEST / 1024} KiB that fit in a ConfigMap`,
      });
    const base = file.slice(file.lastIndexOf('/') + 1);
    const metadata = { name: objectName(name, what, base), namespace, labels: { [label]: '1' } };
    return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [base]: text } };
  };
  const dashboards = filesIn(bundle.files, 'dashboards', ['.json']).map((file) => {
    const text = textOf(bundle.files, file);
    try {
      JSON.parse(text);
    } catch (e) {
      throw new BundleError('BrokenManifest', { file, message: `is no JSON: ${(e as Error).message}` });
    }
    return staticUnit(configMap('dashboard', file, DASHBOARD_LABEL, text), { file });
  });
  const alerts = filesIn(bundle.files, 'alerts', ['.yaml', '.yml']).map((file): Unit => {
    const text = textOf(bundle.files, file);
    const documents = readYaml(text, file);
    const rules = documents[0]?.value;
    if (documents.length !== 1 || !isObject(rules) || !Array.isArray(rules.groups))
      throw new BundleError('BrokenManifest', {
        file,
        path: 'groups',
        message: 'required: one document with groups of rules',
      });
    const template = templateOf(rules, { file });
    if (template.kind === 'static') return staticUnit(configMap('rules', file, RULES_LABEL, text), { file });
    const make = (scope: Scope) => {
      const filled = stringify(fill(template, scope, { file }), { lineWidth: 0, aliasDuplicateObjects: false });
      return objectsIn(configMap('rules', file, RULES_LABEL, filled), { file });
    };
    return { origin: { file }, references: referencesOf(template), make };
  });
  return [...dashboards, ...alerts];
}

/** `cinder-csi-dashboard-volumes`, from a file's name. */
function objectName(addon: string, what: string, base: string): string {
  const stem = base
    .replace(/\.[a-z]+$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return `${addon}-${what}${stem === '' ? '' : `-${stem}`}`;
}
