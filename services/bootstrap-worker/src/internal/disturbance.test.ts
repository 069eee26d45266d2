import { PODS } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { aCluster } from '../../test/builders.ts';
import { error, FakeKube } from '../../test/fake-kube.ts';
import { selects } from './budgets.ts';
import { disturbance } from './disturbance.ts';

const PDBS = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};
const cluster = aCluster({ controlPlane: { initialized: true } });
const ask = (w: FakeKube, machines: unknown) => disturbance(cluster, { machines }, async () => w);

function world(): FakeKube {
  const w = new FakeKube();
  const pod = (name: string, nodeName: string, labels: object = {}, namespace = 'shop', more: object = {}) =>
    w.put(PODS, { metadata: { name, namespace, labels, ...more }, spec: { nodeName } } as never);
  pod('web-1', 'w-1', { app: 'web' });
  pod('web-2', 'w-2', { app: 'web' });
  pod('db-0', 'w-1', { app: 'db' });
  pod('web-other', 'w-1', { app: 'web' }, 'elsewhere');
  pod('flannel', 'w-2', {}, 'shop', {
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'f', uid: 'f', controller: true }],
  });
  w.put(PDBS, {
    metadata: { name: 'web', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'web' } } },
    status: { disruptionsAllowed: 0, expectedPods: 2 },
  } as never);
  w.put(PDBS, {
    metadata: { name: 'db', namespace: 'shop' },
    spec: { selector: { matchLabels: { app: 'db' } } },
    status: { disruptionsAllowed: 1, expectedPods: 1 },
  } as never);
  return w;
}

describe('what a drain would move', () => {
  const counted = [
    { name: 'w-1', pods: 3, blocked: 1 },
    { name: 'w-2', pods: 1, blocked: 1 },
    { name: 'w-3', pods: 0, blocked: 0 },
  ];

  it('is counted by machine, with the pods that a budget holds', async () => {
    expect(await ask(world(), ['w-1', 'w-2', 'w-3'])).toEqual({ machines: counted });
  });

  it('is the same for many machines, which are read at once', async () => {
    const many = ['w-1', 'w-2', 'w-3', ...Array.from({ length: 20 }, (_, i) => `none-${i}`)];
    expect((await ask(world(), many)).machines.slice(0, 3)).toEqual(counted);
  });

  it('is not known where the API does not answer', async () => {
    const w = world();
    w.down = error(0, 'Unreachable');
    expect(await ask(w, ['w-1'])).toEqual({ machines: [], unreachable: expect.stringContaining('does not answer') });
  });

  it.each([[[]], ['w-1'], [[7]], [undefined]])('cannot be asked for %j', async (machines) => {
    await expect(ask(world(), machines)).rejects.toMatchObject({ status: 422 });
  });
});

it.each<[Parameters<typeof selects>[0], boolean]>([
  [undefined, false],
  [{}, true],
  [{ matchLabels: { app: 'web' } }, true],
  [{ matchLabels: { app: 'db' } }, false],
  [{ matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'web'] }] }, true],
  [{ matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false],
  [{ matchExpressions: [{ key: 'other', operator: 'NotIn', values: ['web'] }] }, true],
  [{ matchExpressions: [{ key: 'app', operator: 'Exists' }] }, true],
  [{ matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, false],
  [{ matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, false],
])('the selector %j selects app=web: %s', (selector, is) => {
  expect(selects(selector, { app: 'web' })).toBe(is);
});
