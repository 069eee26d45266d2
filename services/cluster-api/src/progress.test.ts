import type { Cluster, Machine } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { progressOf } from './progress.ts';

const condition = (type: string, status: string, reason: string, message = '') => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const READY = condition('Ready', 'True', 'Ready', 'all is well');

/** A cluster of one control-plane machine and two workers. */
const aCluster = (infrastructure: object = {}, more: object = {}): Cluster =>
  ({
    metadata: { name: 'web', generation: 4 },
    spec: {
      release: 'v1.36.3',
      controlPlane: { count: 1 },
      nodePools: [{ name: 'default', count: 2 }],
      addons: [{ name: 'flannel' }],
    },
    status: {
      addons: { observedGeneration: 4, items: [FLANNEL] },
      observedGeneration: 4,
      conditions: [READY],
      controlPlane: { initialized: true },
      infrastructure,
      ...more,
    },
  }) as unknown as Cluster;
const aMachine = (name: string, pool = 'default', o: { release?: string; ready?: boolean; metadata?: object } = {}) =>
  ({
    metadata: { name, ...o.metadata },
    spec: { pool, release: o.release ?? 'v1.36.3' },
    status: { server: { state: 'Active' }, health: { ready: o.ready ?? true } },
  }) as unknown as Machine;
const FLANNEL = { name: 'flannel', version: '1.0.0', healthy: true };
const ALL = [aMachine('cp', 'control-plane'), aMachine('a'), aMachine('b')];
const step = (c: Cluster, name: string) => progressOf(c, ALL).steps.find((s) => s.name === name);

describe('a rollout is a step of its own', () => {
  const rollout = { release: 'v1.36.3', startedAt: '2026-01-01T00:00:00Z' };
  it.each<[string, object, { state: string; message: string } | undefined]>([
    ['none while nothing is said of it', {}, undefined],
    ['none when all is up to date', { conditions: [condition('UpToDate', 'True', 'UpToDate')] }, undefined],
    ['that has begun', { rollout }, { state: 'running', message: 'machines are brought to v1.36.3' }],
    [
      'that goes on',
      { rollout, conditions: [condition('UpToDate', 'False', 'RollingOut', '1 of 3 machines')] },
      { state: 'running', message: '1 of 3 machines' },
    ],
    [
      'that waits for its window',
      { conditions: [condition('UpToDate', 'False', 'OutsideMaintenanceWindow', 'opens at 02:00')] },
      { state: 'waiting', message: 'opens at 02:00' },
    ],
    [
      'that waits for an SRE',
      { rollout, conditions: [condition('UpToDate', 'False', 'EmergencyStop', 'stopped')] },
      { state: 'waiting', message: 'stopped' },
    ],
    [
      'that is blocked',
      { rollout, conditions: [condition('UpToDate', 'False', 'UpgradeBlocked', 'no way')] },
      { state: 'failed', message: 'no way' },
    ],
  ])('%s', (_what, infrastructure, wanted) => {
    const found = step(aCluster(infrastructure), 'upgrade');
    if (wanted) expect(found).toMatchObject(wanted);
    else expect(found).toBeUndefined();
  });

  it('that has not begun before there is a control plane', () => {
    const young = aCluster({ conditions: [condition('UpToDate', 'False', 'RollingOut')] }, { controlPlane: {} });
    expect(step(young, 'upgrade')).toBeUndefined();
  });

  it('and nodes tell how many are left in which pool', () => {
    const pools = [
      { name: 'control-plane', outdated: 0 },
      { name: 'default', outdated: 2 },
    ];
    expect(step(aCluster({ rollout, pools }), 'nodes')).toMatchObject({
      state: 'waiting',
      message: '0 of 3 nodes joined, 3 ready; still to be replaced: default 2',
    });
    expect(step(aCluster({ pools }), 'nodes')).toMatchObject({
      state: 'done',
      message: '0 of 3 nodes joined, 3 ready',
    });
  });
});

describe('a cluster is settled', () => {
  const settled = (c: Cluster, machines: Machine[]) => progressOf(c, machines).settled;
  it('when everything is as asked for, which tells its generation', () => {
    expect(progressOf(aCluster(), ALL)).toMatchObject({ settled: true, generation: 4 });
    expect(settled(aCluster({ conditions: [condition('UpToDate', 'True', 'UpToDate')] }), ALL)).toBe(true);
  });

  it('when a machine is kept besides: it counts for nothing', () => {
    const kept = { annotations: { 'shoto.dev/keep-until': '2026-01-02T00:00:00Z' } };
    expect(settled(aCluster(), [...ALL, aMachine('k', 'default', { ready: false, metadata: kept })])).toBe(true);
  });

  const leaves = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  it.each<[string, Cluster, Machine[]]>([
    ['one is missing', aCluster(), ALL.slice(1)],
    ['one is too many', aCluster(), [...ALL, aMachine('c')]],
    ['one is leaving', aCluster(), [...ALL, aMachine('c', 'default', { metadata: leaves })]],
    ['one is not ready', aCluster(), [...ALL.slice(0, 2), aMachine('c', 'default', { ready: false })]],
    ['one is on another release', aCluster(), [...ALL.slice(0, 2), aMachine('c', 'default', { release: 'v1.35.4' })]],
    ['one is of a pool that is no more', aCluster(), [...ALL, aMachine('c', 'gone')]],
    ['a rollout goes on', aCluster({ rollout: { release: 'v1.36.3', startedAt: 'x' } }), ALL],
    ['one is outdated', aCluster({ conditions: [condition('UpToDate', 'False', 'Paused')] }), ALL],
    ['the spec was not looked at yet', aCluster({}, { observedGeneration: 3 }), ALL],
    [
      'what is said of the addons is of the spec before',
      aCluster({}, { addons: { observedGeneration: 3, items: [FLANNEL] } }),
      ALL,
    ],
    [
      'an addon is not what it should be',
      aCluster({}, { addons: { observedGeneration: 4, items: [{ ...FLANNEL, upToDate: false }] } }),
      ALL,
    ],
    ['an addon is not applied yet', aCluster({}, { addons: { observedGeneration: 4, items: [] } }), ALL],
    [
      'an addon is not healthy',
      aCluster(
        {},
        { addons: { observedGeneration: 4, items: [{ name: 'flannel', version: '1.0.0', healthy: false }] } },
      ),
      ALL,
    ],
    [
      'an addon is still to go',
      aCluster(
        {},
        {
          addons: {
            observedGeneration: 4,
            items: [
              { name: 'flannel', healthy: true },
              { name: 'old', healthy: true },
            ],
          },
        },
      ),
      ALL,
    ],
    ['the cluster is not ready', aCluster({}, { conditions: [condition('Ready', 'False', 'X')] }), ALL],
  ])('not while %s', (_what, cluster, machines) => expect(settled(cluster, machines)).toBe(false));
});

describe('a cluster is stuck', () => {
  const failed = { ...condition('UpToDate', 'False', 'UpdateFailed'), message: 'flannel: 0.28.10 was not healthy' };
  const addons = {
    observedGeneration: 4,
    items: [{ ...FLANNEL, upToDate: false }],
    conditions: [condition('Healthy', 'True', 'RolledOut'), failed],
  };
  it('when all is as asked for but an addon, which waits for somebody', () =>
    expect(progressOf(aCluster({}, { addons }), ALL)).toMatchObject({ settled: false, stuck: failed.message }));

  it.each<[string, Cluster, Machine[]]>([
    ['machines are still under way', aCluster({}, { addons }), ALL.slice(1)],
    ['that is said of the spec before', aCluster({}, { addons: { ...addons, observedGeneration: 3 } }), ALL],
    [
      'the addon is being tried',
      aCluster({}, { addons: { ...addons, conditions: [condition('UpToDate', 'False', 'Updating')] } }),
      ALL,
    ],
  ])('not while %s', (_what, cluster, machines) => expect(progressOf(cluster, machines).stuck).toBeUndefined());
});

it('the step of the addons says why one is not what it should be, though all run', () => {
  const conditions = [
    condition('Healthy', 'True', 'RolledOut'),
    { ...condition('UpToDate', 'False', 'InvalidValues'), message: 'flannel: values.mtu: must be a number' },
  ];
  const addons = { observedGeneration: 4, items: [{ ...FLANNEL, upToDate: false }], conditions };
  expect(step(aCluster({}, { addons }), 'addons')).toMatchObject({
    state: 'failed',
    message: 'flannel: values.mtu: must be a number',
  });
});
