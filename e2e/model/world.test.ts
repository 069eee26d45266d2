import { afterAll, beforeAll, expect, it } from 'vitest';
import { leftovers, settle } from './settled.ts';
import { Truth } from './truth.ts';
import { CLUSTERS, NAMESPACE, startWorld, type World } from './world.ts';

let world: World;
let truth: Truth;
beforeAll(async () => {
  world = await startWorld({ seed: 1 });
  truth = new Truth(world);
});
afterAll(() => world?.close());

it('makes a cluster, grows it, and takes it away, in simulated time', async () => {
  await world.createCluster('web', {});
  expect((await settle(world, truth, 'web', 600_000)).lacks).toEqual([]);
  const { nodePools } = structuredClone(truth.cluster('web')!.spec);
  nodePools[0]!.count = 4;
  await world.kube.mergePatch(CLUSTERS, { namespace: NAMESPACE, name: 'web' }, { spec: { nodePools } });
  expect((await settle(world, truth, 'web', 600_000)).lacks).toEqual([]);
  expect(truth.machines('web')).toHaveLength(5);
  await world.kube.delete(CLUSTERS, { namespace: NAMESPACE, name: 'web' });
  await world.time.until(() => leftovers(world, truth, 'web').length === 0, 600_000);
  expect(leftovers(world, truth, 'web')).toEqual([]);
}, 60_000);
