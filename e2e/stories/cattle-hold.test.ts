import type { Machine } from '@shoto/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../poll.ts';
import { startWorld } from '../world.ts';
import { boots, Cattle, PATIENCE_MS, TEST_MS, UNLIMITED, uids } from './cattle.ts';

const WORKERS = 4;

let cattle: Cattle;

const upToDate = async () => await cattle.condition('web', 'UpToDate');
const flavor = (name: string) => cattle.shoto('set', 'pool', 'web', 'default', '--flavor', name, '--no-wait');

/**
 * Changes the pool's flavor, and holds the change by a command when its first machine is born. Until then the cloud puts off every new server, so that the
 * change is not over before it is held.
 *
 * @returns the machines before it
 */
async function rollAndHold(to: string, hold: () => Promise<unknown>): Promise<Machine[]> {
  const before = await cattle.settled('web', 'default', WORKERS);
  const putOff = { type: 'status', status: 429, retryAfter: 1 };
  await cattle.simulator('POST', '/faults', { match: { operation: 'nova.server.create' }, action: putOff });
  await flavor(to);
  await until(
    'the first new machine',
    async () => (await cattle.machines('web', 'default')).some((m) => !uids(before).includes(m.metadata.uid!)),
    PATIENCE_MS,
  );
  await hold();
  return before;
}

/** The old machines that have to stay, and the new ones that there are. */
async function standing(before: Machine[]) {
  const all = await cattle.machines('web', 'default');
  const old = all.filter((m) => uids(before).includes(m.metadata.uid!));
  return {
    stay: uids(old.filter((m) => !m.metadata.deletionTimestamp)),
    fresh: all.filter((m) => !uids(before).includes(m.metadata.uid!)),
  };
}

/** It goes on until every machine is new. */
async function endsWell(before: Machine[]): Promise<void> {
  await cattle.settled('web', 'default', WORKERS, (m) => !uids(before).includes(m.metadata.uid!));
  await until('the change to be carried out', async () => (await upToDate())?.status === 'True', PATIENCE_MS);
  await cattle.oneToOne();
}

// Machines that do not boot are never replaced one after the other: nothing can be stopped half-way.
describe.runIf(boots)('a change that replaces machines', () => {
  beforeAll(async () => {
    cattle = new Cattle(await startWorld('simulated', { simulator: { openstack: { quotas: UNLIMITED } } }));
    await cattle.shoto('create', 'cluster', 'web', '--pool', `default=${WORKERS}`, '--timeout', '5m');
  }, TEST_MS);
  afterAll(() => cattle?.end());

  it('stops where it is under the emergency stop, which the cluster says, and ends when that does', {
    timeout: TEST_MS,
  }, async () => {
    const reason = 'storage of az1 burns';
    const before = await rollAndHold('m1.medium', () => cattle.admin('fleet', 'stop', '--reason', reason));
    const said = await until(
      'the cluster to say so',
      async () => {
        const c = await cattle.condition('web', 'EmergencyStop');
        return c?.status === 'True' && c;
      },
      PATIENCE_MS,
    );
    expect(said.message).toContain(reason);
    expect((await standing(before)).stay).toEqual(uids(before));

    // What was born comes up all the same, and takes nobody's place.
    await cattle.simulator('DELETE', '/faults');
    await until(
      'the new machines to work',
      async () => (await standing(before)).fresh.every((m) => m.status?.health.ready === true),
      PATIENCE_MS,
    );
    await until('the change to say so', async () => (await upToDate())?.reason === 'EmergencyStop', PATIENCE_MS);
    expect((await standing(before)).stay).toEqual(uids(before));
    expect(await cattle.shoto('describe', 'cluster', 'web')).toContain(reason);
    expect(await cattle.shoto('fleet', 'status')).toContain(reason);

    await cattle.admin('fleet', 'resume');
    await endsWell(before);
    expect(await cattle.condition('web', 'EmergencyStop')).toMatchObject({ status: 'False', reason: 'Resumed' });
  });

  it('is stopped for all by nobody but an administrator', async () => {
    const { code, stderr } = await cattle.world.shoto('fleet', 'stop', '--reason', 'I am curious');
    expect(stderr).toContain('admin');
    expect(code).toBe(5);
    expect(await cattle.shoto('fleet', 'status')).not.toContain('curious');
  });

  it('stops where it is while the cluster is paused, and ends when it is resumed', { timeout: TEST_MS }, async () => {
    const before = await rollAndHold('m1.small', () => cattle.shoto('pause', 'cluster', 'web'));
    await until('the change to say so', async () => (await upToDate())?.reason === 'Paused', PATIENCE_MS);
    const { fresh } = await standing(before);
    await cattle.simulator('DELETE', '/faults');
    expect(await cattle.shoto('describe', 'cluster', 'web')).toContain('shoto resume cluster web');

    // A paused cluster is not sized either, until it goes on.
    await cattle.shoto('scale', 'web', '--pool', `default=${WORKERS + 1}`, '--no-wait');
    await until(
      'the change to be seen',
      async () => {
        const { metadata, status } = await cattle.cluster('web');
        return status?.observedGeneration === metadata.generation;
      },
      PATIENCE_MS,
    );
    const now = await standing(before);
    expect([now.stay, uids(now.fresh)]).toEqual([uids(before), uids(fresh)]);
    await cattle.shoto('scale', 'web', '--pool', `default=${WORKERS}`, '--no-wait');

    await cattle.shoto('resume', 'cluster', 'web');
    await endsWell(before);
  });
});
