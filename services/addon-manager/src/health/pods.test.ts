import { describe, expect, it } from 'vitest';
import { ailmentOfPods, type Pod } from './pods.ts';

const pod = (
  name: string,
  status: Pod['status'],
  more: { nodeName?: string; deletionTimestamp?: string } = {},
): Pod => ({
  metadata: { name, ...(more.deletionTimestamp ? { deletionTimestamp: more.deletionTimestamp } : {}) },
  spec: more.nodeName ? { nodeName: more.nodeName } : {},
  status,
});
const waiting = (reason: string, message?: string, exitCode?: number): Pod['status'] => ({
  phase: 'Pending',
  conditions: [{ type: 'Ready', status: 'False' }],
  containerStatuses: [
    {
      name: 'log',
      state: { waiting: { reason, ...(message ? { message } : {}) } },
      ...(exitCode === undefined ? {} : { lastState: { terminated: { exitCode, reason: 'Error' } } }),
    },
  ],
});
const ready: Pod['status'] = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const told = (...pods: Pod[]) => ailmentOfPods(pods, false);
const PULL = 'Back-off pulling image "log:9": ErrImagePull: not found';

describe('the pod that is named for a workload that is not rolled out', () => {
  it.each<[string, Pod['status'], string]>([
    ['an image that is not there', waiting('ImagePullBackOff', PULL), `ImagePullBackOff of container log: ${PULL}`],
    [
      'a program that ends, and how it ended',
      waiting('CrashLoopBackOff', 'back-off 5m0s', 2),
      'CrashLoopBackOff of container log: back-off 5m0s; it ended with exit code 2 (Error)',
    ],
    [
      'a container that has ended',
      {
        phase: 'Running',
        containerStatuses: [{ name: 'log', state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }],
      },
      'OOMKilled of container log: it ended with exit code 137 (OOMKilled)',
    ],
    [
      'an init container before those that wait for it',
      {
        phase: 'Pending',
        initContainerStatuses: [{ name: 'init', state: { waiting: { reason: 'ErrImagePull' } } }],
        containerStatuses: [{ name: 'log', state: { waiting: { reason: 'PodInitializing' } } }],
      },
      'ErrImagePull of container init',
    ],
    [
      'no node that takes it',
      {
        phase: 'Pending',
        conditions: [
          { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available' },
        ],
      },
      'Unschedulable: 0/3 nodes are available',
    ],
    ['an eviction', { phase: 'Failed', reason: 'Evicted', message: 'low on memory' }, 'Evicted: low on memory'],
    [
      'a probe that fails',
      {
        phase: 'Running',
        conditions: [
          { type: 'Ready', status: 'False', reason: 'ContainersNotReady', message: 'unready status: [log]' },
        ],
      },
      'ContainersNotReady: unready status: [log]',
    ],
    ['a start that takes long', waiting('ContainerCreating'), 'ContainerCreating of container log'],
    ['a kubelet that says nothing', { phase: 'Pending' }, 'Pending'],
  ])('is told with %s', (_, status, words) => {
    expect(told(pod('log-1', status))).toBe(`pod log-1: ${words}`);
    expect(told(pod('log-1', status, { nodeName: 'web-1' }))).toBe(`pod log-1 on node web-1: ${words}`);
  });

  it('is the first by name of those that do not run, what may only be slow after what is wrong', () => {
    const wrong = waiting('ImagePullBackOff');
    const pods = [pod('b', wrong), pod('a', ready), pod('c', wrong), pod('aa', waiting('ContainerCreating'))];
    expect(told(...pods)).toBe('pod b: ImagePullBackOff of container log');
  });

  it('is none where all run, have done their work or are on their way out', () => {
    const going = pod('b', waiting('CrashLoopBackOff'), { deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect([told(), told(pod('a', ready), going, pod('c', { phase: 'Succeeded' }))]).toEqual([undefined, undefined]);
  });

  it('says no more than fits into a line', () => {
    const said = told(pod('log-1', waiting('ImagePullBackOff', 'x'.repeat(5000))));
    expect(said).toHaveLength('pod log-1: '.length + 300);
    expect(said).toMatch(/x…$/);
  });

  it('keeps to itself what may repeat a secret, of a bundle that has some', () => {
    const of = (reason: string) => ailmentOfPods([pod('a', waiting(reason, 'exec: "--password=x"', 1))], true);
    expect(of('RunContainerError')).toBe(
      'pod a: RunContainerError of container log: it ended with exit code 1 (Error)',
    );
    expect(of('ImagePullBackOff')).toContain('exec:');
  });
});
