import type { Machine } from '@shoto/api';
import { expect, it } from 'vitest';
import { aCluster, aMachine, START } from '../../test/builders.ts';
import { wayOut } from './rules.ts';

const joinedAt = new Date(START).toISOString();
const cluster = aCluster({ controlPlane: { initialized: true } });
const paused = aCluster({ controlPlane: { initialized: true }, spec: { paused: true } });
const deleted = aCluster({ controlPlane: { initialized: true }, metadata: { deletionTimestamp: joinedAt } });
const stop = { reason: 'storm', by: 'jane', since: joinedAt };
const removed = { type: 'MemberRemoved', status: 'True', reason: 'Removed', message: '', lastTransitionTime: joinedAt };
const worker = (o: object = {}): Machine => aMachine(cluster, { role: 'worker', bootstrap: { joinedAt }, ...o });
const cp = (o: object = {}): Machine => aMachine(cluster, { bootstrap: { joinedAt }, ...o });
const out = { bootstrap: { joinedAt, conditions: [removed] } };
const gone = { server: { state: 'Gone' } };
const force = { metadata: { annotations: { 'shoto.dev/force': 'jane' } } };

it.each<[string, Machine, Parameters<typeof wayOut>[1], Parameters<typeof wayOut>[2], object]>([
  ['a worker is drained', worker(), cluster, undefined, { way: 'drain', next: 'node' }],
  ['a lost worker is free', worker(gone), cluster, undefined, { way: 'free' }],
  ['a forced worker is free', worker(force), cluster, undefined, { way: 'free' }],
  [
    'a control-plane machine is drained, then its member goes',
    cp(),
    cluster,
    undefined,
    { way: 'drain', next: 'member', isMemberGone: false },
  ],
  [
    'one whose member is out is drained, then its node goes',
    cp(out),
    cluster,
    undefined,
    { way: 'drain', next: 'node', isMemberGone: true },
  ],
  [
    'a lost one waits for its member',
    cp(gone),
    cluster,
    undefined,
    { way: 'wait', reason: 'WaitingForMember', isSaid: true },
  ],
  ['a lost one whose member is out is free', cp({ ...gone, ...out }), cluster, undefined, { way: 'free' }],
  ['a forced one is free', cp(force), cluster, undefined, { way: 'free' }],
  ['the stop holds it', worker(), cluster, stop, { way: 'wait', reason: 'EmergencyStop', isSaid: true }],
  [
    'a stop that is not known holds it, without a word',
    worker(),
    cluster,
    'unknown',
    { way: 'wait', reason: 'EmergencyStop', isSaid: false },
  ],
  ['the stop holds a forced one too', worker(force), cluster, stop, { way: 'wait', reason: 'EmergencyStop' }],
  ['a pause holds it', worker(), paused, undefined, { way: 'wait', reason: 'ClusterPaused' }],
  ['a pause holds a lost one', worker(gone), paused, undefined, { way: 'wait', reason: 'ClusterPaused' }],
  ['a pause does not hold a forced one', worker(force), paused, undefined, { way: 'free' }],
  ['nothing holds it when the cluster goes', worker(), deleted, stop, { way: 'free' }],
  ['nothing holds it when the cluster is gone', worker(), undefined, stop, { way: 'free' }],
  ['nothing holds one that never joined', worker({ bootstrap: {} }), cluster, stop, { way: 'free' }],
])('%s', (_, machine, of, fleet, way) => {
  expect(wayOut(machine, of, fleet)).toMatchObject(way);
});
