import { readFileSync } from 'node:fs';
import { kubeconfigFile } from '../world.ts';
import { wayCut } from './cattle/cut.ts';
import { controlPlaneDestroyed, workerBroken, workerPoweredOff } from './cattle/healing.ts';
import { clusterOf } from './cattle/look.ts';
import { scaleControlPlane, scaleWorkers } from './cattle/sizing.ts';
import { Traffic } from './cattle/traffic.ts';
import { upgrade } from './cattle/upgrade.ts';
import { deployWorkload } from './cattle/workload.ts';
import { type ClusterScene, expectThat, type Variant } from './scene.ts';

/** The release that clusters are brought to. */
const TO = 'v1.36.3';

/** The stories, in their order; E2E_STORIES names some of them. Each begins where the one before it ends. */
const STORIES: Record<string, (scene: ClusterScene, traffic: Traffic) => Promise<void>> = {
  workers: scaleWorkers,
  'control-plane': scaleControlPlane,
  upgrade: (scene, traffic) => upgrade(scene, traffic, TO),
  'power-off': workerPoweredOff,
  broken: workerBroken,
  destroyed: controlPlaneDestroyed,
  cut: wayCut,
};

/** Machines as cattle: sizing, an upgrade, healing, with a Service that is asked ten times a second all the time. */
export const cattle: Variant = {
  title: 'machines come and go under a Service that is asked ten times a second',
  args: ['--pool', 'default=1'],
  nodes: 2,
  also: [TO],
  // The silence of a node is waited out as it would be; the rungs of the ladder follow each other faster.
  env: {
    SHOTO_HEALING_SILENT_MINUTES: '2',
    SHOTO_HEALING_REBOOT_MINUTES: '2',
    SHOTO_HEALING_HARD_REBOOT_MINUTES: '2',
    SHOTO_HEALING_COOLING_MINUTES: '2',
  },
  look: async (scene) => {
    const asked = process.env.E2E_STORIES?.split(',') ?? Object.keys(STORIES);
    for (const name of asked)
      expectThat(name in STORIES, `E2E_STORIES: there is no ${name}; there are ${Object.keys(STORIES).join(', ')}`);
    const port = await deployWorkload(scene);
    const { subnetId, routerId } = (await clusterOf(scene)).status?.infrastructure ?? {};
    expectThat(subnetId !== undefined && routerId !== undefined, 'the cluster has no network of its own');
    const kubeconfig = readFileSync(await kubeconfigFile(scene.world, 'web'), 'utf8');
    const traffic = await Traffic.start(scene.world.cloud, { kubeconfig, port, subnetId, routerId });
    try {
      for (const name of asked) {
        scene.say(`--- ${name}`);
        await STORIES[name]!(scene, traffic);
      }
    } finally {
      await traffic.end();
    }
  },
};
