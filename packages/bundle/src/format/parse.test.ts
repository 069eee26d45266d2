import { describe, expect, it } from 'vitest';
import { BundleError } from '../errors.ts';
import { parseBundleManifest } from './parse.ts';

const GOOD = `apiVersion: bundle.shoto.dev/v1alpha1
kind: Bundle
name: cinder-csi
version: 1.35.1
kubernetes: ">=1.35 <1.37"
content:
  manifests: manifests
`;

const problemsOf = (text: string): string[] => {
  try {
    parseBundleManifest(text);
  } catch (e) {
    if (e instanceof BundleError) return e.message.split('; ');
    throw e;
  }
  return [];
};

describe('bundle.yaml', () => {
  it('has defaults for what it does not say', () => {
    expect(parseBundleManifest(GOOD)).toEqual({
      apiVersion: 'bundle.shoto.dev/v1alpha1',
      kind: 'Bundle',
      name: 'cinder-csi',
      version: '1.35.1',
      channel: 'stable',
      kubernetes: '>=1.35 <1.37',
      namespace: 'kube-system',
      dependsOn: [],
      provides: [],
      content: { manifests: 'manifests' },
      patches: [],
      health: { timeoutSeconds: 600, checks: [] },
      prune: { never: [] },
      drift: { ignore: [] },
      credentials: [],
      images: [],
      privileged: [],
    });
  });

  it('says everything that the contract has', () => {
    const m = parseBundleManifest(`${GOOD}channel: candidate
dependsOn: [{ name: snapshot-controller, version: ">=8.0.0" }, { name: flannel }]
provides: [csi]
patches:
  - target: { kind: Deployment, name: x }
    when: values.hostNetwork
    merge: { spec: { replicas: 2, template: null } }
  - target: { apiVersion: v1, kind: Service }
    json: [{ op: replace, path: /spec/type, value: ClusterIP }, { op: remove, path: /spec/ports/0 }]
health:
  timeoutSeconds: 300
  checks:
    - { apiVersion: v1, kind: ConfigMap, namespace: a, name: b, cel: "object.data.ready == 'yes'", message: not ready }
prune: { never: [{ kind: PersistentVolumeClaim }] }
drift: { ignore: [{ kind: Deployment, name: x, paths: [/spec/replicas] }] }
credentials: [openstack]
images: [{ name: registry.k8s.io/x/y, tag: v1.2.3 }]
privileged: [{ kind: DaemonSet, name: x, why: mounts devices of the host }]
`);
    expect(m.patches[0]!.merge).toEqual({ spec: { replicas: 2, template: null } });
    expect(m.health.timeoutSeconds).toBe(300);
  });

  it.each([
    ['broken YAML', 'kind: [Bundle', ['bundle.yaml:1:14: Flow sequence']],
    ['a key that stands twice', `${GOOD}name: twice\n`, ['bundle.yaml:8:1: Map keys must be unique']],
    ['nothing in it', '', ['bundle.yaml: empty: give apiVersion, kind, name, version, kubernetes and content']],
    ['two documents', `${GOOD}---\na: 1\n`, ['bundle.yaml:9:1: one document only: remove the others']],
    [
      'an unknown field',
      `${GOOD}chanel: edge\n`,
      ['bundle.yaml:8:9: chanel: unknown field: remove it, or mend its spelling'],
    ],
    [
      'an unknown channel',
      `${GOOD}channel: beta\n`,
      ['bundle.yaml:8:10: channel: "beta" is not supported: choose one of stable, candidate, edge'],
    ],
    [
      'a missing field and a number for a text',
      GOOD.replace('1.35.1', '1.35').replace('name: cinder-csi\n', ''),
      ['bundle.yaml:1:1: name: required: give a string', 'bundle.yaml:3:10: version: 1.35 is not a string'],
    ],
    [
      'a version that is not semantic',
      GOOD.replace('version: 1.35.1', 'version: v1.35.1'),
      ['bundle.yaml:4:10: version: "v1.35.1" is not right: a semantic version, such as 1.35.1'],
    ],
    [
      'a range in words',
      GOOD.replace('>=1.35 <1.37', '1.35 to 1.37'),
      [
        'bundle.yaml:5:13: kubernetes: "1.35 to 1.37" is not right: comparisons of Kubernetes versions with a space between, such as >=1.35 <1.37',
      ],
    ],
    [
      'a path to the outside',
      GOOD.replace('manifests: manifests', 'manifests: ../other'),
      ['bundle.yaml:7:14: content.manifests: "../other" is not right: a folder inside the bundle'],
    ],
    [
      'a misspelt Helm field',
      GOOD.replace('manifests: manifests', 'helm: { char: chart }'),
      [
        'bundle.yaml:7:9: content.helm.chart: required: give a string',
        'bundle.yaml:7:17: content.helm.char: unknown field: remove it, or mend its spelling',
      ],
    ],
    [
      'unknown content',
      GOOD.replace('manifests: manifests', 'kustomize: here'),
      [
        'bundle.yaml:7:3: content: give { manifests: <folder> } or { helm: { chart: <folder>, releaseName: <name>, values: {...} } }',
      ],
    ],
    [
      'a patch without kind',
      `${GOOD}patches:\n  - target: { name: x }\n    merge: {}\n    json: []\n`,
      ['bundle.yaml:9:13: patches[0].target.kind: required: give a string'],
    ],
    [
      'a patch that does nothing',
      `${GOOD}patches:\n  - target: { kind: X }\n`,
      ['bundle.yaml:9:5: patches[0]: give exactly one of merge (RFC 7386) and json (RFC 6902)'],
    ],
    [
      'a patch for an unknown variable',
      `${GOOD}patches:\n  - target: { kind: X }\n    when: "value.x"\n    merge: {}\n`,
      [
        'bundle.yaml:10:11: patches[0].when: not an expression that can be used: Unknown variable: value (at character 1)',
      ],
    ],
    [
      'a check that cannot be read',
      `${GOOD}health: { checks: [{ apiVersion: v1, kind: A, name: a, cel: "object.a +" }] }\n`,
      ['bundle.yaml:8:61: health.checks[0].cel: not an expression that can be used: Unexpected token: EOF'],
    ],
    [
      'a check that gives a number',
      `${GOOD}health: { checks: [{ apiVersion: v1, kind: A, name: a, cel: "1 + 1" }] }\n`,
      ['health.checks[0].cel: not an expression that can be used: gives int, not true or false'],
    ],
    [
      'itself among its needs, and one need twice',
      `${GOOD}dependsOn: [{ name: a }, { name: cinder-csi }, { name: a }]\n`,
      ['dependsOn[1].name: cinder-csi cannot depend on itself', 'dependsOn[2]: the addon a stands there twice'],
    ],
    [
      'a digest that is none',
      `${GOOD}images: [{ name: a, digest: "sha256:12" }]\n`,
      ['images[0].digest: "sha256:12" is not right: sha256: and 64 hexadecimal digits'],
    ],
  ])('that has %s is refused, with place and remedy', (_what, text, expected) => {
    const found = problemsOf(text);
    for (const e of expected)
      expect(
        found.some((f) => f.includes(e)),
        `${e}\nnot in\n${found.join('\n')}`,
      ).toBe(true);
  });
});
