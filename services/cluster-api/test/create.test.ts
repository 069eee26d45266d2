import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aBody, CLUSTERS, publish, startWorld, type World } from './world.ts';

let w: World;
beforeAll(async () => {
  w = await startWorld();
});
afterAll(() => w.close());

const get = (name: string) => w.call('GET', `${CLUSTERS}/${name}`);
const make = (body: unknown, query = '', headers = {}) => w.call('POST', `${CLUSTERS}${query}`, { body, headers });

describe('a cluster that is asked for', () => {
  it('is stored with its defaults, every finalizer and its ETag, and can be read', async () => {
    const made = await make(aBody('web'));

    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      kind: 'Cluster',
      metadata: {
        name: 'web',
        namespace: 'tenant-blue',
        finalizers: ['shoto.dev/addons', 'shoto.dev/infrastructure', 'shoto.dev/secrets'],
      },
      spec: { paused: false, network: { podCIDR: '10.244.0.0/16' } },
    });
    expect(made.body.metadata).not.toHaveProperty('managedFields');
    expect(made.headers.get('etag')).toBe(`"${made.body.metadata.resourceVersion}"`);
    const read = await get('web');
    expect([read.status, read.body.spec]).toEqual([200, made.body.spec]);
  });

  it('keeps the labels and annotations that it is given', async () => {
    const { body } = await make({
      ...aBody('labelled'),
      metadata: { name: 'labelled', labels: { team: 'a' }, annotations: { note: 'x' } },
    });
    expect(body.metadata).toMatchObject({ labels: { team: 'a' }, annotations: { note: 'x' } });
  });

  it('may be one that was read before, under another name', async () => {
    await make(aBody('first'), '', { 'idempotency-key': 'first' });
    const { body } = await get('first');
    const copy = await make({ ...body, metadata: { ...body.metadata, name: 'second' } });
    expect([copy.status, copy.body.metadata.name]).toEqual([201, 'second']);
    expect(copy.body.metadata.uid).not.toBe(body.metadata.uid);
  });

  it('is not made by a dry run, which shows what would be', async () => {
    const before = w.writes.length;
    const dry = await make(aBody('dry'), '?dryRun=true');

    expect([dry.status, dry.body.metadata.name]).toEqual([200, 'dry']);
    expect((await get('dry')).status).toBe(404);
    expect(w.writes.slice(before)).toEqual(['POST /apis/shoto.dev/v1alpha1/namespaces/tenant-blue/clusters']);
  });

  it('is refused under a name that is taken, with the field', async () => {
    await make(aBody('twice'));
    const again = await make(aBody('twice'));
    expect(again.status).toBe(409);
    expect(again.body).toMatchObject({
      reason: 'AlreadyExists',
      errors: [{ field: 'metadata.name', message: '"twice" is taken: choose another name' }],
    });
  });

  it('is refused under the name of one that is being deleted, and says so', async () => {
    await make(aBody('leaving'));
    await w.call('DELETE', `${CLUSTERS}/leaving`);
    expect((await make(aBody('leaving'))).body.detail).toContain('is being deleted: wait until it is gone');
  });

  it('may have a name that another tenant uses', async () => {
    await make(aBody('shared'));
    const theirs = await w.call('POST', '/v1/tenants/green/clusters', { body: aBody('shared'), token: 'green-token' });
    expect([theirs.status, theirs.body.metadata.namespace]).toEqual([201, 'tenant-green']);
  });
});

describe('an idempotency key', () => {
  const key = (k: string) => ({ 'idempotency-key': k });

  it('makes the same request again the same cluster', async () => {
    const first = await make(aBody('once'), '', key('k1'));
    const again = await make(aBody('once'), '', key('k1'));
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.body.metadata.uid).toBe(first.body.metadata.uid);
  });

  it('makes one cluster of requests that come at the same moment', async () => {
    const all = await Promise.all(Array.from({ length: 5 }, () => make(aBody('atonce'), '', key('k2'))));
    expect(all.map((a) => a.status).sort()).toEqual([200, 200, 200, 200, 201]);
    expect(new Set(all.map((a) => a.body.metadata.uid)).size).toBe(1);
  });

  it('answers what was made although the release is no longer offered', async () => {
    const body = aBody('kept', { release: 'v1.35.5' });
    await make(body, '', key('k3'));
    await w.client.mergePatch(
      {
        group: 'shoto.dev',
        version: 'v1alpha1',
        plural: 'kubernetesreleases',
        kind: 'KubernetesRelease',
        namespaced: false,
      },
      { name: 'v1.35.5' },
      { spec: { support: { withdrawn: true } } },
    );
    expect((await make(body, '', key('k3'))).status).toBe(200);
  });

  it.each([
    ['another body', aBody('reused', { paused: true }), ''],
    ['another name', aBody('other-name'), ''],
    ['another template', aBody('reused'), '?template=big'],
  ])('is refused with %s', async (_what, body, query) => {
    await make(aBody('reused'), '', key('k4'));
    const other = await make(body, query, key('k4'));
    expect([other.status, other.body.reason]).toEqual([409, 'IdempotencyKeyReused']);
    expect(other.body.detail).toContain('made cluster reused with another request');
    expect((await get('other-name')).status).toBe(404);
  });

  it('is good for one user only, and shows in no answer', async () => {
    await make(aBody('mine'), '', key('k5'));
    const others = await w.call('POST', CLUSTERS, { body: aBody('theirs'), token: 'admin-token', headers: key('k5') });
    expect(others.status).toBe(201);
    expect(JSON.stringify(others.body)).not.toContain('idempotency');
  });
});

describe('a template', () => {
  beforeAll(async () => {
    await publish(w, 'clustertemplates', 'ClusterTemplate', 'big', {
      description: 'for large teams',
      region: 'one',
      release: 'v1.35.4',
      controlPlane: { count: 3, flavor: 'm1.large' },
      nodePools: [{ name: 'default', count: 5, flavor: 'm1.large' }],
      nodePoolDefaults: { flavor: 'm1.xlarge', count: 4 },
      addons: [{ name: 'flannel' }],
    });
  });

  it('fills in what was not asked for, and what was asked for wins', async () => {
    const { body } = await make(
      { metadata: { name: 'filled' }, spec: { controlPlane: { count: 1 } } },
      '?template=big',
    );
    expect(body.spec).toMatchObject({
      template: 'big',
      release: 'v1.35.4',
      controlPlane: { count: 1, flavor: 'm1.large' },
      nodePools: [{ name: 'default', count: 5, flavor: 'm1.large' }],
    });
    expect(body.spec).not.toHaveProperty('description');
    expect(body.spec).not.toHaveProperty('nodePoolDefaults');
  });

  it('gives its defaults to the pools that are asked for', async () => {
    const { body } = await make({
      metadata: { name: 'pools' },
      spec: { template: 'big', nodePools: [{ name: 'batch' }] },
    });
    expect(body.spec.nodePools).toMatchObject([{ name: 'batch', count: 4, flavor: 'm1.xlarge' }]);
  });

  it('is resolved once: a later edit touches no cluster', async () => {
    await make({ metadata: { name: 'early' }, spec: {} }, '?template=big');
    await publish(w, 'clustertemplates', 'ClusterTemplate', 'big', {
      region: 'one',
      release: 'v1.35.4',
      controlPlane: { count: 1, flavor: 'm1.tiny' },
    });
    await make({ metadata: { name: 'late' }, spec: {} }, '?template=big');
    expect((await get('early')).body.spec.controlPlane).toMatchObject({ count: 3, flavor: 'm1.large' });
    expect((await get('late')).body.spec.controlPlane).toMatchObject({ count: 1, flavor: 'm1.tiny' });
  });

  it('that does not exist is refused with those that do', async () => {
    const { status, body } = await make(aBody('lost'), '?template=huge');
    expect(status).toBe(422);
    expect(body.errors).toEqual([
      { field: 'spec.template', message: 'template "huge" does not exist: choose one of big' },
    ]);
  });

  it('named default is taken where none is named', async () => {
    expect((await make({ metadata: { name: 'bare' }, spec: {} })).status).toBe(422);
    await publish(w, 'clustertemplates', 'ClusterTemplate', 'default', {
      region: 'one',
      release: 'v1.35.4',
      controlPlane: { flavor: 'm1.medium' },
      addons: [{ name: 'flannel' }],
    });
    const made = await make({ metadata: { name: 'bare' }, spec: {} });
    expect([made.status, made.body.spec.template]).toEqual([201, 'default']);
  });

  describe('with what is done to machines later', () => {
    const maintenanceWindow = { timeZone: 'Asia/Tokyo', days: ['Sat'], start: '02:00', durationMinutes: 120 };
    beforeAll(() =>
      publish(w, 'clustertemplates', 'ClusterTemplate', 'calm', {
        region: 'one',
        release: 'v1.35.4',
        controlPlane: { flavor: 'm1.large', nodeDrainTimeoutSeconds: 600, nodeVolumeDetachTimeoutSeconds: 300 },
        nodePoolDefaults: { flavor: 'm1.large', nodeDrainTimeoutSeconds: 900, nodeVolumeDetachTimeoutSeconds: 60 },
        addons: [{ name: 'flannel' }],
        maintenanceWindow,
        healing: { enabled: false },
      }),
    );
    const specOf = async (name: string, spec: object) =>
      (await make({ metadata: { name }, spec: { template: 'calm', ...spec } })).body.spec;

    it('presets window, healing and time-outs', async () => {
      expect(await specOf('calm', { nodePools: [{ name: 'batch' }] })).toMatchObject({
        controlPlane: { nodeDrainTimeoutSeconds: 600, nodeVolumeDetachTimeoutSeconds: 300 },
        nodePools: [{ name: 'batch', nodeDrainTimeoutSeconds: 900, nodeVolumeDetachTimeoutSeconds: 60 }],
        maintenanceWindow,
        healing: { enabled: false },
      });
    });

    it('yields to what is asked for, be it 0 or true', async () => {
      expect(
        await specOf('own', {
          controlPlane: { nodeDrainTimeoutSeconds: 0 },
          nodePools: [{ name: 'batch', nodeDrainTimeoutSeconds: 30 }],
          healing: { enabled: true },
        }),
      ).toMatchObject({
        controlPlane: { nodeDrainTimeoutSeconds: 0, nodeVolumeDetachTimeoutSeconds: 300 },
        nodePools: [{ nodeDrainTimeoutSeconds: 30, nodeVolumeDetachTimeoutSeconds: 60 }],
        maintenanceWindow,
        healing: { enabled: true },
      });
    });

    it('gives nothing of its window to a cluster that has its own, or wants none', async () => {
      expect((await specOf('window', { maintenanceWindow: { start: '22:00' } })).maintenanceWindow).toMatchObject({
        timeZone: 'UTC',
        start: '22:00',
        days: ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'],
      });
      expect(await specOf('always', { maintenanceWindow: null })).not.toHaveProperty('maintenanceWindow');
    });
  });
});
