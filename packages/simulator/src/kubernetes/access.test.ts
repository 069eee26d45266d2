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
