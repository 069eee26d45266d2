import { setTimeout as sleep } from 'node:timers/promises';
import { findCondition } from '@shoto/api';
import { $ } from 'zx';
import { type ClusterScene, expectThat, machinesOf } from '../scene.ts';
import { clusterOf, settled } from './look.ts';

/** How long the way is cut: twice as long as a silent node is waited for. */
const CUT_MS = 600_000;

/** The way from us to the cluster is cut for ten minutes: nothing is rebooted or deleted, and all is well when it is back. */
export async function wayCut(scene: ClusterScene): Promise<void> {
  const endpoint = (await clusterOf(scene)).status?.infrastructure.endpoint?.external;
  expectThat(endpoint !== undefined, 'the cluster has no endpoint');
  const [host, port] = endpoint.split(':') as [string, string];
  const picture = async () =>
    (await machinesOf(scene))
      .map((m) => `${m.metadata.name} ${m.metadata.uid} ${m.status?.server.id} ${m.status?.health.order?.number ?? 0}`)
      .sort();
  const before = await picture();
  const rule = ['OUTPUT', '-d', host, '-p', 'tcp', '--dport', port, '-j', 'DROP'];
  await $({ quiet: true })`iptables -I ${rule}`;
  try {
    scene.say(`packets to ${endpoint} are dropped for ${CUT_MS / 60_000} minutes`);
    await sleep(CUT_MS);
    const reachable = findCondition((await clusterOf(scene)).status?.health.conditions, 'Reachable');
    expectThat(
      reachable?.status === 'False',
      `the cluster should be said to be out of reach: ${JSON.stringify(reachable)}`,
    );
    scene.say(`meanwhile: Reachable ${reachable.status}: ${reachable.message}`);
    const now = await picture();
    expectThat(
      JSON.stringify(now) === JSON.stringify(before),
      `something was done to machines: ${before.join('; ')} became ${now.join('; ')}`,
    );
  } finally {
    await $({ quiet: true })`iptables -D ${rule}`;
  }
  const controlPlanes = await settled(scene, 'control-plane', 3, 300_000);
  const workers = await settled(scene, 'default', 2, 60_000);
  expectThat(JSON.stringify(await picture()) === JSON.stringify(before), 'something was done to machines afterwards');
  scene.say(`the way is back: ${controlPlanes.length + workers.length} machines, the same as before`);
}
