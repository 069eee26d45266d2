import { describe, expect, it } from 'vitest';
import { judgeNode, judgePlumbing, NODE_PROBLEMS, type NodeView, type PodView, sameNode, trimNode } from './node.ts';

const node = (...conditions: [string, 'True' | 'False' | 'Unknown'][]): NodeView => ({
  metadata: { name: 'web-default-abcde', uid: 'u1' },
  status: { conditions: conditions.map(([type, status]) => ({ type, status })) },
});
const pod = (name: string, ready: 'True' | 'False', o: { hostNetwork?: boolean; owner?: string } = {}): PodView => ({
  metadata: { name, ownerReferences: [{ apiVersion: 'apps/v1', kind: o.owner ?? 'DaemonSet', name: 'x', uid: 'd1' }] },
  spec: { hostNetwork: o.hostNetwork ?? true },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});

describe('the verdict on a node', () => {
  it.each([
    ['no node', undefined, 'NodeMissing'],
    ['a node that has not reported', node(), 'NodeStarting'],
    ['a silent node', node(['Ready', 'Unknown']), 'NodeSilent'],
    ['a node that is not ready', node(['Ready', 'False']), 'NodeNotReady'],
    ['a ready node whose CNI has said nothing', node(['Ready', 'True']), 'PodNetworkStarting'],
    [
      'a ready node without pod network',
      node(['Ready', 'True'], ['NetworkUnavailable', 'True']),
      'PodNetworkUnavailable',
    ],
    ['a ready node with pod network', node(['Ready', 'True'], ['NetworkUnavailable', 'False']), 'NodeReady'],
  ])('%s', (_title, seen, reason) => {
    expect(judgeNode(seen)).toMatchObject({ reason, ready: reason === 'NodeReady' });
  });

  it.each(NODE_PROBLEMS)('a ready node that complains of %s still serves, and is sick', (problem) => {
    const seen = node(['Ready', 'True'], ['NetworkUnavailable', 'False'], [problem, 'True']);
    expect(judgeNode(trimNode(seen))).toMatchObject({ ready: true, reason: problem });
    const well = node(['Ready', 'True'], ['NetworkUnavailable', 'False'], [problem, 'False']);
    expect(judgeNode(trimNode(well)).reason).toBe('NodeReady');
  });

  it('names the worst of several complaints', () => {
    const seen = node(
      ['Ready', 'True'],
      ['NetworkUnavailable', 'False'],
      ['DiskPressure', 'True'],
      ['ReadonlyFilesystem', 'True'],
    );
    expect(judgeNode(seen).reason).toBe('ReadonlyFilesystem');
  });

  it('sees that a cordoned node is none the worse for it', () => {
    const cordoned = { ...node(['Ready', 'True'], ['NetworkUnavailable', 'False']), spec: { unschedulable: true } };
    expect(judgeNode(trimNode(cordoned)).reason).toBe('NodeReady');
  });

  it('waits for the pods that a node needs to serve others, and for no others', () => {
    expect(judgePlumbing([pod('kube-proxy-1', 'True'), pod('kube-flannel-1', 'False')])).toMatchObject({
      ready: false,
      message: 'not ready on this node: kube-flannel-1',
    });
    expect(
      judgePlumbing([pod('web-1', 'False', { owner: 'ReplicaSet' }), pod('log-1', 'False', { hostNetwork: false })]),
    ).toBeUndefined();
  });

  it('sees no change in a heartbeat', () => {
    const beat = (at: string): NodeView => ({
      metadata: { name: 'n', uid: 'u', resourceVersion: at, annotations: { at } },
      status: {
        conditions: [
          { type: 'Ready', status: 'True', message: `at ${at}` },
          { type: 'MemoryPressure', status: 'False' },
        ],
      },
    });
    expect(sameNode(trimNode(beat('1')), trimNode(beat('2')))).toBe(true);
  });
});
