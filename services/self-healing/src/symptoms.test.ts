import type { Cluster, Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine, condition } from '../test/world.ts';
import { DEFAULTS } from './settings.ts';
import { exemptionOf, foremost, isSick, symptomsOf } from './symptoms.ts';

const NOW = Date.parse('2026-11-01T12:00:00Z');
const MIN = 60_000;
const ago = (minutes: number): string => new Date(NOW - minutes * MIN).toISOString();

const node = (reason: string, minutes: number): Machine =>
  aMachine('web', 'w1', {
    health: { ready: false, sickSince: ago(minutes), conditions: [condition('Healthy', 'False', reason)] },
  });
const server = (state: string, minutes: number): Machine =>
  aMachine('web', 'w1', {
    server: { state, conditions: [condition('ServerReady', 'False', 'x', ago(minutes))] },
  });
const unjoined = (minutes: number, o: { conditions?: object[]; role?: 'control-plane' } = {}): Machine =>
  aMachine('web', 'w1', {
    ...(o.role ? { role: o.role } : {}),
    server: { activeAt: ago(minutes) },
    bootstrap: { joinedAt: undefined, conditions: o.conditions ?? [] },
    health: { ready: undefined, conditions: [] },
  });

const seen = (m: Machine, c: Cluster = aCluster('web')) => {
  const all = symptomsOf(m, c, DEFAULTS, NOW);
  const x = foremost(all, NOW);
  return x && `${x.reason} in ${(x.dueAt - NOW) / MIN}`;
};

describe('what ails a machine, and in how many minutes it is due', () => {
  it.each<[string, Machine, string | undefined]>([
    ['a healthy one', aMachine('web', 'w1'), undefined],
    ['silent for 2 minutes', node('NodeSilent', 2), 'NodeSilent in 3'],
    ['silent for 5', node('NodeSilent', 5), 'NodeSilent in 0'],
    ['not ready for 6', node('NodeNotReady', 6), 'NodeNotReady in -1'],
    ['its Node gone for 1', node('NodeMissing', 1), 'NodeMissing in 4'],
    ['under disk pressure for 6', node('DiskPressure', 6), 'DiskPressure in 4'],
    ['under memory pressure for 10', node('MemoryPressure', 10), 'MemoryPressure in 0'],
    ['read-only since just now', node('ReadonlyFilesystem', 0), 'ReadonlyFilesystem in 1'],
    ['its kernel hung for a minute', node('KernelDeadlock', 1), 'KernelDeadlock in 0'],
    ['without pod network, which is the addon’s business', node('PodNetworkUnavailable', 60), undefined],
    ['off since just now', server('Stopped', 0), 'ServerStopped in 0.5'],
    ['in ERROR for a minute', server('Error', 1), 'ServerFailed in -0.5'],
    ['gone for a minute', server('Gone', 1), 'ServerGone in -0.5'],
    ['not joined for 10', unjoined(10), 'NeverJoined in 5'],
    [
      'a control plane not joined for 10: they take turns',
      unjoined(10, { role: 'control-plane' }),
      'NeverJoined in 20',
    ],
    [
      'its ticket expired a minute ago',
      unjoined(16, { conditions: [condition('Joined', 'False', 'TicketExpired', ago(1))] }),
      'TicketExpired in -0.5',
    ],
    [
      'its ticket shown by somebody else',
      unjoined(3, { conditions: [condition('TicketMisused', 'True', 'SecondKey', ago(1))] }),
      'TicketMisused in -0.5',
    ],
  ])('%s', (_title, m, expected) => {
    expect(seen(m)).toBe(expected);
  });

  it('puts the cloud before the node, and what is due before what is not', () => {
    const both = (stopped: number): Machine => {
      const m = node('NodeSilent', 6);
      return { ...m, status: { ...m.status!, server: server('Stopped', stopped).status!.server } };
    };
    expect(seen(both(1))).toBe('ServerStopped in -0.5');
    expect(seen(both(0))).toBe('NodeSilent in -1');
  });

  it('counts no sign of the node while the cluster is out of reach, and the cloud’s all the same', () => {
    const lost = aCluster('web', { health: { conditions: [condition('Reachable', 'False', 'Unreachable')] } });
    expect(seen(node('NodeSilent', 60), lost)).toBeUndefined();
    expect(seen(unjoined(60), lost)).toBeUndefined();
    expect(seen(server('Gone', 1), lost)).toBe('ServerGone in -0.5');
    const back = aCluster('web', { health: { conditions: [condition('Reachable', 'True', 'Watching', ago(3))] } });
    expect(seen(unjoined(60), back)).toBe('NeverJoined in 12');
  });

  it('blames no machine for not joining a cluster that is not up, or whose etcd takes no member', () => {
    const young = aCluster('web');
    delete young.status!.controlPlane!.initialized;
    expect(seen(unjoined(60), young)).toBeUndefined();
    young.status!.controlPlane!.initMachine = 'another';
    expect(seen(unjoined(60, { role: 'control-plane' }), young)).toBeUndefined();
    const ill = aCluster('web');
    ill.status!.controlPlane!.conditions = [condition('EtcdHealthy', 'False', 'EtcdNotHealthy')];
    expect(seen(unjoined(60, { role: 'control-plane' }), ill)).toBeUndefined();
    expect(seen(unjoined(60), ill)).toBe('NeverJoined in -45');
  });

  it('does not blame a machine for not joining whose node is Ready: a restored management cluster may not know of it', () => {
    const m = unjoined(60, { conditions: [condition('Joined', 'False', 'TicketExpired', ago(45))] });
    m.status!.health = { revision: 1, ready: true };
    expect(seen(m)).toBeUndefined();
  });

  it('gives the one that makes the control plane a quarter of an hour, since it was told to, and again once kubeadm has ended there', () => {
    const young = aCluster('web');
    const maker = unjoined(60, { role: 'control-plane' });
    young.status!.controlPlane = { revision: 1, initMachine: maker.metadata.uid!, initMachineAt: ago(10) };
    expect(seen(maker, young)).toBe('NeverJoined in 5');
    maker.status!.bootstrap!.joinedAt = ago(2);
    expect(seen(maker, young)).toBe('NeverJoined in 13');
    young.status!.controlPlane.initialized = true;
    expect(seen(maker, young)).toBeUndefined();
  });

  it('does not count a machine on its way in as sick before its time', () => {
    const [x] = symptomsOf(unjoined(5), aCluster('web'), DEFAULTS, NOW);
    expect(isSick(x!, NOW)).toBe(false);
    expect(isSick(x!, NOW + 11 * MIN)).toBe(true);
  });
});

describe('what is left alone', () => {
  const kept = (until: string) => aMachine('web', 'w1', { annotations: { 'shoto.dev/keep-until': until } });
  it.each<[string, Machine, Cluster | undefined, string | undefined]>([
    ['nothing, as a rule', aMachine('web', 'w1'), aCluster('web'), undefined],
    ['a machine that leaves', aMachine('web', 'w1', { deletionTimestamp: ago(1) }), aCluster('web'), 'Leaving'],
    ['a machine without its cluster', aMachine('web', 'w1'), undefined, 'Leaving'],
    ['a kept machine', kept(ago(-60)), aCluster('web'), 'Kept'],
    ['a machine whose mark cannot be read', kept('tomorrow'), aCluster('web'), 'Kept'],
    ['no machine that was kept', kept(ago(1)), aCluster('web'), undefined],
    ['a paused cluster', aMachine('web', 'w1'), aCluster('web', { spec: { paused: true } }), 'Paused'],
    [
      'a cluster that wants no healing',
      aMachine('web', 'w1'),
      aCluster('web', { spec: { healing: { enabled: false } } }),
      'HealingDisabled',
    ],
  ])('%s', (_title, m, c, expected) => {
    expect(exemptionOf(m, c, NOW)?.reason).toBe(expected);
  });
});
