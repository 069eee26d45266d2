import { type Machine, MachineKind, resourceOf } from '@shoto/api';
import { collect } from 'openstack-client-ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, type Holdings, holdings } from '../leftovers.ts';
import { until } from '../poll.ts';
import { startWorld, tier } from '../world.ts';
import { Cattle, UNLIMITED, uids } from './cattle.ts';

/** Clusters of one control plane, and how many workers each has at the most and later on. */
const FLEET = Array.from({ length: 10 }, (_, i) => `fleet-${i}`);
const MANY = 20;
const FEW = 4;
const SEED = Number(process.env.SEED ?? 1);
/** Two hundred machines on two busy cores. */
const PATIENCE_MS = 500_000;
const TEST_MS = 900_000;

/**
 * A cloud on a bad day, by the seed: every tenth call that makes nothing fails, every tenth server and network is made and every tenth thing deleted
 * without an answer, some calls are put off. What another failed POST may have made is looked for during three minutes before it is asked for again; that
 * is tried on virtual time (`e2e/model`).
 */
const BAD_DAY = [
  ...['GET', 'PUT', 'DELETE'].map((method) => ({
    match: { method },
    rate: 0.1,
    action: { type: 'status', status: 500 },
  })),
  {
    match: { method: 'POST', path: '/(servers|networks|subnets|routers|security-groups)$' },
    rate: 0.1,
    action: { type: 'lostAnswer' },
  },
  { match: { method: 'DELETE' }, rate: 0.1, action: { type: 'lostAnswer' } },
  { match: {}, rate: 0.05, action: { type: 'status', status: 429, retryAfter: 1 } },
];

let cattle: Cattle;
let before: Holdings;

/** Asks the API as `shoto` does, for all clusters at once: two dozen commands side by side would be a load of their own. */
async function ask(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<void> {
  const { apiUrl, tenant, tokens } = cattle.world.system;
  const answer = await fetch(`${apiUrl}/v1/tenants/${tenant}/clusters${path}`, {
    method,
    headers: {
      authorization: `Bearer ${tokens.demo}`,
      ...(body ? { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}
const pool = (o: object) => ({ nodePools: [{ name: 'default', flavor: 'm1.small', maxSurge: '50%', ...o }] });
const change = (o: object) => Promise.all(FLEET.map((name) => ask('PATCH', `/${name}`, { spec: pool(o) })));

const all = () => cattle.world.management.listAll<Machine>(resourceOf(MachineKind), { namespace: cattle.namespace });
const works = (m: Machine): boolean =>
  !m.metadata.deletionTimestamp && m.status?.server.state === 'Active' && m.status.health.ready === true;

/** Every cluster has just so many workers, all of which work. @returns them */
const settled = (count: number, also: (m: Machine) => boolean = () => true) =>
  until(
    `${count} workers in each of ${FLEET.length} clusters (seed ${SEED})`,
    async () => {
      const found = (await all()).filter((m) => m.spec.role === 'worker');
      const good = found.filter((m) => works(m) && also(m)).length;
      const counts = FLEET.map((name) => found.filter((m) => m.spec.cluster.name === name).length);
      if (good === found.length && counts.every((n) => n === count)) return found;
      throw new Error(`there are ${counts.join(', ')}; of ${found.length} ${good} are good`);
    },
    PATIENCE_MS,
    1_000,
  );

/** A server for each Machine, a Machine for each server, and of ports none beyond them and those of the clusters themselves. */
async function nothingBeside(): Promise<void> {
  await cattle.oneToOne();
  const servers = new Set((await collect(cattle.world.cloud.compute.servers.list())).map((s) => s.id));
  const ports = await collect(cattle.world.cloud.network.ports.list());
  const machines = ports.filter((p) => p.name?.startsWith('fleet-'));
  expect(machines.filter((p) => !servers.has(p.device_id ?? ''))).toEqual([]);
  expect(machines).toHaveLength(servers.size);
}

// Faults are ordered from the simulator, and hundreds of machines need room.
describe.runIf(tier === 'simulated')(`${FLEET.length} clusters of ${MANY} workers in a cloud that fails`, () => {
  beforeAll(async () => {
    cattle = new Cattle(await startWorld('simulated', { simulator: { openstack: { seed: SEED, quotas: UNLIMITED } } }));
    before = await holdings(cattle.world.cloud);
    await cattle.simulator('PUT', '/faults', { faults: BAD_DAY });
  }, TEST_MS);
  afterAll(() => cattle?.end());

  it('are made', { timeout: TEST_MS }, async () => {
    const spec = { controlPlane: { count: 1 }, ...pool({ count: MANY }) };
    await Promise.all(FLEET.map((name) => ask('POST', '', { metadata: { name }, spec })));
    await settled(MANY);
  });

  it('shrink', { timeout: TEST_MS }, async () => {
    const many = await settled(MANY);
    await change({ count: FEW });
    const few = await settled(FEW);
    expect(uids(many)).toEqual(expect.arrayContaining(uids(few)));
  });

  it('are rolled: all their workers are new', { timeout: TEST_MS }, async () => {
    const old = new Set(uids(await settled(FEW)));
    await change({ count: FEW, flavor: 'm1.medium' });
    await settled(FEW, (m) => !old.has(m.metadata.uid!));
  });

  it("have nothing that is nobody's, and nothing twice", { timeout: TEST_MS }, async () => {
    await cattle.simulator('DELETE', '/faults');
    await settled(FEW);
    await nothingBeside();
  });

  it('leave nothing when they go', { timeout: TEST_MS }, async () => {
    await Promise.all(FLEET.map((name) => ask('DELETE', `/${name}`)));
    await until('the last machine to go', async () => (await all()).length === 0, PATIENCE_MS, 1_000);
    await until(
      'nothing left in the cloud',
      async () => {
        const rest = difference(before, await holdings(cattle.world.cloud));
        return rest.length === 0 ? true : Promise.reject(new Error(rest.join(', ')));
      },
      PATIENCE_MS,
    );
  });
});
