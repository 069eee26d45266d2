import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Body, CLUSTERS, makeCluster, startWorld, type World } from './world.ts';

const META = { group: 'shoto.dev', version: 'v1alpha1' };
const failed = {
  bundle: 'flannel-2.0.0',
  reason: 'NotHealthyInTime',
  message: 'it did not roll out',
  at: '2026-01-01T00:00:00Z',
};
let w: World;

const store = (plural: string) => w.api.resource({ ...META, plural });
const addon = (name: string) => ({ namespace: 'tenant-blue', name });
beforeAll(async () => {
  w = await startWorld();
  for (const version of ['1.0.0', '2.0.0'])
    store('addonbundles').create({
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'AddonBundle',
      metadata: { name: `flannel-${version}` },
      spec: {
        addon: 'flannel',
        version,
        kubernetes: '>=1.30',
        oci: { repository: 'registry.test/addons/flannel', digest: `sha256:${'0'.repeat(64)}` },
      },
    } as never);
  await until(() => w.store.addonBundles().length === 2);
  await makeCluster(w, 'web', { addons: [{ name: 'flannel' }] });
  for (const name of ['flannel', 'old'])
    store('addons').create({
      apiVersion: 'shoto.dev/v1alpha1',
      kind: 'Addon',
      metadata: addon(`web-${name}`),
      spec: { clusterName: 'web', addon: name },
    } as never);
  store('addons').patchStatus(addon('web-flannel'), { manager: { bundle: 'flannel-1.0.0', failed } } as never);
  store('addonregistries').create({
    apiVersion: 'shoto.dev/v1alpha1',
    kind: 'AddonRegistry',
    metadata: { name: 'main' },
    spec: { url: 'oci://registry.test/addons', credentialsSecretRef: { namespace: 'shoto-system', name: 'pull' } },
  } as never);
  store('addonregistries').patchStatus({ name: 'main' }, {
    manager: { lastPolledAt: '2026-01-01T00:00:00Z' },
  } as never);
  await until(
    () =>
      w.store.addonRegistries().some((r) => r.status?.manager?.lastPolledAt) &&
      w.store.addonsOf(web).some((a) => a.status?.manager?.failed),
  );
});
afterAll(() => w.close());
const web = { metadata: { namespace: 'tenant-blue', name: 'web' } };
const marks = (plural: string, ref: object, name: string): string | undefined =>
  (store(plural).get(ref as never) as { metadata: { annotations?: Record<string, string> } }).metadata.annotations?.[
    name
  ];

describe('addons', () => {
  it('of a cluster are listed, with how they stand', async () => {
    const { status, body } = await w.call('GET', `${CLUSTERS}/web/addons`);
    expect(status).toBe(200);
    expect(body.items.map((a: Body) => a.spec.addon)).toEqual(['flannel', 'old']);
    expect(body.items[0]).toMatchObject({ status: { manager: { bundle: 'flannel-1.0.0', failed } } });
  });
  it('of a cluster are for its tenant only', async () => {
    expect((await w.call('GET', `${CLUSTERS}/web/addons`, { token: 'green-token' })).status).toBe(403);
    expect((await w.call('GET', `${CLUSTERS}/nosuch/addons`)).status).toBe(404);
  });
  it('that are on offer are listed', async () => {
    const { body } = await w.call('GET', '/v1/addonbundles');
    expect(body.items.map((b: Body) => b.metadata.name)).toEqual(['flannel-1.0.0', 'flannel-2.0.0']);
    expect((await w.call('GET', '/v1/addonbundles/flannel-1.0.0')).body.spec).toMatchObject({ version: '1.0.0' });
  });
});

describe('a cluster that asks for an addon', () => {
  const ask = (addons: object[], name = 'api') =>
    w.call('POST', CLUSTERS, {
      body: {
        metadata: { name },
        spec: { region: 'one', release: 'v1.35.4', controlPlane: { count: 1, flavor: 'm1' }, addons },
      },
    });
  it('that nobody published is refused, with the field and what there is', async () => {
    const { status, body } = await ask([{ name: 'flanel' }]);
    expect([status, body.errors]).toEqual([
      422,
      [expect.objectContaining({ field: 'spec.addons[0].name', message: expect.stringContaining('flannel') })],
    ]);
  });
  it('with values that are too large is refused', async () => {
    const { status, body } = await ask([{ name: 'flannel', values: { text: 'x'.repeat(33_000) } }]);
    expect([status, body.errors[0]?.field]).toEqual([422, 'spec.addons[0].values']);
  });
  it('with values keeps them as they are', async () => {
    const values = { replicas: 3, nested: { a: [1, { b: null }] } };
    const { status, body } = await ask([{ name: 'flannel', values }]);
    expect(status).toBe(201);
    expect((body.spec.addons as { values: object }[])[0]?.values).toEqual(values);
  });
  it('with a secret in clear is warned, and does as it likes', async () => {
    const answer = await ask([{ name: 'flannel', values: { admin: { password: 'x' } } }], 'open');
    expect(answer.status).toBe(201);
    expect(answer.headers.get('warning')).toMatch(
      /^299 - "spec\.addons\[0\]\.values\.admin\.password: looks like a secret/,
    );
  });
});

describe('an update that failed', () => {
  const retry = (name: string) => w.call('POST', `${CLUSTERS}/web/addons/${name}/retry`);
  it('is tried again, which is in the log', async () => {
    expect((await retry('flannel')).status).toBe(200);
    expect(marks('addons', addon('web-flannel'), 'shoto.dev/retry')).toMatch(/^20\d\d-.*Z ann$/);
    await until(() => w.logs.some((l) => l.includes('"addon":"flannel"') && l.includes('addon tried again')));
  });
  it.each<[string, string, number, RegExp]>([
    ['nothing failed', 'old', 409, /no update of addon old of cluster web has failed/],
    ['the cluster does not have it', 'nosuch', 404, /cluster web has no addon nosuch: it has flannel/],
  ])('is not where %s', async (_what, name, status, detail) => {
    const answer = await retry(name);
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(detail)]);
  });
});

describe('a registry', () => {
  const poll = (name: string, token: string) => w.call('POST', `/v1/addonregistries/${name}/poll`, { token });
  it('is asked at once for an administrator', async () => {
    expect((await poll('main', 'admin-token')).status).toBe(200);
    expect(marks('addonregistries', { name: 'main' }, 'shoto.dev/poll-now')).toMatch(/^20\d\d-.*Z root$/);
  });
  it('is asked for nobody else, and none that is not there', async () => {
    expect((await poll('main', 'blue-token')).status).toBe(403);
    expect((await poll('other', 'admin-token')).body.detail).toContain(
      'AddonRegistry other does not exist: there are main',
    );
  });
  it('is shown without where its credentials lie', async () => {
    const { body } = await w.call('GET', '/v1/addonregistries/main');
    expect(body.spec).toMatchObject({ url: 'oci://registry.test/addons' });
    expect(JSON.stringify(body)).not.toContain('credentialsSecretRef');
  });
});
