import { findCondition, isTrue, type Machine } from '@shoto/api';
import { EVENTS, type HasMeta } from '@shoto/kube';
import { until } from '@shoto/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { CLUSTERS, MACHINES, startWorld, type World } from '../src/testing/world.ts';

interface Said extends HasMeta {
  reason: string;
  note: string;
  type: string;
}

let world: World;
afterEach(() => world.close());

const allActive = (n: number) => (ms: Machine[]) =>
  ms.length === n && ms.every((m) => m.status?.server.state === 'Active');
const serverReady = (m: Machine | undefined) => findCondition(m?.status?.server.conditions, 'ServerReady');
const servers = () => world.user.compute.servers.list().all();
/** Machines that have started over after a crash know nothing of what was asked for before. */
const SLOW_BOOT = { latency: { operations: { 'nova.server.boot': { medianMs: 300, spread: 0 } } } };

describe('a cloud that loses answers', () => {
  it.each([
    ['the server', 'nova.server.create', { type: 'lostAnswer' }],
    ['the port', 'neutron.port.create', { type: 'lostAnswer' }],
    ['the network', 'neutron.network.create', { type: 'lostAnswer' }],
    ['the router', 'neutron.router.create', { type: 'lostAnswer' }],
    ['the load balancer', 'octavia.loadbalancer.create', { type: 'lostAnswer' }],
    ['a server that comes late', 'nova.server.create', { type: 'lateDeed', afterMs: 900 }],
  ])('has made one and only one of each when the answer for %s was lost', async (_, operation, action) => {
    world = await startWorld({
      cloud: { ...SLOW_BOOT, faults: [{ match: { operation }, count: 1, action }] },
      times: { unsureMs: 2_000 },
    });
    await world.createCluster({ workers: 1 });
    await world.untilMachines('both servers run', allActive(2));
    await world.untilCluster('its endpoint is ready', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'EndpointReady'),
    );
    expect(await world.leftovers()).toMatchObject({
      servers: 2,
      networks: 1,
      routers: 1,
      loadBalancers: 1,
      floatingIps: 1,
      securityGroups: 2,
    });
    expect(world.cloud.state.faults.list()[0]?.hits).toBe(1);
  });

  it('has made one port for each machine on a shared network too, where a port is no lock', async () => {
    const fault = { match: { operation: 'neutron.port.create' }, count: 1, action: { type: 'lostAnswer' as const } };
    world = await startWorld({
      cloud: { ...SLOW_BOOT, faults: [fault] },
      times: { unsureMs: 2_000 },
      endpoint: 'MachineAddress',
      region: { sharedNetwork: 'flat' },
    });
    const flat = await world.admin.network.networks.create({ name: 'flat', shared: true });
    await world.admin.network.subnets.create({ network_id: flat.id, ip_version: 4, cidr: '10.99.0.0/24' });
    await world.createCluster({ workers: 1 });
    await world.untilMachines('both servers run', allActive(2));
    expect(await world.leftovers()).toMatchObject({ servers: 2, ports: 2 });
    expect(world.cloud.state.faults.list()[0]?.hits).toBe(1);
  });
});

describe('a machine whose server may still come', () => {
  const SAYS =
    /^the cloud was asked for a server and had not answered at (\S+Z): one may still come\. It is looked for until (\S+Z), and asked for then if there is none$/;
  const hangs = { match: { operation: 'nova.server.create' }, count: 1, action: { type: 'hang' } };
  const events = async () => (await world.kube.listAll<Said>(EVENTS)).filter((e) => e.reason === 'ServerUnsure');
  const oneUnsure = () =>
    world.untilMachines('one says so', (ms) => ms.some((m) => serverReady(m)?.reason === 'ServerUnsure'));

  it('says since when, until when it is looked for, and what follows, once; and forgets it', async () => {
    world = await startWorld({ cloud: { faults: [hangs] }, times: { unsureMs: 3_000 } });
    await world.createCluster({ workers: 1 });
    const unsure = (await oneUnsure()).find((m) => serverReady(m)?.reason === 'ServerUnsure') as Machine;
    const [, since, until_] = SAYS.exec(serverReady(unsure)?.message ?? '') as unknown as string[];
    expect(Date.parse(until_ ?? '') - Date.parse(since ?? '')).toBe(3_000);
    const about = `/machines/${unsure.metadata.name}/status`;
    const all = await world.untilMachines('both servers run', allActive(2));
    expect(all.map((m) => serverReady(m)?.status)).toEqual(['True', 'True']);
    expect(await events()).toMatchObject([{ note: serverReady(unsure)?.message, type: 'Warning' }]);
    expect(world.writes.filter((w) => w.path.endsWith(about))).toHaveLength(2);
    expect(await servers()).toHaveLength(2);
  });

  it('says so too while it leaves', async () => {
    world = await startWorld({ cloud: { faults: [hangs] }, times: { unsureMs: 3_000 } });
    const { metadata } = await world.createCluster({ workers: 0 });
    await oneUnsure();
    await world.kube.delete(CLUSTERS, metadata);
    await world.untilMachines('it leaves', (ms) => ms.every((m) => m.metadata.deletionTimestamp));
    await world.letGo();
    await world.untilMachines('it says what follows', (ms) =>
      /deleted if it comes, and then the machine goes$/.test(serverReady(ms[0])?.message ?? ''),
    );
    await world.untilMachines('it is gone', (ms) => ms.length === 0);
    expect(await servers()).toEqual([]);
  });

  it('says that an earlier process may have asked', async () => {
    world = await startWorld({ cloud: { faults: [{ ...hangs, count: 50 }] }, times: { unsureMs: 60_000 } });
    await world.createCluster({ workers: 0 });
    await oneUnsure();
    await world.restart();
    await world.untilMachines('it says so', (ms) =>
      /^an earlier process made the port of the machine, and may have asked/.test(serverReady(ms[0])?.message ?? ''),
    );
  });
});

describe('a cloud that fails for a while', () => {
  it.each([
    [
      '500 for networks',
      { match: { service: 'neutron', method: 'POST' }, rate: 0.3, count: 5, action: { type: 'status', status: 500 } },
    ],
    ['429 for everything', { match: {}, rate: 0.3, count: 20, action: { type: 'status', status: 429, retryAfter: 0 } }],
    [
      '409 for load balancers',
      { match: { service: 'octavia', method: 'PUT' }, count: 2, action: { type: 'status', status: 409 } },
    ],
    [
      '503 for servers',
      { match: { service: 'nova', method: 'POST' }, count: 2, action: { type: 'status', status: 503 } },
    ],
    ['no answer for ports', { match: { operation: 'neutron.port.create' }, count: 1, action: { type: 'hang' } }],
  ])('ends as if nothing had been: %s', async (_, fault) => {
    world = await startWorld({ cloud: { faults: [fault] } });
    await world.createCluster({ workers: 1 });
    await world.untilMachines('both servers run', allActive(2));
    await world.untilCluster('its endpoint is ready', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'EndpointReady'),
    );
    expect(await world.leftovers()).toMatchObject({
      servers: 2,
      networks: 1,
      routers: 1,
      loadBalancers: 1,
      floatingIps: 1,
    });
  });
});

describe('servers that cannot be had', () => {
  it('says which quota is used up, keeps trying, and heals when it is raised', async () => {
    world = await startWorld();
    world.setQuota('compute', { cores: 3 });
    await world.createCluster({ workers: 3 });
    const machines = await world.untilMachines('some are refused', (ms) =>
      ms.some((m) => serverReady(m)?.reason === 'QuotaExceeded'),
    );
    const refused = serverReady(machines.find((m) => serverReady(m)?.status === 'False'));
    expect(refused?.message).toMatch(/quota of cores is used up \(\d of 3 used/);
    const cluster = await world.untilCluster(
      'it says so',
      (c) => findCondition(c.status?.conditions, 'Ready')?.reason === 'QuotaExceeded',
    );
    expect(findCondition(cluster.status?.conditions, 'Ready')?.message).toContain('cores');
    world.setQuota('compute', { cores: 20 });
    await world.untilMachines('all run', allActive(4));
    await world.untilCluster('no quota is told of any more', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'MachinesReady'),
    );
    expect(await servers()).toHaveLength(4);
  });

  it('says why no host was found, and tries again with a new server', async () => {
    const message = 'No valid host was found. There are not enough hosts available.';
    world = await startWorld({
      cloud: {
        faults: [{ match: { operation: 'nova.server.create' }, count: 1, action: { type: 'serverError', message } }],
      },
      times: { retryMs: 300, retryMaxMs: 300 },
    });
    await world.createCluster({ workers: 0 });
    const [machine] = await world.untilMachines('it says why', (ms) => serverReady(ms[0])?.reason === 'NoValidHost');
    expect(serverReady(machine)?.message).toContain('free capacity');
    await world.untilMachines('it runs', allActive(1));
    expect(await servers()).toHaveLength(1);
  });

  it('tells of a server that somebody deleted in the cloud', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 0 });
    await world.untilMachines('it runs', allActive(1));
    const [server] = await servers();
    await world.user.compute.servers.delete(server?.id ?? '');
    const [machine] = await world.untilMachines('it is told', (ms) => ms[0]?.status?.server.state === 'Gone');
    expect(serverReady(machine)).toMatchObject({ status: 'False', reason: 'ServerGone' });
  });
});

describe('what is there already', () => {
  it('is not chosen from when there are two: a person must say', async () => {
    world = await startWorld();
    world.userData.text = undefined;
    await world.createCluster({ workers: 0 });
    const first = await world.untilCluster('it has a network', (c) => c.status?.infrastructure.networkId !== undefined);
    const [mine] = (await world.user.network.networks.list().all()).filter(
      (n) => n.id === first.status?.infrastructure.networkId,
    );
    const uid = first.metadata.uid ?? '';
    expect(mine?.tags).toContain(`shoto-cluster=${uid}`);
    await world.provisioner.close();
    // As if an earlier pass had made two and stored none.
    await world.user.network.networks.create({ name: mine?.name ?? '', description: mine?.description ?? '' });
    await world.kube.jsonPatch(
      { group: 'shoto.dev', version: 'v1alpha1', plural: 'clusters', kind: 'Cluster', namespaced: true },
      { namespace: 'tenant-a', name: 'web' },
      [
        { op: 'remove', path: '/status/infrastructure/networkId' },
        { op: 'remove', path: '/status/infrastructure/subnetId' },
      ],
      { subresource: 'status' },
    );
    await world.restart();
    const cluster = await world.untilCluster(
      'it says so',
      (c) => findCondition(c.status?.infrastructure.conditions, 'NetworkReady')?.reason === 'Ambiguous',
    );
    expect(findCondition(cluster.status?.conditions, 'Ready')?.message).toContain('only one may be');
    expect((await world.leftovers()).networks).toBe(2);
  });
});

describe('a machine that goes', () => {
  it('keeps its server until its node is out of the cluster, and its port until the server is gone', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 1 });
    const machines = await world.untilMachines('both run', allActive(2));
    const worker = machines.find((m) => m.spec.role === 'worker') as Machine;
    const passes = () => world.engine.passes.filter((p) => p.key.endsWith(worker.metadata.name)).length;
    const before = passes();
    await world.kube.delete(MACHINES, worker.metadata);
    await until(() => passes() > before, { what: 'a pass over it' });
    expect((await servers()).map((s) => s.name)).toContain(worker.metadata.name);
    await world.letGo();
    await world.untilMachines(
      'another takes its place',
      (ms) => allActive(2)(ms) && !ms.some((m) => m.metadata.uid === worker.metadata.uid),
    );
    expect((await servers()).map((s) => s.id)).not.toContain(worker.status?.server.id);
    expect(await world.user.network.ports.list({ id: worker.status?.server.portId }).all()).toEqual([]);
  });

  it.each([
    ['while it waits for its node', 'no restart'],
    ['while nobody looks', 'restart'],
  ])('says that its server is gone when somebody deletes it %s, so that no drain is waited for', async (_, how) => {
    world = await startWorld();
    await world.createCluster({ workers: 1 });
    const machines = await world.untilMachines('both run', allActive(2));
    const worker = machines.find((m) => m.spec.role === 'worker') as Machine;
    const mine = (ms: Machine[]) => ms.find((m) => m.metadata.uid === worker.metadata.uid);
    const { id = '' } = worker.status?.server ?? {};
    if (how === 'restart') {
      await world.provisioner.close();
      await world.user.compute.servers.delete(id);
      await until(async () => (await servers()).every((s) => s.id !== id), { what: 'it is gone' });
    }
    await world.kube.delete(MACHINES, worker.metadata);
    if (how === 'restart') await world.restart();
    else await world.user.compute.servers.delete(id);
    const told = mine(await world.untilMachines('it is told', (ms) => mine(ms)?.status?.server.state === 'Gone'));
    expect(serverReady(told)).toMatchObject({ status: 'False', reason: 'ServerGone' });
    expect(serverReady(told)?.message).toContain('its node goes without a drain');
    const revision = told?.status?.server.revision;
    await world.letGo();
    await world.untilMachines('another takes its place', (ms) => allActive(2)(ms) && !mine(ms));
    expect(revision).toBe((worker.status?.server.revision ?? 0) + 1);
    expect(await world.user.network.ports.list({ id: worker.status?.server.portId }).all()).toEqual([]);
  });

  it('is not told of as gone while its server runs, however long its node takes', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 1 });
    const machines = await world.untilMachines('both run', allActive(2));
    const worker = machines.find((m) => m.spec.role === 'worker') as Machine;
    const passes = () => world.engine.passes.filter((p) => p.key.endsWith(worker.metadata.name)).length;
    await world.kube.delete(MACHINES, worker.metadata);
    const before = passes();
    await until(() => passes() > before + 3, { what: 'some looks at it' });
    const now = (await world.machines()).find((m) => m.metadata.uid === worker.metadata.uid);
    expect(now?.status?.server).toEqual(worker.status?.server);
  });

  it('is out of the load balancer first, and says so, when it is a control plane', async () => {
    world = await startWorld();
    await world.createCluster({ controlPlanes: 3, workers: 0 });
    const machines = await world.untilMachines('all run', allActive(3));
    const cluster = await world.untilCluster('its endpoint is ready', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'EndpointReady'),
    );
    const pool = cluster.status?.infrastructure.loadBalancerPoolId ?? '';
    const members = async () => (await world.user.loadBalancer.members.list(pool).all()).map((m) => m.address);
    await until(async () => (await members()).length === 3, { what: 'all are members' });
    const one = machines[0] as Machine;
    await world.kube.delete(MACHINES, one.metadata);
    await world.untilMachines('it says that it is out', (ms) =>
      ms.some(
        (m) =>
          m.metadata.uid === one.metadata.uid &&
          findCondition(m.status?.server.conditions, 'InEndpoint')?.status === 'False',
      ),
    );
    expect(await members()).not.toContain(one.status?.server.addresses?.[0]);
    expect((await servers()).map((s) => s.id)).toContain(one.status?.server.id);
  });
});
