import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Cluster } from '@shoto/api';
import { createLogger } from '@shoto/service';
import { manualClock } from '@shoto/service/testing';
import { expect, it } from 'vitest';
import { LiveSteps } from '../live-steps.ts';
import type { Store } from '../store.ts';
import { streamProgress } from './progress-stream.ts';

/** A cluster that is followed, in a memory that tests change. */
function scenario() {
  const clock = manualClock();
  const aCluster = (message: string, uid = 'u'): Cluster =>
    ({
      metadata: { namespace: 'tenant-blue', name: 'web', uid },
      spec: { controlPlane: { count: 1 }, nodePools: [] },
      status: { conditions: [{ type: 'Ready', status: 'False', reason: 'Pending', message }] },
    }) as unknown as Cluster;
  let known: Cluster | undefined;
  const listeners = new Set<() => void>();
  const store = {
    cluster: () => known,
    machinesOf: () => [],
    onClusterChange: (_namespace: string, _name: string, fn: () => void) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
  } as unknown as Store;
  const bootstrap = {
    kubeconfig: () => Promise.reject(new Error('not asked')),
    upgradeChecks: () => Promise.reject(new Error('not asked here')),
    steps: async () => [],
    close: async () => {},
  };
  const live = new LiveSteps({ bootstrap, store, clock, log: createLogger({ service: 'test', level: 'silent' }) });
  const written: string[] = [];
  const stream = Object.assign(new EventEmitter(), {
    writableNeedDrain: false,
    ended: false,
    writeHead: () => {},
    write: (text: string) => written.push(text),
    end: () => {
      stream.ended = true;
    },
  });
  return {
    clock,
    stream,
    set: (message: string | undefined, uid?: string) => {
      known = message === undefined ? undefined : aCluster(message, uid);
      for (const changed of listeners) changed();
    },
    begin: () => streamProgress({ store, live, clock }, aCluster('begins'), stream as unknown as ServerResponse),
    /** What was sent since the last look: messages of progress, names of other events, `beat`. */
    sent: () =>
      written.splice(0).map((text) => {
        const [, event, data] = /^event: (\w+)\ndata: (.*)\n\n$/.exec(text) ?? [];
        return event === undefined ? 'beat' : event === 'progress' ? JSON.parse(data!).message : event;
      }),
  };
}

it('the first change is told at once, those that follow fast are told together, the newest state only', async () => {
  const s = scenario();
  s.begin();
  await s.clock.advance(1000);
  s.sent();
  for (const message of ['a', 'b', 'c']) s.set(message);
  expect(s.sent()).toEqual(['a']);
  await s.clock.advance(199);
  expect(s.sent()).toEqual([]);
  await s.clock.advance(1);
  expect(s.sent()).toEqual(['c']);
});

it('one that reads slower than the cluster changes gets the newest state when it has read the last one', async () => {
  const s = scenario();
  s.begin();
  await s.clock.advance(1000);
  s.sent();
  s.stream.writableNeedDrain = true;
  for (const message of ['a', 'b', 'c']) {
    s.set(message);
    await s.clock.advance(1000);
  }
  expect([s.sent(), s.stream.listenerCount('drain')]).toEqual([[], 1]);
  s.stream.writableNeedDrain = false;
  s.stream.emit('drain');
  expect(s.sent()).toEqual(['c']);
  expect(s.stream.listenerCount('drain')).toBe(0);
});

it('a cluster that the memory does not hold yet is not gone; one that was seen there, however shortly, is', async () => {
  const s = scenario();
  s.begin();
  await s.clock.advance(1000);
  expect(s.sent()).toEqual(['begins']);
  s.set('a');
  s.set('another of that name', 'u2');
  await s.clock.advance(200);
  expect(s.sent()).toEqual(['a', 'gone']);
  expect([s.stream.ended, s.clock.pending]).toEqual([true, 0]);
});

it('it is told every 15 s that the stream lives, until its end', async () => {
  const s = scenario();
  const end = s.begin();
  await s.clock.advance(30_000);
  expect(s.sent()).toEqual(['begins', 'beat', 'beat']);
  end();
  s.set('a');
  await s.clock.advance(60_000);
  expect([s.sent(), s.stream.ended, s.clock.pending]).toEqual([[], true, 0]);
});
