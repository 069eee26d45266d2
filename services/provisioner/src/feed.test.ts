import { ANNOTATIONS, FINALIZERS, type Machine } from '@shoto/api';
import { manualClock } from '@shoto/service/testing';
import { describe, expect, it } from 'vitest';
import {
  clusterChanged,
  clusterNeedsWork,
  Gather,
  isUnlisted,
  machineChanged,
  machineForCluster,
  machineNeedsWork,
  newsForCluster,
  serverNeedsPass,
} from './feed.ts';
import { aCluster, aMachine } from './testing/builders.ts';

const cluster = aCluster();
const readyStatus = {
  conditions: [
    { type: 'Ready', status: 'True', reason: 'Ready', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ],
  observedGeneration: 1,
};

describe('a cluster needs a pass', () => {
  it('until it is Ready for its generation', () => {
    expect(clusterNeedsWork(cluster)).toBe(true);
    const ready = aCluster({ status: readyStatus });
    expect(clusterNeedsWork(ready)).toBe(false);
    expect(clusterNeedsWork({ ...ready, metadata: { ...ready.metadata, generation: 2 } })).toBe(true);
  });
  it('while its machines are being replaced, or are to be', () => {
    const infrastructure = (infra: object) => aCluster({ status: { ...readyStatus, infrastructure: infra } });
    const condition = (type: string, status: string, reason: string) => ({
      conditions: [{ type, status, reason, message: '', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    });
    const rollout = { release: 'v1.36.3', startedAt: '2026-01-01T00:00:00Z' };
    expect(clusterNeedsWork(infrastructure({ rollout }))).toBe(true);
    expect(clusterNeedsWork(infrastructure(condition('UpToDate', 'False', 'Paused')))).toBe(true);
    expect(clusterNeedsWork(infrastructure(condition('UpToDate', 'True', 'UpToDate')))).toBe(false);
  });
  it('until it says whether the emergency stop of the fleet is on', () => {
    const stop = { stop: { reason: 'storm', by: 'sre', since: '2026-01-01T00:00:00Z' } };
    const saying = (status: string) =>
      aCluster({
        status: {
          ...readyStatus,
          infrastructure: {
            conditions: [
              { type: 'EmergencyStop', status, reason: 'X', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
            ],
          },
        },
      });
    const ready = aCluster({ status: readyStatus });
    expect([clusterNeedsWork(ready, stop), clusterNeedsWork(saying('True'), stop)]).toEqual([true, false]);
    expect([clusterNeedsWork(saying('True')), clusterNeedsWork(saying('False'))]).toEqual([true, false]);
    expect([clusterNeedsWork(ready, 'unknown'), clusterNeedsWork(saying('True'), 'unknown')]).toEqual([false, false]);
  });
  it('while it goes and is held by us', () => {
    expect(clusterNeedsWork(aCluster({ deleting: true, status: readyStatus }))).toBe(true);
    expect(clusterNeedsWork(aCluster({ deleting: true, finalizers: [FINALIZERS.secrets] }))).toBe(false);
  });
  it('when others say something new of it, and not when we do', () => {
    expect(clusterChanged(aCluster({ status: { infrastructure: { networkId: 'n' } } }), cluster)).toBe(false);
    expect(clusterChanged(aCluster({ status: { controlPlane: { initialized: true } } }), cluster)).toBe(true);
    expect(clusterChanged(aCluster({ status: { controlPlane: { addonsRelease: 'v1.35.4' } } }), cluster)).toBe(true);
    expect(clusterChanged(aCluster({ deleting: true }), cluster)).toBe(true);
    expect(clusterChanged(undefined, cluster)).toBe(false);
  });
});

describe('a machine needs a pass', () => {
  const m = aMachine({ cluster, name: 'm' });
  it('once its network is there, until its server runs', () => {
    expect(machineNeedsWork(m, {})).toBe(false);
    const infra = { subnetId: 's', serverGroups: { workers: 'g' } };
    expect(machineNeedsWork(m, infra)).toBe(true);
    expect(
      machineNeedsWork(aMachine({ cluster, name: 'm', server: { activeAt: '2026-01-01T00:00:00Z' } }), infra),
    ).toBe(false);
  });
  it('when it shall go, or somebody lets go of it', () => {
    const going = aMachine({ cluster, name: 'm', deleting: true });
    expect(machineChanged(going, m)).toBe(true);
    const let_go: Machine = { ...going, metadata: { ...going.metadata, finalizers: [FINALIZERS.server] } };
    expect(machineChanged(let_go, going)).toBe(true);
    expect(machineChanged(aMachine({ cluster, name: 'm', joined: true }), m)).toBe(false);
  });
});

/** A Machine with what self-healing says of it. */
const withHealth = (m: Machine, health: object): Machine => ({
  ...m,
  status: { ...m.status!, health: { revision: 1, ...health } },
});
const order = (action: 'Reboot' | 'Replace', number = 1) => ({
  ready: false,
  order: { number, action, at: '2026-01-01T00:00:00Z', reason: 'NodeSilent' },
});

describe('what self-healing says of a machine', () => {
  const running = aMachine({
    cluster,
    name: 'm',
    server: { id: 's', state: 'Active', activeAt: '2026-01-01T00:00:00Z' },
  });
  it('needs a pass when it orders something, until that is handled', () => {
    const ordered = withHealth(running, order('Reboot'));
    expect([machineChanged(ordered, running), machineChanged(ordered, ordered)]).toEqual([true, false]);
    expect([machineNeedsWork(running, {}), machineNeedsWork(ordered, {})]).toEqual([false, true]);
    const handled: Machine = {
      ...ordered,
      status: { ...ordered.status!, server: { ...running.status!.server, handled: 1 } },
    };
    expect([machineChanged(handled, ordered), machineNeedsWork(handled, {})]).toEqual([false, false]);
    expect(machineChanged(withHealth(handled, order('Reboot', 2)), handled)).toBe(true);
  });
  it('needs a look at the server when the node fell silent', () => {
    const silent = withHealth(running, { ready: false, unreachable: true });
    expect([machineChanged(silent, running), machineChanged(silent, silent)]).toEqual([true, false]);
  });
  it('is work for its cluster while it is to be replaced, is gone, or is kept', () => {
    expect(machineForCluster(running)).toBe(false);
    expect(machineForCluster(withHealth(running, order('Reboot')))).toBe(false);
    expect(machineForCluster(withHealth(running, order('Replace')))).toBe(true);
    expect(machineForCluster(aMachine({ cluster, name: 'm', server: { state: 'Gone' } }))).toBe(true);
    const annotations = { [ANNOTATIONS.keepUntil]: '2026-01-02T00:00:00Z' };
    expect(machineForCluster({ ...running, metadata: { ...running.metadata, annotations } })).toBe(true);
  });
});

describe('a full list of a region', () => {
  const m = (server: object) => aMachine({ cluster, name: 'm', server });
  it.each<[string, Machine, boolean]>([
    ['has the server', m({ id: 's1', state: 'Active', activeAt: '2026-01-01T00:00:00Z' }), false],
    ['lacks the server', m({ id: 's2', state: 'Active', activeAt: '2026-01-01T00:00:00Z' }), true],
    ['lacks one that is known to be gone', m({ id: 's2', state: 'Gone', activeAt: '2026-01-01T00:00:00Z' }), false],
    ['is of no matter before the server ran', m({}), false],
  ])('%s', (_, machine, is) => {
    expect(isUnlisted(machine, new Set(['s1']))).toBe(is);
  });
});

describe('news of a machine for its cluster', () => {
  const m = aMachine({ cluster, name: 'm' });
  const marked = {
    ...m,
    metadata: { ...m.metadata, annotations: { [ANNOTATIONS.keepUntil]: '2026-01-02T00:00:00Z' } },
  };
  const memberRemoved = {
    type: 'MemberRemoved',
    status: 'True' as const,
    reason: 'Removed',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  it.each<[string, Machine | undefined, Machine | undefined, string]>([
    ['it is gone', undefined, m, 'now'],
    ['it shall go', aMachine({ cluster, name: 'm', deleting: true }), m, 'now'],
    ['we made it', m, undefined, 'no'],
    ['its server runs', aMachine({ cluster, name: 'm', server: { state: 'Active' } }), m, 'soon'],
    ['its node is ready', aMachine({ cluster, name: 'm', ready: true }), m, 'soon'],
    [
      'its node cannot leave',
      aMachine({ cluster, name: 'm', held: { reason: 'DrainBlocked', message: 'pod x' } }),
      m,
      'soon',
    ],
    ['self-healing wants it replaced', withHealth(m, order('Replace')), m, 'now'],
    ['self-healing has it rebooted', withHealth(m, order('Reboot')), m, 'soon'],
    ['its node is not ready any more', withHealth(m, { ready: false }), withHealth(m, { ready: true }), 'soon'],
    ['it is kept for study', marked, m, 'soon'],
    ['its labels changed', { ...m, metadata: { ...m.metadata, generation: 2 } }, m, 'soon'],
    [
      'its etcd member is out',
      { ...m, status: { ...m.status!, bootstrap: { revision: 1, conditions: [memberRemoved] } } },
      m,
      'soon',
    ],
    ['its key was bound', { ...m, status: { ...m.status!, bootstrap: { revision: 1, keyHash: 'x' } } }, m, 'no'],
  ])('%s', (_, now, before, news) => {
    expect(newsForCluster(now, before)).toBe(news);
  });
});

describe('what a list says of a server', () => {
  const view = {
    id: 's1',
    name: 'm',
    status: 'ACTIVE',
    updated: '',
    zone: undefined,
    hostId: undefined,
    clusterUid: undefined,
    machineKey: 'tenant-a/m',
    machineUid: 'uid-m',
  };
  const running = aMachine({
    cluster,
    name: 'm',
    server: { id: 's1', state: 'Active', activeAt: '2026-01-01T00:00:00Z' },
  });
  it.each<[string, object, Machine | undefined, boolean]>([
    ['is news while its Machine waits for it', {}, aMachine({ cluster, name: 'm' }), true],
    ['is none while it is building', { status: 'BUILD' }, aMachine({ cluster, name: 'm' }), false],
    ['is none when it is as stored', {}, running, false],
    ['is news when it is shut off', { status: 'SHUTOFF' }, running, true],
    ['is none of another server of that name', { id: 's2', status: 'DELETED' }, running, false],
    ['is none of another Machine of that name', { machineUid: 'old' }, running, false],
    ['is none without a Machine', {}, undefined, false],
  ])('%s', (_, of, machine, news) => {
    expect(serverNeedsPass({ ...view, ...of }, machine)).toBe(news);
  });
});

it('gathers news for a while, and lets urgent news through at once', async () => {
  const clock = manualClock();
  const woken: string[] = [];
  const gather = new Gather(clock, 2_000, (key) => woken.push(key));
  gather.soon('a');
  await clock.advance(1_000);
  gather.soon('a');
  expect(woken).toEqual([]);
  await clock.advance(1_000);
  expect(woken).toEqual(['a']);
  gather.soon('a');
  gather.now('a');
  await clock.advance(5_000);
  expect(woken).toEqual(['a', 'a']);
});
