import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hurt } from './actor.ts';
import { settle } from './settled.ts';
import { Truth } from './truth.ts';
import { Watch } from './watch.ts';
import { startWorld, type World } from './world.ts';

const MINUTE = 60_000;
const seed = Number(process.env.SEED || 1);

let world: World;
let truth: Truth;
let watch: Watch;

/** One cluster of three control planes and twelve workers over three zones, settled. */
beforeEach(async () => {
  world = await startWorld({ seed });
  truth = new Truth(world);
  watch = new Watch(world, truth);
  await world.createCluster('web', {
    controlPlane: { count: 3, flavor: 'm1.medium' },
    nodePools: [{ name: 'w', count: 12, flavor: 'm1.small' }],
  });
  expect((await settle(world, truth, 'web', 60 * MINUTE)).lacks).toEqual([]);
  watch.deletions.length = 0;
}, 120_000);
afterEach(() => world?.close());

/** Machines that were deleted though they worked and nobody asked for it. */
const wrong = () => watch.wrong.map((d) => d.machine);

describe('a storm deletes no machine that works', () => {
  it('half of a zone silent', async () => {
    const workers = truth.machines('web').filter((m) => m.spec.role === 'worker');
    const zone = workers.filter((m) => m.spec.zone === workers[0]!.spec.zone);
    for (const m of zone.slice(0, Math.ceil(zone.length / 2))) hurt(world, truth, m.metadata.name, 'silent');
    await world.time.advance(90 * MINUTE);
    expect(wrong()).toEqual([]);
    expect(watch.violations).toEqual([]);
  }, 300_000);

  it('the queue away for ten minutes', async () => {
    world.services.disconnect();
    await world.time.advance(10 * MINUTE);
    world.services.reconnect();
    const { lacks } = await settle(world, truth, 'web', 60 * MINUTE);
    expect([lacks, watch.deletions, watch.violations]).toEqual([[], [], []]);
  }, 300_000);

  it('the management API slow by 5 s, and failing one call in ten', async () => {
    let n = 0;
    world.faults.management = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      return ++n % 10 === 0 ? { status: 500 } : undefined;
    };
    await world.time.advance(60 * MINUTE);
    world.faults.management = undefined;
    const { lacks } = await settle(world, truth, 'web', 60 * MINUTE);
    expect([lacks, watch.deletions, watch.violations]).toEqual([[], [], []]);
  }, 300_000);

  it.each([
    ['failing one call in ten', { rate: 0.1, action: { type: 'status', status: 500 } }],
    ['answering 429', { rate: 0.5, action: { type: 'status', status: 429, retryAfter: 5 } }],
    ['losing answers after the deed', { rate: 0.3, action: { type: 'lostAnswer' } }],
  ] as const)(
    'OpenStack %s, while a machine dies',
    async (_, rule) => {
      world.cloud.state.faults.add({ match: {}, ...rule });
      const worker = truth.machines('web').find((m) => m.spec.role === 'worker')!;
      hurt(world, truth, worker.metadata.name, 'die');
      await world.time.advance(60 * MINUTE);
      world.cloud.state.faults.remove();
      const { lacks } = await settle(world, truth, 'web', 120 * MINUTE);
      expect([lacks, wrong(), watch.violations]).toEqual([[], [], []]);
      expect(watch.deletions.map((d) => d.machine)).toEqual([worker.metadata.name]);
    },
    300_000,
  );
});
