import { beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type BundleContent, bundleOf } from '../format/content.ts';
import type { LintOptions } from './context.ts';
import type { Finding } from './finding.ts';
import { type KubernetesData, kubernetesData } from './kubernetes-data.ts';
import { lint } from './lint.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
let kubernetes: KubernetesData[];
beforeAll(async () => {
  kubernetes = await kubernetesData();
});

const container = (more: object = {}) => ({
  name: 'agent',
  image: `registry.example.org/agent:v1@${DIGEST}`,
  resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
  ...more,
});
const deployment = (pod: object = {}, more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'agent', namespace: 'agents' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [container()], ...pod } },
    ...more,
  },
});
const manifest = {
  apiVersion: 'bundle.shoto.dev/v1alpha1',
  kind: 'Bundle',
  name: 'agent',
  version: '1.0.0',
  kubernetes: '>=1.35 <1.36',
  namespace: 'agents',
  content: { manifests: 'manifests' },
  images: [{ name: 'registry.example.org/agent', tag: 'v1' }],
  health: { checks: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'agents', name: 'agent' }] },
};

/** A bundle that nothing can be said against, with changes. */
function bundle(o: { manifest?: object; objects?: object[]; schema?: object } = {}): BundleContent {
  const files: [string, string][] = [
    ['bundle.yaml', stringify({ ...manifest, ...o.manifest })],
    ['manifests/all.yaml', (o.objects ?? [deployment()]).map((d) => stringify(d)).join('---\n')],
  ];
  if (o.schema)
    files.push(['values.schema.json', JSON.stringify({ type: 'object', additionalProperties: false, ...o.schema })]);
  return bundleOf(files);
}

async function found(b: BundleContent, o: Partial<LintOptions> = {}): Promise<Finding[]> {
  return lint(b, { kubernetes, ...o });
}

/** Rule, severity and path of each finding, and its message as far as it is asked for. */
const told = (findings: Finding[]): string[] => findings.map((f) => `${f.severity} ${f.rule} ${f.path ?? ''}`.trim());
const withExtra = (...objects: object[]) => bundle({ objects: [deployment(), ...objects] });

it('finds nothing in a bundle that is as it should be', async () => {
  expect(await found(bundle())).toEqual([]);
});

it('says where: file, document, line, path, and what would be right', async () => {
  const b = withExtra({ apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget', metadata: { name: 'agent' } });
  expect(await found(b)).toEqual([
    {
      rule: 'api-gone',
      severity: 'error',
      file: 'manifests/all.yaml',
      document: 2,
      line: 25,
      path: 'apiVersion',
      message: expect.stringMatching(/PodDisruptionBudget .*agent: Kubernetes 1\.35 does not serve policy\/v1beta1/),
      fix: 'use policy/v1, or end the range before 1.35',
    },
  ]);
});

it('says the line of what cannot be read, where nothing can be looked up', async () => {
  const whole = bundle({ objects: [deployment()] });
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: [a\n';
  const files = new Map([...whole.files, ['manifests/broken.yaml', Buffer.from(text)]]);
  const [broken] = (await found({ ...whole, files })).filter((f) => f.file === 'manifests/broken.yaml');
  expect(broken).toMatchObject({ rule: 'render', severity: 'error', line: expect.any(Number) });
});

describe('images', () => {
  const of = (image: string, more: object = {}) =>
    bundle({ manifest: more, objects: [deployment({ containers: [container({ image })] })] });
  const images = [{ name: 'registry.example.org/agent', tag: 'v1' }];
  it.each<[string, string, object, string[]]>([
    ['a digest in the reference', `registry.example.org/agent:v1@${DIGEST}`, {}, []],
    ['a digest in the list', 'registry.example.org/agent:v1', { images: [{ ...images[0], digest: DIGEST }] }, []],
    ['no digest', 'registry.example.org/agent:v1', { images }, ['warning image-digest']],
    ['no version', 'registry.example.org/agent', { images }, ['error image-tag']],
    ['latest', 'registry.example.org/agent:latest', { images: [{ ...images[0], tag: 'latest' }] }, ['error image-tag']],
    ['not listed', `localhost:5000/b:v1@${DIGEST}`, { images: [] }, ['warning image-listed']],
    [
      "the release's repository",
      '{{facts.imageRepository}}/a:v1',
      { images: [{ name: '{{facts.imageRepository}}/a', tag: 'v1' }] },
      [],
    ],
  ])('with %s', async (_what, image, more, rules) => {
    expect((await found(of(image, more))).map((f) => `${f.severity} ${f.rule}`)).toEqual(rules);
  });

  it('that are listed and not used', async () => {
    const more = { images: [...manifest.images, { name: 'a/old', tag: 'v1' }] };
    expect(told(await found(bundle({ manifest: more })))).toEqual(['warning image-listed images[1]']);
  });

  it('outside of the mirror, where one is given', async () => {
    expect(await found(bundle(), { mirrors: ['registry.example.org'] })).toEqual([]);
    expect(told(await found(bundle(), { mirrors: ['registry.example.or', 'other.example.org/mirror'] }))).toEqual([
      'error image-mirror spec.template.spec.containers[0].image',
    ]);
  });
});

it('finds containers that do not say what they need', async () => {
  const pod = {
    containers: [container({ resources: { requests: { cpu: 1 } } })],
    initContainers: [container({ resources: {} })],
  };
  const findings = await found(bundle({ objects: [deployment(pod)] }));
  expect(told(findings)).toEqual(['warning resources spec.template.spec.containers[0].resources']);
  expect(findings[0]?.message).toContain('no requests.memory, limits.memory');
});

describe('rights', () => {
  const binding = (role: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'agent' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
    subjects: [],
  });
  const role = (rule: object) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: 'agent' },
    rules: [rule],
  });
  it.each<[string, object, string[]]>([
    ['a role of its own', binding('agent'), []],
    ['cluster-admin', binding('cluster-admin'), ['error rbac roleRef.name']],
    ['everything', role({ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }), ['error rbac rules[0]']],
    ['all verbs', role({ apiGroups: [''], resources: ['pods'], verbs: ['*'] }), ['warning rbac rules[0].verbs']],
    ['escalate', role({ apiGroups: [''], resources: ['x'], verbs: ['escalate'] }), ['warning rbac rules[0].verbs']],
  ])('%s', async (_what, object, rules) => {
    expect(told(await found(withExtra(object)))).toEqual(rules);
  });

  it('that are stated with why pass', async () => {
    const privileged = [{ kind: 'ClusterRoleBinding', name: 'agent', why: 'it installs other things' }];
    const b = bundle({ manifest: { privileged }, objects: [deployment(), binding('cluster-admin')] });
    expect(await found(b)).toEqual([]);
  });
});

describe('what reaches the host', () => {
  it.each<[string, object, string]>([
    ['the host network', { hostNetwork: true }, 'hostNetwork'],
    ['a path', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }, 'volumes[0].hostPath'],
    [
      'a privileged container',
      { containers: [container({ securityContext: { privileged: true } })] },
      'containers[0].securityContext.privileged',
    ],
    [
      'a capability',
      { containers: [container({ securityContext: { capabilities: { add: ['SYS_ADMIN'] } } })] },
      'containers[0].securityContext.capabilities.add',
    ],
  ])('%s', async (_what, pod, path) => {
    const objects = [deployment(pod)];
    expect(told(await found(bundle({ objects })))).toEqual([`error privileged spec.template.spec.${path}`]);
    const privileged = [{ kind: 'Deployment', name: 'agent', why: 'it must' }];
    expect(await found(bundle({ manifest: { privileged }, objects }))).toEqual([]);
  });

  it('and is stated for nothing', async () => {
    const privileged = [{ kind: 'DaemonSet', name: 'old', why: 'it was' }];
    expect(told(await found(bundle({ manifest: { privileged } })))).toEqual(['warning privileged privileged[0]']);
  });
});

describe('API versions', () => {
  const object = (apiVersion: string, kind: string) => ({ apiVersion, kind, metadata: { name: 'x' } });
  it.each<[string, object, string[]]>([
    ['deprecated', object('v1', 'Endpoints'), ['warning api-deprecated apiVersion']],
    ['moved to another group', object('extensions/v1beta1', 'Ingress'), ['error api-gone apiVersion']],
    ['not served by default', object('scheduling.k8s.io/v1alpha1', 'Workload'), ['error api-gone apiVersion']],
    ['of a CRD that nobody brings', object('example.org/v1', 'Thing'), ['warning api-unknown apiVersion']],
  ])('%s', async (_what, extra, rules) => {
    expect(told(await found(withExtra(extra)))).toEqual(rules);
  });

  it('of a CRD of another addon pass', async () => {
    const manifest = { dependsOn: [{ name: 'things' }] };
    expect(await found(bundle({ manifest, objects: [deployment(), object('example.org/v1', 'Thing')] }))).toEqual([]);
  });

  it('are looked at for every minor of the range alone, and a range that meets none is told', async () => {
    const far = await found(bundle({ manifest: { kubernetes: '>=1.99' } }));
    expect(told(far)).toEqual(['warning range kubernetes']);
    const when = (o: object) => ({
      ...o,
      metadata: { name: 'x', annotations: { 'bundle.shoto.dev/when': 'kubernetes.minor < 34' } },
    });
    expect(await found(withExtra(when(object('policy/v1beta1', 'PodDisruptionBudget'))))).toEqual([]);
  });
});

describe('fields', () => {
  it.each<[string, object, string, string]>([
    ['misspelt', deployment({}, { replica: 1 }), 'spec.replica', 'write replicas'],
    ['unknown', deployment({}, { colour: 'red' }), 'spec.colour', 'remove it, or mend its spelling'],
    ['of another type', deployment({}, { replicas: 'two' }), 'spec.replicas', 'give an integer'],
    [
      'missing',
      deployment({ containers: [{ ...container(), name: undefined }] }),
      'spec.template.spec.containers[0].name',
      'give name',
    ],
  ])('%s', async (_what, object, path, fix) => {
    expect(await found(bundle({ objects: [object] }))).toMatchObject([
      { rule: 'fields', severity: 'error', path, fix },
    ]);
  });
});

describe('CRDs against the version before', () => {
  const schema = (properties: object, more: object = {}) => ({
    openAPIV3Schema: { type: 'object', properties, ...more },
  });
  const version = (name: string, o: object) => ({ name, served: true, storage: true, ...o });
  const crd = (versions: object[], more: object = {}) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.org' },
    spec: { group: 'example.org', scope: 'Namespaced', names: { kind: 'Thing', plural: 'things' }, versions, ...more },
  });
  const before = withExtra(
    crd([version('v1', { schema: schema({ a: { type: 'string' }, b: { type: 'string', enum: ['x', 'y'] } }) })]),
  );
  const full = { a: { type: 'string' }, b: { type: 'string', enum: ['x', 'y'] } };
  const v1 = (properties: object, more: object = {}) => crd([version('v1', { schema: schema(properties, more) })]);
  const at = 'spec.versions[0].schema.openAPIV3Schema';
  it.each<[string, object, string[]]>([
    ['the same', v1(full), []],
    ['a field more', v1({ ...full, c: { type: 'string' } }), []],
    ['a field less', v1({ b: full.b }), [`${at}.properties.a`]],
    ['another type', v1({ ...full, a: { type: 'integer' } }), [`${at}.properties.a.type`]],
    ['a value less', v1({ ...full, b: { type: 'string', enum: ['x'] } }), [`${at}.properties.b.enum`]],
    ['a field that must be given', v1(full, { required: ['a'] }), [`${at}.required`]],
    ['another scope', crd([version('v1', { schema: schema(full) })], { scope: 'Cluster' }), ['spec.scope']],
    ['the stored version gone', crd([version('v2', { schema: schema(full) })]), ['spec.versions']],
  ])('%s', async (_what, now, paths) => {
    const findings = await found(withExtra(now), { against: before });
    expect(findings.map((f) => [f.rule, f.path])).toEqual(paths.map((p) => ['crd-compatible', p]));
  });

  it('that is gone is told', async () => {
    expect(told(await found(bundle(), { against: before }))).toEqual(['warning crd-compatible']);
  });
});

describe('values', () => {
  const of = (schema: object | undefined, replicas: unknown = '{{values.replicas}}') =>
    bundle({ objects: [deployment({}, { replicas })], ...(schema ? { schema } : {}) });
  const replicas = { type: 'integer', default: 1 };
  it.each<[string, BundleContent, string[]]>([
    ['in the schema with a default', of({ properties: { replicas } }), []],
    [
      'without a default',
      of({ properties: { replicas: { type: 'integer' } }, required: ['replicas'] }),
      ['error render', 'warning values'],
    ],
    ['that the schema does not know', of({ properties: {} }), ['error render', 'error values']],
    ['without a schema', of(undefined), ['error render', 'error values']],
    [
      'with a default of another type',
      of({ properties: { replicas: { type: 'integer', default: 'one' } } }),
      ['error render', 'error values'],
    ],
    [
      'that nothing uses',
      of({ properties: { replicas, colour: { type: 'string', default: 'red' } } }),
      ['warning values properties.colour'],
    ],
    ['that may be anything', of({ properties: { replicas }, additionalProperties: true }), ['warning values']],
  ])('%s', async (_what, b, rules) => {
    const findings = (await found(b)).map((f) => (f.rule === 'render' ? 'error render' : told([f])[0]));
    expect([...new Set(findings)]).toEqual(rules);
  });

  it('and facts that there are not', async () => {
    const of = (image: string) => bundle({ objects: [deployment({}, { paused: image })] });
    const findings = await found(of('{{facts.colour}}'));
    expect(findings.map((f) => f.rule)).toContain('values');
    expect(findings.find((f) => f.rule === 'values')?.message).toContain('facts.colour is no fact of a cluster');
    const openstack = await found(of('{{facts.openstack.authUrl}}'));
    expect(openstack.find((f) => f.rule === 'values')?.fix).toBe('add credentials: [openstack] to bundle.yaml');
  });
});

describe('secrets in clear', () => {
  const secret = (stringData: object) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData });
  const password = { type: 'string', default: '' };
  it('in a Secret, an environment variable, a default; without saying them', async () => {
    const env = [{ name: 'DB_PASSWORD', value: 'hunter2' }];
    const b = bundle({
      objects: [
        deployment({ containers: [container({ env })] }),
        secret({ key: 'hunter2', empty: '', given: '{{values.password}}' }),
      ],
      schema: { properties: { password: { ...password, default: 'hunter2' } } },
    });
    const findings = await found(b);
    expect(told(findings)).toEqual([
      'error secret-in-clear spec.template.spec.containers[0].env[0].value',
      'error secret-in-clear stringData.key',
      'error secret-in-clear properties.password.default',
    ]);
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });
});

describe('health', () => {
  it('of nothing, or of what is not there', async () => {
    expect(told(await found(bundle({ manifest: { health: {} } })))).toEqual(['warning health health.checks']);
    const checks = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'agents', name: 'agent' }];
    expect(told(await found(bundle({ manifest: { health: { checks } } })))).toEqual(['error health health.checks[0]']);
  });
});

it('tells what cannot be rendered, once', async () => {
  const patches = [{ target: { kind: 'Deployment', name: 'gone' }, merge: {} }];
  const findings = await found(bundle({ manifest: { patches, kubernetes: '>=1.35' } }));
  expect(findings.filter((f) => f.rule === 'render').map((f) => f.message)).toEqual([
    'patches[0].target: there is no Deployment gone: mend the target, or remove the patch',
  ]);
});

describe('what is known of Kubernetes', () => {
  it('is of real API servers: kinds with fields, deprecations in its own words', () => {
    expect(kubernetes.map((k) => k.version.split('.').slice(0, 2).join('.'))).toContain('v1.35');
    for (const k of kubernetes) {
      expect(k.kinds.find((x) => x.kind === 'Deployment')).toMatchObject({ apiVersion: 'apps/v1', namespaced: true });
      expect(k.kinds.find((x) => x.kind === 'Endpoints')?.deprecated).toContain('deprecated');
      for (const x of k.kinds) if (x.definition) expect(k.definitions[x.definition], x.definition).toBeDefined();
    }
  });
});
