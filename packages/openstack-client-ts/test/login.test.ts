import { describe, expect, it } from 'vitest';
import { UnauthorizedError } from '../src/index.ts';
import { FakeCloud, FastClock } from './fake-cloud.ts';

const NETWORKS = { 'GET /network/v2.0/networks': [{ body: { networks: [] } }] };

describe('logging in', () => {
  it('sends a password with its domains, and the scope', async () => {
    await using cloud = await FakeCloud.start();
    const client = cloud.client(
      {},
      {
        auth: {
          type: 'password',
          username: 'u',
          userDomainName: 'Users',
          password: 'x',
          projectName: 'p',
          projectDomainId: 'd',
        },
      },
    );
    await client.authenticate();
    expect(cloud.seen[0]?.body).toEqual({
      auth: {
        identity: {
          methods: ['password'],
          password: { user: { name: 'u', domain: { name: 'Users' }, password: 'x' } },
        },
        scope: { project: { name: 'p', domain: { id: 'd' } } },
      },
    });
  });

  it('sends an application credential without a scope', async () => {
    await using cloud = await FakeCloud.start();
    await cloud.client({}, { auth: { type: 'application-credential', id: 'i', secret: 's' } }).authenticate();
    expect(cloud.seen[0]?.body).toEqual({
      auth: { identity: { methods: ['application_credential'], application_credential: { id: 'i', secret: 's' } } },
    });
  });

  it('sends a token with the scope wanted of the new one', async () => {
    await using cloud = await FakeCloud.start();
    await cloud.client({}, { auth: { type: 'token', token: 't', projectId: 'p' } }).authenticate();
    expect(cloud.seen[0]?.body).toEqual({
      auth: { identity: { methods: ['token'], token: { id: 't' } }, scope: { project: { id: 'p' } } },
    });
  });

  it('logs in once for calls that come together', async () => {
    await using cloud = await FakeCloud.start(NETWORKS);
    const client = cloud.client();
    await Promise.all([1, 2, 3].map(() => client.network.networks.list().all()));
    expect(cloud.tokens).toBe(1);
    expect(cloud.calls.map((call) => call.headers['x-auth-token'])).toEqual(['token-1', 'token-1', 'token-1']);
  });

  it('takes a new token before the old one ends', async () => {
    await using cloud = await FakeCloud.start(NETWORKS);
    const clock = new FastClock();
    const client = cloud.client({ clock, timeoutMs: 0 });
    await client.network.networks.list().all();
    clock.advance(3600_000 - 121_000);
    await client.network.networks.list().all();
    expect(cloud.tokens).toBe(1);
    clock.advance(2_000);
    await client.network.networks.list().all();
    expect(cloud.tokens).toBe(2);
  });

  it('goes on with a token that is still good while Keystone is away', async () => {
    await using cloud = await FakeCloud.start(NETWORKS);
    const clock = new FastClock();
    const client = cloud.client({ clock, timeoutMs: 0, retry: { retries: 0 } });
    await client.network.networks.list().all();
    clock.advance(3600_000 - 60_000);
    cloud.logins = [{ status: 503 }];
    await client.network.networks.list().all();
    expect(cloud.calls.at(-1)?.headers['x-auth-token']).toBe('token-1');
  });

  it('logs in again once when a token is refused, and repeats even a POST, which was not carried out', async () => {
    await using cloud = await FakeCloud.start({
      'POST /network/v2.0/networks': [{ status: 201, body: { network: { id: 'n' } } }],
    });
    const client = cloud.client();
    await client.authenticate();
    cloud.revoked.add('token-1');
    expect(await client.network.networks.create({ name: 'n' })).toEqual({ id: 'n' });
    expect(cloud.calls.map((call) => call.headers['x-auth-token'])).toEqual(['token-1', 'token-2']);
  });

  it('gives up when the fresh token is refused too', async () => {
    await using cloud = await FakeCloud.start(NETWORKS);
    cloud.revoked.add('token-1').add('token-2');
    const failing = cloud.client().network.networks.list().all();
    await expect(failing).rejects.toBeInstanceOf(UnauthorizedError);
    expect(cloud.tokens).toBe(2);
  });

  it('tells a refused log-in without the password', async () => {
    await using cloud = await FakeCloud.start();
    const message = 'The request you have made requires authentication.';
    cloud.logins = [{ status: 401, body: { error: { code: 401, title: 'Unauthorized', message } } }];
    const error = await cloud
      .client()
      .authenticate()
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ name: 'UnauthorizedError', status: 401, service: 'identity', code: 'Unauthorized' });
    expect(JSON.stringify(error) + String(error)).not.toContain('pa55word');
  });

  it('says so when the address is not a Keystone', async () => {
    await using cloud = await FakeCloud.start();
    cloud.logins = [{ status: 200, body: '<html>hello</html>' }];
    await expect(cloud.client().authenticate()).rejects.toThrow(/check auth_url/);
  });

  it('sends the token in question beside its own when it validates one', async () => {
    await using cloud = await FakeCloud.start({
      'GET /identity/v3/auth/tokens': [{ body: { token: { methods: [] } } }],
    });
    await cloud.client().identity.validateToken('other');
    expect(cloud.calls[0]?.headers).toMatchObject({ 'x-auth-token': 'token-1', 'x-subject-token': 'other' });
  });
});

describe('endpoints', () => {
  const at = (prefix: string) => ({ [`GET ${prefix}/network/v2.0/networks`]: [{ body: { networks: [] } }] });

  it('are those of the region and the interface', async () => {
    await using cloud = await FakeCloud.start({ ...at('/two'), ...at('/internal') });
    await cloud.client({}, { region: 'two' }).network.networks.list().all();
    await cloud
      .client({}, { region: 'one', interfaces: ['internal'] })
      .network.networks.list()
      .all();
    expect(cloud.calls.map((call) => call.path)).toEqual([
      '/two/network/v2.0/networks',
      '/internal/network/v2.0/networks',
    ]);
  });

  it('fall back on the next interface in the list, and can differ by service', async () => {
    await using cloud = await FakeCloud.start({ ...at(''), ...at('/internal') });
    await cloud
      .client({}, { interfaces: ['admin', 'public'] })
      .network.networks.list()
      .all();
    const own = { interfaces: ['public'], serviceInterfaces: { network: ['internal'] } } as const;
    await cloud
      .client({}, structuredClone(own) as never)
      .network.networks.list()
      .all();
    expect(cloud.calls.map((call) => call.path)).toEqual(['/network/v2.0/networks', '/internal/network/v2.0/networks']);
  });

  it('can be overridden', async () => {
    await using cloud = await FakeCloud.start(at('/mine'));
    const endpointOverrides = { network: `${cloud.url}/mine/network/v2.0/` };
    await cloud.client({}, { endpointOverrides }).network.networks.list().all();
    expect(cloud.calls.length).toBe(1);
  });

  it('that are missing are told with what is there', async () => {
    await using cloud = await FakeCloud.start();
    const failing = cloud.client({}, { region: 'three' }).compute.servers.list().all();
    await expect(failing).rejects.toMatchObject({ name: 'EndpointNotFoundError', service: 'compute' });
    await expect(failing).rejects.toThrow(/region 'three'; it has public in one, internal in one, public in two/);
  });
});

describe('microversions', () => {
  const routes = { 'GET /compute/v2.1/servers/detail': [{ body: { servers: [] } }] };

  it('are the newest that both sides know, asked for once', async () => {
    await using cloud = await FakeCloud.start(routes);
    const client = cloud.client();
    await client.compute.servers.list().all();
    await client.compute.servers.list().all();
    expect(cloud.calls[1]?.headers).toMatchObject({
      'openstack-api-version': 'compute 2.93',
      'x-openstack-nova-api-version': '2.93',
    });
    expect(cloud.seen.filter((s) => s.path === '/compute/v2.1/').length).toBe(1);
  });

  it('are capped to what this package knows', async () => {
    await using cloud = await FakeCloud.start(routes);
    cloud.versions.compute = { min: '2.1', max: '2.500' };
    expect(await cloud.client().compute.client.microversion()).toBe('2.96');
  });

  it('can be pinned for a service or a call, within what is offered', async () => {
    await using cloud = await FakeCloud.start(routes);
    const client = cloud.client({}, { microversions: { compute: '2.60' } });
    await client.compute.servers.list().all();
    await client.compute.servers.list({}, { microversion: '2.79' }).all();
    expect(cloud.calls.map((c) => c.headers['openstack-api-version'])).toEqual(['compute 2.60', 'compute 2.79']);
    const tooNew = client.compute.servers.list({}, { microversion: '2.94' }).all();
    await expect(tooNew).rejects.toThrow('compute: microversion 2.94 was asked for; the service offers 2.1 to 2.93');
  });

  it('that are too old for a call are told before anything is sent', async () => {
    await using cloud = await FakeCloud.start({ 'PUT /compute/v2.1/servers/s/tags/a': [{ status: 201 }] });
    cloud.versions.compute = { min: '2.1', max: '2.25' };
    const failing = cloud.client().compute.servers.tags.add('s', 'a');
    await expect(failing).rejects.toMatchObject({ name: 'MicroversionError' });
    await expect(failing).rejects.toThrow(
      'compute: server tags needs microversion 2.26 or later; the service offers 2.1 to 2.25',
    );
    expect(cloud.calls).toEqual([]);
  });

  it('shape the create of a server group', async () => {
    const created = [{ body: { server_group: { id: 'g' } } }];
    await using cloud = await FakeCloud.start({ 'POST /compute/v2.1/os-server-groups': created });
    const group = { name: 'g', policy: 'soft-anti-affinity' } as const;
    await cloud.client().compute.serverGroups.create(group);
    await cloud.client().compute.serverGroups.create(group, { microversion: '2.15' });
    expect(cloud.calls.map((call) => call.body)).toEqual([
      { server_group: group },
      { server_group: { name: 'g', policies: ['soft-anti-affinity'] } },
    ]);
  });
});
