import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KubeClient } from './client.ts';
import { CONFIGMAPS } from './resources.ts';
import { type FakeApi, startFakeApi } from './testing/index.ts';
import type { KubeObject } from './types.ts';
import { WatchedObject } from './watched-object.ts';

const MAPS = '/api/v1/namespaces/shoto-system/configmaps';
const map = (name: string, data: object = {}): KubeObject => ({ metadata: { name, namespace: 'shoto-system' }, data });

describe('one watched object', () => {
  let api: FakeApi;
  let client: KubeClient;
  let watched: WatchedObject<KubeObject>;
  let news: (object | undefined)[];

  beforeEach(async () => {
    api = await startFakeApi();
    client = new KubeClient({ connection: { server: api.url }, userAgent: 'test/1' });
    news = [];
    watched = new WatchedObject<KubeObject>({
      client,
      type: CONFIGMAPS,
      ref: { namespace: 'shoto-system', name: 'switch' },
      backoffMs: 10,
      onChange: (now) => news.push(now?.data as object | undefined),
    });
  });
  afterEach(async () => {
    await watched.stop();
    await client.close();
    await api.close();
  });

  it('says nothing until it has looked', () => {
    api.put(MAPS, map('switch'));
    expect([watched.isSynced, watched.get()]).toEqual([false, undefined]);
  });

  it('asks for that one name only', async () => {
    watched.start();
    await watched.synced;
    await expect.poll(() => api.watches).toBe(1);
    for (const request of api.requests) expect(request.query.get('fieldSelector')).toBe('metadata.name=switch');
  });

  it('tells that there is none, that it came, changed and went', async () => {
    watched.start();
    await expect.poll(() => news).toEqual([undefined]);
    expect(watched.isSynced).toBe(true);
    await expect.poll(() => api.watches).toBe(1);
    api.put(MAPS, map('switch', { reason: 'storm' }));
    await expect.poll(() => watched.get()).toMatchObject({ data: { reason: 'storm' } });
    api.put(MAPS, map('switch', { reason: 'still' }));
    api.drop(MAPS, 'switch');
    await expect.poll(() => news).toEqual([undefined, { reason: 'storm' }, { reason: 'still' }, undefined]);
    expect(watched.get()).toBeUndefined();
  });

  it('tells one that was there before it looked, once', async () => {
    api.put(MAPS, map('switch', { reason: 'storm' }));
    watched.start();
    await watched.synced;
    await expect.poll(() => api.watches).toBe(1);
    api.quietly(() => api.put(MAPS, map('another')));
    api.compact();
    api.endWatches('close');
    await expect.poll(() => api.requests.filter((r) => r.query.has('limit'))).toHaveLength(2);
    expect(news).toEqual([{ reason: 'storm' }]);
  });

  it('takes no other object for it', async () => {
    api.put(MAPS, map('another'));
    watched.start();
    await watched.synced;
    expect(watched.get()).toBeUndefined();
    expect(news).toEqual([undefined]);
  });
});
