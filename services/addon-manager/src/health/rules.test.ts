import type { HealthCheck } from '@shoto/bundle';
import type { KubeObject } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { healthProblem } from './rules.ts';

const ask = (kind: string, object: object | undefined, more: Partial<HealthCheck> = {}) =>
  healthProblem(
    { apiVersion: 'v1', kind, name: 'x', ...more },
    object && ({ metadata: { name: 'x', generation: 2 }, ...object } as KubeObject),
  );
const seen = (status: object) => ({ spec: { replicas: 2 }, status: { observedGeneration: 2, ...status } });

describe('the health of', () => {
  it.each([
    ['DaemonSet', undefined, 'is not there yet'],
    ['DaemonSet', { status: { observedGeneration: 1 } }, 'was not looked at by its controller yet'],
    ['DaemonSet', seen({ desiredNumberScheduled: 0 }), 'has no node to run on yet'],
    [
      'DaemonSet',
      seen({ desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2 }),
      'has 2 of 3 pods available',
    ],
    ['DaemonSet', seen({ desiredNumberScheduled: 1, updatedNumberScheduled: 1, numberAvailable: 1 }), undefined],
    [
      'DaemonSet',
      seen({ desiredNumberScheduled: 5, updatedNumberScheduled: 1, numberAvailable: 4 }),
      'has 1 of 5 pods updated, and 4 available',
    ],
    [
      'Deployment',
      seen({ replicas: 3, updatedReplicas: 1, availableReplicas: 2 }),
      'has 1 of 2 pods updated, and 2 available',
    ],
    [
      'Deployment',
      seen({ replicas: 3, updatedReplicas: 2, availableReplicas: 2 }),
      'has 1 old pod left beside 2 of 2 updated',
    ],
    ['Deployment', seen({ replicas: 2, updatedReplicas: 2, availableReplicas: 1 }), 'has 1 of 2 pods available'],
    ['Deployment', seen({ replicas: 2, updatedReplicas: 2, availableReplicas: 2 }), undefined],
    ['StatefulSet', { spec: {}, status: { observedGeneration: 2 } }, 'has 0 of 1 pods updated, and 0 available'],
    ['StatefulSet', seen({ replicas: 2, updatedReplicas: 2, availableReplicas: 1 }), 'has 1 of 2 pods available'],
    ['Job', {}, 'is not complete yet'],
    [
      'Job',
      { status: { conditions: [{ type: 'Failed', status: 'True', message: 'deadline' }] } },
      'has failed: deadline',
    ],
    ['Job', { status: { conditions: [{ type: 'Complete', status: 'True' }] } }, undefined],
    ['CustomResourceDefinition', {}, 'is not established yet'],
    ['APIService', { status: { conditions: [{ type: 'Available', status: 'False' }] } }, 'is not available yet'],
    ['ConfigMap', {}, undefined],
  ])('a %s: %j', (kind, object, problem) => expect(ask(kind, object)).toBe(problem));

  it('an object with an expression is that alone, under its own words', () => {
    const check = { cel: "object.data.ready == 'yes'", message: 'is not ready' };
    expect(ask('ConfigMap', { data: { ready: 'yes' } }, check)).toBeUndefined();
    expect(ask('ConfigMap', { data: { ready: 'no' } }, check)).toBe('is not ready');
    expect(ask('ConfigMap', {}, check)).toMatch(/^is not ready \(.+\)$/);
  });
});
