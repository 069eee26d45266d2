import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { at, type Lab, login, send, startLab } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());

const ask = (identity: unknown, scope?: unknown) =>
  send(lab.url, 'POST', '/identity/v3/auth/tokens', { auth: { identity, ...(scope ? { scope } : {}) } });
const password = (pass: string) => ({
  methods: ['password'],
  password: { user: { name: 'shoto', domain: { name: 'Default' }, password: pass } },
});

describe('tokens', () => {
  it('gives a project token with roles and a catalog of every service', async () => {
    const token = at(await ask(password('shoto'), { project: { id: lab.projectId } }), 'token');
    expect((token.roles as { name: string }[]).map((r) => r.name)).toEqual(['member', 'reader']);
    expect((token.catalog as { type: string }[]).map((s) => s.type)).toContain('load-balancer');
    expect(token.methods).toEqual(['password']);
  });
  it('gives an unscoped token without roles or catalog, which can be rescoped and keeps its expiry', async () => {
    const reply = await ask(password('shoto'));
    const plain = at(reply, 'token');
    expect(plain.project).toBeUndefined();
    expect(plain.catalog).toBeUndefined();
    const scoped = at(
      await ask(
        { methods: ['token'], token: { id: reply.headers.get('x-subject-token') } },
        { project: { id: lab.projectId } },
      ),
      'token',
    );
    expect(scoped.methods).toEqual(['token', 'password']);
    expect(scoped.expires_at).toBe(plain.expires_at);
  });
  it('answers a wrong password with 401 that tells nothing', async () => {
    const reply = await ask(password('wrong'));
    expect(reply.status).toBe(401);
    expect(reply.body).toEqual({
      error: { code: 401, message: 'The request you have made requires authentication.', title: 'Unauthorized' },
    });
  });
  it('refuses a revoked token everywhere', async () => {
    const token = await login(lab.url, 'shoto');
    const headers = { 'X-Auth-Token': token, 'X-Subject-Token': token };
    expect((await send(lab.url, 'HEAD', '/identity/v3/auth/tokens', undefined, headers)).status).toBe(200);
    expect((await send(lab.url, 'DELETE', '/identity/v3/auth/tokens', undefined, headers)).status).toBe(204);
    expect((await send(lab.url, 'GET', '/network/v2.0/networks', undefined, headers)).status).toBe(401);
  });
  it('refuses an expired token', async () => {
    const short = await startLab({ tokenSeconds: 60, clock: { mode: 'manual' } });
    await send(short.url, 'POST', '/admin/clock', { advanceMs: 61_000 });
    expect((await short.user('GET', '/network/v2.0/networks')).status).toBe(401);
    await short.simulator.close();
  });
});

describe('policy', () => {
  it('lets an ordinary user read what is theirs and answers 403 in Keystone words for the rest', async () => {
    const reply = await lab.user('GET', '/identity/v3/users');
    expect(reply.status).toBe(403);
    expect(at(reply, 'error').message).toBe(
      'You are not authorized to perform the requested action: identity:list_users.',
    );
    expect((await lab.user('GET', `/identity/v3/projects/${lab.projectId}`)).status).toBe(200);
  });
  it('lets an administrator make a project and a user that can log in there', async () => {
    const project = at(
      await lab.admin('POST', '/identity/v3/projects', { project: { name: 'extra', domain_id: 'default' } }),
      'project',
    );
    const user = at(
      await lab.admin('POST', '/identity/v3/users', { user: { name: 'eve', password: 'eve', domain_id: 'default' } }),
      'user',
    );
    const roles = (await lab.admin('GET', '/identity/v3/roles?name=member')).body.roles as { id: string }[];
    await lab.admin('PUT', `/identity/v3/projects/${project.id}/users/${user.id}/roles/${roles[0]!.id}`);
    expect(await login(lab.url, 'eve', 'extra')).toMatch(/^gAAAAA/);
    expect((await lab.admin('POST', '/identity/v3/projects', { project: { name: 'extra' } })).status).toBe(409);
  });
});

describe('application credentials', () => {
  const make = async (more: object) => {
    const userId = String((at(await ask(password('shoto')), 'token').user as { id: string }).id);
    return {
      userId,
      made: at(
        await lab.user('POST', `/identity/v3/users/${userId}/application_credentials`, {
          application_credential: more,
        }),
        'application_credential',
      ),
    };
  };
  it('logs in by id and by name, shows its secret once, and takes its tokens along when it goes', async () => {
    const { userId, made } = await make({ name: 'ci' });
    const byName = await ask({
      methods: ['application_credential'],
      application_credential: { name: 'ci', user: { id: userId }, secret: made.secret },
    });
    expect(at(byName, 'token').project).toMatchObject({ name: 'shoto' });
    const token = (
      await ask({ methods: ['application_credential'], application_credential: { id: made.id, secret: made.secret } })
    ).headers.get('x-subject-token')!;
    const path = `/identity/v3/users/${userId}/application_credentials/${made.id}`;
    expect(at(await lab.user('GET', path), 'application_credential').secret).toBeUndefined();
    expect((await lab.user('DELETE', path)).status).toBe(204);
    expect((await send(lab.url, 'GET', '/network/v2.0/networks', undefined, { 'X-Auth-Token': token })).status).toBe(
      401,
    );
  });
  it('allows only what its access rules name', async () => {
    const { made } = await make({
      name: 'narrow',
      access_rules: [{ service: 'compute', method: 'GET', path: '/v2.1/servers' }],
    });
    const token = (
      await ask({ methods: ['application_credential'], application_credential: { id: made.id, secret: made.secret } })
    ).headers.get('x-subject-token')!;
    expect((await send(lab.url, 'GET', '/compute/v2.1/servers', undefined, { 'X-Auth-Token': token })).status).toBe(
      200,
    );
    expect((await send(lab.url, 'GET', '/compute/v2.1/flavors', undefined, { 'X-Auth-Token': token })).status).toBe(
      401,
    );
  });
});
