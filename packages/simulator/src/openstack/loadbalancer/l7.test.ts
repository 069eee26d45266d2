import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aNetwork, at, type Lab, names, startLab, until } from '../testing.ts';

let lab: Lab;
let subnet: string;
beforeAll(async () => {
  lab = await startLab();
  subnet = (await aNetwork(lab.user)).subnet;
});
afterAll(() => lab.simulator.close());

const base = '/load-balancer/v2.0/lbaas';
const active = (id: string) =>
  until('the balancer to be active', async () => {
    const lb = at(await lab.user('GET', `${base}/loadbalancers/${id}`), 'loadbalancer');
    return lb.provisioning_status === 'ACTIVE' ? lb : undefined;
  });
/** A balancer whose listener sends /api to a pool of its own. */
const tree = (name: string) => ({
  loadbalancer: {
    name,
    vip_subnet_id: subnet,
    listeners: [
      {
        name: 'web',
        protocol: 'HTTP',
        protocol_port: 80,
        default_pool: { name: 'all', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
        l7policies: [
          {
            name: 'api',
            action: 'REDIRECT_TO_POOL',
            redirect_pool: {
              name: 'api',
              protocol: 'HTTP',
              lb_algorithm: 'ROUND_ROBIN',
              members: [{ address: '10.0.0.9', protocol_port: 8080 }],
              healthmonitor: { type: 'HTTP', delay: 5, timeout: 3, max_retries: 3, http_version: '1.1' },
            },
            rules: [{ type: 'PATH', compare_type: 'STARTS_WITH', value: '/api' }],
          },
        ],
      },
    ],
  },
});

describe('L7 policies', () => {
  it('are made with a whole tree, which is answered in full', async () => {
    const made = at(await lab.user('POST', `${base}/loadbalancers`, tree('whole')), 'loadbalancer');
    expect(made.listeners).toMatchObject([
      {
        name: 'web',
        default_pool: { name: 'all' },
        l7policies: [
          {
            name: 'api',
            position: 1,
            rules: [{ value: '/api' }],
            redirect_pool: { members: [{ address: '10.0.0.9' }], healthmonitor: { http_version: 1.1 } },
          },
        ],
      },
    ]);
    const later = await active(String(made.id));
    expect(later.listeners).toEqual([{ id: expect.any(String) }]);
  });

  it('keep their order: one that is put before another moves it down, and up again when it goes', async () => {
    const id = String(at(await lab.user('POST', `${base}/loadbalancers`, tree('order')), 'loadbalancer').id);
    const lb = await active(id);
    const listener = (lb.listeners as { id: string }[])[0]?.id;
    const body = { listener_id: listener, name: 'first', action: 'REJECT', position: 1 };
    const first = at(await lab.user('POST', `${base}/l7policies`, { l7policy: body }), 'l7policy');
    await active(id);
    const mine = async () => {
      const { l7policies } = (await lab.user('GET', `${base}/l7policies?listener_id=${listener}`)).body;
      return Object.fromEntries((l7policies as { name: string; position: number }[]).map((p) => [p.name, p.position]));
    };
    expect(await mine()).toEqual({ first: 1, api: 2 });
    expect((await lab.user('DELETE', `${base}/l7policies/${first.id}`)).status).toBe(204);
    await active(id);
    expect(await mine()).toEqual({ api: 1 });
  });

  it('refuse an action that does not exist, and a URL that is missing', async () => {
    const lb = await active(
      String(at(await lab.user('POST', `${base}/loadbalancers`, tree('wrong')), 'loadbalancer').id),
    );
    const listener_id = (lb.listeners as { id: string }[])[0]?.id;
    const ask = (more: object) => lab.user('POST', `${base}/l7policies`, { l7policy: { listener_id, ...more } });
    expect((await ask({ action: 'DANCE' })).status).toBe(400);
    expect((await ask({ action: 'REDIRECT_TO_URL' })).body.faultstring).toContain('redirect_url');
  });
});

describe('paths and tags', () => {
  it('serves everything with and without /lbaas, and takes tags given more than once as one list', async () => {
    await lab.user('POST', `${base}/loadbalancers`, {
      loadbalancer: { name: 'tagged', vip_subnet_id: subnet, tags: ['a', 'b'] },
    });
    const found = await lab.user('GET', '/load-balancer/v2.0/loadbalancers?tags-any=a&tags-any=c');
    expect(names(found, 'loadbalancers')).toEqual(['tagged']);
  });
});
