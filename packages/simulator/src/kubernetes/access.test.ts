import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serve } from './test-support.ts';

let s: Awaited<ReturnType<typeof serve>>;
beforeEach(async () => {
  s = await serve();
});
afterEach(() => s.close());

describe('who may do what', () => {
  it('refuses what no role allows, in the words of RBAC', async () => {
    const refused = await s.call('GET', '/api/v1/namespaces/default/pods', undefined, { authorization: 'Bearer dev' });
    expect(refused.body).toMatchObject({
      code: 403,
      message: 'pods is forbidden: User "dev" cannot list resource "pods" in API group "" in the namespace "default"',
    });
    expect((await s.call('GET', '/version', undefined, { authorization: 'Bearer wrong' })).status).toBe(401);
  });

  it('allows what a role that is made of others allows', async () => {
    const binding = {
      metadata: { name: 'b' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
      subjects: [{ kind: 'User', name: 'dev' }],
    };
    await s.call('POST', '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings', binding);
    const dev = { authorization: 'Bearer dev' };
    expect((await s.call('GET', '/api/v1/namespaces/default/pods', undefined, dev)).status).toBe(200);
    expect((await s.call('GET', '/api/v1/namespaces/kube-system/pods', undefined, dev)).status).toBe(403);
  });

  it('takes a bootstrap token until it expires', async () => {
    const stringData = (expiration: string) => ({
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      expiration,
    });
    const secret = {
      metadata: { name: 'bootstrap-token-abcdef' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: stringData('2999-01-01T00:00:00Z'),
    };
    await s.call('POST', '/api/v1/namespaces/kube-system/secrets', secret);
    const token = { authorization: 'Bearer abcdef.0123456789abcdef' };
    expect((await s.call('GET', '/version', undefined, token)).status).toBe(200);

    await s.call(
      'PATCH',
      '/api/v1/namespaces/kube-system/secrets/bootstrap-token-abcdef',
      { stringData: { expiration: '2001-01-01T00:00:00Z' } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect((await s.call('GET', '/version', undefined, token)).status).toBe(401);
  });
});

describe('rights that are given on', () => {
  const RBAC = '/apis/rbac.authorization.k8s.io/v1';
  const dev = { authorization: 'Bearer dev' };
  const role = (name: string, ...rules: object[]) => ({ metadata: { name }, rules });
  const rule = (verbs: string[], group: string, resources: string[], more: object = {}) => ({
    ...{ verbs, apiGroups: [group], resources },
    ...more,
  });
  const binding = (name: string) => ({
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'User', name: 'dev' }],
  });
  /** Who may write roles and bindings, and what else is given. */
  async function giveDev(...rules: object[]): Promise<void> {
    const write = rule(['create', 'update', 'patch', 'get'], 'rbac.authorization.k8s.io', [
      'clusterroles',
      'clusterrolebindings',
    ]);
    await s.call('POST', `${RBAC}/clusterroles`, role('own', write, ...rules));
    await s.call('POST', `${RBAC}/clusterrolebindings`, binding('own'));
  }
  const pods = rule(['get'], '', ['pods']);

  it('are those that one holds, and no others', async () => {
    await giveDev(rule(['get', 'list'], '', ['pods', 'services']));
    expect((await s.call('POST', `${RBAC}/clusterroles`, role('less', pods), dev)).status).toBe(201);
    const more = role('more', pods, rule(['delete'], '', ['pods']));
    const refused = await s.call('POST', `${RBAC}/clusterroles`, more, dev);
    expect(refused.body).toMatchObject({
      code: 403,
      message:
        'clusterroles.rbac.authorization.k8s.io "more" is forbidden: user "dev" (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}',
    });
    await s.call('POST', `${RBAC}/clusterroles`, more);
    expect((await s.call('POST', `${RBAC}/clusterrolebindings`, binding('more'), dev)).status).toBe(403);
    expect((await s.call('POST', `${RBAC}/clusterrolebindings`, binding('less'), dev)).status).toBe(201);
    // What stays as it is is not asked about.
    const labels = { metadata: { labels: { a: 'b' } } };
    const merge = { ...dev, 'content-type': 'application/merge-patch+json' };
    expect((await s.call('PATCH', `${RBAC}/clusterroles/more`, labels, merge)).status).toBe(200);
  });

  it('are any, of a role that one may escalate and bind, and of no other', async () => {
    const only = { resourceNames: ['more'] };
    await giveDev(rule(['escalate', 'bind'], 'rbac.authorization.k8s.io', ['clusterroles'], only));
    const give = async (name: string) => [
      (await s.call('POST', `${RBAC}/clusterroles`, role(name, rule(['get'], '', [name])), dev)).status,
      (await s.call('POST', `${RBAC}/clusterrolebindings`, binding(name), dev)).status,
    ];
    expect([await give('more'), await give('other')]).toEqual([
      [201, 201],
      [403, 404],
    ]);
  });
});

describe('evictions', () => {
  it('are refused with the budget that they would break', async () => {
    await s.close();
    s = await serve({
      mayEvict: () => ({
        budget: 'web',
        message: 'The disruption budget web needs 2 healthy pods and has 2 currently',
      }),
    });
    await s.call('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    s.api
      .resource({ group: '', version: 'v1', plural: 'pods' })
      .patchStatus({ namespace: 'default', name: 'p' }, { phase: 'Running' });

    const refused = await s.call('POST', '/api/v1/namespaces/default/pods/p/eviction', { metadata: { name: 'p' } });

    expect(refused.body).toMatchObject({
      code: 429,
      reason: 'TooManyRequests',
      details: { causes: [{ reason: 'DisruptionBudget' }] },
    });
  });
});
