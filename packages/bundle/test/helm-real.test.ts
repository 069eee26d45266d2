import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundleOf, helmTemplate, render } from '../src/index.ts';

/** Built by `e2e/lab/kubernetes-build --only tools`. */
const BUILT = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'shoto/kubernetes/tools/bin/helm');
const binary = process.env.HELM || BUILT;

const bundle = (template: string) =>
  bundleOf(
    Object.entries({
      'bundle.yaml': `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: agent
version: 1.0.0
kubernetes: ">=1.35"
namespace: agents
content: { helm: { chart: chart, releaseName: web, values: { cidr: "{{facts.podCIDR}}" } } }
`,
      'chart/Chart.yaml': 'apiVersion: v2\nname: agent\nversion: 1.0.0\n',
      'chart/values.yaml': 'replicas: 1\nimage: { name: a, tag: b }\n',
      'chart/crds/things.yaml':
        'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: { name: things.a.dev }\nspec: { group: a.dev, scope: Namespaced, names: { kind: Thing } }\n',
      'chart/templates/a.yaml': template,
      'chart/templates/tests/t.yaml':
        'apiVersion: v1\nkind: Pod\nmetadata: { name: t, annotations: { helm.sh/hook: test } }\n',
    }),
  );
const run = (template: string, values = {}) =>
  render(
    bundle(template),
    {
      facts: { podCIDR: '10.0.0.0/16' },
      values,
      kubernetesVersion: 'v1.36.2',
      apiVersions: ['monitoring.coreos.com/v1'],
    },
    { helm: helmTemplate({ binary }) },
  );

describe.skipIf(!existsSync(binary))('real Helm', () => {
  const template = `apiVersion: apps/v1
kind: Deployment
metadata: { name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }} }
spec:
  replicas: {{ .Values.replicas }}
  seen: ["{{ .Capabilities.KubeVersion.Version }}", "{{ .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}", "{{ .Values.image.name }}:{{ .Values.image.tag }}", "{{ .Values.cidr }}"]
`;
  it('renders a chart with its CRDs, without its tests, for a version and with values and facts', async () => {
    const { objects } = await run(template, { replicas: 3, image: { tag: 'c' } });
    expect(objects.map((o) => `${o.kind} ${o.metadata.namespace ?? '-'} ${o.metadata.name}`)).toEqual([
      'Namespace - agents',
      'CustomResourceDefinition - things.a.dev',
      'Deployment agents web',
    ]);
    expect(objects[2]!.spec).toEqual({ replicas: 3, seen: ['v1.36.2', 'true', 'a:c', '10.0.0.0/16'] });
  });
  it('gives the same again', async () => {
    const [one, two] = [await run(template), await run(template)];
    expect(two.digest).toBe(one.digest);
  });
  it('says where a chart fails', async () => {
    await expect(run('a: {{ .Values.nope.deeper }}\n')).rejects.toThrow(/agent\/templates\/a\.yaml:1:\d+/);
    await expect(run('a: {{ required "give a size" .Values.size }}\n')).rejects.toThrow('give a size');
  });
});
