import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConflictError, collect, fixedIps, type Network, NotFoundError, type Subnet } from '../../src/index.ts';
import {
  administrator,
  aNetwork,
  anExternalNetwork,
  aProject,
  Cleanup,
  cloudOf,
  subject,
  title,
  unique,
  uniqueMac,
} from './support.ts';

const under = await subject();
const admin = await administrator();

describe.skipIf(under.missing)(title('network', under), () => {
  const cleanup = new Cleanup();
  const api = () => cloudOf(under).network;
  let network: Network;
  let subnet: Subnet;

  beforeAll(async () => {
    ({ network, subnet } = await aNetwork(cloudOf(under), cleanup));
  });
  afterAll(async () => {
    await cleanup.run();
    await under.cloud?.close();
    await admin.cloud?.close();
  });

  it('gives a network as it was made, and keeps unknown names for 404', async () => {
    expect(await api().networks.get(network.id)).toMatchObject({
      id: network.id,
      name: network.name,
      admin_state_up: true,
      subnets: [subnet.id],
    });
    await expect(api().networks.get('00000000-0000-0000-0000-000000000000')).rejects.toMatchObject({
      name: 'NotFoundError',
      code: 'NetworkNotFound',
      status: 404,
      requestId: expect.stringMatching(/^req-/),
    });
  });

  it('fills in a subnet: gateway and allocation pool', () => {
    expect(subnet).toMatchObject({
      cidr: '10.77.0.0/24',
      gateway_ip: '10.77.0.1',
      enable_dhcp: true,
      allocation_pools: [{ start: '10.77.0.2', end: '10.77.0.254' }],
    });
  });

  it('refuses a second subnet with an overlapping range', async () => {
    const overlapping = { network_id: network.id, ip_version: 4, cidr: '10.77.0.128/25' } as const;
    await expect(api().subnets.create(overlapping)).rejects.toMatchObject({ name: 'BadRequestError', status: 400 });
  });

  it('updates only a network of the expected revision', async () => {
    const before = await api().networks.get(network.id);
    const after = await api().networks.update(network.id, { description: 'x' }, { ifRevision: before.revision_number });
    expect(after.description).toBe('x');
    expect(after.revision_number).toBeGreaterThan(before.revision_number);
    const late = api().networks.update(network.id, { description: 'y' }, { ifRevision: before.revision_number });
    await expect(late).rejects.toMatchObject({ name: 'ConflictError', status: 412 });
  });

  it('refuses a port with a MAC that the network has already', async () => {
    const mac_address = uniqueMac();
    const port = await api().ports.create({ network_id: network.id, mac_address, name: unique('port') });
    cleanup.add('port', () => api().ports.delete(port.id));
    expect(port).toMatchObject({ mac_address, device_id: '', fixed_ips: [{ subnet_id: subnet.id }] });
    const second = api().ports.create({ network_id: network.id, mac_address });
    await expect(second).rejects.toBeInstanceOf(ConflictError);
    await expect(second).rejects.toMatchObject({ status: 409, code: 'MacAddressInUse', mayHaveHappened: false });
  });

  it('finds ports by address, network and MAC', async () => {
    const fixed_ips = [{ subnet_id: subnet.id, ip_address: '10.77.0.50' }];
    const port = await api().ports.create({ network_id: network.id, fixed_ips });
    cleanup.add('port', () => api().ports.delete(port.id));
    const byAddress = await api()
      .ports.list({ network_id: network.id, fixed_ips: fixedIps({ ip_address: '10.77.0.50' }) })
      .all();
    expect(byAddress.map((p) => p.id)).toEqual([port.id]);
    expect((await api().ports.list({ mac_address: port.mac_address, network_id: network.id }).all()).length).toBe(1);
    expect(
      await api()
        .ports.list({ network_id: network.id, fixed_ips: fixedIps({ ip_address: '10.77.0.51' }) })
        .all(),
    ).toEqual([]);
    const taken = api().ports.create({ network_id: network.id, fixed_ips });
    await expect(taken).rejects.toMatchObject({ name: 'ConflictError', code: 'IpAddressAlreadyAllocated' });
  });

  it('makes several ports in one call', async () => {
    const ports = await api().ports.createMany([
      { network_id: network.id, name: 'one' },
      { network_id: network.id, name: 'two' },
    ]);
    for (const port of ports) cleanup.add('port', () => api().ports.delete(port.id));
    expect(ports.map((p) => p.name).sort()).toEqual(['one', 'two']);
  });

  it('keeps tags and finds by them', async () => {
    const [red, blue] = [unique('red'), unique('blue')];
    const port = await api().ports.create({ network_id: network.id });
    cleanup.add('port', () => api().ports.delete(port.id));
    expect((await api().ports.tags.replaceAll(port.id, [red])).sort()).toEqual([red]);
    await api().ports.tags.add(port.id, blue);
    await api().ports.tags.add(port.id, blue);
    expect((await api().ports.tags.list(port.id)).sort()).toEqual([blue, red].sort());
    expect(
      (
        await api()
          .ports.list({ tags: [red, blue] })
          .all()
      ).map((p) => p.id),
    ).toEqual([port.id]);
    expect(
      await api()
        .ports.list({ tags: [red, 'nobody-has-this'] })
        .all(),
    ).toEqual([]);
    expect(
      (
        await api()
          .ports.list({ 'tags-any': [red, 'nobody-has-this'] })
          .all()
      ).length,
    ).toBe(1);
    await api().ports.tags.remove(port.id, blue);
    await expect(api().ports.tags.remove(port.id, blue)).rejects.toBeInstanceOf(NotFoundError);
    expect(
      await api()
        .ports.list({ network_id: network.id, 'not-tags': [red], id: port.id })
        .all(),
    ).toEqual([]);
    await api().ports.tags.removeAll(port.id);
    expect((await api().ports.get(port.id)).tags).toEqual([]);
  });

  it('tags networks, subnets and security groups alike', async () => {
    const tag = unique('tag');
    const group = await api().securityGroups.create({ name: unique('sg') });
    cleanup.add('security group', () => api().securityGroups.delete(group.id));
    await api().networks.tags.add(network.id, tag);
    await api().subnets.tags.add(subnet.id, tag);
    await api().securityGroups.tags.add(group.id, tag);
    const query = { tags: [tag] };
    expect((await api().networks.list(query).all()).map((n) => n.id)).toEqual([network.id]);
    expect((await api().subnets.list(query).all()).map((s) => s.id)).toEqual([subnet.id]);
    expect((await api().securityGroups.list(query).all()).map((g) => g.id)).toEqual([group.id]);
  });

  it('pages through a list, two at a time', async () => {
    const made = await api().ports.createMany(
      [1, 2, 3, 4, 5].map((n) => ({ network_id: network.id, name: unique(`page-${n}`) })),
    );
    for (const port of made) cleanup.add('port', () => api().ports.delete(port.id));
    const query = { name: made.map((p) => p.name), limit: 2 };
    const pages = await collect(api().ports.list(query).pages());
    expect(Math.max(...pages.map((page) => page.length))).toBe(2);
    expect(
      pages
        .flat()
        .map((p) => p.id)
        .sort(),
    ).toEqual(made.map((p) => p.id).sort());
  });

  it('joins a subnet to the outside by a router with a floating IP', async () => {
    const external = await anExternalNetwork(cloudOf(under));
    const router = await api().routers.create({
      name: unique('router'),
      external_gateway_info: { network_id: external.id },
    });
    cleanup.add(
      'router',
      () => api().routers.delete(router.id),
      () => api().routers.get(router.id),
    );
    expect(router.external_gateway_info).toMatchObject({ network_id: external.id });
    const by = { subnet_id: subnet.id };
    expect(await api().routers.addInterface(router.id, by)).toMatchObject({ id: router.id, subnet_id: subnet.id });
    cleanup.add('router interface', () => api().routers.removeInterface(router.id, by));
    await expect(api().routers.delete(router.id)).rejects.toMatchObject({ name: 'ConflictError', code: 'RouterInUse' });
    await expect(api().subnets.delete(subnet.id)).rejects.toMatchObject({ name: 'ConflictError', code: 'SubnetInUse' });

    const port = await api().ports.create({ network_id: network.id });
    cleanup.add('port', () => api().ports.delete(port.id));
    const address = await api().floatingIps.create({ floating_network_id: external.id });
    cleanup.add(
      'floating IP',
      () => api().floatingIps.delete(address.id),
      () => api().floatingIps.get(address.id),
    );
    expect(address).toMatchObject({ port_id: null, fixed_ip_address: null });
    expect(await api().floatingIps.update(address.id, { port_id: port.id })).toMatchObject({
      port_id: port.id,
      router_id: router.id,
      fixed_ip_address: port.fixed_ips[0]?.ip_address,
    });
    expect((await api().floatingIps.list({ port_id: port.id }).all()).map((f) => f.id)).toEqual([address.id]);
    expect(await api().floatingIps.update(address.id, { port_id: null })).toMatchObject({ port_id: null });
  });

  it('keeps the rules of security groups', async () => {
    const group = await api().securityGroups.create({ name: unique('sg'), description: 'contract' });
    cleanup.add('security group', () => api().securityGroups.delete(group.id));
    expect(group.security_group_rules.map((r) => `${r.direction} ${r.ethertype}`).sort()).toEqual([
      'egress IPv4',
      'egress IPv6',
    ]);
    const rule = {
      security_group_id: group.id,
      direction: 'ingress',
      ethertype: 'IPv4',
      protocol: 'tcp',
      port_range_min: 6443,
      port_range_max: 6443,
      remote_ip_prefix: '10.0.0.0/8',
    } as const;
    const made = await api().securityGroupRules.create(rule);
    expect(made).toMatchObject(rule);
    await expect(api().securityGroupRules.create(rule)).rejects.toMatchObject({
      name: 'ConflictError',
      code: 'SecurityGroupRuleExists',
    });
    const own = await api().securityGroupRules.list({ security_group_id: group.id, direction: 'ingress' }).all();
    expect(own.map((r) => r.id)).toEqual([made.id]);
    await api().securityGroupRules.delete(made.id);
    expect((await api().securityGroups.get(group.id)).security_group_rules.length).toBe(2);
  });

  it('makes many rules of one group in one call, all or none, and none of two groups', async () => {
    const [one, two] = await Promise.all(
      ['sg-a', 'sg-b'].map((name) => api().securityGroups.create({ name: unique(name), description: 'contract' })),
    );
    for (const g of [one!, two!]) cleanup.add('security group', () => api().securityGroups.delete(g.id));
    const rule = (group: string, port: number) => ({
      security_group_id: group,
      direction: 'ingress' as const,
      ethertype: 'IPv4' as const,
      protocol: 'tcp',
      port_range_min: port,
      port_range_max: port,
    });
    const ingress = async (group: string) =>
      (await api().securityGroupRules.list({ security_group_id: group, direction: 'ingress' }).all())
        .map((r) => r.port_range_min)
        .sort();
    await api().securityGroupRules.createMany([rule(one!.id, 22), rule(one!.id, 80)]);
    expect(await ingress(one!.id)).toEqual([22, 80]);
    const again = api().securityGroupRules.createMany([rule(one!.id, 443), rule(one!.id, 22)]);
    await expect(again).rejects.toMatchObject({ status: 409 });
    expect(await ingress(one!.id)).toEqual([22, 80]);
    const both = api().securityGroupRules.createMany([rule(one!.id, 444), rule(two!.id, 444)]);
    await expect(both).rejects.toMatchObject({ status: 400 });
    expect(await ingress(two!.id)).toEqual([]);
  });

  it('refuses to delete a network with ports of others on it', async () => {
    const port = await api().ports.create({ network_id: network.id });
    cleanup.add('port', () => api().ports.delete(port.id));
    const refused = api().networks.delete(network.id);
    await expect(refused).rejects.toMatchObject({ name: 'ConflictError', code: 'NetworkInUse' });
  });

  it('names its availability zones and extensions', async () => {
    const extensions = (await api().extensions().all()).map((e) => e.alias);
    expect(extensions).toEqual(expect.arrayContaining(['router', 'security-group', 'standard-attr-tag', 'quotas']));
    for (const zone of await api().availabilityZones().all()) expect(['network', 'router']).toContain(zone.resource);
  });

  it('says what the quota is and what is used of it', async () => {
    const projectId = (await cloudOf(under).projectId()) ?? '';
    const [quota, details] = [await api().quotas.get(projectId), await api().quotas.details(projectId)];
    expect(details.network).toMatchObject({ limit: quota.network, used: expect.any(Number) });
    expect(details.network?.used).toBeGreaterThanOrEqual(1);
  });

  it.skipIf(admin.missing)(title('says which quota is used up, and heals when it is raised', admin), async () => {
    const { cloud, projectId } = await aProject(cloudOf(admin), cleanup);
    const quotas = cloudOf(admin).network.quotas;
    const groups = cloud.network.securityGroups;
    // The first call makes the project's default group, which counts.
    const before = await groups.list().all();
    cleanup.add('default security group', async () => {
      for (const group of before) await cloudOf(admin).network.securityGroups.delete(group.id);
    });
    await quotas.set(projectId, { security_group: before.length });
    await expect(groups.create({ name: 'one too many' })).rejects.toMatchObject({
      name: 'OverQuotaError',
      status: 409,
      code: 'OverQuota',
      quota: { resources: ['security_group'] },
    });
    await quotas.set(projectId, { security_group: before.length + 1 });
    const group = await groups.create({ name: 'fits again' });
    cleanup.add('security group', () => groups.delete(group.id));
    await quotas.reset(projectId);
  });
});
