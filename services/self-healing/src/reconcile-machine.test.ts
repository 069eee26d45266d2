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
  bootstrap?: object;
  server?: object;
}) {
  const machine = {
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'Machine',
    metadata: { name: 'm1', namespace: 'tenant-blue', uid: 'mu' },
    spec: { cluster: { name: 'web', uid: 'cu' }, region: 'one' },
    status: { health: o.health ?? { revision: 0 }, bootstrap: o.bootstrap, server: o.server },
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
        owns: () => true,
        silentMs: 300_000,
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

  it('keeps the time of a sickness while it only changes its words, and begins anew when it becomes another', async () => {
    const silent: NodeView = {
      metadata: { name: 'm1' },
      status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
    };
    const told = (reason: string) => ({
      revision: 1,
      ready: false,
      sickSince: '2026-11-01T11:50:00Z',
      conditions: [
        { type: 'Healthy', status: 'False' as const, reason, message: '', lastTransitionTime: '2026-11-01T11:50:00Z' },
      ],
    });
    const same = scenario({ node: silent, health: told('NodeNotReady') });
    await same.pass();
    expect(same.written).toMatchObject([{ sickSince: '2026-11-01T11:50:00Z', unreachable: true }]);
    const other = scenario({ node: silent, health: told('DiskPressure') });
    await other.pass();
    expect(other.written).toMatchObject([{ sickSince: '2026-11-01T12:00:00Z' }]);
  });

  it('says that a node under pressure is sick, and that it serves', async () => {
    const node: NodeView = {
      metadata: { name: 'm1' },
      status: {
        conditions: [
          ...healthy.status!.conditions!,
          { type: 'DiskPressure', status: 'True', message: 'disk is short' },
        ],
      },
    };
    const s = scenario({ node, health: { revision: 1, ready: true } });
    await s.pass();
    expect(s.written).toMatchObject([
      { ready: true, sickSince: '2026-11-01T12:00:00Z', conditions: [{ status: 'False', reason: 'DiskPressure' }] },
    ]);
    expect(s.written[0]).not.toHaveProperty('unreachable');
  });

  it('takes back an order that nobody has carried out when the node is well again', async () => {
    const order = { number: 2, action: 'Reboot' as const, at: '2026-11-01T11:59:00Z', reason: 'NodeSilent' };
    const ill = { revision: 3, ready: false, unreachable: true, sickSince: '2026-11-01T11:50:00Z', order };
    const open = scenario({ node: healthy, health: ill, server: { state: 'Active', handled: 1 } });
    await open.pass();
    expect(open.written).toMatchObject([{ ready: true }]);
    for (const field of ['order', 'sickSince', 'unreachable']) expect(open.written[0]).not.toHaveProperty(field);
    const done = scenario({ node: healthy, health: ill, server: { state: 'Active', handled: 2 } });
    await done.pass();
    expect(done.written).toMatchObject([{ ready: true, order }]);
  });

  it('gives a node that joined five minutes to be ready, then says that it is not', async () => {
    const starting: NodeView = {
      metadata: { name: 'm1' },
      status: { conditions: [{ type: 'Ready', status: 'False' }] },
    };
    const early = scenario({ node: starting, bootstrap: { joinedAt: '2026-11-01T11:56:00Z' } });
    expect(await early.pass()).toEqual({ requeueAfterMs: 60_000 });
    expect(early.written).toEqual([]);
    const late = scenario({ node: starting, bootstrap: { joinedAt: '2026-11-01T11:55:00Z' } });
    await late.pass();
    expect(late.written).toMatchObject([{ ready: false, sickSince: '2026-11-01T12:00:00Z' }]);
  });
});
