import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aBody, CLUSTERS, startWorld, TOKENS, type World } from './world.ts';

let w: World;
beforeAll(async () => {
  w = await startWorld();
});
afterAll(() => w.close());

const namespaces = () => w.api.resource({ group: '', version: 'v1', plural: 'namespaces' });

describe('a token', () => {
  it.each<[string, string, string, string]>([
    ['that is missing', '', 'Unauthorized', 'no token was sent: set SHOTO_TOKEN'],
    ['that nobody knows', 'guessed-token', 'Unauthorized', 'this token is not known'],
    ['that has expired', 'old-token', 'TokenExpired', 'this token expired at 2020-01-01T00:00:00.000Z'],
  ])('%s is refused and says why', async (_what, token, reason, detail) => {
    const answer = await w.call('GET', CLUSTERS, { token });
    expect([answer.status, answer.body.reason]).toEqual([401, reason]);
    expect(answer.body.detail).toContain(detail);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  it('expires while the server runs', async () => {
    await w.tokens.write(
      'tokens.csv',
      `${TOKENS}short,ann,tenant:blue,${new Date(Date.now() + 60_000).toISOString()}\n`,
    );
    await until(async () => (await w.call('GET', CLUSTERS, { token: 'short' })).status === 200);
    w.later(61_000);
    expect((await w.call('GET', CLUSTERS, { token: 'short' })).body.reason).toBe('TokenExpired');
    w.later(-61_000);
  });

  it('is revoked by removing its line, without a restart', async () => {
    await w.tokens.write('tokens.csv', TOKENS.replace('green-token', 'next-token'));
    await until(async () => (await w.call('GET', '/v1/tenants', { token: 'next-token' })).status === 200);
    expect((await w.call('GET', '/v1/tenants', { token: 'green-token' })).status).toBe(401);
    await w.tokens.write('tokens.csv', TOKENS);
  });

  it('that is new is good for all requests that come at once', async () => {
    await w.tokens.write('tokens.csv', `${TOKENS}new-token,ann,tenant:blue,\n`);
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => w.call('GET', CLUSTERS, { token: 'new-token' })),
    );
    expect(answers.map((a) => a.status)).toEqual(Array(10).fill(200));
  });

  it('stays good while its file is broken, which is logged with the line', async () => {
    await w.tokens.write('tokens.csv', `${TOKENS}secret-token-without-a-user\n`);
    expect((await w.call('GET', CLUSTERS)).status).toBe(200);
    expect(w.logs.join('')).toContain('tokens.csv, line 6: needs token,user,groups,expiry');
    await w.tokens.write('tokens.csv', TOKENS);
  });

  it('is needed for an unknown path too, but not for the document of the API and its version', async () => {
    expect((await w.call('GET', '/v1/nothing', { token: '' })).status).toBe(401);
    expect((await w.call('GET', '/openapi.json', { token: '' })).status).toBe(200);
    expect((await w.call('GET', '/v1/version', { token: '' })).body).toEqual({ version: expect.any(String) });
  });

  it('stands in no line of the log', async () => {
    await w.call('POST', CLUSTERS, { body: aBody('logged') });
    await w.call('GET', CLUSTERS, { token: 'guessed-token' });
    w.disturb(() => ({ status: 500 }));
    await w.call('GET', CLUSTERS);
    w.disturb(undefined);
    const log = w.logs.join('');
    expect(log).toContain('"cluster":"logged"');
    expect(log).not.toMatch(/(blue|green|admin|old|new|guessed|secret)-token/);
  });
});

describe('a tenant', () => {
  it('is closed to those who are no members, who are told which are theirs', async () => {
    const answer = await w.call('GET', CLUSTERS, { token: 'green-token' });
    expect([answer.status, answer.body.reason]).toEqual([403, 'Forbidden']);
    expect(answer.body.detail).toBe('bob is not a member of tenant blue; your tenants: green, ghost');
  });

  it.each<[string, string, unknown?]>([
    ['GET', CLUSTERS],
    ['POST', CLUSTERS, aBody()],
    ['GET', `${CLUSTERS}/web`],
    ['PATCH', `${CLUSTERS}/web`, {}],
    ['DELETE', `${CLUSTERS}/web`],
    ['GET', `${CLUSTERS}/web/machines`],
    ['GET', `${CLUSTERS}/web/progress`],
    ['GET', `${CLUSTERS}/web/events`],
    ['POST', `${CLUSTERS}/web/kubeconfig`, {}],
    ['POST', `${CLUSTERS}/web/plan`, {}],
    ['POST', `${CLUSTERS}/web/machines/m/keep`, {}],
    ['DELETE', `${CLUSTERS}/web/machines/m/keep`],
  ])('is closed on every path: %s %s', async (method, path, body) => {
    expect((await w.call(method, path, { token: 'green-token', body })).status).toBe(403);
    const ghost = path.replace('/blue/', '/ghost/');
    const missing = await w.call(method, ghost, { token: 'green-token', body });
    expect([missing.status, missing.body.detail]).toEqual([404, 'tenant ghost does not exist: ask an administrator']);
  });

  it('is open to its members and to administrators', async () => {
    expect((await w.call('GET', CLUSTERS)).status).toBe(200);
    expect((await w.call('GET', CLUSTERS, { token: 'admin-token' })).status).toBe(200);
  });

  it('is made by an administrator, with its namespace, and can be used at once', async () => {
    const made = await w.call('POST', '/v1/tenants', {
      token: 'admin-token',
      body: { metadata: { name: 'red' }, spec: { displayName: 'Red' } },
    });
    expect([made.status, made.body.spec.displayName]).toEqual([201, 'Red']);
    expect(namespaces().get({ name: 'tenant-red' })?.metadata.labels).toMatchObject({ 'shoto.dev/tenant': 'red' });
    const bindings = w.api.resource({ group: 'rbac.authorization.k8s.io', version: 'v1', plural: 'rolebindings' });
    expect(bindings.get({ namespace: 'tenant-red', name: 'shoto:addon-values' })).toMatchObject({
      roleRef: { kind: 'ClusterRole', name: 'shoto:addon-values' },
      subjects: [{ kind: 'User', name: 'shoto:addon-manager' }],
    });
    const cluster = await w.call('POST', '/v1/tenants/red/clusters', { token: 'admin-token', body: aBody() });
    expect(cluster.status).toBe(201);
  });

  it('is made by nobody else, nor twice, nor with a name too long', async () => {
    const make = (name: string, token: string) =>
      w.call('POST', '/v1/tenants', { token, body: { metadata: { name }, spec: {} } });
    expect((await make('mine', 'blue-token')).body.detail).toContain('needs a member of shoto:admins; ann is none');
    expect((await make('blue', 'admin-token')).status).toBe(409);
    const long = await make('t'.repeat(41), 'admin-token');
    expect([long.status, long.body.errors[0]?.field]).toEqual([422, 'metadata.name']);
  });

  it('that kubectl made gets its namespace too', async () => {
    w.api
      .resource({ group: 'shoto.dev', version: 'v1alpha1', plural: 'tenants' })
      .create({ apiVersion: 'shoto.dev/v1alpha1', kind: 'Tenant', metadata: { name: 'violet' }, spec: {} } as never);
    await until(() => namespaces().get({ name: 'tenant-violet' }));
  });

  it('whose namespace is not there yet gets it with its first cluster', async () => {
    let refused = 0;
    w.disturb(({ method, path }) => {
      if (method !== 'POST' || !path.endsWith('/tenant-blue/clusters') || refused++ > 0) return undefined;
      return {
        status: 404,
        body: { kind: 'Status', status: 'Failure', reason: 'NotFound', code: 404, message: 'namespaces not found' },
      };
    });
    const made = await w.call('POST', CLUSTERS, { body: aBody('early') });
    w.disturb(undefined);
    expect(made.status).toBe(201);
    expect(w.writes).toContain('POST /api/v1/namespaces');
  });
});

describe('the catalogue', () => {
  it('lists what there is, by name', async () => {
    const names = async (kind: string) => (await w.call('GET', `/v1/${kind}`)).body.items.map((i) => i.metadata.name);
    expect(await names('regions')).toEqual(['edge', 'one', 'two']);
    expect((await names('releases')).slice(0, 3)).toEqual(['v1.31.0', 'v1.33.1', 'v1.33.2']);
    expect(await names('templates')).toEqual([]);
    expect(await names('tenants')).toEqual(['blue']);
  });

  it('gives one by name, or says what there is', async () => {
    expect((await w.call('GET', '/v1/regions/one')).body.metadata.name).toBe('one');
    expect((await w.call('GET', '/v1/releases/v1.35.4')).body.spec.version).toBe('v1.35.4');
    expect((await w.call('GET', '/v1/tenants/blue')).body.metadata.name).toBe('blue');
    expect((await w.call('GET', '/v1/tenants/green')).status).toBe(403);
    const { status, body } = await w.call('GET', '/v1/templates/huge');
    expect([status, body.detail]).toEqual([404, 'template huge does not exist: there is none']);
    expect((await w.call('GET', '/v1/regions/x')).body.detail).toBe(
      'region x does not exist: there are edge, one, two',
    );
  });

  it('tells administrators only where the credentials of a region lie', async () => {
    const spec = async (token: string) => (await w.call('GET', '/v1/regions/one', { token })).body.spec;
    expect(await spec('blue-token')).not.toHaveProperty('openstack');
    expect(await spec('admin-token')).toHaveProperty('openstack');
    expect(JSON.stringify((await w.call('GET', '/v1/regions')).body)).not.toContain('region-one');
  });
});
