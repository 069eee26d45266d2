import { Validator } from '@seriousme/openapi-schema-validator';
import { ConfigError, loadConfig } from '@shoto/service';
import { until } from '@shoto/service/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configSchema } from '../src/config.ts';
import { aBody, CLUSTERS, startWorld, type World } from './world.ts';

let w: World;
beforeAll(async () => {
  w = await startWorld();
});
afterAll(() => w.close());

describe('a list', () => {
  beforeAll(async () => {
    for (const [i, name] of ['a', 'b', 'c', 'd', 'e'].entries())
      await w.call('POST', CLUSTERS, {
        body: { ...aBody(name), metadata: { name, labels: { half: i < 2 ? 'first' : 'second' } } },
      });
  });
  const list = (query: string) => w.call('GET', `${CLUSTERS}${query}`);

  it('comes in pages that together are the whole', async () => {
    const names: string[] = [];
    let query = '?limit=2';
    for (let pages = 1; ; pages++) {
      const { body } = await list(query);
      expect(body.items.length).toBeLessThanOrEqual(2);
      names.push(...body.items.map((i) => i.metadata.name));
      if (!body.continue) {
        expect(pages).toBe(3);
        break;
      }
      query = `?limit=2&continue=${encodeURIComponent(body.continue as string)}`;
    }
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('may be selected by label', async () => {
    expect((await list('?labelSelector=half%3Dfirst')).body.items.map((i) => i.metadata.name)).toEqual(['a', 'b']);
    expect((await list('?labelSelector=half%20notin%20(first)')).body.items).toHaveLength(3);
  });

  it.each([
    ['?limit=0', 'limit'],
    ['?limit=many', 'limit'],
    ['?limit=501', 'limit'],
  ])('%s is refused with the field', async (query, field) => {
    const { status, body } = await list(query);
    expect([status, body.reason, body.errors[0]?.field]).toEqual([400, 'BadRequest', field]);
  });

  it.each(['?labelSelector=%3D%3D', '?continue=nonsense'])('%s is refused', async (query) => {
    const { status, headers } = await list(query);
    expect([status, headers.get('content-type')]).toEqual([400, expect.stringContaining('application/problem+json')]);
  });
});

describe('while the management cluster is away', () => {
  it.each<[string, string, unknown?]>([
    ['GET', CLUSTERS],
    ['GET', `${CLUSTERS}/a`],
    ['POST', CLUSTERS, aBody('away')],
    ['PATCH', `${CLUSTERS}/a`, { spec: { paused: true } }],
    ['DELETE', `${CLUSTERS}/a`],
  ])('%s %s answers 503 and when to try again', async (method, path, body) => {
    for (const fault of [
      'reset',
      { status: 500 },
      { status: 429, headers: { 'retry-after': '7' } },
      { status: 403 },
    ] as const) {
      w.disturb(() => fault);
      const answer = await w.call(method, path, { body });
      w.disturb(undefined);
      expect([answer.status, answer.body.reason]).toEqual([503, 'Unavailable']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
    }
  });

  it('and was never read, nobody is told that there is nothing', async () => {
    const young = await startWorld({ unsynced: true });
    const answers = await Promise.all([
      young.call('GET', '/v1/regions'),
      young.call('POST', CLUSTERS, { body: aBody() }),
    ]);
    await young.close();
    expect(answers.map((a) => [a.status, a.body.reason])).toEqual([
      [503, 'Starting'],
      [503, 'Starting'],
    ]);
  });
});

describe('the document of the API', () => {
  interface Operation {
    responses: Record<string, { content?: Record<string, { schema: object }> }>;
    requestBody?: { content: Record<string, { schema: { properties: Record<string, object> } }> };
    parameters?: { in: string; name: string }[];
    summary: string;
  }
  type Document = { openapi: string; paths: Record<string, Record<string, Operation>> };
  const read = async () => (await w.call('GET', '/openapi.json', { token: '' })).body as unknown as Document;

  it('is valid OpenAPI 3.1', async () => {
    const document = await read();
    const result = await new Validator().validate(document as unknown as Record<string, unknown>);
    expect(result.errors ?? []).toEqual([]);
    expect([document.openapi, result.valid]).toEqual(['3.1.0', true]);
  });

  it('holds every route, each with a summary, its answer and the problem', async () => {
    const { paths } = await read();
    const routes = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((m) => `${m} ${path}`));
    expect(routes.sort()).toEqual(
      [
        'get /v1/version',
        ...['regions', 'releases', 'templates', 'tenants', 'addonbundles', 'addonregistries'].flatMap((k) => [
          `get /v1/${k}`,
          `get /v1/${k}/{name}`,
        ]),
        'post /v1/tenants',
        ...['get', 'post'].map((m) => `${m} /v1/tenants/{tenant}/clusters`),
        ...['get', 'patch', 'delete'].map((m) => `${m} /v1/tenants/{tenant}/clusters/{cluster}`),
        'post /v1/addonregistries/{name}/poll',
        'post /v1/tenants/{tenant}/clusters/{cluster}/addons/{addon}/retry',
        ...['machines', 'addons', 'progress', 'events'].map((p) => `get /v1/tenants/{tenant}/clusters/{cluster}/${p}`),
        ...['kubeconfig', 'plan'].map((p) => `post /v1/tenants/{tenant}/clusters/{cluster}/${p}`),
        ...['post keep', 'delete keep', 'post force'].map((x) => {
          const [method, path] = x.split(' ');
          return `${method} /v1/tenants/{tenant}/clusters/{cluster}/machines/{machine}/${path}`;
        }),
        ...['get', 'put', 'delete'].map((m) => `${m} /v1/fleet/emergency-stop`),
      ].sort(),
    );
    for (const [path, item] of Object.entries(paths))
      for (const operation of Object.values(item)) {
        expect(operation.summary).toMatch(/^[A-Z]/);
        expect(Object.keys(operation.responses).some((code) => code.startsWith('2'))).toBe(true);
        if (path !== '/v1/version')
          expect(Object.keys(operation.responses.default?.content ?? {})).toEqual(['application/problem+json']);
      }
  });

  it("describes bodies by the kinds' own schemas, and the headers that are read", async () => {
    const { paths } = await read();
    const clusters = paths['/v1/tenants/{tenant}/clusters']!.post!;
    const body = clusters.requestBody!.content['application/json']!.schema;
    expect(body).toMatchObject({
      properties: { spec: { properties: { nodePools: { items: { properties: { count: { maximum: 1000 } } } } } } },
    });
    expect(clusters.parameters).toContainEqual(expect.objectContaining({ in: 'header', name: 'idempotency-key' }));
    const patch = paths['/v1/tenants/{tenant}/clusters/{cluster}']!.patch!;
    expect(Object.keys(patch.requestBody!.content)).toContain('application/merge-patch+json');
    expect(patch.parameters).toContainEqual(expect.objectContaining({ in: 'header', name: 'if-match' }));
    const plan = paths['/v1/tenants/{tenant}/clusters/{cluster}/plan']!.post!;
    expect(plan.responses[200]!.content!['application/json']!.schema).toMatchObject({
      properties: { steps: { items: {} }, blockers: {}, notes: {} },
    });
  });

  it('is where a wrong path is sent to', async () => {
    const { status, body } = await w.call('PUT', `${CLUSTERS}/a`, { body: {} });
    expect([status, body.detail]).toEqual([404, `PUT ${CLUSTERS}/a is not part of this API: see /openapi.json`]);
  });
});

describe('metrics', () => {
  it('count requests by route and status, with no name in the route', async () => {
    await w.call('GET', `${CLUSTERS}/not-there`);
    const histogram = w.metrics.getSingleMetric('shoto_http_request_duration_seconds')!;
    // What is observed after the answer may come a moment after it.
    const labels = await until(async () =>
      (await histogram.get()).values.map((v) => v.labels).find((l) => l.status === 404 && l.method === 'GET'),
    );
    expect(labels).toMatchObject({ route: '/v1/tenants/:tenant/clusters/:cluster' });
    expect(JSON.stringify(await histogram.get())).not.toContain('not-there');
  });
});

describe('the configuration', () => {
  it('is refused with every problem at once', () => {
    const read = () =>
      loadConfig(
        configSchema,
        { SHOTO_API_ADDRESS: 'nowhere', SHOTO_BOOTSTRAP_URL: 'http://b:1' },
        { service: 'cluster-api' },
      );
    expect(read).toThrow(ConfigError);
    for (const name of [
      'API_ADDRESS',
      'TOKENS_FILE',
      'BOOTSTRAP_URL',
      'INTERNAL_CA_FILE',
      'INTERNAL_CERT_FILE',
      'INTERNAL_KEY_FILE',
    ])
      expect(read).toThrow(new RegExp(`- SHOTO_${name} \\(.*\\): `));
  });
});
