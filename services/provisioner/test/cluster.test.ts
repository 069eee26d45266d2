import { FINALIZERS, findCondition, isTrue } from '@shoto/api';
import { until } from '@shoto/service/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { CLUSTERS, startWorld, type World } from '../src/testing/world.ts';

let world: World;
afterEach(() => world.close());

const allActive = (n: number) => (ms: { status?: { server: { state?: string | undefined } } }[]) =>
  ms.length === n && ms.every((m) => m.status?.server.state === 'Active');

async function deleteCluster(w: World): Promise<void> {
  await w.kube.delete(CLUSTERS, { namespace: 'tenant-a', name: 'web' });
  await until(
    async () => {
      await w.letGo();
      return (await w.cluster()) === undefined;
    },
    { what: 'the cluster is gone', timeoutMs: 15_000, everyMs: 50 },
  );
}

describe('a cluster with a load balancer', () => {
  it('gets network, endpoint and servers, and leaves nothing when it is deleted', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 2 });
    const machines = await world.untilMachines('three servers run', allActive(3));
    const cluster = await world.untilCluster(
      'its endpoint is ready',
      (c) =>
        isTrue(c.status?.infrastructure.conditions, 'EndpointReady') &&
        isTrue(c.status?.infrastructure.conditions, 'MachinesReady'),
    );
    const infra = cluster.status?.infrastructure;
    expect(infra?.endpoint?.internal).toMatch(/^10\.8\.\d+\.\d+:6443$/);
    expect(infra?.endpoint?.external).toMatch(/^127\.77\.0\.\d+:6443$/);
    expect(isTrue(infra?.conditions, 'NetworkReady')).toBe(true);

    const [lb] = await world.user.loadBalancer.loadBalancers.list().all();
    const [listener] = await world.user.loadBalancer.listeners.list().all();
    expect(listener).toMatchObject({ protocol: 'TCP', protocol_port: 6443, timeout_client_data: 3_600_000 });
    expect(lb?.provisioning_status).toBe('ACTIVE');
    const controlPlane = machines.find((m) => m.spec.role === 'control-plane');
    await until(
      async () => {
        const members = await world.user.loadBalancer.members.list(infra?.loadBalancerPoolId ?? '').all();
        return members.length === 1 && members[0]?.address === controlPlane?.status?.server.addresses?.[0];
      },
      { what: 'the control plane is the one member' },
    );

    await deleteCluster(world);
    expect(await world.leftovers()).toEqual({});
  });

  it('writes little: each Machine is born and said to run, the Cluster a handful of times', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 3 });
    await world.untilMachines('four servers run', allActive(4));
    await world.untilCluster('the cluster says so', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'MachinesReady'),
    );
    const about = (what: string) => world.writes.filter((w) => w.path.includes(what)).length;
    expect(about('/machines')).toBe(2 * 4);
    expect(about('/clusters/')).toBeLessThanOrEqual(6);
    expect(about('/regions/')).toBe(1);
    // Three calls for each Machine: its port, the port's tags, its server. Whether it runs is told by the region's list.
    const perMachine = world.cloud.state.requests
      .list()
      .filter(
        (r) =>
          /\/ports\/\{id\}|\/servers\/\{id\}/.test(r.path) ||
          (r.method === 'POST' && /\/(servers|ports)$/.test(r.path)),
      );
    expect(perMachine.reduce((n, r) => n + r.count, 0)).toBe(3 * 4);
  });

  it('marks every server with what finds its Machine again', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 0 });
    const [machine] = await world.untilMachines('a server runs', allActive(1));
    const [server] = await world.user.compute.servers.list().all();
    expect(server?.name).toBe(machine?.metadata.name);
    expect(server?.tags).toEqual(
      expect.arrayContaining([`shoto-machine=${machine?.metadata.uid}`, 'shoto-installation=test-installation']),
    );
    expect(server?.metadata['shoto-machine-key']).toBe(`tenant-a/${machine?.metadata.name}`);
    expect(machine?.status?.server).toMatchObject({ id: server?.id, zone: server?.['OS-EXT-AZ:availability_zone'] });
  });

  it('goes on where it was after a crash, and makes nothing twice', async () => {
    world = await startWorld({
      cloud: { latency: { operations: { 'nova.server.boot': { medianMs: 400, spread: 0 } } } },
    });
    await world.createCluster({ workers: 2 });
    await until(async () => (await world.user.compute.servers.list().all()).length > 0, {
      what: 'a first server is asked for',
    });
    await world.restart();
    await world.untilMachines('three servers run', allActive(3));
    expect((await world.user.compute.servers.list().all()).length).toBe(3);
    expect((await world.user.network.networks.list({ name: 'shoto-%' }).all()).length).toBeLessThanOrEqual(1);
    expect((await world.leftovers()).routers).toBe(1);
  });

  it('scales a pool up and down', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 1 });
    await world.untilMachines('two servers run', allActive(2));
    const scale = (count: number) =>
      world.kube.jsonPatch(CLUSTERS, { namespace: 'tenant-a', name: 'web' }, [
        { op: 'replace', path: '/spec/nodePools/0/count', value: count },
      ]);
    await scale(3);
    await world.untilMachines('four servers run', allActive(4));
    await scale(0);
    await until(
      async () => {
        await world.letGo();
        return (await world.machines()).length === 1;
      },
      { what: 'one machine stays', timeoutMs: 15_000, everyMs: 50 },
    );
    expect((await world.user.compute.servers.list().all()).length).toBe(1);
  });

  it('can be deleted at any point of being made', async () => {
    world = await startWorld({
      cloud: { latency: { operations: { 'nova.server.boot': { medianMs: 500, spread: 0 } } } },
    });
    await world.createCluster({ workers: 3 });
    await until(async () => (await world.user.network.networks.list().all()).length > 1, {
      what: 'a network is made',
      everyMs: 1,
    });
    await deleteCluster(world);
    expect(await world.leftovers()).toEqual({});
  });

  it('waits with network and machines until the addons are gone', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 0 });
    await world.untilMachines('a server runs', allActive(1));
    const ref = { namespace: 'tenant-a', name: 'web' };
    await world.kube.jsonPatch(CLUSTERS, ref, [
      { op: 'add', path: '/metadata/finalizers/-', value: FINALIZERS.addons },
    ]);
    await world.kube.delete(CLUSTERS, ref);
    const waiting = await world.untilCluster('it says what it waits for', (c) =>
      Boolean(findCondition(c.status?.conditions, 'Ready')?.message.includes('addons')),
    );
    expect((await world.machines()).every((m) => !m.metadata.deletionTimestamp)).toBe(true);
    await world.kube.removeFinalizer(CLUSTERS, waiting, FINALIZERS.addons);
    await until(
      async () => {
        await world.letGo();
        return (await world.cluster()) === undefined;
      },
      { what: 'the cluster is gone', timeoutMs: 15_000, everyMs: 50 },
    );
    expect(await world.leftovers()).toEqual({});
  });
});

describe('other endpoints', () => {
  it('binds a floating IP that belongs to the cluster to its first control-plane machine', async () => {
    world = await startWorld({ endpoint: 'FloatingIP' });
    await world.createCluster({ workers: 0 });
    const cluster = await world.untilCluster('its endpoint is ready', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'EndpointReady'),
    );
    const [ip] = await world.user.network.floatingIps.list().all();
    const [port] = (await world.machines()).map((m) => m.status?.server.portId);
    expect(cluster.status?.infrastructure.endpoint?.external).toBe(`${ip?.floating_ip_address}:6443`);
    await world.untilMachines('a server runs', allActive(1));
    expect(ip?.port_id).toBe(port ?? (await world.machines())[0]?.status?.server.portId);
    await deleteCluster(world);
    expect(await world.leftovers()).toEqual({});
  });

  it('takes the machine’s own address on a network that all share, and leaves that network alone', async () => {
    world = await startWorld({ endpoint: 'MachineAddress', region: { sharedNetwork: 'flat' } });
    // Somebody else's, as a shared network is: its users may not choose MAC addresses on it.
    const flat = await world.admin.network.networks.create({ name: 'flat', shared: true });
    await world.admin.network.subnets.create({
      network_id: flat.id,
      ip_version: 4,
      cidr: '10.99.0.0/24',
      name: 'flat',
    });
    const before = await world.leftovers();
    await world.createCluster({ workers: 1 });
    const machines = await world.untilMachines('both run', allActive(2));
    const cluster = await world.untilCluster('its endpoint is ready', (c) =>
      isTrue(c.status?.infrastructure.conditions, 'EndpointReady'),
    );
    const own = machines.find((m) => m.spec.role === 'control-plane')?.status?.server.addresses?.[0];
    expect(cluster.status?.infrastructure.endpoint).toEqual({ internal: `${own}:6443`, external: `${own}:6443` });
    expect((await world.leftovers()).routers).toBeUndefined();
    await deleteCluster(world);
    expect(await world.leftovers()).toEqual(before);
    expect(before.networks).toBe(1);
  });
});

describe('machines that boot from a volume', () => {
  it('leave no volume behind', async () => {
    world = await startWorld();
    await world.createCluster({ workers: 1, rootVolume: { sizeGiB: 20 } });
    await world.untilMachines('both run', allActive(2));
    expect((await world.leftovers()).volumes).toBe(1);
    await deleteCluster(world);
    expect(await world.leftovers()).toEqual({});
  });
});

describe('a provisioner that remembers nothing', () => {
  it('deletes what it finds, also what was made and never stored', async () => {
    world = await startWorld({
      cloud: { latency: { operations: { 'nova.server.boot': { medianMs: 600, spread: 0 } } } },
    });
    await world.createCluster({ workers: 2 });
    await until(async () => (await world.user.compute.servers.list().all()).length === 3, {
      what: 'servers are asked for and not stored',
      everyMs: 2,
    });
    await world.restart();
    await deleteCluster(world);
    expect(await world.leftovers()).toEqual({});
  });
});
