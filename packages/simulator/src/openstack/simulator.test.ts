import { describe, expect, it } from 'vitest';
import { ConfigError, checkOpenStackConfig, parseOpenStackConfig } from '../config.ts';
import { aNetwork, at, type Lab, newest, send, serverBody, startLab, until } from './testing.ts';

const withLab = async (config: unknown, fn: (lab: Lab) => Promise<void>) => {
  const lab = await startLab(config);
  try {
    await fn(lab);
  } finally {
    await lab.simulator.close();
  }
};

describe('faults', () => {
  it('answers with a status as often as it was told, with Retry-After', () =>
    withLab({}, async (lab) => {
      await send(lab.url, 'POST', '/admin/faults', {
        match: { service: 'neutron', method: 'GET' },
        count: 1,
        action: { type: 'status', status: 503, retryAfter: 7 },
      });
      const hit = await lab.user('GET', '/network/v2.0/networks');
      expect([hit.status, hit.headers.get('retry-after')]).toEqual([503, '7']);
      expect((await lab.user('GET', '/network/v2.0/networks')).status).toBe(200);
    }));
  it('loses the answer after the deed', () =>
    withLab(
      { faults: [{ match: { operation: 'neutron.network.create', name: '^lost$' }, action: { type: 'lostAnswer' } }] },
      async (lab) => {
        await expect(lab.user('POST', '/network/v2.0/networks', { network: { name: 'lost' } })).rejects.toThrow();
        expect((await lab.user('GET', '/network/v2.0/networks?name=lost')).body.networks).toHaveLength(1);
      },
    ));
  it('does a deed late, to which no answer ever comes', () =>
    withLab(
      {
        clock: { mode: 'manual' },
        faults: [{ match: { operation: 'neutron.network.create' }, action: { type: 'lateDeed', afterMs: 60_000 } }],
      },
      async (lab) => {
        const lost = lab.user('POST', '/network/v2.0/networks', { network: { name: 'late' } }).catch(() => 'no answer');
        const count = async () =>
          ((await lab.user('GET', '/network/v2.0/networks?name=late')).body.networks as unknown[]).length;
        await until('the call to arrive', async () =>
          lab.simulator.state.faults.list()[0]!.hits === 1 ? true : undefined,
        );
        expect(await count()).toBe(0);
        await send(lab.url, 'POST', '/admin/clock', { advanceMs: 60_000 });
        expect(await count()).toBe(1);
        await lab.simulator.close();
        expect(await lost).toBe('no answer');
      },
    ));
  it('lets a server end in ERROR with the words of the rule, chosen by metadata', () =>
    withLab(
      {
        faults: [
          {
            match: { operation: 'nova.server.create', metadata: { pool: 'bad' } },
            action: { type: 'serverError', message: 'disk on fire' },
          },
        ],
      },
      async (lab) => {
        const server = await serverBody(lab.user, { metadata: { pool: 'bad' } });
        const id = at(await lab.user('POST', '/compute/v2.1/servers', { server }, newest), 'server').id;
        const s = await until('ERROR', async () => {
          const now = at(await lab.user('GET', `/compute/v2.1/servers/${id}`), 'server');
          return now.status === 'ERROR' ? now : undefined;
        });
        expect((s.fault as { message: string }).message).toBe('disk on fire');
      },
    ));
});

describe('time and chance', () => {
  it('takes as long as the latency says, on its own clock', () =>
    withLab(
      { clock: { mode: 'manual' }, latency: { operations: { 'nova.server.boot': { medianMs: 10_000, spread: 0 } } } },
      async (lab) => {
        const server = await serverBody(lab.user, {});
        const id = at(await lab.user('POST', '/compute/v2.1/servers', { server }, newest), 'server').id;
        const status = async () => at(await lab.user('GET', `/compute/v2.1/servers/${id}`), 'server').status;
        await send(lab.url, 'POST', '/admin/clock', { advanceMs: 9000 });
        expect(await status()).toBe('BUILD');
        await send(lab.url, 'POST', '/admin/clock', { advanceMs: 1000 });
        expect(await status()).toBe('ACTIVE');
      },
    ));
  it('gives the same ids for the same seed and calls', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 2; i++)
      await withLab({ seed: 'same' }, async (lab) => void ids.push((await aNetwork(lab.user)).network));
    expect(ids[0]).toBe(ids[1]);
  });
});

describe('administration', () => {
  it('counts resources by project and requests by path template', () =>
    withLab({}, async (lab) => {
      await aNetwork(lab.user);
      const state = (await send(lab.url, 'GET', '/admin/state')).body.projects as Record<
        string,
        Record<string, number>
      >;
      expect(state.shoto).toEqual({ networks: 1, subnets: 1, ports: 1 });
      const requests = (await send(lab.url, 'GET', '/admin/requests')).body.requests;
      expect(requests).toContainEqual({
        service: 'neutron',
        method: 'POST',
        path: '/network/v2.0/networks',
        count: 1,
        statuses: { 201: 1 },
      });
    }));
  it('refuses a rule it does not understand, field by field', () =>
    withLab({}, async (lab) => {
      const reply = await send(lab.url, 'POST', '/admin/faults', {
        match: { path: '(' },
        rate: 2,
        action: { type: 'status', status: 503 },
      });
      expect(reply.status).toBe(400);
      expect(reply.body.problems).toEqual([expect.stringContaining('match.path'), expect.stringContaining('rate')]);
    }));
});

describe('configuration', () => {
  it('has a default for everything and names every problem with its field', () => {
    expect(checkOpenStackConfig({}).region).toBe('RegionOne');
    expect(() => parseOpenStackConfig('zones: []\nseed: true\nregoin: x\n', 'sim.yaml')).toThrow(ConfigError);
    try {
      parseOpenStackConfig('zones: []\nlatency: {profile: slow}\n', 'sim.yaml');
    } catch (error) {
      expect((error as ConfigError).problems.map((p) => p.split(':')[0])).toEqual(['zones', 'latency.profile']);
    }
  });
});
