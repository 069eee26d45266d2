import type { Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine } from '../../test/builders.ts';
import { isInStep, MANAGED, nodeFieldsPatch } from './managed-fields.ts';
import type { Node } from './node.ts';

const machine = (spec: object = {}): Machine => aMachine(aCluster(), { role: 'worker', spec });
const node = (
  o: { labels?: Record<string, string>; managed?: string; taints?: NonNullable<Node['spec']>['taints'] } = {},
): Node => ({
  metadata: {
    name: 'n',
    resourceVersion: '7',
    labels: o.labels ?? {},
    ...(o.managed === undefined ? {} : { annotations: { [MANAGED]: o.managed } }),
  },
  spec: o.taints ? { taints: o.taints } : {},
});
const managed = (labels: string[], taints: string[] = []): string => JSON.stringify({ labels, taints });
const soft = { key: 'a', value: '1', effect: 'NoSchedule' };
const theirs = { key: 'theirs', effect: 'NoSchedule' };

describe('what is written to a Node for the labels of its Machine', () => {
  it.each<[string, Node, Machine, object | undefined]>([
    ['nothing where there are none', node({ labels: { theirs: 'x' } }), machine(), undefined],
    [
      'nothing where all are there',
      node({ labels: { a: '1' }, managed: managed(['a']) }),
      machine({ labels: { a: '1' } }),
      undefined,
    ],
    [
      'what is missing, and that it is ours',
      node(),
      machine({ labels: { a: '1' } }),
      { metadata: { labels: { a: '1' }, annotations: { [MANAGED]: managed(['a']) } } },
    ],
    [
      'only that it is ours, where the kubelet has set it',
      node({ labels: { a: '1' } }),
      machine({ labels: { a: '1' } }),
      { metadata: { annotations: { [MANAGED]: managed(['a']) } } },
    ],
    [
      'another value',
      node({ labels: { a: '1' }, managed: managed(['a']) }),
      machine({ labels: { a: '2' } }),
      { metadata: { labels: { a: '2' } } },
    ],
    [
      'away what nobody asks for any more, and nothing else',
      node({ labels: { a: '1', theirs: 'x' }, managed: managed(['a']) }),
      machine(),
      { metadata: { labels: { a: null }, annotations: { [MANAGED]: null } } },
    ],
    [
      'back to its own what the owner had set otherwise',
      node({
        labels: { 'topology.kubernetes.io/region': 'other' },
        managed: managed(['topology.kubernetes.io/region']),
      }),
      machine(),
      { metadata: { labels: { 'topology.kubernetes.io/region': 'north' }, annotations: { [MANAGED]: null } } },
    ],
    [
      'nothing away where it cannot be read what is ours',
      node({ labels: { a: '1' }, managed: '{' }),
      machine(),
      { metadata: { annotations: { [MANAGED]: null } } },
    ],
  ])('%s', (_, n, m, patch) => {
    expect(nodeFieldsPatch(n, m)).toEqual(patch);
  });
});

describe('what is written to a Node for the taints of its Machine', () => {
  it.each<[string, Node, Machine, object | undefined]>([
    [
      'nothing where all are there',
      node({ taints: [theirs, soft], managed: managed([], ['a:NoSchedule']) }),
      machine({ taints: [soft] }),
      undefined,
    ],
    [
      'what is missing, over the list that was read',
      node({ taints: [theirs] }),
      machine({ taints: [soft] }),
      {
        metadata: { resourceVersion: '7', annotations: { [MANAGED]: managed([], ['a:NoSchedule']) } },
        spec: { taints: [theirs, soft] },
      },
    ],
    [
      'another value',
      node({ taints: [{ ...soft, value: '0' }], managed: managed([], ['a:NoSchedule']) }),
      machine({ taints: [soft] }),
      { metadata: { resourceVersion: '7' }, spec: { taints: [soft] } },
    ],
    [
      'the other effect only',
      node({ taints: [soft], managed: managed([], ['a:NoSchedule']) }),
      machine({ taints: [{ ...soft, effect: 'NoExecute' }] }),
      {
        metadata: { resourceVersion: '7', annotations: { [MANAGED]: managed([], ['a:NoExecute']) } },
        spec: { taints: [{ ...soft, effect: 'NoExecute' }] },
      },
    ],
    [
      'away what nobody asks for any more',
      node({ taints: [soft], managed: managed([], ['a:NoSchedule']) }),
      machine(),
      { metadata: { resourceVersion: '7', annotations: { [MANAGED]: null } }, spec: { taints: null } },
    ],
    ['nothing away that we have not set', node({ taints: [theirs] }), machine(), undefined],
  ])('%s', (_, n, m, patch) => {
    expect(nodeFieldsPatch(n, m)).toEqual(patch);
  });
});

it('tells by a Node’s metadata alone whether it is in step', () => {
  const m = machine({ labels: { a: '1' }, taints: [soft] });
  expect(isInStep(node({ labels: { a: '1' }, managed: managed(['a'], ['a:NoSchedule']) }), m)).toBe(true);
  expect(isInStep(node({ labels: { a: '1' }, managed: managed(['a']) }), m)).toBe(false);
  expect(isInStep(node({ labels: { a: '2' }, managed: managed(['a'], ['a:NoSchedule']) }), m)).toBe(false);
  expect(isInStep(node(), machine())).toBe(true);
  expect(isInStep(node({ managed: managed(['a']) }), machine())).toBe(false);
});
