import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  collect,
  encodeUserData,
  ignoreNotFound,
  type OpenStack,
  type Server,
  type ServerCreate,
  type ServerQuery,
  waitUntil,
} from '../../src/index.ts';
import { administrator, aNetwork, aProject, aServerKind, Cleanup, cloudOf, subject, title, unique } from './support.ts';

const under = await subject();
const admin = await administrator();
const PUBLIC_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJwYyqZb1b1b3QGZ2s0c1WQqkq0Xb7mB1dXw2y8Gm0nA contract@example.org';

function settled(cloud: OpenStack, id: string): Promise<Server> {
  const look = async () => {
    const server = await cloud.compute.servers.get(id);
    return server.status === 'BUILD' || server['OS-EXT-STS:task_state'] ? undefined : server;
  };
  return waitUntil(look, { what: `server ${id} to settle`, timeoutMs: 240_000 });
}

describe.skipIf(under.missing)(title('compute', under), () => {
  const cleanup = new Cleanup();
  const api = () => cloudOf(under).compute;
  let base: { flavorRef: string; imageRef: string; networks: { uuid: string }[] };

  /** A server to be deleted at the end. */
  async function aServer(more: Partial<ServerCreate> = {}): Promise<string> {
    const { id } = await api().servers.create({ name: unique('server'), ...base, ...more });
    cleanup.add(
      'server',
      () => api().servers.delete(id),
      () => api().servers.get(id),
    );
    return id;
  }

  beforeAll(async () => {
    const cloud = cloudOf(under);
    const { network } = await aNetwork(cloud, cleanup, '10.78.0.0/24');
    base = { ...(await aServerKind(cloud)), networks: [{ uuid: network.id }] };
  });
  afterAll(async () => {
    await cleanup.run();
    await under.cloud?.close();
    await admin.cloud?.close();
  });

  it('negotiates a microversion that the cloud offers, and refuses one it does not', async () => {
    const { max } = await api().client.versions();
    expect(max).toMatch(/^2\.\d+$/);
    await expect(api().servers.list({}, { microversion: '2.999' }).all()).rejects.toMatchObject({
      name: 'MicroversionError',
    });
    const { flavorRef } = base;
    const old = await api().flavors.get(flavorRef, { microversion: '2.1' });
    expect(old).not.toHaveProperty('description');
    expect(await api().flavors.get(flavorRef)).toHaveProperty('extra_specs');
  });

  it('makes a server on a given port, with user data, tags and metadata, and deletes it until 404', async () => {
    const cloud = cloudOf(under);
    const network_id = base.networks[0]?.uuid ?? '';
    const port = await cloud.network.ports.create({ network_id });
    cleanup.add('port', () => cloud.network.ports.delete(port.id));
    const tag = unique('tag');
    const since = new Date(Date.now() - 5_000);
    const name = unique('server');
    const { id } = await api().servers.create({
      ...base,
      name,
      networks: [{ port: port.id }],
      user_data: encodeUserData('#cloud-config\n{}\n'),
      tags: [tag],
      metadata: { owner: 'contract' },
    });
    cleanup.add(
      'server',
      () => api().servers.delete(id),
      () => api().servers.get(id),
    );

    const server = await settled(cloud, id);
    expect(server).toMatchObject({ status: 'ACTIVE', name, metadata: { owner: 'contract' }, tags: [tag] });
    expect(server['OS-EXT-AZ:availability_zone']).not.toBe('');
    expect(server.flavor).toMatchObject({ vcpus: expect.any(Number), ram: expect.any(Number) });
    expect(Object.values(server.addresses)[0]?.[0]).toMatchObject({
      addr: port.fixed_ips[0]?.ip_address,
      'OS-EXT-IPS-MAC:mac_addr': port.mac_address,
    });
    expect(await cloud.network.ports.get(port.id)).toMatchObject({ device_id: id });
    expect((await api().servers.interfaces.list(id).all()).map((i) => i.port_id)).toEqual([port.id]);

    expect(
      (
        await api()
          .servers.list({ tags: [tag] })
          .all()
      ).map((s) => s.id),
    ).toEqual([id]);
    expect((await api().servers.findByName(name))?.id).toBe(id);
    const ids = (query: ServerQuery) =>
      api()
        .servers.list(query)
        .all()
        .then((all) => all.map((s) => s.id));
    expect(await ids({ 'changes-since': since })).toContain(id);
    expect(await ids({ 'changes-since': new Date(Date.now() + 3_600_000) })).not.toContain(id);

    await api().servers.tags.add(id, 'second');
    expect((await api().servers.tags.list(id)).sort()).toEqual([tag, 'second'].sort());
    await api().servers.tags.replaceAll(id, [tag]);
    await expect(api().servers.tags.remove(id, 'second')).rejects.toMatchObject({ status: 404 });
    await api().servers.metadata.merge(id, { more: '1' });
    expect(await api().servers.metadata.get(id)).toEqual({ owner: 'contract', more: '1' });
    await api().servers.metadata.remove(id, 'more');
    expect((await api().servers.update(id, { name: `${name}-new` })).name).toBe(`${name}-new`);

    await api().servers.delete(id);
    // A deleted server can be read for a moment, as DELETED.
    const looked = async () => ((await ignoreNotFound(api().servers.get(id))) === undefined ? true : undefined);
    await waitUntil(looked, { what: 'the server to go', timeoutMs: 120_000 });
    await expect(api().servers.get(id)).rejects.toMatchObject({
      name: 'NotFoundError',
      code: 'itemNotFound',
      requestId: expect.stringMatching(/^req-/),
    });
    expect(await cloud.network.ports.get(port.id)).toMatchObject({ device_id: '' });
    const changed = await api().servers.list({ 'changes-since': since }).all();
    expect(changed.find((s) => s.id === id)).toMatchObject({ status: 'DELETED' });
  });

  it('stops, starts and reboots a server, and refuses what its state does not allow', async () => {
    const id = await aServer();
    expect((await settled(cloudOf(under), id)).status).toBe('ACTIVE');
    await expect(api().servers.start(id)).rejects.toMatchObject({ name: 'ConflictError', code: 'conflictingRequest' });
    await api().servers.stop(id);
    expect((await settled(cloudOf(under), id)).status).toBe('SHUTOFF');
    await api().servers.start(id);
    expect((await settled(cloudOf(under), id)).status).toBe('ACTIVE');
    await api().servers.reboot(id, 'HARD');
    expect((await settled(cloudOf(under), id)).status).toBe('ACTIVE');
    expect(typeof (await api().servers.consoleLog(id, 10))).toBe('string');
    const actions = (await api().servers.actions(id).all()).map((a) => a.action);
    expect(actions).toEqual(expect.arrayContaining(['create', 'stop', 'start', 'reboot']));
  });

  it('pages through servers, two at a time', async () => {
    const prefix = unique('page');
    const ids = await Promise.all([1, 2, 3].map((n) => aServer({ name: `${prefix}-${n}` })));
    // While they are built their order can change between two pages: Nova moves them from its API's database to a cell's.
    for (const id of ids) expect((await settled(cloudOf(under), id)).status).toBe('ACTIVE');
    const pages = await collect(api().servers.list({ name: prefix, limit: 2 }).pages());
    expect(pages.map((page) => page.length)).toEqual([2, 1]);
    expect(
      pages
        .flat()
        .map((s) => s.id)
        .sort(),
    ).toEqual([...ids].sort());
  });

  it('keeps groups of servers', async () => {
    const group = await api().serverGroups.create({ name: unique('group'), policy: 'soft-anti-affinity' });
    cleanup.add(
      'server group',
      () => api().serverGroups.delete(group.id),
      () => api().serverGroups.get(group.id),
    );
    expect(group).toMatchObject({ policy: 'soft-anti-affinity', members: [] });
    const id = await aServer({ 'os:scheduler_hints': { group: group.id } });
    expect((await settled(cloudOf(under), id)).status).toBe('ACTIVE');
    expect((await api().serverGroups.get(group.id)).members).toEqual([id]);
    expect((await api().serverGroups.list({ limit: 1 }).all()).map((g) => g.id)).toContain(group.id);
    const hard = { name: unique('group'), policy: 'anti-affinity', rules: { max_server_per_host: 2 } } as const;
    const ruled = await api().serverGroups.create(hard);
    cleanup.add('server group', () => api().serverGroups.delete(ruled.id));
    expect(ruled).toMatchObject({ policy: 'anti-affinity', rules: { max_server_per_host: 2 } });
  });

  it('keeps key pairs', async () => {
    const name = unique('key');
    const pair = await api().keypairs.create({ name, public_key: PUBLIC_KEY });
    cleanup.add('key pair', () => api().keypairs.delete(name));
    expect(pair).toMatchObject({ name, fingerprint: expect.stringMatching(/^[0-9a-f:]+$/) });
    expect((await api().keypairs.list().all()).map((k) => k.name)).toContain(name);
    await expect(api().keypairs.create({ name, public_key: PUBLIC_KEY })).rejects.toMatchObject({ status: 409 });
    await api().keypairs.delete(name);
    await expect(api().keypairs.get(name)).rejects.toMatchObject({ status: 404 });
  });

  it('refuses a server of a flavor, image or network that does not exist', async () => {
    const nothing = '00000000-0000-0000-0000-000000000000';
    const attempt = (change: Partial<ServerCreate>) => api().servers.create({ name: 'x', ...base, ...change });
    await expect(attempt({ flavorRef: nothing })).rejects.toMatchObject({ status: 400, code: 'badRequest' });
    await expect(attempt({ imageRef: nothing })).rejects.toMatchObject({ status: 400, code: 'badRequest' });
    await expect(attempt({ networks: [{ uuid: nothing }] })).rejects.toMatchObject({ status: 400, code: 'badRequest' });
    await expect(attempt({ availability_zone: 'nowhere' })).rejects.toMatchObject({ status: 400, code: 'badRequest' });
  });

  it('names zones, limits and quotas', async () => {
    expect((await api().availabilityZones().all()).some((zone) => zone.zoneState.available)).toBe(true);
    expect(await api().limits()).toMatchObject({
      maxTotalCores: expect.any(Number),
      totalCoresUsed: expect.any(Number),
    });
    const projectId = (await cloudOf(under).projectId()) ?? '';
    const quota = await api().quotas.get(projectId);
    expect(await api().quotas.detail(projectId)).toMatchObject({
      cores: { limit: quota.cores, in_use: expect.any(Number), reserved: expect.any(Number) },
    });
  });

  it.skipIf(admin.missing)(title('says which quota is used up', admin), async () => {
    const { cloud, projectId } = await aProject(cloudOf(admin), cleanup);
    const quotas = cloudOf(admin).compute.quotas;
    expect(await quotas.set(projectId, { instances: 0 })).toMatchObject({ instances: 0 });
    const refused = cloud.compute.servers.create({ ...base, name: unique('server'), networks: 'none' });
    await expect(refused).rejects.toMatchObject({
      name: 'OverQuotaError',
      status: 403,
      quota: { resources: ['instances'], requested: 1, limit: 0 },
      mayHaveHappened: false,
    });
    await quotas.reset(projectId);
    expect((await quotas.get(projectId)).instances).not.toBe(0);
  });

  it.skipIf(admin.missing)(title('shows hypervisors and services to an administrator', admin), async () => {
    const compute = cloudOf(admin).compute;
    expect((await compute.hypervisors().all()).some((h) => h.state === 'up')).toBe(true);
    expect((await compute.services({ binary: 'nova-compute' }).all()).some((s) => s.state === 'up')).toBe(true);
  });
});
