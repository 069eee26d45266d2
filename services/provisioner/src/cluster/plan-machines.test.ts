import type { Machine } from '@shoto/api';
import { TerminalError } from '@shoto/reconciler';
import { describe, expect, it } from 'vitest';
import { aFleet, idsOfAll, inShort, machineNamed, NOW, planOf, several } from '../testing/fleet.ts';
import { updateOf } from './in-place.ts';
import { poolsOf } from './pools.ts';

const nothing = { births: [], removals: [] };
const web = aFleet({ controlPlanes: 1, workers: 3 });
const running = (): Machine[] => [machineNamed('cp1'), ...several('w', 3)];
const stop = { stop: { reason: 'fire', by: 'ann', since: '' } };
const window = { timeZone: 'UTC', days: ['Mon' as const], start: '22:00', durationMinutes: 60 };
const upgrade = (o: Parameters<typeof aFleet>[0] = {}) =>
  aFleet({ controlPlanes: 1, workers: 3, release: 'v1.35.5', ...o });

describe('a plan of machines', () => {
  it('asks for the control plane and every pool of a new cluster at once, and for the same names again', () => {
    const plan = () => planOf(web, [], { progress: { initialized: false } });
    expect(inShort(plan()).births).toEqual(['control-plane', 'workers', 'workers', 'workers']);
    expect(new Set(plan().births.map((b) => b.name)).size).toBe(4);
    expect(plan().births.map((b) => b.name)).toEqual(plan().births.map((b) => b.name));
  });

  it('is empty for what is there', () => {
    const plan = planOf(web, running());
    expect(inShort(plan)).toEqual(nothing);
    expect(plan).toMatchObject({ updates: [], isDone: true, isRolling: false });
  });

  it('is empty for machines that an earlier version made', () => {
    // As they were before volumes, zones and time-outs were written, with other labels on the object; the pool has all of them by default or by now.
    const cluster = aFleet({ workers: 2, pool: { rootVolume: { sizeGiB: 20 }, zones: ['a'] } });
    const old = [machineNamed('cp1'), ...several('w', 2)];
    for (const m of old) {
      m.metadata.labels = { 'shoto.dev/cluster': 'web' };
      m.status = {
        server: { revision: 3, state: 'Active' },
        bootstrap: { revision: 2, joinedAt: '2025-01-01T00:00:00Z' },
        health: { revision: 1, ready: true },
      };
    }
    const plan = planOf(cluster, old, { zones: ['a', 'b', 'c'] });
    expect(inShort(plan)).toEqual(nothing);
    expect(plan.updates).toEqual([]);
    expect([...plan.outdated.values()]).toEqual([0, 0]);
  });

  it('names a replacement otherwise than the machine that leaves', () => {
    const [birth] = planOf(aFleet({ workers: 1 }), [machineNamed('cp1')]).births;
    const leaving = machineNamed(birth?.name ?? '', { leaving: true });
    const { births } = planOf(aFleet({ workers: 1 }), [machineNamed('cp1'), leaving]);
    expect(births).toHaveLength(1);
    expect(births[0]?.name).not.toBe(leaving.metadata.name);
  });

  it('gives no name that a server of the cluster has, though no Machine knows it', () => {
    const [first] = planOf(aFleet({ workers: 1 }), [machineNamed('cp1')]).births;
    const taken = new Set([first?.name ?? '']);
    expect(planOf(aFleet({ workers: 1 }), [machineNamed('cp1')], { taken }).births[0]?.name).not.toBe(first?.name);
  });

  it('spreads over zones, first what stays', () => {
    const cluster = aFleet({ workers: 4, pool: { zones: ['a', 'b', 'c'], maxSurge: 3 } });
    const there = [
      machineNamed('w1', { zone: 'a' }),
      machineNamed('w2', { zone: 'a', flavor: 'old' }),
      machineNamed('w3', { zone: 'c', flavor: 'old' }),
      machineNamed('w4', { zone: 'c', flavor: 'old' }),
    ];
    expect(planOf(cluster, [machineNamed('cp1'), ...there]).births.map((b) => b.zone)).toEqual(['b', 'c', 'b']);
  });

  it('removes the machines of a pool that is gone, but for those that are kept', () => {
    const cluster = aFleet({ spec: { nodePools: [] } });
    const kept = machineNamed('w9', { annotations: { 'shoto.dev/keep-until': '2027-01-01T00:00:00Z' } });
    expect(inShort(planOf(cluster, [...running(), kept])).removals).toEqual(['w1', 'w2', 'w3']);
  });

  it('never has more on their way out than the cap', () => {
    const all = [machineNamed('cp1'), ...several('w', 30), ...several('g', 3, { leaving: true })];
    expect(planOf(aFleet({ workers: 0 }), all, { cap: 4 }).removals).toHaveLength(1);
    expect(planOf(aFleet({ workers: 0 }), all).removals).toHaveLength(7);
  });
});

describe('a change of release', () => {
  it('comes to the control plane first, and to the pools when that is done', () => {
    expect(planOf(upgrade(), running())).toMatchObject({
      births: [{ pool: { name: 'control-plane' }, release: 'v1.35.5' }],
      removals: [],
      release: 'v1.35.5',
      isRolling: true,
    });
    const surged = [...running(), machineNamed('cp2', { release: 'v1.35.5' })];
    expect(inShort(planOf(upgrade(), surged))).toEqual({ births: [], removals: ['cp1'] });
    const done = [machineNamed('cp2', { release: 'v1.35.5' }), ...several('w', 3)];
    expect(inShort(planOf(upgrade(), done))).toEqual({ births: ['workers'], removals: [] });
    const leaving = [...done, machineNamed('cp1', { leaving: true })];
    expect(inShort(planOf(upgrade(), leaving))).toEqual(nothing);
  });

  it('counts what is not yet where it shall be in the end', () => {
    const plan = planOf(upgrade({ release: 'v1.37.0' }), running());
    expect(plan.release).toBe('v1.36.3');
    expect([...plan.outdated]).toEqual([
      ['control-plane', 1],
      ['workers', 3],
    ]);
  });

  it.each<[string, Parameters<typeof planOf>[2]]>([
    ['during the emergency stop', { stop }],
    ['while it is not known whether there is one', { stop: 'unknown' }],
    ['outside the maintenance window', { spec: { maintenanceWindow: window } }],
    [
      'of what the cloud does not have',
      {
        ids: {
          ...idsOfAll(web),
          images: new Map<string, string | TerminalError>([
            ['v1.35.5', new TerminalError('ImageNotFound', 'none')],
            ['v1.35.4', 'image-v1.35.4'],
          ]),
        },
      },
    ],
  ])('does not begin %s, and a lost worker is made with what there is', (_, o) => {
    expect(planOf(upgrade(), running(), o)).toMatchObject({ births: [], removals: [], isRolling: false });
    const short = running().slice(0, 3);
    expect(planOf(upgrade(), short, o).births).toMatchObject([{ release: 'v1.35.4', pool: { name: 'workers' } }]);
  });

  it('does not begin while a machine is sick, and a control plane that grows stays at what it is', () => {
    const sick = [machineNamed('cp1'), machineNamed('w1', { ready: false }), ...several('x', 2, { pool: 'workers' })];
    expect(inShort(planOf(upgrade(), sick))).toEqual(nothing);
    const { births } = planOf(upgrade({ controlPlanes: 3 }), sick);
    expect(births.map((b) => b.release)).toEqual(['v1.35.4', 'v1.35.4']);
  });

  it('does not take a node that has just joined for a sick one', () => {
    const young = machineNamed('w9', { ready: false });
    if (young.status) young.status.bootstrap.joinedAt = new Date(NOW - 60_000).toISOString();
    expect(planOf(upgrade(), [machineNamed('cp1'), young, ...several('w', 2)]).births).toHaveLength(1);
  });

  it('ends outside the window what was begun in it', () => {
    const o = { spec: { maintenanceWindow: window } };
    const half = [...running(), machineNamed('cp2', { release: 'v1.35.5' })];
    expect(inShort(planOf(upgrade(), half, o))).toEqual({ births: [], removals: ['cp1'] });
    const rest = [machineNamed('cp2', { release: 'v1.35.5' }), ...several('w', 3)];
    expect(inShort(planOf(upgrade(), rest, o))).toEqual(nothing);
    expect(planOf(upgrade(), rest, o).gates.opensAt).toBe(Date.parse('2026-03-02T22:00:00Z'));
  });

  it('waits for nothing to be aimed elsewhere: what never joined goes at once', () => {
    const failed = [...running(), machineNamed('cp2', { release: 'v1.36.1', joined: false })];
    expect(inShort(planOf(web, failed)).removals).toEqual(['cp2']);
    expect(inShort(planOf(aFleet({ release: 'v1.36.3' }), failed)).removals).toEqual(['cp2']);
  });

  it('mends a single sick machine by replacing it, since it is outdated anyway', () => {
    const cluster = aFleet({ workers: 3, pool: { flavor: 'new', maxSurge: 0, maxUnavailable: 1 } });
    const sick = machineNamed('w1', { ready: false });
    expect(
      inShort(planOf(cluster, [machineNamed('cp1'), sick, ...several('x', 2, { pool: 'workers' })])).removals,
    ).toEqual(['w1']);
  });

  it('cannot be where the API has the address of its one machine; pools go on with what else changes', () => {
    const region = { name: 'r1', endpoint: 'MachineAddress' as const };
    const plan = planOf(upgrade({ pool: { flavor: 'new' } }), running(), { region });
    expect(plan.held).toMatchObject({ reason: 'UnsupportedEndpoint' });
    expect(plan.births).toMatchObject([{ pool: { name: 'workers' }, release: 'v1.35.4' }]);
  });
});

describe('what is missing in the cloud', () => {
  const missing = (error: TerminalError) => ({
    ...idsOfAll(web),
    flavors: new Map<string, string | TerminalError>([
      ['control-plane', 'm1.medium'],
      ['workers', error],
    ]),
  });
  it('is said, and holds up only the machines that would be made from it', () => {
    const error = new TerminalError('FlavorNotFound', 'spec.nodePools[0].flavor: there is no flavor "x"');
    const plan = planOf(web, [...running().slice(0, 3)], { ids: missing(error) });
    expect(inShort(plan)).toEqual(nothing);
    expect(plan.problems).toEqual([error]);
    expect(
      inShort(planOf(aFleet({ controlPlanes: 3, workers: 3 }), running(), { ids: missing(error) })).births,
    ).toEqual(['control-plane', 'control-plane']);
  });
});

describe('what changes in place', () => {
  const taints = [{ key: 'k', effect: 'NoSchedule' as const }];
  const [, pool] = poolsOf(aFleet({ pool: { labels: { tier: 'web' }, taints, nodeDrainTimeoutSeconds: 60 } }), []);
  it('is labels, taints and time-outs', () => {
    const update = pool && updateOf(machineNamed('w1', { spec: { labels: { tier: 'old' } } }), pool);
    expect(update?.because).toEqual(['drain time-out', 'labels', 'taints']);
    expect(update?.ops).toEqual([
      { op: 'test', path: '/metadata/uid', value: 'uid-w1' },
      { op: 'add', path: '/spec/nodeDrainTimeoutSeconds', value: 60 },
      { op: 'add', path: '/spec/labels', value: { tier: 'web' } },
      { op: 'add', path: '/spec/taints', value: taints },
    ]);
  });
  it('is taken away where it is not asked for any more', () => {
    const [, bare] = poolsOf(aFleet(), []);
    const m = machineNamed('w1', {
      spec: { labels: { a: 'b' }, nodeDrainTimeoutSeconds: 60, nodeVolumeDetachTimeoutSeconds: 0 },
    });
    expect(bare && updateOf(m, bare)?.ops.slice(1)).toEqual([
      { op: 'remove', path: '/spec/nodeDrainTimeoutSeconds' },
      { op: 'remove', path: '/spec/labels' },
    ]);
  });
  it('is only the time-outs of a machine that is on its way out', () => {
    expect(pool && updateOf(machineNamed('w1', { leaving: true }), pool)?.because).toEqual(['drain time-out']);
  });
  it('replaces nothing, and waits for the end of the emergency stop', () => {
    const cluster = aFleet({ pool: { labels: { tier: 'web' } } });
    const plan = planOf(cluster, running());
    expect(inShort(plan)).toEqual(nothing);
    expect(plan.updates.map((u) => u.machine.metadata.name)).toEqual(['w1', 'w2', 'w3']);
    expect(planOf(cluster, running(), { stop }).updates).toEqual([]);
  });
});

describe('shares of a pool', () => {
  it.each([
    [10, '25%', '25%', { surge: 3, unavailable: 2 }],
    [3, '10%', '10%', { surge: 1, unavailable: 0 }],
    [3, 0, '10%', { surge: 0, unavailable: 1 }],
    [2, 0, 5, { surge: 0, unavailable: 2 }],
    [3, undefined, undefined, { surge: 1, unavailable: 0 }],
  ])('of %s with maxSurge %s and maxUnavailable %s', (count, maxSurge, maxUnavailable, room) => {
    const pool = {
      count,
      ...(maxSurge === undefined ? {} : { maxSurge }),
      ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
    };
    expect(poolsOf(aFleet({ pool }), [])[1]).toMatchObject(room);
  });
});
