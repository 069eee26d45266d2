import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aNetwork, at, type Lab, names, startLab } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab({ quotas: { default: { network: { security_group: 100, router: 100 } } } });
});
afterAll(() => lab.simulator.close());

const post = async (path: string, key: string, value: object) =>
  lab.user('POST', `/network/v2.0/${path}`, { [key]: value });
const publicId = async () =>
  (
    at({ ...(await lab.user('GET', '/network/v2.0/networks?router:external=true')) }, 'networks') as unknown as {
      id: string;
    }[]
  )[0]!.id;

describe('ports', () => {
  it('refuses a second port of the same MAC on a network with MacAddressInUse', async () => {
    const { network } = await aNetwork(lab.user);
    const port = { network_id: network, mac_address: 'fa:16:3e:00:00:01' };
    expect((await post('ports', 'port', port)).status).toBe(201);
    const second = await post('ports', 'port', port);
    expect(second.status).toBe(409);
    expect(at(second, 'NeutronError')).toEqual({
      type: 'MacAddressInUse',
      message: `Unable to complete operation for network ${network}. The mac address fa:16:3e:00:00:01 is in use.`,
      detail: '',
    });
  });
  it('gives the DHCP server the first address and the port the next, with the default group', async () => {
    const { network, subnet } = await aNetwork(lab.user);
    const port = at(await post('ports', 'port', { network_id: network }), 'port');
    expect(port.fixed_ips).toEqual([{ subnet_id: subnet, ip_address: '10.0.0.3' }]);
    expect(port.security_groups).toHaveLength(1);
    expect(port['binding:host_id']).toBeUndefined();
    expect((await lab.user('DELETE', `/network/v2.0/networks/${network}`)).status).toBe(409);
    await lab.user('DELETE', `/network/v2.0/ports/${port.id}`);
    expect((await lab.user('DELETE', `/network/v2.0/networks/${network}`)).status).toBe(204);
  });
  it('finds by tags, and not by those that are absent', async () => {
    const { network } = await aNetwork(lab.user);
    for (const [name, tags] of [
      ['a', ['x', 'y']],
      ['b', ['x']],
    ] as const) {
      const port = at(await post('ports', 'port', { network_id: network, name }), 'port');
      expect((await lab.user('PUT', `/network/v2.0/ports/${port.id}/tags`, { tags })).body).toEqual({ tags });
    }
    const found = async (q: string) =>
      names(await lab.user('GET', `/network/v2.0/ports?network_id=${network}&device_owner=&${q}`), 'ports');
    expect(await found('tags=x,y')).toEqual(['a']);
    expect(await found('tags-any=y,z')).toEqual(['a']);
    expect(await found('tags=x&not-tags=y')).toEqual(['b']);
  });
  it('pages with limit, marker and links', async () => {
    const { network } = await aNetwork(lab.user);
    for (const name of ['1', '2', '3']) await post('ports', 'port', { network_id: network, name });
    const first = await lab.user(
      'GET',
      `/network/v2.0/ports?network_id=${network}&device_owner=&limit=2&sort_key=name`,
    );
    expect(names(first, 'ports')).toEqual(['1', '2']);
    const next = (first.body.ports_links as { rel: string; href: string }[]).find((l) => l.rel === 'next')!.href;
    expect(names(await lab.user('GET', next.slice(lab.url.length)), 'ports')).toEqual(['3']);
  });
  it('keeps revision and refuses a stale If-Match with 412', async () => {
    const { network } = await aNetwork(lab.user);
    const port = at(await post('ports', 'port', { network_id: network }), 'port');
    const path = `/network/v2.0/ports/${port.id}`;
    expect((await lab.user('PUT', path, { port: { name: 'n' } }, { 'If-Match': 'revision_number=1' })).status).toBe(
      200,
    );
    expect((await lab.user('PUT', path, { port: { name: 'm' } }, { 'If-Match': 'revision_number=1' })).status).toBe(
      412,
    );
  });
});

describe('subnets', () => {
  it('refuses a range that overlaps another of the network', async () => {
    const { network } = await aNetwork(lab.user);
    const reply = await post('subnets', 'subnet', { network_id: network, cidr: '10.0.0.128/25', ip_version: 4 });
    expect(reply.status).toBe(400);
    expect(at(reply, 'NeutronError').type).toBe('InvalidInput');
  });
  it('runs out of addresses with IpAddressGenerationFailure', async () => {
    const { network } = await aNetwork(lab.user, '10.1.0.0/29');
    for (let i = 0; i < 4; i++) expect((await post('ports', 'port', { network_id: network })).status).toBe(201);
    expect(at(await post('ports', 'port', { network_id: network }), 'NeutronError').type).toBe(
      'IpAddressGenerationFailure',
    );
  });
});

describe('routers and floating addresses', () => {
  it('needs a router to the outside, wires the address, tells the machines, and protects what is in use', async () => {
    const seen: unknown[] = [];
    lab.simulator.events.onFloatingIp((e) => seen.push(e));
    const { network, subnet } = await aNetwork(lab.user);
    const outside = await publicId();
    const port = at(await post('ports', 'port', { network_id: network }), 'port');
    const alone = await post('floatingips', 'floatingip', { floating_network_id: outside, port_id: port.id });
    expect(alone.status).toBe(404);
    expect(at(alone, 'NeutronError').type).toBe('ExternalGatewayForFloatingIPNotFound');
    const router = at(
      await post('routers', 'router', { name: 'r', external_gateway_info: { network_id: outside } }),
      'router',
    );
    const inside = `/network/v2.0/routers/${router.id}`;
    expect((await lab.user('PUT', `${inside}/add_router_interface`, { subnet_id: subnet })).status).toBe(200);
    expect((await lab.user('PUT', `${inside}/add_router_interface`, { subnet_id: subnet })).status).toBe(400);
    const fip = at(
      await post('floatingips', 'floatingip', { floating_network_id: outside, port_id: port.id }),
      'floatingip',
    );
    expect(fip.floating_ip_address).toMatch(/^127\.77\.0\./);
    expect(seen).toContainEqual({ address: fip.floating_ip_address, portId: port.id, fixedAddress: '10.0.0.3' });
    expect(
      at(await lab.user('PUT', `${inside}/remove_router_interface`, { subnet_id: subnet }), 'NeutronError').type,
    ).toBe('RouterInterfaceInUseByFloatingIP');
    expect(at(await lab.user('DELETE', inside), 'NeutronError').type).toBe('RouterInUse');
    expect((await lab.user('DELETE', `/network/v2.0/floatingips/${fip.id}`)).status).toBe(204);
    expect((await lab.user('PUT', `${inside}/remove_router_interface`, { subnet_id: subnet })).status).toBe(200);
    expect((await lab.user('DELETE', inside)).status).toBe(204);
  });
});

describe('security groups', () => {
  it('has two egress rules from the start, refuses a rule twice and deletion in use', async () => {
    const group = at(await post('security-groups', 'security_group', { name: 'g' }), 'security_group');
    expect(group.security_group_rules).toHaveLength(2);
    const rule = {
      security_group_id: group.id,
      direction: 'ingress',
      protocol: 'tcp',
      port_range_min: 22,
      port_range_max: 22,
    };
    expect((await post('security-group-rules', 'security_group_rule', rule)).status).toBe(201);
    expect(at(await post('security-group-rules', 'security_group_rule', rule), 'NeutronError').type).toBe(
      'SecurityGroupRuleExists',
    );
    const { network } = await aNetwork(lab.user);
    await post('ports', 'port', { network_id: network, security_groups: [group.id] });
    expect(at(await lab.user('DELETE', `/network/v2.0/security-groups/${group.id}`), 'NeutronError').type).toBe(
      'SecurityGroupInUse',
    );
  });
});

describe('quotas and policy', () => {
  it('says which quota is over, and heals when it is raised', async () => {
    const tight = await startLab({ quotas: { projects: { shoto: { network: { network: 1 } } } } });
    const make = () => tight.user('POST', '/network/v2.0/networks', { network: { name: 'n' } });
    expect((await make()).status).toBe(201);
    const over = await make();
    expect(over.status).toBe(409);
    expect(at(over, 'NeutronError').message).toBe("Quota exceeded for resources: ['network'].");
    await tight.admin('PUT', `/network/v2.0/quotas/${tight.projectId}`, { quota: { network: 2 } });
    expect((await make()).status).toBe(201);
    await tight.simulator.close();
  });
  it('hides what belongs to others and forbids external networks to users', async () => {
    const other = at(await lab.admin('POST', '/network/v2.0/networks', { network: { name: 'admins' } }), 'network');
    expect((await lab.user('GET', `/network/v2.0/networks/${other.id}`)).status).toBe(404);
    expect((await post('networks', 'network', { name: 'x', 'router:external': true })).status).toBe(403);
  });
  it('refuses attributes and filters that do not exist', async () => {
    expect(at(await post('networks', 'network', { nmae: 'x' }), 'NeutronError').message).toContain(
      "Unrecognized attribute(s) 'nmae'",
    );
    expect((await lab.user('GET', '/network/v2.0/networks?nmae=x')).status).toBe(400);
  });
});
