import { describe, expect, it } from 'vitest';
import { bundleOf } from '../format/content.ts';
import { render } from './render.ts';

const HEAD = `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: agent
version: 1.0.0
kubernetes: ">=1.35"
namespace: agents
content: { manifests: manifests }
`;
const bundle = (files: Record<string, string>, more = '') =>
  bundleOf(Object.entries({ 'bundle.yaml': HEAD + more, ...files }));
const FACTS = { podCIDR: '10.0.0.0/16', apiHost: '10.1.2.3', apiPort: 6443, dns: { ips: ['10.9.0.10'] } };
const run = (b: ReturnType<typeof bundle>, values = {}, facts: object = FACTS) =>
  render(b, { facts: facts as never, values, kubernetesVersion: 'v1.35.4' });
const configMap = (name: string, rest: string) =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}, namespace: agents }\n${rest}\n`;
const only = async (manifest: string, values = {}, more = '') =>
  (await run(bundle({ 'manifests/a.yaml': manifest }, more), values)).objects.find((o) => o.kind !== 'Namespace')!;

describe('placeholders', () => {
  it('take the type of what they stand for where they stand alone, and are text inside a text', async () => {
    const o = await only(
      configMap(
        'a',
        'data: { host: "{{facts.apiHost}}:{{facts.apiPort}}", port: "{{ facts.apiPort }}", wanted: "{{values.on}}", ips: "{{facts.dns.ips}}" }',
      ),
      { on: true },
    );
    expect(o.data).toEqual({ host: '10.1.2.3:6443', port: 6443, wanted: true, ips: ['10.9.0.10'] });
  });
  it('leave other double braces alone, and are not looked for in what they gave', async () => {
    const o = await only(
      configMap('a', 'data: { a: "{{ $labels.instance }} {{.Values.x}} {{podCIDR}}", b: "{{values.evil}}" }'),
      {
        evil: '{{facts.apiHost}}\nkind: Secret',
      },
    );
    expect(o.data).toEqual({
      a: '{{ $labels.instance }} {{.Values.x}} {{podCIDR}}',
      b: '{{facts.apiHost}}\nkind: Secret',
    });
  });
  it.each([
    [
      'data: { a: "{{facts.nope}}" }',
      'manifests/a.yaml, document 2: data.a: {{facts.nope}} is not known: facts has apiHost, apiPort, dns, kubernetesVersion, podCIDR',
    ],
    [
      'data: { a: "x {{values.a.b}}" }',
      'manifests/a.yaml, document 2: data.a: {{values.a.b}} is not known: values has nothing',
    ],
    ['data: { a: "{{facts.constructor}}" }', 'is not known'],
    [
      'data: { a: "x{{facts.dns}}" }',
      'document 2: data.a: {{facts.dns}} is an object: it may stand alone only, not inside a text',
    ],
    [
      'data: { "{{facts.apiHost}}": a }',
      'document 2: data["{{facts.apiHost}}"]: placeholders may stand in values only, not in keys',
    ],
  ])('of %s are refused with file, document and path', async (rest, message) => {
    await expect(
      run(bundle({ 'manifests/a.yaml': `${configMap('z', '')}---\n${configMap('a', rest)}` })),
    ).rejects.toThrow(message);
  });
  it('leave what was given as it was', async () => {
    const values = { list: [{ a: 1 }] };
    await only(configMap('a', 'data: "{{values.list}}"'), values);
    expect(Object.isFrozen(values.list[0])).toBe(false);
  });
});

describe('objects', () => {
  it('come with Namespaces first, then CustomResourceDefinitions, then as they stand', async () => {
    const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.a.dev }
spec: { group: a.dev, scope: Namespaced, names: { kind: Thing } }
`;
    const b = bundle({
      'manifests/20.yaml': `${crd}---\napiVersion: v1\nkind: Namespace\nmetadata: { name: other }\n`,
      'manifests/10.yaml':
        'apiVersion: a.dev/v1\nkind: Thing\nmetadata: { name: t }\n---\napiVersion: v1\nkind: List\nitems: [{ apiVersion: apps/v1, kind: DaemonSet, metadata: { name: d } }]\n',
      'manifests/README.md': 'not read',
    });
    const { objects } = await run(b);
    expect(objects.map((o) => `${o.kind} ${o.metadata.namespace ?? '-'} ${o.metadata.name}`)).toEqual([
      'Namespace - agents',
      'Namespace - other',
      'CustomResourceDefinition - things.a.dev',
      'Thing agents t',
      'DaemonSet agents d',
    ]);
  });
  it('of a kind without namespace get none, and neither do custom ones that the bundle does not define', async () => {
    const b = bundle({
      'manifests/a.yaml': [
        'rbac.authorization.k8s.io/v1 ClusterRole',
        'storage.k8s.io/v1 CSIDriver',
        'cert-manager.io/v1 ClusterIssuer',
      ]
        .map((k) => `apiVersion: ${k.split(' ')[0]}\nkind: ${k.split(' ')[1]}\nmetadata: { name: x }\n`)
        .join('---\n'),
    });
    expect((await run(b)).objects.map((o) => o.metadata.namespace)).toEqual([undefined, undefined, undefined]);
  });
  it('are labelled as the addon’s, and their pods are not', async () => {
    const o = await only(
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: d, labels: { app.kubernetes.io/managed-by: Helm, shoto.dev/addon: forged } }\nspec: { template: { metadata: { labels: { a: b } } } }\n',
    );
    expect(o.metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'Helm', 'shoto.dev/addon': 'agent' });
    expect(o.spec).toEqual({ template: { metadata: { labels: { a: 'b' } } } });
    expect((await only(configMap('a', ''))).metadata.labels).toEqual({
      'app.kubernetes.io/managed-by': 'shoto',
      'shoto.dev/addon': 'agent',
    });
  });
  it('are left out where their condition is false; the condition itself is never applied', async () => {
    const two = (when: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, annotations: { bundle.shoto.dev/when: '${when}', b: c } }\n`;
    const b = bundle({ 'manifests/a.yaml': two('values.on && kubernetes.minor >= 35 && facts.apiPort == 6443') });
    expect((await run(b, { on: false })).objects).toEqual([]);
    const kept = (await run(b, { on: true })).objects.find((o) => o.kind === 'ConfigMap')!;
    expect(kept.metadata.annotations).toEqual({ b: 'c' });
    await expect(run(b, {})).rejects.toThrow(
      'manifests/a.yaml, document 1: metadata.annotations["bundle.shoto.dev/when"]: "values.on && kubernetes.minor >= 35 && facts.apiPort == 6443": No such key: on',
    );
    await expect(run(bundle({ 'manifests/a.yaml': two('"{{values.x}}" == "a"') }), {})).rejects.toThrow(
      'no placeholders here',
    );
  });
  it.each([
    ['a: [', 'manifests/a.yaml:1:5: Flow sequence'],
    ['kind: A\nmetadata: { name: a }\n', 'manifests/a.yaml, document 1: apiVersion: required: give a string'],
    ['apiVersion: v1\nkind: A\nmetadata: { generateName: a }\n', 'document 1: metadata.name: required'],
    [
      'apiVersion: v1\nkind: A\nmetadata: { name: a, labels: { a: 1 } }\n',
      'document 1: metadata.labels["a"]: is no string: put it in quotes',
    ],
    ['- a\n', 'document 1: is no object'],
    ['a: &a [*a]\n', 'document 1: nested too deep'],
    [
      `${configMap('a', '')}---\n${configMap('a', '')}`,
      'manifests/a.yaml, document 2: ConfigMap agents/a stands in manifests/a.yaml, document 1 too: remove one',
    ],
  ])('like %j are refused with file and document', async (text, message) => {
    await expect(run(bundle({ 'manifests/a.yaml': text }))).rejects.toThrow(message);
  });
  it('must be there', async () => {
    await expect(run(bundle({ 'chart/a.yaml': '' }))).rejects.toThrow(
      'manifests: holds no .yaml file: put the manifests there',
    );
  });
});

describe('patches', () => {
  const deployment =
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: d }\nspec: { replicas: 1, strategy: { type: Recreate }, list: [1, 2] }\n';
  it('merge, take away and put in place, in order, with facts and values filled in', async () => {
    const o = await only(
      deployment,
      { replicas: 3 },
      `patches:
  - { target: { kind: Deployment }, merge: { spec: { replicas: "{{values.replicas}}", strategy: null } } }
  - { target: { kind: Deployment, name: d, namespace: agents, apiVersion: apps/v1 }, json: [{ op: test, path: /spec/replicas, value: 3 }, { op: add, path: /spec/list/-, value: "{{facts.apiPort}}" }] }
`,
    );
    expect(o.spec).toEqual({ replicas: 3, list: [1, 2, 6443] });
  });
  it('wait for their condition', async () => {
    const more = 'patches: [{ target: { kind: Deployment }, when: values.big, merge: { spec: { replicas: 9 } } }]\n';
    expect((await only(deployment, { big: false }, more)).spec).toMatchObject({ replicas: 1 });
    expect((await only(deployment, { big: true }, more)).spec).toMatchObject({ replicas: 9 });
  });
  it('cannot take the addon’s label away', async () => {
    const more = 'patches: [{ target: { kind: Deployment }, merge: { metadata: { labels: null } } }]\n';
    expect((await only(deployment, {}, more)).metadata.labels).toMatchObject({ 'shoto.dev/addon': 'agent' });
  });
  it.each([
    [
      '{ target: { kind: StatefulSet, name: d }, merge: {} }',
      'bundle.yaml: patches[0].target: there is no StatefulSet d: mend the target, or remove the patch',
    ],
    [
      '{ target: { kind: Deployment }, json: [{ op: remove, path: /spec/nope }] }',
      'bundle.yaml: patches[0].json[0]: on Deployment agents/d: there is nothing at /spec/nope',
    ],
    [
      '{ target: { kind: Deployment }, merge: { metadata: { name: null } } }',
      'bundle.yaml: patches[0]: metadata.name: required',
    ],
    [
      '{ target: { kind: Deployment }, merge: { a: "{{values.x}}" } }',
      'bundle.yaml: patches[0].merge.a: {{values.x}} is not known',
    ],
    [
      `{ target: { kind: Deployment }, json: [{ op: add, path: /a, value: {} }, ${Array.from({ length: 60 }, (_, i) => `{ op: copy, from: /a, path: /a/k${i} }`).join(', ')}] }`,
      'bundle.yaml: patches[0].json: on Deployment agents/d: takes longer than 200 ms',
    ],
  ])('like %s are refused', async (patch, message) => {
    await expect(only(deployment, {}, `patches:\n  - ${patch}\n`)).rejects.toThrow(message);
  });
  it('of an object that was left out are no error', async () => {
    const b = bundle(
      {
        'manifests/a.yaml': `${configMap('a', '')}---\n${deployment.replace('name: d', 'name: d, annotations: { bundle.shoto.dev/when: values.on }')}`,
      },
      'patches: [{ target: { kind: Deployment }, merge: { spec: { replicas: 9 } } }]\n',
    );
    expect((await run(b, { on: false })).objects.map((o) => o.kind)).toEqual(['Namespace', 'ConfigMap']);
  });
});

describe('dashboards and alerts', () => {
  it('become ConfigMaps that Grafana and Prometheus find', async () => {
    const rules =
      'groups: # of the agent\n  - name: a\n    rules: [{ alert: Down, annotations: { summary: "{{ $labels.instance }}" } }]\n';
    const b = bundle({
      'manifests/a.yaml': configMap('a', ''),
      'dashboards/Agent Volumes.json': '{"title":"{{facts.apiHost}} {{instance}}"}',
      'alerts/agent.yaml': rules,
      'alerts/here.yaml': 'groups: [{ name: "{{values.name}}" }]\n',
    });
    const made = (await run(b, { name: 'a: b' })).objects.slice(2);
    expect(made).toMatchObject([
      {
        metadata: { name: 'agent-dashboard-agent-volumes', namespace: 'agents', labels: { grafana_dashboard: '1' } },
        data: { 'Agent Volumes.json': '{"title":"{{facts.apiHost}} {{instance}}"}' },
      },
      { metadata: { name: 'agent-rules-agent', labels: { prometheus_rules: '1' } }, data: { 'agent.yaml': rules } },
      { metadata: { name: 'agent-rules-here' }, data: { 'here.yaml': 'groups:\n  - name: "a: b"\n' } },
    ]);
  });
  it.each([
    ['dashboards/a.json', '{', 'dashboards/a.json: is no JSON'],
    ['alerts/a.yaml', 'rules: []', 'alerts/a.yaml: groups: required'],
    [
      'dashboards/a.json',
      `"${'a'.repeat(1024 * 1024)}"`,
      'dashboards/a.json: larger than the 900 KiB that fit in a ConfigMap',
    ],
  ])('%s that is wrong is refused', async (file, text, message) => {
    await expect(run(bundle({ 'manifests/a.yaml': configMap('a', ''), [file]: text }))).rejects.toThrow(message);
  });
});

describe('a render', () => {
  const files = {
    'manifests/a.yaml': `${configMap('a', 'data: { a: b }')}---\n${configMap('b', 'data: { a: "{{facts.apiHost}}" }')}`,
  };
  it('gives the same bytes for the same input, whatever the order of keys', async () => {
    const one = await run(bundle(files), { a: 1, b: 2 });
    const two = await run(
      bundle(Object.fromEntries(Object.entries(files).reverse())),
      { b: 2, a: 1 },
      Object.fromEntries(Object.entries(FACTS).reverse()),
    );
    expect(two.digest).toBe(one.digest);
    expect(JSON.stringify(two.objects)).toBe(JSON.stringify(one.objects));
    expect((await run(bundle(files), {}, { ...FACTS, apiHost: 'b' })).digest).not.toBe(one.digest);
  });
  it('has the digest of its canonical JSON', async () => {
    const { objects, digest, bytes } = await run(
      bundle({ 'manifests/a.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: agents }\n' }),
    );
    const json =
      '[{"apiVersion":"v1","kind":"Namespace","metadata":{"labels":{"app.kubernetes.io/managed-by":"shoto","shoto.dev/addon":"agent"},"name":"agents"}}]';
    const { createHash } = await import('node:crypto');
    expect(digest).toBe(`sha256:${createHash('sha256').update(json).digest('hex')}`);
    expect(bytes).toBe(json.length);
    expect(objects).toHaveLength(1);
  });
  it('shares with other clusters what is the same for them', async () => {
    const b = bundle(files);
    const [one, two] = [await run(b), await run(b, {}, { ...FACTS, apiHost: 'other' })];
    expect(two.objects[1]).toBe(one.objects[1]);
    expect(two.objects[2]).not.toBe(one.objects[2]);
  });
  it('asks for a version that is one', async () => {
    await expect(render(bundle(files), { facts: {}, values: {}, kubernetesVersion: '1.35' })).rejects.toThrow(
      'kubernetesVersion: "1.35" is no version',
    );
  });
});
