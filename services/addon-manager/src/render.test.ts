import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { render } from './render.ts';
import { rolloutProblem } from './workload.ts';

const facts = {
  podCIDR: '10.1.0.0/16',
  serviceCIDR: '10.2.0.0/16',
  apiHost: '10.8.0.5',
  apiPort: '6443',
  imageRepository: 'mirror/k8s',
};
const digest = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

describe('rendering', () => {
  it('fills in the facts of the cluster', () => {
    const file = new URL('../../../deploy/addons/flannel/0.28.4/manifests/flannel.yaml', import.meta.url);
    const text = readFileSync(file, 'utf8').replaceAll('{{facts.', '{{').replace('{{values.backend}}', 'vxlan');
    const { objects } = render('flannel-0.28.4', text, digest(text), facts);
    expect(objects.map((o) => o.kind)).toEqual([
      'Namespace',
      'ClusterRole',
      'ClusterRoleBinding',
      'ServiceAccount',
      'ConfigMap',
      'DaemonSet',
    ]);
    expect(JSON.stringify(objects)).toContain('mirror/k8s/flannel:v0.28.4');
    expect(JSON.stringify(objects)).toContain('10.1.0.0/16');
    expect(JSON.stringify(objects)).not.toContain('{{');
  });
  it('gives the same for the same', () => {
    const text = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: "{{apiHost}}" }\n';
    expect(render('b', text, digest(text), facts)).toEqual(render('b', text, digest(text), facts));
  });
  it.each([
    ['manifests that are not those that were published', 'a: b', 'sha256:0', 'DigestMismatch'],
    ['a fact that there is not', 'apiVersion: "{{colour}}"', undefined, 'UnknownFact'],
    ['broken YAML', 'a: [', undefined, 'BrokenManifest'],
    ['a document that is no object', 'kind: Pod', undefined, 'BrokenManifest'],
  ])('refuses %s', (_title, text, expected, reason) => {
    expect(() => render('b', text, expected ?? digest(text), facts)).toThrow(expect.objectContaining({ reason }));
  });
});

describe('the health of a workload', () => {
  it.each([
    ['a DaemonSet that is not there', undefined, 'is not there yet'],
    [
      'one that its controller has not seen',
      { metadata: { name: 'd', generation: 2 }, status: { observedGeneration: 1 } },
      'was not looked at by its controller yet',
    ],
    [
      'one without nodes',
      { metadata: { name: 'd', generation: 1 }, status: { observedGeneration: 1, desiredNumberScheduled: 0 } },
      'has no node to run on yet',
    ],
    [
      'one that rolls out',
      {
        metadata: { name: 'd', generation: 1 },
        status: { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 1 },
      },
      'has 1 of 3 pods available',
    ],
    [
      'one that runs',
      {
        metadata: { name: 'd', generation: 1 },
        status: { observedGeneration: 1, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 },
      },
      undefined,
    ],
  ])('%s', (_title, workload, expected) => {
    expect(rolloutProblem('DaemonSet', workload)).toBe(expected);
  });
});
