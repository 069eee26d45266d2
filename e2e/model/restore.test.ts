import type { Machine } from '@shoto/api';
import { afterEach, expect, it } from 'vitest';
import { SERVICES } from './services.ts';
import { settle } from './settled.ts';
import { Truth } from './truth.ts';
import { Watch } from './watch.ts';
import { MACHINES, NAMESPACE, startWorld, type World } from './world.ts';

const MINUTE = 60_000;
const seed = Number(process.env.SEED || 1);

let world: World;
afterEach(() => world?.close());

/** As a backup has a Machine that was made in the minutes before: its server may be known, that it joined is not. */
async function forget(m: Machine, what: 'that it joined' | 'all but its spec'): Promise<void> {
  const { namespace, name } = m.metadata;
  const maps = what === 'that it joined' ? ['bootstrap', 'health'] : ['server', 'bootstrap', 'health'];
  const ops = maps.map((map) => ({ op: 'replace' as const, path: `/status/${map}`, value: { revision: 0 } }));
  await world.kube.jsonPatch(MACHINES, { namespace: namespace ?? NAMESPACE, name }, ops, { subresource: 'status' });
}

it('deletes nothing after a restore that has forgotten of machines that they joined, or that they have a server', async () => {
  world = await startWorld({ seed });
  const truth = new Truth(world);
  const watch = new Watch(world, truth);
  await world.createCluster('web', {
    controlPlane: { count: 3, flavor: 'm1.medium' },
    nodePools: [{ name: 'w', count: 3, flavor: 'm1.small' }],
  });
  expect((await settle(world, truth, 'web', 60 * MINUTE)).lacks).toEqual([]);
  watch.deletions.length = 0;

  const before = truth.machines('web').map((m) => m.metadata.name);
  const of = (role: string) => truth.machines('web').filter((m) => m.spec.role === role);
  await forget(of('worker')[0]!, 'that it joined');
  await forget(of('worker')[1]!, 'all but its spec');
  await forget(of('control-plane')[0]!, 'that it joined');
  // Processes that know better are not there after a restore.
  for (const name of SERVICES) world.services.kill(name);
  await world.time.advance(60 * MINUTE);

  expect((await settle(world, truth, 'web', 60 * MINUTE)).lacks).toEqual([]);
  expect(watch.deletions).toEqual([]);
  expect(truth.machines('web').map((m) => m.metadata.name)).toEqual(before);
}, 120_000);
