import { etcdIsHealthy } from '../etcd.ts';
import { type ClusterScene, expectThat } from '../scene.ts';
import { settled, shoto } from './look.ts';
import type { Traffic } from './traffic.ts';

const MINUTES = 60_000;

/** Pools grow and shrink: 1 -> 3 workers -> 1. */
export async function scaleWorkers(scene: ClusterScene, traffic: Traffic): Promise<void> {
  traffic.take();
  await shoto(scene, 'scale', 'web', '--pool', 'default=3', '--timeout', '15m');
  const three = await settled(scene, 'default', 3, 2 * MINUTES);
  scene.say(`3 workers: ${three.join(', ')}`);
  await scene.kubectl(['rollout', 'restart', 'deployment/hello']);
  await scene.kubectl(['rollout', 'status', 'deployment/hello', '--timeout=180s']);
  await shoto(scene, 'scale', 'web', '--pool', 'default=1', '--timeout', '15m');
  const one = await settled(scene, 'default', 1, 2 * MINUTES);
  expectThat(three.includes(one[0]!), `the one that is left, ${one[0]}, should be one of the three`);
  const { asked, failed } = traffic.take();
  scene.say(`1 worker: ${one[0]}; ${asked} requests, ${failed.length} failed`);
  expectThat(failed.length === 0, `requests failed while workers came and went: ${JSON.stringify(failed.slice(0, 5))}`);
}

/** The control plane grows: 1 -> 3, and etcd with it. */
export async function scaleControlPlane(scene: ClusterScene, traffic: Traffic): Promise<void> {
  await shoto(scene, 'scale', 'web', '--control-plane', '3', '--timeout', '20m');
  const three = await settled(scene, 'control-plane', 3, 2 * MINUTES);
  await etcdIsHealthy(scene, three);
  const { asked, failed } = traffic.take();
  scene.say(`3 control planes: ${three.join(', ')}; ${asked} requests, ${failed.length} failed`);
}
