import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { CONFIGMAPS } from './resources.ts';
import { type FakeApi, startFakeApi } from './testing/index.ts';
import type { KubeObject } from './types.ts';

const MAPS = '/api/v1/namespaces/a/configmaps';
const named = (name: string, data: object = {}): KubeObject => ({ metadata: { name, namespace: 'a' }, data });

describe.each(['http/1.1', 'h2'] as const)('a reflector over %s', (protocol) => {
  let api: FakeApi;
  let client: KubeClient;
  let reflector: Reflector<KubeObject>;
  let changes: string[];
  let errors: string[];

  beforeEach(async () => {
    api = await startFakeApi(protocol);
    client = new KubeClient({
      connection: { server: api.url, ...(api.ca ? { ca: api.ca } : {}) },
      userAgent: 'test/1',
    });
    changes = [];
    errors = [];
  });
  afterEach(async () => {
    await reflector.stop();
    await client.close();
    await api.close();
  });

  function reflect(o: Partial<ReflectorOptions<KubeObject>> = {}): void {
    reflector = new Reflector<KubeObject>({
      client,
      type: CONFIGMAPS,
      backoffMs: 10,
      onChange: (key, now, before) => changes.push(`${now ? (before ? 'changed' : 'new') : 'gone'} ${key}`),
      onError: (e) => errors.push((e as Error).message),
      ...o,
    });
    reflector.start();
  }
  async function watching(): Promise<void> {
    await reflector.synced;
    await expect.poll(() => api.watches).toBe(1);
  }

  it('asks for metadata only where that is wanted, and keeps who owns which fields', async () => {
    const managedFields = [{ manager: 'm' }];
    api.put(MAPS, { metadata: { name: 'm', namespace: 'a', managedFields } } as KubeObject);
    reflect({ metadataOnly: true });
    await watching();
    expect(api.requests.map((r) => r.headers.accept)).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
    expect(reflector.get('a/m')?.metadata.managedFields).toEqual(managedFields);
  });

  it('lists in pages, then follows what changes', async () => {
    for (let i = 0; i < 7; i++) api.put(MAPS, named(`m${i}`));
    reflect({ pageSize: 3 });
    await watching();
    expect(reflector.list()).toHaveLength(7);
    expect(api.requests.filter((r) => r.query.has('limit'))).toHaveLength(3);

    changes = [];
    api.put(MAPS, named('m1', { x: '1' }));
    api.put(MAPS, named('late'));
    api.drop(MAPS, 'm2');
    await expect.poll(() => changes).toEqual(['changed a/m1', 'new a/late', 'gone a/m2']);
    expect(reflector.get('a/m1')).toMatchObject({ data: { x: '1' } });
  });

  it('goes on from where a watch was closed or reset, without listing again', async () => {
    reflect();
    for (const how of ['close', 'reset'] as const) {
      await watching();
      api.put(MAPS, named(`seen-${how}`));
      await expect.poll(() => reflector.get(`a/seen-${how}`)).toBeDefined();
      api.quietly(() => api.put(MAPS, named(`missed-${how}`)));
      api.endWatches(how);
      await expect.poll(() => reflector.get(`a/missed-${how}`)).toBeDefined();
    }
    expect(api.requests.filter((r) => r.query.has('limit'))).toHaveLength(1);
  });

  it('lists again after 410 and tells what went and what came in the meantime', async () => {
    api.put(MAPS, named('stays'));
    api.put(MAPS, named('goes'));
    reflect();
    await watching();
    changes = [];
    api.quietly(() => {
      api.drop(MAPS, 'goes');
      api.put(MAPS, named('comes'));
    });
    api.compact();
    api.endWatches('close');
    await expect.poll(() => changes.toSorted()).toEqual(['gone a/goes', 'new a/comes']);
    expect(errors).toEqual([]);
  });

  it('lists again when the stream itself says 410', async () => {
    reflect();
    await watching();
    api.quietly(() => api.put(MAPS, named('missed')));
    api.compact();
    api.say({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } });
    await expect.poll(() => reflector.get('a/missed')).toBeDefined();
  });

  it('takes the resourceVersion of bookmarks, so that a quiet watch does not grow too old', async () => {
    reflect();
    await watching();
    const others = '/apis/apps/v1/namespaces/a/deployments';
    const { metadata } = api.put(others, named('other'));
    api.say({ type: 'BOOKMARK', object: { metadata: { resourceVersion: metadata.resourceVersion } } });
    await expect.poll(() => reflector.resourceVersion).toBe(metadata.resourceVersion);
    api.compact();
    api.endWatches('close');
    const watches = () => api.requests.filter((r) => r.query.has('watch'));
    await expect.poll(() => watches().length).toBe(2);
    expect(watches()[1]?.query.get('resourceVersion')).toBe(metadata.resourceVersion);
    expect(watches()[1]?.query.get('allowWatchBookmarks')).toBe('true');
    expect(api.requests.filter((r) => r.query.has('limit'))).toHaveLength(1);
  });

  it('takes silence for a dead connection', async () => {
    reflect({ idleMs: 300 });
    await watching();
    api.quietly(() => api.put(MAPS, named('unheard')));
    await expect.poll(() => reflector.get('a/unheard'), { timeout: 5_000 }).toBeDefined();
    // Quiet kinds are the regular course: whether the server lives, the next watch tells.
    expect(errors).toEqual([]);
  });

  it('tries on through 429 and 5xx, waiting as long as it is asked to', async () => {
    let refused = 0;
    api.intercept = (_req, res) => {
      if (refused >= 3) return false;
      res.writeHead([429, 500, 503][refused++] ?? 500, { 'retry-after': '0' }).end('{}');
      return true;
    };
    api.put(MAPS, named('m'));
    reflect();
    await watching();
    expect(refused).toBe(3);
    expect(reflector.get('a/m')).toBeDefined();
  });

  it('goes on after an error event other than 410', async () => {
    reflect();
    await watching();
    api.say({ type: 'ERROR', object: { code: 500, message: 'etcd is unhappy' } });
    await expect.poll(() => errors.some((e) => e.includes('etcd is unhappy'))).toBe(true);
    await watching();
    api.put(MAPS, named('after'));
    await expect.poll(() => reflector.get('a/after')).toBeDefined();
  });

  it('survives a listener that throws', async () => {
    reflect({
      onChange: (key) => {
        changes.push(key);
        throw new Error('listener');
      },
    });
    await watching();
    api.put(MAPS, named('one'));
    api.put(MAPS, named('two'));
    await expect.poll(() => changes).toEqual(['a/one', 'a/two']);
    expect(errors).toEqual(['listener', 'listener']);
  });

  it('tells nothing of an object that is as before when it lists again, though trim has left no UID', async () => {
    api.put(MAPS, named('m'));
    reflect({ trim: ({ metadata: { uid: _, ...metadata } }) => ({ metadata }) });
    await watching();
    expect(reflector.get('a/m')?.metadata.uid).toBeUndefined();
    const lists = () => api.requests.filter((r) => r.query.has('limit')).length;
    reflector.relist();
    await expect.poll(lists).toBe(2);
    api.put(MAPS, named('after'));
    await expect.poll(() => changes).toEqual(['new a/m', 'new a/after']);
  });

  it('keeps only what trim leaves, and never managedFields', async () => {
    api.put(MAPS, {
      ...named('m', { big: 'x', small: 'y' }),
      metadata: { name: 'm', namespace: 'a', managedFields: [{}] },
    } as KubeObject);
    reflect({ trim: (o) => ({ metadata: o.metadata, data: { small: (o.data as { small: string }).small } }) });
    await watching();
    expect(reflector.get('a/m')).toMatchObject({ data: { small: 'y' } });
    expect(reflector.get('a/m')?.data).not.toHaveProperty('big');
    expect(reflector.get('a/m')?.metadata).not.toHaveProperty('managedFields');
  });

  it('takes what a write was answered at once, and is not set back by what the watch brings of before', async () => {
    api.put(MAPS, named('m', { x: '0' }));
    reflect();
    await watching();
    const held = structuredClone(reflector.get('a/m')!);
    const newer = { ...held, metadata: { ...held.metadata, resourceVersion: '900000' }, data: { x: 'written' } };
    changes = [];
    reflector.note(structuredClone(newer));
    expect(reflector.get('a/m')).toMatchObject({ data: { x: 'written' } });
    expect(changes).toEqual(['changed a/m']);
    reflector.note(held);
    api.put(MAPS, named('m', { x: 'from before' }));
    api.put(MAPS, named('other'));
    await expect.poll(() => reflector.get('a/other')).toBeDefined();
    expect(reflector.get('a/m')).toMatchObject({ data: { x: 'written' } });
  });

  it('notes nothing of an object that is gone or is another one by now', async () => {
    api.put(MAPS, named('m', { x: '0' }));
    reflect();
    await watching();
    const held = structuredClone(reflector.get('a/m')!);
    reflector.note({ ...held, metadata: { ...held.metadata, name: 'gone' } });
    reflector.note({ ...held, metadata: { ...held.metadata, uid: 'another', resourceVersion: '900000' } });
    expect(reflector.list()).toEqual([held]);
  });

  it('finds by index, as objects change', async () => {
    api.put(MAPS, named('m', { color: 'red' }));
    reflect({ indexes: { byColor: (o) => (o.data as { color?: string }).color } });
    await watching();
    expect(reflector.byIndex('byColor', 'red')).toHaveLength(1);
    api.put(MAPS, named('m', { color: 'blue' }));
    await expect.poll(() => reflector.byIndex('byColor', 'blue')).toHaveLength(1);
    expect(reflector.byIndex('byColor', 'red')).toEqual([]);
    expect(() => reflector.byIndex('bySize', 'x')).toThrow('no index "bySize"');
  });

  it('reads live what its cache is too old for, and only that', async () => {
    api.put(MAPS, named('m', { v: 'old' }));
    reflect();
    await watching();
    let newest = '';
    api.quietly(() => {
      newest = api.put(MAPS, named('m', { v: 'new' })).metadata.resourceVersion ?? '';
    });
    expect(await reflector.read('a/m')).toMatchObject({ data: { v: 'old' } });
    expect(await reflector.read('a/m', newest)).toMatchObject({ data: { v: 'new' } });
    expect(await reflector.read('a/m', reflector.resourceVersion)).toMatchObject({ data: { v: 'old' } });
  });
});
