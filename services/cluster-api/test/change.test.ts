import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aBody, CLUSTERS, startWorld, type World } from './world.ts';

let w: World;
beforeAll(async () => {
  w = await startWorld();
});
afterAll(() => w.close());

const make = async (name: string) => (await w.call('POST', CLUSTERS, { body: aBody(name) })).body;
const get = (name: string, headers = {}) => w.call('GET', `${CLUSTERS}/${name}`, { headers });
const patch = (name: string, body: unknown, headers = {}, query = '') =>
  w.call('PATCH', `${CLUSTERS}/${name}${query}`, { body, headers });
const pools = (count: number) => ({ spec: { nodePools: [{ name: 'default', count, flavor: 'm1.small' }] } });
/** A service writes status, as it does all the time. */
const touch = (name: string, message: string) =>
  w.api
    .resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters' })
    .patchStatus({ namespace: 'tenant-blue', name }, {
      conditions: [
        { type: 'Ready', status: 'False', reason: 'Waiting', message, lastTransitionTime: '2026-01-01T00:00:00Z' },
      ],
    } as never);

describe('a change', () => {
  it("of a pool's count is stored, and the rest stays", async () => {
    const before = await make('count');
    const { status, body, headers } = await patch('count', pools(9), {
      'content-type': 'application/merge-patch+json',
    });
    expect(status).toBe(200);
    expect(body.spec).toMatchObject({ ...before.spec, nodePools: [{ name: 'default', count: 9 }] });
    expect(headers.get('etag')).toBe(`"${body.metadata.resourceVersion}"`);
  });

  it('adds and removes labels', async () => {
    await make('labels');
    await patch('labels', { metadata: { labels: { a: '1', b: '2' } } });
    const { body } = await patch('labels', { metadata: { labels: { a: null, c: '3' } } });
    expect(body.metadata.labels).toEqual({ b: '2', c: '3' });
  });

  it('is stored by no dry run', async () => {
    const before = await make('dry');
    expect((await patch('dry', pools(9), {}, '?dryRun=true')).body.spec).toMatchObject({ nodePools: [{ count: 9 }] });
    expect((await get('dry')).body).toEqual(before);
  });

  it.each<[string, unknown, string[]]>([
    ['the name', { metadata: { name: 'new' } }, ['metadata.name']],
    ['finalizers', { metadata: { finalizers: [] } }, ['metadata.finalizers']],
    ['status', { status: { ready: true } }, ['status']],
    ['labels of ours', { metadata: { labels: { 'shoto.dev/region': 'x' } } }, ['metadata.labels.shoto.dev/region']],
    ['an unknown field', { spec: { foo: 1 } }, ['spec.foo']],
    [
      'what a server is tied to',
      { spec: { nodePools: [{ name: 'default', count: 2, flavor: 'f', serverGroupPolicy: 'anti-affinity' }] } },
      ['spec.nodePools[0]'],
    ],
    ['spec to a list', { spec: [] }, ['spec']],
  ])('of %s is refused', async (what, body, errors) => {
    const name = `no-${what.replace(/\W+/g, '-').slice(0, 20)}x`;
    await make(name);
    const answer = await patch(name, body);
    expect(answer.status).toBe(422);
    expect(answer.body.errors.map((e) => e.field)).toEqual(errors);
  });

  it('is asked about what changes only: a release that was withdrawn since is no obstacle', async () => {
    await make('old');
    await w.client.mergePatch(
      {
        group: 'shoto.dev',
        version: 'v1alpha1',
        plural: 'kubernetesreleases',
        kind: 'KubernetesRelease',
        namespaced: false,
      },
      { name: 'v1.35.4' },
      { spec: { support: { withdrawn: true } } },
    );
    await until(() => w.store.release('v1.35.4')?.spec.support.withdrawn);
    expect((await patch('old', pools(3))).status).toBe(200);
    await w.client.mergePatch(
      {
        group: 'shoto.dev',
        version: 'v1alpha1',
        plural: 'kubernetesreleases',
        kind: 'KubernetesRelease',
        namespaced: false,
      },
      { name: 'v1.35.4' },
      { spec: { support: { withdrawn: false } } },
    );
    await until(() => !w.store.release('v1.35.4')?.spec.support.withdrawn);
  });

  it('of one that is being deleted is refused', async () => {
    await make('leaving');
    await w.call('DELETE', `${CLUSTERS}/leaving`);
    const { status, body } = await patch('leaving', pools(3));
    expect([status, body.reason]).toEqual([409, 'BeingDeleted']);
  });

  it('of one that is not there is refused', async () => {
    const { status, body } = await patch('nowhere', pools(3));
    expect([status, body.detail]).toEqual([404, 'tenant blue has no cluster nowhere']);
  });
});

describe('an ETag', () => {
  it('refuses a change, or a deletion, of what was changed in the meantime', async () => {
    await make('stale');
    const etag = (await get('stale')).headers.get('etag')!;
    touch('stale', 'one');
    const change = await patch('stale', pools(3), { 'if-match': etag });
    expect([change.status, change.body.reason]).toEqual([412, 'Changed']);
    expect(change.body.detail).toContain('read it again');
    expect((await w.call('DELETE', `${CLUSTERS}/stale`, { headers: { 'if-match': etag } })).status).toBe(412);
  });

  it('lets a change of what is as it was', async () => {
    await make('fresh');
    const etag = (await get('fresh')).headers.get('etag')!;
    expect((await patch('fresh', pools(3), { 'if-match': `"1", ${etag}` })).status).toBe(200);
    expect((await patch('fresh', pools(4), { 'if-match': '*' })).status).toBe(200);
  });

  it('spares reading again what is known', async () => {
    await make('known');
    const etag = (await get('known')).headers.get('etag')!;
    const again = await get('known', { 'if-none-match': etag });
    expect([again.status, again.body]).toEqual([304, {}]);
    touch('known', 'two');
    expect((await get('known', { 'if-none-match': etag })).status).toBe(200);
  });

  it('is not asked for: a status that a service writes at that moment refuses no change', async () => {
    await make('busy');
    let raced = 0;
    w.disturb(({ method, path }) => {
      // Between what was read and what is written a service comes in, twice.
      if (method === 'PATCH' && path.endsWith('/clusters/busy') && raced < 2) touch('busy', `race ${++raced}`);
      return undefined;
    });
    const { status, body } = await patch('busy', pools(7));
    w.disturb(undefined);
    expect([raced, status]).toEqual([2, 200]);
    expect(body.spec).toMatchObject({ nodePools: [{ count: 7 }] });
  });
});

describe('a deletion', () => {
  it('is accepted while the cluster is being created, and may be repeated', async () => {
    await make('gone');
    const first = await w.call('DELETE', `${CLUSTERS}/gone`);
    const again = await w.call('DELETE', `${CLUSTERS}/gone`);
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(first.body.metadata.deletionTimestamp).toBe(again.body.metadata.deletionTimestamp);
    expect(first.body.metadata.finalizers).toHaveLength(3);
  });

  it('is only checked by a dry run', async () => {
    await make('stays');
    expect((await w.call('DELETE', `${CLUSTERS}/stays?dryRun=true`)).status).toBe(200);
    expect((await get('stays')).body.metadata).not.toHaveProperty('deletionTimestamp');
  });

  it('of one that is not there is a 404', async () => {
    expect((await w.call('DELETE', `${CLUSTERS}/nowhere`)).status).toBe(404);
  });
});
