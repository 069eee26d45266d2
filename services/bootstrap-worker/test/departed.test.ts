import { FINALIZERS, LABELS, type Machine } from '@shoto/api';
import { NODES } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { MACHINES } from '../src/world.ts';
import { aCluster, aMachine } from './builders.ts';
import { error } from './fake-kube.ts';
import { cluster, going, joinedAt, nodeOf, run, type Scenario, silent, worker } from './machine-world.ts';
import { scenario } from './scenario.ts';

const nodes = (s: Scenario): string[] =>
  s
    .workload(cluster)
    .all<{ metadata: { name: string } }>(NODES)
    .map((n) => n.metadata.name);

describe('the Node of a Machine that is gone', () => {
  const OURS = 'openstack:///server-of-web-w-1';
  /** The Machine has just gone; a node of that name is there. */
  const departed = async (o: { providerID?: string; cluster?: typeof cluster; machine?: Machine } = {}) => {
    const m = o.machine ?? worker({ metadata: { ...going, finalizers: [FINALIZERS.server] } });
    const s = await scenario({ clusters: [o.cluster ?? cluster], machines: [m] });
    s.workload(cluster).put(NODES, { metadata: { name: 'web-w-1' }, spec: { providerID: o.providerID ?? OURS } });
    s.kube.drop(MACHINES, m.metadata);
    return { s, m, isDue: s.departed.note(m) };
  };

  it('is deleted, once: of a lost machine, or of one whose kubelet came back before its server was gone', async () => {
    const { s, m, isDue } = await departed();
    expect(isDue).toBe(true);
    await run(s, m);
    expect(nodes(s)).toEqual([]);
    await run(s, m);
    expect(s.workload(cluster).writes).toEqual(['delete nodes web-w-1']);
  });

  it('is tried again while the API of the cluster does not answer', async () => {
    const { s, m } = await departed();
    s.workload(cluster).down = error(0, 'Unreachable');
    await expect(run(s, m)).rejects.toMatchObject({ status: 0 });
    s.workload(cluster).down = undefined;
    await run(s, m);
    expect(nodes(s)).toEqual([]);
  });

  it('stays under the emergency stop, and goes after it', async () => {
    const { s, m } = await departed();
    s.fleet.stop = { reason: 'storm', by: 'jane', since: '' };
    await expect(run(s, m)).rejects.toMatchObject({ kind: 'waiting', reason: 'EmergencyStop' });
    expect(nodes(s)).toHaveLength(1);
    s.fleet.stop = undefined;
    await run(s, m);
    expect(nodes(s)).toEqual([]);
  });

  it('stays where it is of another server', async () => {
    const { s, m } = await departed({ providerID: 'openstack:///another' });
    await run(s, m);
    expect(nodes(s)).toHaveLength(1);
  });

  it.each<[string, Parameters<typeof departed>[0], boolean]>([
    ['its cluster goes too', { cluster: aCluster({ controlPlane: { initialized: true }, metadata: going }) }, false],
    ['it never joined', { machine: worker({ bootstrap: {} }) }, false],
    [
      'its cluster is paused',
      { cluster: aCluster({ controlPlane: { initialized: true }, spec: { paused: true } }) },
      true,
    ],
  ])('is left alone where %s', async (_, o, due) => {
    const { s, m, isDue } = await departed(o);
    expect(isDue).toBe(due);
    await run(s, m);
    expect(nodes(s)).toHaveLength(1);
  });

  it('is waited for by a replica whose own watch still shows the Machine', async () => {
    const m = worker({ metadata: { ...going, finalizers: [FINALIZERS.server] } });
    const s = await scenario({ clusters: [cluster], machines: [m] });
    expect(await run(s, m)).toEqual({ requeueAfterMs: 5000 });
  });
});

describe('the sweep of Nodes', () => {
  const old = '2026-01-01T00:00:00Z';
  const pool = { labels: { [LABELS.pool]: 'default' }, creationTimestamp: old };
  const left = (name: string, o: Parameters<typeof nodeOf>[1] = {}) => ({
    metadata: { name, ...pool },
    spec: { providerID: `openstack:///server-of-${name}` },
    status: silent(Date.parse(old)),
    ...o,
  });
  /** A cluster with two healthy machines, and these Nodes besides. */
  const swept = async (more: object[], o: { machines?: Machine[]; cluster?: typeof cluster } = {}) => {
    const machines = [
      aMachine(cluster, { bootstrap: { joinedAt } }),
      worker({ name: 'web-w-1', metadata: {} }),
      ...(o.machines ?? []),
    ];
    const c = o.cluster ?? cluster;
    const s = await scenario({ clusters: [c], machines });
    const w = s.workload(cluster);
    for (const m of machines.slice(0, 2)) w.put(NODES, nodeOf(m, { metadata: pool }));
    for (const n of more) w.put(NODES, n as never);
    await s.clock.advance(60_000);
    return { s, w, sweep: () => s.sweep(c) };
  };

  it('deletes what is left of a server that is gone: what a restart made us miss', async () => {
    const { s, sweep } = await swept([left('web-w-9')]);
    await sweep();
    expect(nodes(s)).toEqual(['web-cp-1', 'web-w-1']);
    expect(s.logged()).toContain('web-w-9');
  });

  it('costs one request where every Node has its Machine', async () => {
    const { s, w, sweep } = await swept([]);
    await sweep();
    expect(w.raws).toEqual(['GET /api/v1/nodes']);
    expect([w.writes, s.woken]).toEqual([[], []]);
  });

  it.each<[string, object]>([
    ['is Ready', left('n', { status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: old }] } })],
    ['fell silent less than a minute ago', left('n', { status: silent(Date.parse(old) + 61_000) })],
    ['has a provider id of another scheme', left('n', { spec: { providerID: 'aws:///n' } })],
    ['has a provider id of another region', left('n', { spec: { providerID: 'openstack://north/n' } })],
    ['has none', left('n', { spec: { providerID: '' } })],
    ['was not made by us', left('n', { metadata: { name: 'n', creationTimestamp: old } })],
    ["has another Machine's server", left('n', { spec: { providerID: 'openstack:///server-of-web-w-1' } })],
  ])('leaves a Node alone that %s', async (_, node) => {
    const { s, sweep } = await swept([node]);
    await sweep();
    expect(nodes(s)).toHaveLength(3);
  });

  describe('says of a Machine that it has joined', () => {
    const at = '2025-12-31T23:00:00Z';
    const ready = { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: old }] };
    const forgotten = (o: Parameters<typeof aMachine>[1] = {}) =>
      worker({ name: 'web-w-2', metadata: {}, ...o, bootstrap: { joinedAt: undefined, ...o.bootstrap } });
    const own = (m: Machine, o: object = {}) => nodeOf(m, { metadata: pool, status: ready, ...o });
    it.each<[string, boolean, Machine, object]>([
      ['whose Node is Ready, though it never took its ticket as far as we know', true, forgotten(), {}],
      ['whose word was lost long ago', true, forgotten({ bootstrap: { keyHash: 'k', ticketTakenAt: at } }), {}],
      ['but not while it may yet say so', false, forgotten({ bootstrap: { keyHash: 'k', ticketTakenAt: old } }), {}],
      [
        'but not of a control plane that may hang half-way',
        false,
        forgotten({ role: 'control-plane', bootstrap: { keyHash: 'k', ticketTakenAt: at } }),
        {},
      ],
      ['but not by the Node of another server', false, forgotten(), { spec: { providerID: 'openstack:///other' } }],
      ['but not by a Node that is not Ready', false, forgotten(), { status: silent(Date.parse(old)) }],
      ['but not of one that leaves', false, forgotten({ metadata: { deletionTimestamp: old } }), {}],
    ])('%s', async (_, expected, m, o) => {
      const { s, sweep } = await swept([own(m, o)], { machines: [m] });
      await sweep();
      const { joinedAt: is, conditions } = s.machineNow(m).status!.bootstrap;
      expect(is !== undefined).toBe(expected);
      expect(conditions?.some((c) => c.type === 'Joined' && c.status === 'True') ?? false).toBe(expected);
    });
  });

  it('asks live before it deletes: a Machine that is not in the cache yet keeps its Node', async () => {
    const { s, sweep } = await swept([left('web-w-9')]);
    s.machineCache.lag();
    s.kube.put(MACHINES, worker({ name: 'web-w-9', metadata: {} }));
    await sweep();
    expect(nodes(s)).toContain('web-w-9');
  });

  it('deletes nothing where most Nodes belong to nobody: then it is us who lost the Machines', async () => {
    const { s, sweep } = await swept(['a', 'b', 'c'].map((n) => left(n)));
    await sweep();
    expect(nodes(s)).toHaveLength(5);
    expect(s.logged()).toContain('most nodes are silent and belong to no Machine');
  });

  it('deletes nothing under the emergency stop, nor in a paused cluster', async () => {
    const stopped = await swept([left('web-w-9')]);
    stopped.s.fleet.stop = 'unknown';
    await stopped.sweep();
    expect(nodes(stopped.s)).toHaveLength(3);
    const paused = await swept([left('web-w-9')], {
      cluster: aCluster({ controlPlane: { initialized: true }, spec: { paused: true } }),
    });
    await paused.sweep();
    expect(nodes(paused.s)).toHaveLength(3);
  });

  it('wakes a Machine whose labels have not reached its Node', async () => {
    const behind = worker({ name: 'web-w-2', metadata: {}, spec: { labels: { tier: 'web' } } });
    const { s, sweep } = await swept([nodeOf(behind, { metadata: pool })], { machines: [behind] });
    await sweep();
    expect(s.woken).toEqual(['tenant-a/web-w-2']);
    await run(s, behind);
    await sweep();
    expect(s.woken).toHaveLength(1);
  });
});
