import { KubeClient, type KubeObject, Reflector } from '@shoto/kube';
import { type FakeApi, startFakeApi } from '@shoto/kube/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { declareFirstStart, Engine, Feeder, type FeederOptions, type KeyQueue } from '../src/index.ts';
import { startTestRedis, type TestRedis } from '../src/testing/index.ts';
import { testTimes } from './scene.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const THINGS = { group: 'test.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
const IN_A = '/apis/test.dev/v1/namespaces/a/things';

interface Thing extends KubeObject {
  spec: { n: number };
}
interface Replica {
  engine: Engine;
  feeder: Feeder<Thing>;
  reflector: Reflector<Thing>;
  client: KubeClient;
  queue: KeyQueue;
}

describe('a feeder', () => {
  let redis: TestRedis;
  let api: FakeApi;
  let replicas: Replica[];
  let runs: string[];

  beforeEach(async () => {
    [redis, api] = await Promise.all([startTestRedis(), startFakeApi()]);
    await declareFirstStart({ url: redis.url });
    replicas = [];
    runs = [];
  });
  afterEach(async () => {
    await Promise.all(replicas.map(stop));
    await Promise.all([redis.close(), api.close()]);
  });

  async function stop(r: Replica): Promise<void> {
    r.feeder.stop();
    await r.reflector.stop();
    await r.engine.close(0);
    await r.client.close();
  }

  async function replica(instance: string, o: Partial<FeederOptions<Thing>> = {}): Promise<Replica> {
    const engine = new Engine({ redis: { url: redis.url }, service: 'test', instance, log: silent, times: testTimes });
    const queue = engine.queue('things', { concurrency: 20, reconcile: async (key) => void runs.push(key) });
    await engine.start();
    const client = new KubeClient({ connection: { server: api.url }, userAgent: 'test/1' });
    const feeder = new Feeder<Thing>({ engine, queue: () => queue, resyncMs: 0, ...o });
    const reflector = new Reflector<Thing>({ client, type: THINGS, onChange: feeder.onChange });
    const made = { engine, feeder, reflector, client, queue };
    replicas.push(made);
    await feeder.start(reflector);
    return made;
  }
  const thing = (i: number, n: number): Thing => ({ metadata: { name: `t${i}`, namespace: 'a' }, spec: { n } });
  const putAll = (count: number, n: number): void => {
    for (let i = 0; i < count; i++) api.put(IN_A, thing(i, n));
  };
  const settled = async (): Promise<void> => {
    let before = -1;
    await expect
      .poll(
        async () => {
          const now = runs.length + ((await replicas[0]?.queue.depth()) ?? 0) * 1_000;
          const same = now === before;
          before = now;
          return same;
        },
        { interval: 300, timeout: 5_000 },
      )
      .toBe(true);
  };

  it('feeds at the start only what needs work, and then each change that is not our own write', async () => {
    putAll(10, 0);
    await replica('one', {
      needsWork: (t) => t.spec.n > 0 || t.metadata.name === 't3',
      changed: (now, before) => now?.spec.n !== before.spec.n,
    });
    await settled();
    expect(runs).toEqual(['a/t3']);
    api.put(IN_A, thing(5, 0)); // a new resourceVersion, nothing else
    api.put(IN_A, thing(6, 1));
    api.drop(IN_A, 't7');
    await settled();
    expect(runs.slice(1).toSorted()).toEqual(['a/t6', 'a/t7']);
  });

  it('over three replicas, makes one pass of a change and not one per replica', async () => {
    for (const name of ['one', 'two', 'three']) await replica(name);
    await expect.poll(() => replicas.map((r) => r.engine.owns('a/t1')).filter(Boolean).length).toBe(1);
    putAll(300, 1);
    await settled();
    expect(runs).toHaveLength(300);
    expect(new Set(runs).size).toBe(300);
    runs = [];
    putAll(300, 2);
    await settled();
    expect(runs).toHaveLength(300);
    // All take their part.
    const parts = replicas.map(
      (r) => Array.from({ length: 300 }, (_, i) => `a/t${i}`).filter((k) => r.engine.owns(k)).length,
    );
    expect(Math.min(...parts)).toBeGreaterThan(40);
  });

  it('takes over what a replica leaves, and looks through it', async () => {
    const first = await replica('one');
    await replica('two');
    putAll(60, 1);
    await settled();
    const itsOwn = Array.from({ length: 60 }, (_, i) => `a/t${i}`).filter((k) => first.engine.owns(k));
    expect(itsOwn.length).toBeGreaterThan(5);
    runs = [];
    replicas = replicas.filter((r) => r !== first);
    await stop(first);
    await expect.poll(() => itsOwn.every((key) => runs.includes(key))).toBe(true);
    runs = [];
    putAll(60, 2);
    await settled();
    expect(runs).toHaveLength(60);
  });

  it('feeds everything again when Redis has lost its state', async () => {
    await replica('one', { needsWork: (t) => t.spec.n > 0 });
    putAll(20, 0);
    await settled();
    expect(runs).toEqual([]);
    await redis.flush();
    await expect.poll(() => new Set(runs).size, { timeout: 5_000 }).toBe(20);
  });

  it('looks at everything within a resync period, a part at a time', async () => {
    await replica('one', { resyncMs: 1_500, needsWork: () => false });
    putAll(40, 1);
    await expect.poll(() => new Set(runs).size, { timeout: 5_000 }).toBe(40);
  });

  it('writes nothing to the management API', async () => {
    for (const name of ['one', 'two']) await replica(name);
    putAll(20, 1);
    await settled();
    expect(api.requests.filter((r) => r.method !== 'GET')).toEqual([]);
  });
});
