import { afterAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/index.ts';
import { administrator, aProject, Cleanup, cloudOf, subject, title, unique } from './support.ts';

const under = await subject();
const admin = await administrator();
const restricted = under.cloud?.config.auth.type === 'application-credential';

describe.skipIf(under.missing)(title('identity', under), () => {
  const cleanup = new Cleanup();
  const api = () => cloudOf(under).identity;
  const loggedInWith = ({ id, secret }: { id: string; secret: string }) =>
    createClient({ ...cloudOf(under).config, auth: { type: 'application-credential', id, secret } });
  /** A role that the token has. */
  const aRole = async () => (await api().token()).roles?.[0]?.name ?? '';

  afterAll(async () => {
    await cleanup.run();
    await under.cloud?.close();
    await admin.cloud?.close();
  });

  it('gives a token for a project, with roles and a catalog', async () => {
    const token = await api().token();
    expect(token).toMatchObject({ user: { id: expect.any(String) }, project: { id: expect.any(String) } });
    expect(token.roles?.length).toBeGreaterThanOrEqual(1);
    expect(token.catalog?.map((entry) => entry.type)).toEqual(expect.arrayContaining(['compute', 'network', 'image']));
    expect(Date.parse(token.expires_at)).toBeGreaterThan(Date.now());
  });

  it('tells a good token from a bad one', async () => {
    expect((await api().validateToken()).user.id).toBe((await api().token()).user.id);
    await expect(api().validateToken('not-a-token')).rejects.toMatchObject({ name: 'NotFoundError' });
  });

  it('logs in again when its token is revoked', async () => {
    const own = createClient(cloudOf(under).config);
    const before = await own.identity.token();
    await own.identity.revokeToken();
    await expect(own.identity.projects.get(before.project?.id ?? '')).resolves.toMatchObject({
      id: before.project?.id,
    });
    await own.close();
  });

  it('refuses wrong credentials', async () => {
    const { config } = cloudOf(under);
    const wrong = { type: 'password', username: 'nobody', userDomainId: 'default', password: 'wrong' } as const;
    const stranger = createClient({ ...config, auth: wrong });
    await expect(stranger.authenticate()).rejects.toMatchObject({ name: 'UnauthorizedError', status: 401 });
    await stranger.close();
  });

  it.skipIf(restricted)('makes an application credential with an access rule, and logs in with it', async () => {
    const name = unique('credential');
    const access_rules = [{ service: 'compute', method: 'GET', path: '/v2.1/flavors' }];
    const made = await api().applicationCredentials.create({ name, access_rules });
    cleanup.add('credential', () => api().applicationCredentials.delete(made.id));
    for (const rule of made.access_rules ?? []) {
      cleanup.add('access rule', async () => {
        await api().applicationCredentials.delete(made.id);
        await api().applicationCredentials.deleteAccessRule(rule.id ?? '');
      });
    }
    expect(made).toMatchObject({ name, secret: expect.any(String) });
    expect(made.unrestricted).not.toBe(true);
    expect((await api().applicationCredentials.list({ name })).map((c) => c.id)).toEqual([made.id]);
    const auth = { type: 'application-credential', id: made.id, secret: made.secret } as const;
    const client = createClient({ ...cloudOf(under).config, auth });
    expect((await client.identity.token()).application_credential?.id).toBe(made.id);
    await client.close();
    const again = await api().applicationCredentials.get(made.id);
    expect(again).not.toHaveProperty('secret');
  });

  it.skipIf(restricted)(
    'lets an application credential be made once by its name, and with no role that is lacking',
    async () => {
      const name = unique('credential');
      const { applicationCredentials } = api();
      const made = await applicationCredentials.create({ name, roles: [{ name: await aRole() }] });
      cleanup.add('credential', () => applicationCredentials.delete(made.id));
      expect(made.roles.map((r) => r.name)).toContain(await aRole());
      const twin = applicationCredentials.create({ name });
      await expect(twin).rejects.toMatchObject({ name: 'ConflictError', status: 409 });
      const lacking = applicationCredentials.create({ name: unique('credential'), roles: [{ name: 'service' }] });
      await expect(lacking).rejects.toMatchObject({ name: 'BadRequestError', status: 400 });
    },
  );

  it.skipIf(restricted)('ends an application credential when its time is over', async () => {
    const expires_at = new Date(Date.now() + 3_600_000).toISOString().slice(0, 19);
    const made = await api().applicationCredentials.create({ name: unique('credential'), expires_at });
    cleanup.add('credential', () => api().applicationCredentials.delete(made.id));
    expect(made.expires_at?.slice(0, 19)).toBe(expires_at);
    const client = loggedInWith(made);
    expect(Date.parse((await client.identity.token()).expires_at)).toBeLessThanOrEqual(Date.parse(`${expires_at}Z`));
    await client.close();
    const past = new Date(Date.now() - 60_000).toISOString().slice(0, 19);
    const late = api().applicationCredentials.create({ name: unique('credential'), expires_at: past });
    await expect(late).rejects.toMatchObject({ name: 'BadRequestError', status: 400 });
  });

  it.skipIf(restricted)(
    'takes no call of a token with access rules that they do not name, but in Keystone itself',
    async () => {
      const access_rules = [{ service: 'compute', method: 'GET', path: '/**/flavors' }];
      const made = await api().applicationCredentials.create({ name: unique('credential'), access_rules });
      cleanup.add('credential', () => api().applicationCredentials.delete(made.id));
      const client = loggedInWith(made);
      expect((await client.identity.applicationCredentials.get(made.id)).id).toBe(made.id);
      const network = client.network.networks.list({ limit: 1 }).all();
      await expect(network).rejects.toMatchObject({ name: 'UnauthorizedError', status: 401 });
      await client.close();
    },
  );

  it.skipIf(restricted)('stops the tokens of an application credential that is deleted', async () => {
    const made = await api().applicationCredentials.create({ name: unique('credential') });
    const client = loggedInWith(made);
    await client.identity.validateToken();
    await api().applicationCredentials.delete(made.id);
    // Keystone says so at once, services when they ask it again: they remember tokens for some minutes.
    const gone = { name: 'NotFoundError', status: 404 };
    await expect(client.identity.validateToken()).rejects.toMatchObject(gone);
    await expect(loggedInWith(made).authenticate()).rejects.toMatchObject(gone);
    await expect(api().applicationCredentials.delete(made.id)).rejects.toMatchObject({ name: 'NotFoundError' });
    await client.close();
  });

  it.skipIf(!restricted)('lets a restricted application credential make no other', async () => {
    const attempt = api().applicationCredentials.create({ name: unique('credential') });
    await expect(attempt).rejects.toMatchObject({ name: 'ForbiddenError', status: 403 });
    expect((await api().token()).application_credential).toMatchObject({ restricted: true });
  });

  it.skipIf(admin.missing)(title('lets an administrator make projects and users', admin), async () => {
    const { cloud, projectId } = await aProject(cloudOf(admin), cleanup);
    expect(await cloud.projectId()).toBe(projectId);
    expect((await cloud.identity.ownProjects().all()).map((project) => project.id)).toEqual([projectId]);
    const { projects } = cloudOf(admin).identity;
    expect((await projects.update(projectId, { description: 'x' })).description).toBe('x');
  });
});
