import { stringify } from 'yaml';

/** What of a small bundle a test sets. */
export interface Small {
  image?: string;
  kubernetes?: string;
  /** More of bundle.yaml. */
  more?: object;
  /** Names of further ConfigMaps. */
  maps?: string[];
  /** More files. */
  files?: Record<string, string>;
}

const SCHEMA = JSON.stringify({
  type: 'object',
  properties: { level: { type: 'string', enum: ['info', 'debug'], default: 'info' }, password: { type: 'string' } },
  additionalProperties: false,
});

/** The files of a bundle: a ConfigMap with a value, a DaemonSet, and what else is asked for. */
export function small(name: string, version: string, o: Small = {}): Record<string, string> {
  const { image = `${name}:${version}`, kubernetes = '>=1.35 <1.37', more = {}, maps = [], files = {} } = o;
  const manifest = {
    apiVersion: 'bundle.shoto.dev/v1alpha1',
    kind: 'Bundle',
    name,
    version,
    kubernetes,
    content: { manifests: 'manifests' },
    health: {
      timeoutSeconds: 60,
      checks: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name }],
    },
    ...more,
  };
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `${name}-settings` },
      data: { level: '{{values.level}}' },
    },
    ...maps.map((m) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: m }, data: { a: 'b' } })),
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { containers: [{ name, image }] } },
      },
    },
  ];
  return {
    'bundle.yaml': stringify(manifest),
    'values.schema.json': SCHEMA,
    'manifests/all.yaml': objects.map((x) => stringify(x)).join('---\n'),
    ...files,
  };
}
