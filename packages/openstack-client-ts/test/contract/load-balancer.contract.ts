import { afterAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../../src/index.ts';
import { aNetwork, Cleanup, cloudOf, gone, subject, title, unique } from './support.ts';

const under = await subject('loadBalancer');

describe.skipIf(under.missing)(title('load balancers', under), () => {
  const cleanup = new Cleanup();
  const api = () => cloudOf(under).loadBalancer;

  /** Octavia refuses changes of a tree that is in work. */
  const ready = (id: string) =>
    waitUntil(
      async () => {
        const balancer = await api().loadBalancers.get(id);
        if (balancer.provisioning_status === 'ERROR') throw new Error(`load balancer ${id} is in ERROR`);
        return balancer.provisioning_status === 'ACTIVE' ? balancer : undefined;
      },
      { what: `load balancer ${id} to be ACTIVE`, timeoutMs: 240_000, intervalMs: 500 },
    );

  async function aBalancer(cidr: string, more: object = {}) {
    const { subnet } = await aNetwork(cloudOf(under), cleanup, cidr);
    const name = unique('lb');
    const balancer = await api().loadBalancers.create({ name, vip_subnet_id: subnet.id, ...more });
    const { id } = balancer;
    cleanup.add(
      'load balancer',
      () => api().loadBalancers.deleteCascade(id),
      () => api().loadBalancers.get(id),
    );
    expect(balancer).toMatchObject({ name, vip_subnet_id: subnet.id, provisioning_status: 'PENDING_CREATE' });
    return { balancer: await ready(id), subnet };
  }

  afterAll(async () => {
    await cleanup.run();
    await under.cloud?.close();
  });

  it('is built object by object: listener, pool, members, monitor; and deleted as a whole', async () => {
    const { balancer, subnet } = await aBalancer('10.80.0.0/24');
    const { id } = balancer;
    expect(await cloudOf(under).network.ports.get(balancer.vip_port_id)).toMatchObject({ id: balancer.vip_port_id });

    const listener = await api().listeners.create({ loadbalancer_id: id, protocol: 'TCP', protocol_port: 6443 });
    await ready(id);
    const twice = api().listeners.create({ loadbalancer_id: id, protocol: 'TCP', protocol_port: 6443 });
    await expect(twice).rejects.toMatchObject({ name: 'ConflictError', status: 409 });
    const pool = await api().pools.create({ listener_id: listener.id, protocol: 'TCP', lb_algorithm: 'ROUND_ROBIN' });
    await ready(id);
    const monitor = { pool_id: pool.id, type: 'TCP', delay: 5, timeout: 3, max_retries: 2 } as const;
    expect(await api().healthMonitors.create(monitor)).toMatchObject({ type: 'TCP', delay: 5 });
    await ready(id);
    const first = { address: '10.80.0.10', protocol_port: 6443, subnet_id: subnet.id, name: 'first' };
    const member = await api().members.create(pool.id, first);
    expect(member).toMatchObject(first);
    await ready(id);

    const second = { address: '10.80.0.11', protocol_port: 6443, subnet_id: subnet.id };
    await api().members.replaceAll(pool.id, [first, second]);
    await ready(id);
    const addresses = async () => (await api().members.list(pool.id).all()).map((m) => m.address).sort();
    expect(await addresses()).toEqual(['10.80.0.10', '10.80.0.11']);
    await api().members.delete(pool.id, member.id);
    await ready(id);
    expect(await addresses()).toEqual(['10.80.0.11']);

    const tree = await api().loadBalancers.statusTree(id);
    expect(tree).toMatchObject({ id, provisioning_status: 'ACTIVE' });
    expect(tree.listeners?.[0]).toMatchObject({ id: listener.id, pools: [{ id: pool.id }] });
    expect((await api().listeners.list({ loadbalancer_id: id }).all()).map((l) => l.id)).toEqual([listener.id]);

    await expect(api().loadBalancers.delete(id)).rejects.toMatchObject({ status: 400 });
    await api().loadBalancers.deleteCascade(id);
    await waitUntil(() => gone(() => api().loadBalancers.get(id)), { what: 'the tree to go', timeoutMs: 240_000 });
    const port = cloudOf(under).network.ports.get(balancer.vip_port_id);
    await expect(port).rejects.toMatchObject({ status: 404 });
  });

  it('is built as a whole in one call', async () => {
    const { balancer } = await aBalancer('10.81.0.0/24', {
      listeners: [
        {
          name: 'api',
          protocol: 'TCP',
          protocol_port: 6443,
          default_pool: {
            name: 'api',
            protocol: 'TCP',
            lb_algorithm: 'ROUND_ROBIN',
            members: [{ address: '10.81.0.10', protocol_port: 6443 }],
            healthmonitor: { type: 'TCP', delay: 5, timeout: 3, max_retries: 2 },
          },
        },
      ],
    });
    const tree = await api().loadBalancers.statusTree(balancer.id);
    expect(tree.listeners?.[0]?.pools?.[0]?.members?.[0]).toMatchObject({ address: '10.81.0.10', protocol_port: 6443 });
  });

  it('says what does not exist, and what the quota is', async () => {
    const nothing = '00000000-0000-0000-0000-000000000000';
    await expect(api().loadBalancers.get(nothing)).rejects.toMatchObject({
      name: 'NotFoundError',
      code: 'Client',
      requestId: expect.stringMatching(/^req-/),
    });
    const projectId = (await cloudOf(under).projectId()) ?? '';
    expect(await api().quotas.get(projectId)).toHaveProperty('listener');
  });
});
