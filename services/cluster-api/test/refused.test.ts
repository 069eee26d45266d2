import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verdicts } from '../../../packages/api/test/verdicts.ts';
import { reviewCluster } from '../src/webhook.ts';
import { aBody, type Body, CLUSTERS, startWorld, type World } from './world.ts';

let w: World;
beforeAll(async () => {
  w = await startWorld();
});
afterAll(() => w.close());

const make = (body: unknown, headers = {}) => w.call('POST', `${CLUSTERS}?dryRun=true`, { body, headers });
const fields = (b: Body) => b.errors?.map((e) => e.field);

/** The verdict of the webhook, as an API server would ask for it. */
async function admitted(object: unknown, before?: unknown, more: object = {}) {
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'r1',
      operation: before ? 'UPDATE' : 'CREATE',
      namespace: 'tenant-blue',
      object,
      ...(before ? { oldObject: before } : {}),
      ...more,
    },
  };
  const { response } = (await reviewCluster({ store: w.store, now: Date.now }, review as never)) as {
    response: {
      allowed: boolean;
      status?: { code: number; message: string; details: { causes: { field: string }[] } };
    };
  };
  return {
    allowed: response.allowed,
    status: response.status,
    fields: response.status?.details.causes.map((c) => c.field),
  };
}

describe('REST and webhook give the same verdict', () => {
  const clusters = verdicts.filter((v) => v.kind === 'Cluster');
  it.each(clusters.filter((v) => !v.before && !v.blames).map((v) => [v.title, v]))('on %s: yes', async (_title, v) => {
    const answer = await make(v.object);
    expect([answer.status, answer.body.errors]).toEqual([200, undefined]);
    expect((await admitted(v.object)).allowed).toBe(true);
  });

  it.each(clusters.filter((v) => !v.before && v.blames).map((v) => [v.title, v]))('on %s: no', async (_title, v) => {
    const { status, body } = await make(v.object);
    expect(status).toBe(422);
    expect(fields(body)).toContain(v.blames);
    expect((await admitted(v.object)).allowed).toBe(false);
    expect((await admitted(v.object)).fields).toEqual(fields(body));
  });

  it.each(clusters.filter((v) => v.before).map((v) => [v.title, v]))('on a change to %s', async (title, v) => {
    const name = `c${clusters.indexOf(v)}`;
    const stored = await w.call('POST', CLUSTERS, { body: { ...v.before, metadata: { name } } });
    expect([title, stored.status]).toEqual([title, 201]);

    const { status, body } = await w.call('PATCH', `${CLUSTERS}/${name}`, {
      body: { spec: (v.object as { spec: unknown }).spec },
    });

    expect(status).toBe(v.blames ? 422 : 200);
    if (v.blames) expect(fields(body)).toContain(v.blames);
    // An API server shows a webhook both objects with their defaults.
    const wanted = { ...(v.object as { spec: object }).spec };
    const review = await admitted({ ...stored.body, spec: { ...stored.body.spec, ...wanted } }, stored.body);
    expect(review.allowed).toBe(!v.blames);
    if (v.blames) expect(review.fields).toEqual(fields(body));
  });
});

describe('the webhook', () => {
  const bad = aBody('web', { region: 'nowhere' });
  it('leaves alone what changes metadata, finalizers or status only', async () => {
    expect((await admitted({ ...bad, metadata: { name: 'web', labels: { a: 'b' } } }, bad)).allowed).toBe(true);
    expect((await admitted({ ...bad, status: { conditions: [] } }, bad, { subResource: 'status' })).allowed).toBe(true);
  });
  it('lets what is being deleted go, whatever its spec is', async () => {
    const leaving = { ...aBody('web'), metadata: { name: 'web', deletionTimestamp: '2026-01-01T00:00:00Z' } };
    expect((await admitted(leaving, bad)).allowed).toBe(true);
    expect((await admitted(undefined, bad, { operation: 'DELETE', object: undefined })).allowed).toBe(true);
  });
  it('refuses a cluster outside the namespaces of tenants', async () => {
    const { allowed, status } = await admitted(aBody(), undefined, { namespace: 'default' });
    expect([allowed, status?.code]).toEqual([false, 422]);
    expect(status?.message).toContain('tenant-<tenant>');
  });

  const own = {
    ...aBody(),
    metadata: {
      name: 'web',
      labels: { 'shoto.dev/cluster': 'x', team: 'a' },
      annotations: { 'a.shoto.dev/x': 'y', 'shoto.development/x': 'z' },
    },
  };
  it('refuses labels and annotations of ours, as REST does, but for our own services', async () => {
    expect((await admitted(own)).fields).toEqual([
      'metadata.labels.shoto.dev/cluster',
      'metadata.annotations.a.shoto.dev/x',
    ]);
    expect(fields((await make(own)).body)).toEqual((await admitted(own)).fields);
    expect((await admitted(own, undefined, { userInfo: { username: 'ann' } })).status?.message).toContain(
      "metadata.labels.shoto.dev/cluster: shoto.dev/ is for Shoto's own: choose another prefix",
    );
    expect((await admitted(own, undefined, { userInfo: { username: 'shoto:cluster-api' } })).allowed).toBe(true);
  });
  it.each<[string, object, string[] | undefined]>([
    ['left as they are', { 'shoto.dev/cluster': 'x' }, undefined],
    ['changed', { 'shoto.dev/cluster': 'y' }, ['metadata.labels.shoto.dev/cluster']],
    ['removed', {}, ['metadata.labels.shoto.dev/cluster']],
  ])('judges only a change of them where a spec is changed: %s', async (_what, labels, refused) => {
    const { spec } = (await make(aBody())).body;
    const before = { ...aBody(), metadata: { name: 'web', labels: { 'shoto.dev/cluster': 'x' } }, spec };
    const after = { ...before, metadata: { name: 'web', labels }, spec: { ...spec, nodePools: [] } };
    expect((await admitted(after, before)).fields).toEqual(refused);
  });
});

describe('what nobody offers is refused with what is offered', () => {
  it.each<[string, object, string, string]>([
    [
      'an unknown region',
      { region: 'three' },
      'spec.region',
      'region "three" does not exist: choose one of edge, one, two',
    ],
    [
      'an unknown release',
      { release: 'v1.30.0' },
      'spec.release',
      'release "v1.30.0" does not exist: choose one of v1.31.0, v1.34.9, v1.35.4, v1.35.4-2, v1.35.5, v1.36.3',
    ],
    [
      'a release that the region does not have',
      { region: 'edge', release: 'v1.35.5' },
      'spec.release',
      'release v1.35.5 is not offered in region edge: choose one of v1.35.4',
    ],
    [
      'a release that is withdrawn',
      { release: 'v1.33.1' },
      'spec.release',
      'release v1.33.1 is withdrawn or out of its support window: choose one of',
    ],
    [
      'a release out of its support window',
      { release: 'v1.33.2' },
      'spec.release',
      'release v1.33.2 is withdrawn or out of its support window: choose one of',
    ],
    [
      'a flavor that the region does not offer',
      { region: 'two', controlPlane: { flavor: 'huge' }, nodePools: [] },
      'spec.controlPlane.flavor',
      'flavor "huge" is not offered in region two: choose one of large, small',
    ],
    [
      'a flavor of a pool',
      { region: 'two', controlPlane: { flavor: 'large' }, nodePools: [{ name: 'a', flavor: 'tiny' }] },
      'spec.nodePools[0].flavor',
      'flavor "tiny" is not offered',
    ],
    [
      'a zone that the region does not have',
      { region: 'two', controlPlane: { flavor: 'large', zones: ['az1', 'az9'] }, nodePools: [] },
      'spec.controlPlane.zones[1]',
      'zone "az9" does not exist in region two: choose one of az1, az2',
    ],
    [
      'three control planes without a load balancer',
      { region: 'edge', controlPlane: { count: 3, flavor: 'm1.large' } },
      'spec.controlPlane.count',
      'region edge has no load balancer in front of API servers (FloatingIP): ask for 1',
    ],
  ])('%s', async (_what, spec, field, message) => {
    const { status, body } = await make(aBody('web', spec));
    expect(status).toBe(422);
    expect(body.errors).toContainEqual(expect.objectContaining({ field, message: expect.stringContaining(message) }));
    expect((await admitted(aBody('web', spec))).fields).toEqual(fields(body));
  });
});

describe('a message names field, value and mend', () => {
  it.each<[string, unknown, string, RegExp]>([
    [
      '-1 workers',
      aBody('web', { nodePools: [{ name: 'a', flavor: 'f', count: -1 }] }),
      'spec.nodePools[0].count',
      /^-1: .*0/,
    ],
    [
      '100,000 workers',
      aBody('web', { nodePools: [{ name: 'a', flavor: 'f', count: 100_000 }] }),
      'spec.nodePools[0].count',
      /^100000: .*1000/,
    ],
    [
      'an even control plane',
      aBody('web', { controlPlane: { count: 2, flavor: 'f' } }),
      'spec.controlPlane.count',
      /1, 3 or 5/,
    ],
    ['a name that is no DNS label', aBody('My_Web'), 'metadata.name', /"My_Web"|lower-case/],
    ['a long name', aBody('w'.repeat(33)), 'metadata.name', /at most 32/],
    [
      'CIDRs that overlap',
      aBody('web', { network: { podCIDR: '10.96.0.0/16' } }),
      'spec.network.podCIDR',
      /overlap: choose/,
    ],
    ['an unknown field', aBody('web', { nodePolls: [] }), 'spec.nodePolls', /unknown field: remove it/],
    [
      'an unknown field deep inside',
      aBody('web', { controlPlane: { flavor: 'f', cuont: 3 } }),
      'spec.controlPlane.cuont',
      /unknown field/,
    ],
    ['an unknown field at the top', { ...aBody(), extra: 1 }, 'extra', /unknown field/],
    [
      'an unknown field of metadata',
      { ...aBody(), metadata: { name: 'web', lables: {} } },
      'metadata.lables',
      /there are name/,
    ],
    [
      'another namespace',
      { ...aBody(), metadata: { name: 'web', namespace: 'kube-system' } },
      'metadata.namespace',
      /"kube-system".*tenant-blue/,
    ],
    [
      'a label of ours',
      { ...aBody(), metadata: { name: 'web', labels: { 'shoto.dev/region': 'x' } } },
      'metadata.labels.shoto.dev/region',
      /another prefix/,
    ],
    [
      'an annotation of ours',
      { ...aBody(), metadata: { name: 'web', annotations: { 'a.shoto.dev/x': 'x' } } },
      'metadata.annotations.a.shoto.dev/x',
      /another prefix/,
    ],
    [
      'a label that is no text',
      { ...aBody(), metadata: { name: 'web', labels: { a: 1 } } },
      'metadata.labels.a',
      /^1: give a string/,
    ],
    ['another kind', { ...aBody(), kind: 'Machine' }, 'kind', /"Machine" is not Cluster/],
    ['another version of the API', { ...aBody(), apiVersion: 'v1' }, 'apiVersion', /use shoto.dev\/v1alpha1/],
    ['no name', { spec: aBody().spec }, 'metadata.name', /required/],
    ['no spec', { metadata: { name: 'web' } }, 'spec', /required/],
  ])('%s', async (_what, body, field, message) => {
    const answer = await make(body);
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body.errors).toContainEqual(
      expect.objectContaining({ field, message: expect.stringMatching(message) }),
    );
    expect(answer.body).toMatchObject({
      type: 'urn:shoto:problem:Invalid',
      title: 'Unprocessable Entity',
      status: 422,
    });
  });

  it('and every problem at once', async () => {
    const { body } = await make(
      aBody('web', { controlPlane: { flavor: 1 }, nodePools: [{ name: 'a', flavor: 'f', count: -1 }], foo: 1 }),
    );
    expect(fields(body)).toEqual(['spec.foo', 'spec.controlPlane.flavor', 'spec.nodePools[0].count']);
  });
});

describe('a body', () => {
  it.each<[string, string, number, string]>([
    ['of 10 MB', JSON.stringify({ metadata: { name: 'x'.repeat(10 * 1024 * 1024) } }), 413, 'larger than 1 MiB'],
    ['of broken JSON', '{"metadata": ', 400, 'the body is not JSON'],
    ['that is a list', '[]', 400, 'must be a JSON object, not a list'],
    ['that is a text', '"web"', 400, 'must be a JSON object, not "web"'],
    ['that is null', 'null', 400, 'must be a JSON object, not nothing'],
    ['that is empty', '', 400, 'must be a JSON object, not nothing'],
  ])('%s is refused', async (_what, body, status, detail) => {
    const answer = await make(body);
    expect([answer.status, answer.body.status]).toEqual([status, status]);
    expect(answer.body.detail).toContain(detail);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('of another content type is refused with those that are read', async () => {
    const answer = await make('metadata: {name: web}', { 'content-type': 'application/yaml' });
    expect([answer.status, answer.body.reason]).toEqual([415, 'UnsupportedMediaType']);
    expect(answer.body.detail).toContain('application/json');
  });
});
