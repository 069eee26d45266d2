import type { ConditionInput } from '@shoto/api';
import { describe, expect, it } from 'vitest';
import { aCluster, aMachine } from '../testing/builders.ts';
import { poolsOf } from './pools.ts';
import { countPools, machinesCondition, summarize } from './summary.ts';

const time = '2026-01-01T00:00:00Z';
const condition = (c: ConditionInput) => ({ ...c, lastTransitionTime: time });
const yes = (type: string) => condition({ type, status: 'True', reason: 'Ready', message: 'yes' });
const no = (type: string, reason: string, message: string) => condition({ type, status: 'False', reason, message });

const network = [yes('NetworkReady'), yes('MachinesReady'), yes('EndpointReady')];
const up = {
  controlPlane: { initialized: true, conditions: [yes('Initialized'), yes('EndpointHealthy')] },
  addons: { conditions: [yes('Applied'), yes('Healthy')] },
};
const ailing = {
  ...up,
  addons: { conditions: [yes('Applied'), no('Healthy', 'Unhealthy', 'flannel has 0 of 2 pods available')] },
};

/** A cluster of 1 + 1 that is as given. */
function ready(
  o: {
    status?: object;
    infra?: object[];
    machines?: object;
    paused?: boolean;
    deleting?: boolean;
    finalizers?: string[];
  } = {},
) {
  const cluster = aCluster({
    status: o.status ?? up,
    ...(o.deleting ? { deleting: true } : {}),
    ...(o.finalizers ? { finalizers: o.finalizers } : {}),
  });
  cluster.spec.addons = [{ name: 'flannel' }];
  cluster.spec.paused = o.paused ?? false;
  const machine = (name: string, pool: string) =>
    aMachine({ cluster, name, pool, joined: true, ready: true, server: { state: 'Active' }, ...o.machines });
  return summarize({
    cluster,
    machines: [machine('m1', 'control-plane'), machine('m2', 'workers')],
    infrastructure: {
      conditions: (o.infra ?? network) as never,
      endpoint: { internal: '10.0.0.2:6443', external: '127.77.0.9:6443' },
    },
    pools: poolsOf(cluster, []),
  });
}

describe('Ready of a cluster', () => {
  it('is True only when everything is so, and says where the API is', () => {
    expect(ready()).toMatchObject({
      status: 'True',
      reason: 'Ready',
      message: '2 nodes ready; the API answers at https://127.77.0.9:6443',
    });
  });

  it.each<[string, Parameters<typeof ready>[0], string, RegExp]>([
    ['nothing was looked at yet', { infra: [] }, 'NetworkPending', /being made/],
    [
      'the network cannot be made',
      { infra: [no('NetworkReady', 'QuotaExceeded', 'no routers left')] },
      'QuotaExceeded',
      /no routers left/,
    ],
    [
      'a server cannot be had',
      { infra: [yes('NetworkReady'), no('MachinesReady', 'NoValidHost', 'no host')] },
      'NoValidHost',
      /no host/,
    ],
    [
      'the load balancer is being made',
      { infra: [yes('NetworkReady'), no('EndpointReady', 'LoadBalancerPending', 'is being made')] },
      'LoadBalancerPending',
      /being made/,
    ],
    ['no control plane yet', { status: {} }, 'ControlPlanePending', /first control-plane machine/],
    [
      'its certificate authorities are not made',
      { status: { controlPlane: { conditions: [no('PKIReady', 'Creating', 'makes the CAs')] } } },
      'Creating',
      /CAs/,
    ],
    [
      'the endpoint does not answer',
      {
        status: {
          ...up,
          controlPlane: { initialized: true, conditions: [no('EndpointHealthy', 'Unreachable', 'no answer')] },
        },
      },
      'Unreachable',
      /no answer/,
    ],
    ['addons are not applied', { status: { ...up, addons: {} } }, 'AddonsPending', /addons/],
    [
      'addons are not healthy',
      { status: { ...up, addons: { conditions: [yes('Applied'), no('Healthy', 'RollingOut', 'flannel starts')] } } },
      'RollingOut',
      /flannel/,
    ],
    ['addons are not well any more', { status: ailing }, 'Unhealthy', /^flannel has 0 of 2/],
    [
      'addons are not well and nodes are missing, which may be why',
      { status: ailing, machines: { ready: false } },
      'NodesPending',
      /0 of 2 nodes ready/,
    ],
    [
      'addons wait for a credential that their region cannot give',
      {
        infra: [
          yes('NetworkReady'),
          yes('EndpointReady'),
          no('AddonCredentialsReady', 'CredentialsRestricted', 'put a password'),
        ],
        status: { ...up, addons: { conditions: [no('Applied', 'CredentialsPending', 'waits')] } },
      },
      'CredentialsRestricted',
      /put a password/,
    ],
    ['nodes are not ready', { machines: { ready: false } }, 'NodesPending', /0 of 2 nodes ready, 2 joined/],
    [
      'nodes cannot be watched',
      { status: { ...up, health: { conditions: [no('Reachable', 'Unreachable', 'no answer to the watch')] } } },
      'Unreachable',
      /watch/,
    ],
    ['machines leave', { machines: { deleting: true } }, 'ScalingDown', /^machines that are no longer .* removed$/],
    [
      'machines cannot leave',
      { machines: { deleting: true, held: { reason: 'NodeSilent', message: 'delete its server' } } },
      'ScalingDown',
      /being removed; held up \(and 1 more\): m1: delete its server$/,
    ],
    [
      'machines leave that could not before',
      { machines: { deleting: true, held: { reason: 'Draining', message: 'pods move' } } },
      'ScalingDown',
      /being removed$/,
    ],
    ['it is paused before it was ready', { paused: true }, 'Paused', /spec\.paused/],
    [
      'addons go first',
      { deleting: true, finalizers: ['shoto.dev/addons', 'shoto.dev/infrastructure'] },
      'Deleting',
      /addons/,
    ],
    ['machines go', { deleting: true }, 'Deleting', /machines/],
    [
      'something holds the network',
      { deleting: true, infra: [no('NetworkReady', 'NetworkInUse', 'delete port x')] },
      'NetworkInUse',
      /delete port x/,
    ],
  ])('is False when %s', (_, given, reason, message) => {
    const c = ready(given);
    expect(c).toMatchObject({ type: 'Ready', status: 'False', reason });
    expect(c.message).toMatch(message);
  });
});

describe('MachinesReady', () => {
  const cluster = aCluster({ workers: 1 });
  const pools = poolsOf(cluster, []);
  const cp = aMachine({ cluster, name: 'cp', pool: 'control-plane', server: { state: 'Active' } });
  it('is True when as many servers run as asked for', () => {
    const w = aMachine({ cluster, name: 'w', server: { state: 'Active' } });
    expect(machinesCondition(pools, [cp, w])).toMatchObject({ status: 'True', message: '2 servers of 2 run' });
  });
  it('keeps its text while servers come one by one', () => {
    const w = aMachine({ cluster, name: 'w' });
    expect(machinesCondition(pools, [cp, w])).toEqual(machinesCondition(pools, []));
  });
  it('names the first that fails and how many more', () => {
    const failed = (name: string) =>
      aMachine({ cluster, name, server: { conditions: [no('ServerReady', 'QuotaExceeded', 'no cores left')] } });
    expect(machinesCondition(pools, [failed('b'), failed('a')])).toMatchObject({
      reason: 'QuotaExceeded',
      message: 'a (and 1 more): no cores left',
    });
  });
  it('says what the quota of the tenant does not carry, unless only a replacement waits for it', () => {
    const short = (isGrowth: boolean) =>
      machinesCondition(pools, [cp], false, { reason: 'TenantQuotaExceeded', message: '1 machine', isGrowth });
    expect(short(true)).toMatchObject({ status: 'False', reason: 'TenantQuotaExceeded', message: '1 machine' });
    expect(short(false)).toMatchObject({ reason: 'Building' });
  });
});

it('counts machines by pool, those that leave not, those of a pool that is gone too', () => {
  const cluster = aCluster({ workers: 2 });
  const m = (name: string, pool: string, more: object = {}) => aMachine({ cluster, name, pool, ...more });
  expect(
    countPools(
      poolsOf(cluster, []),
      [
        m('cp', 'control-plane', { joined: true, ready: true }),
        m('a', 'workers', { joined: true }),
        m('b', 'workers', { deleting: true }),
        m('x', 'old'),
      ],
      new Map([
        ['workers', 1],
        ['control-plane', 0],
      ]),
    ),
  ).toEqual([
    { name: 'control-plane', desired: 1, machines: 1, joined: 1, ready: 1 },
    { name: 'workers', desired: 2, machines: 1, joined: 1, ready: 0, outdated: 1 },
    { name: 'old', desired: 0, machines: 1, joined: 0, ready: 0 },
  ]);
});

describe('while machines are replaced', () => {
  const cluster = aCluster({ workers: 1, status: up });
  const pools = poolsOf(cluster, []);
  const rollout = { release: 'v1.35.5', startedAt: time };
  const good = { joined: true, ready: true, server: { state: 'Active' } };
  const cp = aMachine({ cluster, name: 'cp', pool: 'control-plane', ...good });
  const old = aMachine({ cluster, name: 'old', ...good });
  const failing = aMachine({
    cluster,
    name: 'new',
    server: { conditions: [no('ServerReady', 'QuotaExceeded', 'no cores left')] },
  });
  const leaving = aMachine({ cluster, name: 'gone', deleting: true, ...good });
  const summary = (machines: (typeof cp)[], rolling: boolean) =>
    summarize({
      cluster,
      machines,
      infrastructure: {
        conditions: [
          ...network.slice(0, 1),
          condition(machinesCondition(pools, machines, rolling)),
          ...network.slice(2),
        ] as never,
        ...(rolling ? { rollout } : {}),
      },
      pools,
    });

  it('stays Ready with the same text as long as as many nodes work as are asked for', () => {
    const before = summary([cp, old], false);
    expect(before.status).toBe('True');
    expect(summary([cp, old, failing], true)).toEqual(before);
    expect(summary([cp, old, leaving], true)).toEqual(before);
    expect(machinesCondition(pools, [cp, old, failing, leaving], true)).toEqual(machinesCondition(pools, [cp, old]));
  });
  it('stays Ready where addons are not well: pods move with the machines', () => {
    const sick = aCluster({ workers: 1, status: ailing });
    sick.spec.addons = [{ name: 'flannel' }];
    const said = (rolling: boolean) =>
      summarize({
        cluster: sick,
        machines: [cp, old, ...(rolling ? [leaving] : [])],
        infrastructure: { conditions: network as never, ...(rolling ? { rollout } : {}) },
        pools,
      });
    expect([said(true).status, said(false).reason]).toEqual(['True', 'Unhealthy']);
  });
  it('is not Ready when fewer work', () => {
    expect(summary([cp, failing, leaving], true)).toMatchObject({ status: 'False', reason: 'QuotaExceeded' });
  });
  it('is told of as scaling otherwise', () => {
    expect(summary([cp, old, leaving], false)).toMatchObject({ status: 'False', reason: 'ScalingDown' });
  });
});

it('passes on why machines that are asked for cannot be made', () => {
  const cluster = aCluster({ workers: 2, status: up });
  const good = { joined: true, ready: true, server: { state: 'Active' } };
  const machines = [
    aMachine({ cluster, name: 'cp', pool: 'control-plane', ...good }),
    aMachine({ cluster, name: 'w', ...good }),
  ];
  const conditions = [...network, no('UpToDate', 'FlavorNotFound', 'spec.nodePools[0].flavor: there is no flavor')];
  expect(
    summarize({ cluster, machines, infrastructure: { conditions: conditions as never }, pools: poolsOf(cluster, []) }),
  ).toMatchObject({ status: 'False', reason: 'FlavorNotFound' });
});

it('says that the emergency stop holds a deletion up', () => {
  const on = condition({ type: 'EmergencyStop', status: 'True', reason: 'EmergencyStop', message: 'it is on' });
  expect(ready({ deleting: true, infra: [on] })).toMatchObject({ reason: 'EmergencyStop', message: 'it is on' });
});
