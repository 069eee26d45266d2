import { afterAll, beforeAll, expect, it } from 'vitest';
import type { LoadBalancerEvent } from '../../core/hypervisor.ts';
import { aNetwork, at, type Lab, startLab, until } from '../testing.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await startLab();
});
afterAll(() => lab.simulator.close());
const base = '/load-balancer/v2.0/lbaas';

it('makes a whole tree at once, owns its port, tells the machines, and is immutable while pending', async () => {
  const events: LoadBalancerEvent[] = [];
  lab.simulator.events.onLoadBalancer((e) => events.push(e));
  const { subnet } = await aNetwork(lab.user);
  const made = await lab.user('POST', `${base}/loadbalancers`, {
    loadbalancer: {
      name: 'api',
      vip_subnet_id: subnet,
      listeners: [
        {
          name: 'l',
          protocol: 'TCP',
          protocol_port: 6443,
          default_pool: {
            protocol: 'TCP',
            lb_algorithm: 'ROUND_ROBIN',
            members: [{ address: '10.0.0.9', protocol_port: 6443 }],
          },
        },
      ],
    },
  });
  expect(made.status).toBe(201);
  const lb = at(made, 'loadbalancer');
  expect(lb.provisioning_status).toBe('PENDING_CREATE');
  await until('ACTIVE', async () =>
    at(await lab.user('GET', `${base}/loadbalancers/${lb.id}`), 'loadbalancer').provisioning_status === 'ACTIVE'
      ? true
      : undefined,
  );
  expect(at(await lab.user('GET', `/network/v2.0/ports/${lb.vip_port_id}`), 'port')).toMatchObject({
    device_owner: 'Octavia',
    device_id: `lb-${lb.id}`,
    fixed_ips: [{ ip_address: lb.vip_address }],
  });
  expect(events.at(-1)).toEqual({
    id: lb.id,
    vipPortId: lb.vip_port_id,
    vipAddress: lb.vip_address,
    deleted: false,
    listeners: [{ port: 6443, pool: { members: [{ address: '10.0.0.9', port: 6443, adminStateUp: true }] } }],
  });

  const again = await lab.user('POST', `${base}/listeners`, {
    listener: { loadbalancer_id: lb.id, protocol: 'TCP', protocol_port: 6443 },
  });
  expect([again.status, again.body.faultcode]).toEqual([409, 'Client']);
  expect((await lab.user('DELETE', `${base}/loadbalancers/${lb.id}`)).status).toBe(400);
  expect((await lab.user('DELETE', `${base}/loadbalancers/${lb.id}?cascade=true`)).status).toBe(204);
  await until('404', async () =>
    (await lab.user('GET', `${base}/loadbalancers/${lb.id}`)).status === 404 ? true : undefined,
  );
  expect((await lab.user('GET', `/network/v2.0/ports/${lb.vip_port_id}`)).status).toBe(404);
  expect(events.at(-1)?.deleted).toBe(true);
});

it('answers 409 to a change while an earlier one is under way', async () => {
  const slow = await startLab({
    clock: { mode: 'manual' },
    latency: { operations: { 'octavia.loadbalancer.provision': { medianMs: 1000, spread: 0 } } },
  });
  const { subnet } = await aNetwork(slow.user);
  const lb = at(
    await slow.user('POST', `${base}/loadbalancers`, { loadbalancer: { vip_subnet_id: subnet } }),
    'loadbalancer',
  );
  const reply = await slow.user('PUT', `${base}/loadbalancers/${lb.id}`, { loadbalancer: { name: 'x' } });
  expect([reply.status, reply.body.faultstring]).toEqual([
    409,
    `Load Balancer ${lb.id} is immutable and cannot be updated.`,
  ]);
  await slow.simulator.close();
});
