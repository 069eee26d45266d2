import { type Machine, MachineKind, resourceOf, tenantNamespace } from '@shoto/api';
import { SERVICES } from '@shoto/supervisor';
import { Redis } from 'ioredis';
import { collect } from 'openstack-client-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { startWorld, tier, type World } from '../world.ts';

let world: World;
let before: Holdings;
const machines = (cluster: string) =>
  world.management
    .listAll<Machine>(resourceOf(MachineKind), { namespace: tenantNamespace(world.system.tenant) })
    .then((all) => all.filter((m) => m.spec.cluster.name === cluster));

/** What must hold of a cluster that is settled: one server for each Machine, and one Machine for each server. */
async function oneToOne(cluster: string): Promise<void> {
  const own = await machines(cluster);
  const servers = await collect(world.cloud.compute.servers.list());
  expect(servers.map((s) => s.name).sort()).toEqual(own.map((m) => m.metadata.name).sort());
  expect(own.map((m) => m.status?.server?.id).sort()).toEqual(servers.map((s) => s.id).sort());
}
const gone = (cluster: string) => world.shoto('delete', 'cluster', cluster, '--timeout', '3m');

// The simulated cloud takes its time, so that what is killed is killed in the midst of things.
describe.runIf(tier === 'simulated')('a cluster is made whatever dies meanwhile', () => {
  beforeAll(async () => {
    world = await startWorld('simulated', {
      simulator: {
        openstack: {
          latency: {
            operations: {
              'nova.server.boot': { medianMs: 1500 },
              'nova.server.create': { medianMs: 300 },
              'neutron.*': { medianMs: 100 },
            },
          },
        },
      },
    });
    before = await holdings(world.cloud);
  });
  afterAll(() => world?.end());

  it.each(SERVICES.filter((s) => s !== 'cluster-api'))(
    '%s, killed and started again in the midst of it',
    async (service) => {
      const name = `kill-${service}`;
      expect((await world.shoto('create', 'cluster', name, '--no-wait')).code).toBe(0);
      await until('the first machines', async () => (await machines(name)).length > 0);
      await world.system.kill(service);
      await world.system.start(service);
      const { code, stderr } = await world.shoto('wait', 'cluster', name, '--timeout', '2m');
      expect(stderr).toBe('');
      expect(code).toBe(0);
      await oneToOne(name);
      expect((await gone(name)).code).toBe(0);
      await until('nothing left', async () => difference(before, await holdings(world.cloud)).length === 0);
    },
    200_000,
  );

  it('Redis, emptied in the midst of it', async () => {
    const redis = new Redis(world.system.redisUrl);
    expect((await world.shoto('create', 'cluster', 'flushed', '--no-wait')).code).toBe(0);
    await until('the first machines', async () => (await machines('flushed')).length > 0);
    await redis.flushall();
    redis.disconnect();
    expect((await world.shoto('wait', 'cluster', 'flushed', '--timeout', '2m')).code).toBe(0);
    await oneToOne('flushed');
    expect((await gone('flushed')).code).toBe(0);
    await until('nothing left', async () => difference(before, await holdings(world.cloud)).length === 0);
  }, 200_000);
});

describe.runIf(tier === 'simulated')('a cluster is made whatever the cloud does meanwhile', () => {
  let admin: string;
  const fault = (rule: object) =>
    fetch(`${admin}/admin/faults`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(rule),
    });
  beforeAll(async () => {
    world = await startWorld('simulated');
    admin = new URL(world.system.simulator!.adminUrl).origin;
    before = await holdings(world.cloud);
  });
  afterAll(() => world?.end());

  it.each([
    [
      'answers of the POST of servers are lost',
      { match: { service: 'nova', method: 'POST', path: '/servers$' }, count: 3, action: { type: 'lostAnswer' } },
    ],
    [
      'the network service fails one call in ten',
      { match: { service: 'neutron' }, rate: 0.1, action: { type: 'status', status: 500 } },
    ],
    [
      'every service says 429 for a while',
      { match: {}, count: 10, action: { type: 'status', status: 429, retryAfter: 1 } },
    ],
    [
      'servers end in ERROR',
      {
        match: { service: 'nova', method: 'POST', path: '/servers$' },
        count: 2,
        action: { type: 'serverError', message: 'No valid host was found.' },
      },
    ],
  ])(
    '%s',
    async (title, rule) => {
      const name = `fault-${title.length}`;
      expect((await fault(rule)).ok).toBe(true);
      try {
        expect((await world.shoto('create', 'cluster', name, '--timeout', '280s')).code).toBe(0);
      } finally {
        await fetch(`${admin}/admin/faults`, { method: 'DELETE' });
      }
      await oneToOne(name);
      expect((await gone(name)).code).toBe(0);
      await until('nothing left', async () => difference(before, await holdings(world.cloud)).length === 0);
    },
    320_000,
  );
});
