import type { Machine } from '@shoto/api';
import { keyOf } from '@shoto/kube';
import { describe, expect, it } from 'vitest';
import { aMachine } from '../test/world.ts';
import { type Candidate, type ClusterFacts, decide, type Patient, type Scene } from './brake.ts';
import { Census } from './census.ts';
import type { Action } from './ladder.ts';
import { DEFAULTS } from './settings.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');
const MIN = 60_000;

type Spec = Parameters<typeof aMachine>[2] & { cluster?: string; n: number };
/** Machines of a kind, named after their pool, zone and number. */
const some = ({ cluster = 'web', n, ...o }: Spec): Machine[] =>
  Array.from({ length: n }, (_, i) => aMachine(cluster, `${cluster}-${o.pool ?? 'p'}-${o.zone ?? 'az1'}-${i}`, o));

const facts = (o: Partial<ClusterFacts> = {}): ClusterFacts => ({
  name: 'web',
  quorum: { members: 3, serving: new Set(), going: new Set() },
  isRolling: false,
  leaving: new Set(),
  ...o,
});

/** Control-plane machines in zones of their own. */
const controlPlanes = (n: number): Machine[] =>
  Array.from({ length: n }, (_, i) =>
    aMachine('web', `cp${i}`, { role: 'control-plane', zone: `cp-az${i}`, health: { ready: false } }),
  );
/** The cluster while its machines are being replaced, one of that role on its way out. */
const rolling = (leaving?: 'worker' | 'control-plane', quorum = facts().quorum) =>
  new Map([['uid-web', facts({ isRolling: true, leaving: new Set(leaving ? [leaving] : []), quorum })]]);

/** What is decided when these of all machines are sick and to be given this order. */
function judge(
  all: readonly Machine[],
  sick: readonly Machine[],
  o: Partial<Scene> & { action?: Action; open?: Action; ask?: readonly Machine[]; ago?: (i: number) => number } = {},
) {
  const census = new Census();
  for (const m of all) census.onChange(m, undefined);
  const patients: Patient[] = sick.map((machine, i) => ({
    key: keyOf(machine),
    machine,
    from: NOW - (o.ago?.(i) ?? 6) * MIN,
    ...(o.open && !(o.ask ?? []).includes(machine) ? { open: o.open } : {}),
  }));
  const asked = new Set((o.ask ?? sick).map(keyOf));
  const candidates: Candidate[] = patients
    .filter((p) => asked.has(p.key))
    .map((p) => ({ ...p, action: o.action ?? 'Reboot' }));
  const verdicts = decide(candidates, {
    now: NOW,
    settings: DEFAULTS,
    sick: patients,
    count: (group) => census.count(group),
    clusters: new Map(
      [...new Set(all.map((m) => m.spec.cluster))].map((c) => [c.uid, facts({ name: c.name })] as const),
    ),
    stop: undefined,
    cloudReady: true,
    troubled: 0,
    calm: new Map(),
    ...o,
  });
  const reasons = [...new Set([...verdicts.held.values()].flat().map((b) => b.reason))];
  return { given: verdicts.granted.map((c) => c.machine.metadata.name), reasons, held: verdicts.held };
}

describe('the brake of shares', () => {
  it.each<[string, Spec[], number[], string[]]>([
    ['40 % of a pool is not more than 40 %', [{ n: 5 }, { n: 20, pool: 'q' }], [2, 0], []],
    ['3 of 5 of a pool', [{ n: 5 }, { n: 20, pool: 'q' }], [3, 0], ['PoolShare']],
    ['one machine alone is no storm, though it is all of its pool', [{ n: 1 }, { n: 5, pool: 'q' }], [1, 0], []],
    ['both of two', [{ n: 2 }, { n: 20, pool: 'q' }], [2, 0], ['PoolShare']],
    [
      'more than 40 % of a cluster',
      [{ n: 4 }, { n: 4, pool: 'q' }, { n: 40, cluster: 'shop', zone: 'az9' }],
      [2, 2, 0],
      ['PoolShare', 'ClusterShare', 'ZoneShare'],
    ],
    [
      'more than 40 % of a region',
      [{ n: 3 }, { n: 3, cluster: 'shop' }],
      [2, 2],
      ['PoolShare', 'ClusterShare', 'ZoneShare', 'RegionShare'],
    ],
  ])('%s', (_title, specs, sickOf, expected) => {
    const pools = specs.map(some);
    const { reasons } = judge(
      pools.flat(),
      pools.flatMap((p, i) => p.slice(0, sickOf[i])),
    );
    expect(reasons.sort()).toEqual(expected.sort());
  });

  it('counts a zone over all clusters of the region', () => {
    const machines = ['a', 'b', 'c', 'd'].flatMap((cluster) => [
      ...some({ cluster, n: 2, zone: 'az1' }),
      ...some({ cluster, n: 8, zone: 'az2' }),
    ]);
    const sick = machines.filter((m) => m.metadata.name.endsWith('az1-0'));
    const { given, held } = judge(machines, sick);
    expect(given).toEqual([]);
    expect([...held.values()][0]?.[0]).toMatchObject({
      reason: 'ZoneShare',
      message: 'more than 40 % of the machines of zone az1 of region one are sick at once',
    });
  });
});

describe('the brake of what machines share', () => {
  const spread = [...some({ n: 20, zone: 'az1' }), ...some({ n: 20, zone: 'az2' })];
  const inAz1 = spread.slice(0, 3);

  it('holds three that fell sick together in one zone, when the cluster has others elsewhere', () => {
    expect(judge(spread, inAz1).reasons).toEqual(['SharedZone']);
  });
  it('does not hold two, nor three of a cluster that has only the one zone', () => {
    expect(judge(spread, spread.slice(0, 2)).reasons).toEqual([]);
    expect(judge(some({ n: 20 }), some({ n: 3 })).reasons).toEqual([]);
  });
  it('does not hold three that fell sick hours apart', () => {
    expect(judge(spread, inAz1, { ago: (i) => 6 + i * 90 }).reasons).toEqual([]);
  });
  it('holds three of one host, of whatever clusters', () => {
    const on = (cluster: string, hostId: string, n: number) => some({ cluster, pool: hostId, n, server: { hostId } });
    const all = ['a', 'b', 'c'].flatMap((c) => [...on(c, 'h1', 2), ...on(c, 'h2', 8)]);
    const sick = all.filter((m) => m.metadata.name.endsWith('h1-az1-0'));
    expect(judge(all, sick).reasons).toEqual(['SharedHost']);
  });
});

describe('the brake of the cloud and of the fleet', () => {
  const all = some({ n: 10 });
  const one = all.slice(0, 1);
  it.each<[string, Partial<Scene>]>([
    ['EmergencyStop', { stop: 'the emergency stop of the fleet is on' }],
    ['CloudNotReady', { cloudReady: false }],
    ['CloudFailing', { troubled: 3 }],
  ])('%s', (reason, scene) => {
    expect(judge(all, one, scene)).toMatchObject({ given: [], reasons: [reason] });
  });

  it('lets a storm cool down, by the words of what held', () => {
    const words = 'more than 40 % of the machines of zone az1 of region one are sick at once';
    expect(judge(all, one, { calm: new Map([[words, NOW - 9 * MIN]]) }).reasons).toEqual(['CoolingDown']);
    expect(judge(all, one, { calm: new Map([[words, NOW - 10 * MIN]]) }).reasons).toEqual([]);
    const other = words.replace('az1', 'az2');
    expect(judge(all, one, { calm: new Map([[other, NOW - MIN]]) }).reasons).toEqual([]);
  });

  it('lets the storm of a cluster cool down, from the moment at which it holds no more', () => {
    const after = (ended: number | undefined) =>
      judge(all, one, { clusters: new Map([['uid-web', facts({ storm: { ended } })]]) }).reasons;
    expect(after(undefined)).toEqual(['CoolingDown']);
    expect(after(NOW - 9 * MIN)).toEqual(['CoolingDown']);
    expect(after(NOW - 11 * MIN)).toEqual([]);
  });
});

describe('turns', () => {
  const all = some({ n: 30 });

  it('gives to whoever is sick longest first', () => {
    const sick = all.slice(0, 3);
    expect(judge(all, sick, { ago: (i) => 6 + i }).given).toEqual([...sick].reverse().map((m) => m.metadata.name));
  });

  it('replaces one machine of a cluster, and one more for each ten, at once', () => {
    expect(judge(all, all.slice(0, 6), { action: 'Replace' })).toMatchObject({
      given: { length: 4 },
      reasons: ['OrdersOfCluster'],
    });
    const busy = judge(all, all.slice(0, 6), { action: 'Replace', open: 'Replace', ask: all.slice(5, 6) });
    expect(busy).toMatchObject({ given: [], reasons: ['OrdersOfCluster'] });
  });

  it('reboots those that serve no faster than it replaces', () => {
    expect(judge(all, all.slice(0, 6)).given).toHaveLength(4);
    const dead = some({ n: 30, health: { ready: false } });
    expect(judge(dead, dead.slice(0, 6)).given).toHaveLength(6);
  });

  it('bounds replacements of a region, also of many small clusters', () => {
    const small = Array.from({ length: 60 }, (_, i) => some({ cluster: `c${i}`, n: 4, zone: `az${i}` }));
    const sick = small.map((c) => c[0] as Machine);
    expect(judge(small.flat(), sick, { action: 'Replace' })).toMatchObject({
      given: { length: 25 },
      reasons: ['OrdersOfRegion'],
    });
  });

  it('does one thing at a time while machines are being replaced because of a change', () => {
    const sick = all.slice(0, 2);
    expect(judge(all, sick, { clusters: rolling() })).toMatchObject({
      given: { length: 1 },
      reasons: ['UpgradeInProgress'],
    });
    for (const role of ['worker', 'control-plane'] as const) {
      const leaving = { clusters: rolling(role), action: 'Replace' as const };
      expect(judge(all, all.slice(0, 1), leaving)).toMatchObject({ given: [], reasons: ['UpgradeInProgress'] });
    }
  });

  it('replaces a control-plane machine beside one that leaves because of a change, and not beside a worker that does', () => {
    const cps = controlPlanes(3);
    const quorum = { members: 3, serving: new Set(cps.slice(1).map(keyOf)), going: new Set<string>() };
    const ask = (role: 'worker' | 'control-plane') =>
      judge([...cps, ...all], cps.slice(0, 1), { clusters: rolling(role, quorum), action: 'Replace' });
    expect(ask('control-plane')).toMatchObject({ given: ['cp0'], reasons: [] });
    expect(ask('worker')).toMatchObject({ given: [], reasons: ['UpgradeInProgress'] });
  });

  it('heals one control-plane machine at a time, and before the workers', () => {
    const cps = controlPlanes(5);
    const serving = new Set(cps.slice(2).map(keyOf));
    const quorum = { members: 5, serving, going: new Set<string>() };
    const machines = [...cps, ...all];
    const verdict = judge(machines, [all[0]!, cps[0]!, cps[1]!], {
      clusters: new Map([['uid-web', facts({ quorum })]]),
      ago: (i) => 100 - i,
    });
    expect(verdict.given).toEqual(['cp0', 'web-p-az1-0']);
    expect(verdict.reasons).toEqual(['ControlPlaneOneAtATime']);
  });
});
