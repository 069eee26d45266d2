import type { Machine } from '@shoto/api';
import type { KubeClient } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import type { NodeView, PodView } from './node.ts';
import { reconcileMachine } from './reconcile-machine.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');
const healthy: NodeView = {
  metadata: { name: 'm1' },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'NetworkUnavailable', status: 'False' },
    ],
  },
};

/** A Machine whose node is as given, and a pass over it. */
function scenario(o: {
  node?: NodeView;
  pods?: PodView[];
  health?: NonNullable<Machine['status']>['health'];
  error?: string;
}) {
  const machine = {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name: 'm1', namespace: 'tenant-blue', uid: 'mu' },
    spec: { cluster: { name: 'web', uid: 'cu' }, region: 'one' },
    status: { health: o.health ?? { revision: 0 } },
  } as unknown as Machine;
  const written: object[] = [];
  const client = {
    patchStatusMap: async (_t: unknown, _o: unknown, map: string, next: object) => void written.push({ map, ...next }),
  } as unknown as KubeClient;
  const pass = () =>
    reconcileMachine(
      {
        client,
        read: async () => machine,
        watches: {
          state: () => ({ watched: true, synced: true, ...(o.error ? { error: o.error } : {}) }),
          node: () => o.node,
          podsOn: async () => o.pods ?? [],
        },
        now: () => NOW,
        wrote: () => {},
      },
      'tenant-blue/m1',
    );
  return { pass, written };
}

describe('a pass over a machine', () => {
  it('writes once that the node is healthy', async () => {
    const s = scenario({ node: healthy });
    await s.pass();
    expect(s.written).toMatchObject([
      { map: 'health', ready: true, conditions: [{ type: 'Healthy', status: 'True', reason: 'NodeReady' }] },
    ]);
  });
  it('writes nothing about a node that is still coming up', async () => {
    const s = scenario({ node: { metadata: { name: 'm1' } } });
    await s.pass();
    expect(s.written).toEqual([]);
  });
  it('looks again while the plumbing of the node is not up', async () => {
    const late: PodView = {
      metadata: {
        name: 'kube-proxy-1',
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'kube-proxy', uid: 'd' }],
      },
      spec: { hostNetwork: true },
    };
    const s = scenario({ node: healthy, pods: [late] });
    expect(await s.pass()).toEqual({ requeueAfterMs: 1000 });
    expect(s.written).toEqual([]);
  });
  it('writes that a healthy node fell silent', async () => {
    const s = scenario({
      node: { metadata: { name: 'm1' }, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } },
      health: { revision: 1, ready: true },
    });
    await s.pass();
    expect(s.written).toMatchObject([{ ready: false, conditions: [{ status: 'False', reason: 'NodeSilent' }] }]);
  });
  it('writes nothing about nodes of a cluster that we cannot reach', async () => {
    const s = scenario({ health: { revision: 1, ready: true }, error: 'connect timeout' });
    await s.pass();
    expect(s.written).toEqual([]);
  });
});
