import { describe, expect, it } from 'vitest';
import { collect } from '../src/index.ts';
import { type Answer, FakeCloud, type Seen } from './fake-cloud.ts';

/** Serves five items, as many a page as `limit` says, with the link made by `link`. */
function five(key: string, link: (marker: string, seen: Seen) => object) {
  const all = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id }));
  return (seen: Seen): Answer => {
    const limit = Number(seen.query.get('limit') ?? 5);
    const from = all.findIndex((item) => item.id === seen.query.get('marker')) + 1;
    const page = all.slice(from, from + limit);
    const more = from + limit < all.length ? link(page.at(-1)?.id ?? '', seen) : {};
    return { body: { [key]: page, ...more } };
  };
}

const host = 'http://wrong-host:1234/behind/a/proxy';

describe('a list', () => {
  it.each([
    [
      'Nova',
      '/compute/v2.1/servers/detail',
      'servers',
      (marker: string) => ({ servers_links: [{ rel: 'next', href: `${host}?limit=2&marker=${marker}` }] }),
    ],
    [
      'Neutron',
      '/network/v2.0/ports',
      'ports',
      (marker: string) => ({
        ports_links: [
          { rel: 'previous', href: `${host}?page_reverse=True` },
          { rel: 'next', href: `${host}?limit=2&marker=${marker}` },
        ],
      }),
    ],
    ['Glance', '/image/v2/images', 'images', (marker: string) => ({ next: `/v2/images?limit=2&marker=${marker}` })],
    [
      'Keystone',
      '/identity/v3/users',
      'users',
      (marker: string) => ({ links: { self: host, next: `${host}?limit=2&marker=${marker}` } }),
    ],
  ])('of %s goes on over its links, on the own endpoint', async (service, path, key, link) => {
    await using cloud = await FakeCloud.start({ [`GET ${path}`]: five(key, link) });
    const client = cloud.client();
    const lists = {
      Nova: client.compute.servers,
      Neutron: client.network.ports,
      Glance: client.image.images,
      Keystone: client.identity.users,
    } as const;
    const list = lists[service as 'Nova'].list({ limit: 2, status: 'ACTIVE' });
    expect((await collect(list.pages())).map((page) => page.map((item) => item.id))).toEqual([
      ['a', 'b'],
      ['c', 'd'],
      ['e'],
    ]);
    expect(cloud.calls.map((call) => call.query.toString())).toEqual([
      'limit=2&status=ACTIVE',
      'limit=2&status=ACTIVE&marker=b',
      'limit=2&status=ACTIVE&marker=d',
    ]);
  });

  const servers = (marker: string) => ({ servers_links: [{ rel: 'next', href: `${host}?marker=${marker}` }] });

  it('fetches nothing before it is read, and no page more than is read', async () => {
    await using cloud = await FakeCloud.start({ 'GET /compute/v2.1/servers/detail': five('servers', servers) });
    const list = cloud.client().compute.servers.list({ limit: 2 });
    expect(cloud.seen.length).toBe(0);
    expect((await list.first())?.id).toBe('a');
    expect(cloud.calls.length).toBe(1);
    expect((await collect(list, 3)).map((server) => server.id)).toEqual(['a', 'b', 'c']);
    expect(cloud.calls.length).toBe(3);
  });

  it('ends when a service gives the same link again', async () => {
    const again = [{ body: { servers: [{ id: 'a' }], ...servers('a') } }];
    await using cloud = await FakeCloud.start({ 'GET /compute/v2.1/servers/detail': again });
    expect((await cloud.client().compute.servers.list().all()).length).toBe(2);
  });

  it('of server groups goes on by offset until a page brings nothing new', async () => {
    const groups = ['a', 'b', 'c'].map((id) => ({ id }));
    await using cloud = await FakeCloud.start({
      'GET /compute/v2.1/os-server-groups': ({ query }) => {
        const from = Number(query.get('offset') ?? 0);
        return { body: { server_groups: groups.slice(from, from + 2) } };
      },
    });
    expect((await cloud.client().compute.serverGroups.list().all()).map((g) => g.id)).toEqual(['a', 'b', 'c']);
  });

  it('sends dates as ISO 8601, tags with commas, other lists as repeated keys, and leaves undefined out', async () => {
    await using cloud = await FakeCloud.start({
      'GET /compute/v2.1/servers/detail': [{ body: { servers: [] } }],
      'GET /network/v2.0/ports': [{ body: { ports: [] } }],
    });
    const client = cloud.client();
    await client.compute.servers.list({ 'changes-since': new Date(0), deleted: undefined, all_tenants: true }).all();
    await client.network.ports.list({ tags: ['a', 'b'], fixed_ips: ['subnet_id=s', 'ip_address=1.2.3.4'] }).all();
    expect(cloud.calls.map((call) => call.query.toString())).toEqual([
      'changes-since=1970-01-01T00%3A00%3A00.000Z&all_tenants=true',
      'tags=a%2Cb&fixed_ips=subnet_id%3Ds&fixed_ips=ip_address%3D1.2.3.4',
    ]);
  });

  it('finds the only one of a name, and refuses to choose among several', async () => {
    const networks = [
      {
        body: {
          networks: [
            { id: 'a', name: 'x' },
            { id: 'b', name: 'x' },
            { id: 'c', name: 'xy' },
          ],
        },
      },
    ];
    await using cloud = await FakeCloud.start({ 'GET /network/v2.0/networks': networks });
    const { networks: api } = cloud.client().network;
    expect(await api.findByName('xy')).toMatchObject({ id: 'c' });
    expect(await api.findByName('none')).toBeUndefined();
    await expect(api.findByName('x')).rejects.toThrow("there are 2 networks named 'x'");
  });
});
