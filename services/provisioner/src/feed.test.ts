import { FINALIZERS, type Machine } from '@shoto/api';
import { manualClock } from '@shoto/service/testing';
import { describe, expect, it } from 'vitest';
import {
  clusterChanged,
  clusterNeedsWork,
  Gather,
  machineChanged,
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
  it('while it goes and is held by us', () => {
    expect(clusterNeedsWork(aCluster({ deleting: true, status: readyStatus }))).toBe(true);
    expect(clusterNeedsWork(aCluster({ deleting: true, finalizers: [FINALIZERS.secrets] }))).toBe(false);
  });
  it('when others say something new of it, and not when we do', () => {
    expect(clusterChanged(aCluster({ status: { infrastructure: { networkId: 'n' } } }), cluster)).toBe(false);
    expect(clusterChanged(aCluster({ status: { controlPlane: { initialized: true } } }), cluster)).toBe(true);
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

describe('news of a machine for its cluster', () => {
  const m = aMachine({ cluster, name: 'm' });
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
