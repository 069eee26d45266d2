import { metricsAnswer } from './addons/metrics.ts';
import { monitoringAnswers } from './addons/monitoring.ts';
import { driverIsSane } from './addons/sanity.ts';
import { upgradeMovesAddons } from './addons/upgrade.ts';
import { volumesFollow } from './addons/volumes.ts';
import { type ClusterScene, expectThat, type Variant } from './scene.ts';

/** The release that the cluster is brought to. */
const TO = 'v1.36.3';

/** The stories, in their order; E2E_STORIES names some of them. */
const STORIES: Record<string, (scene: ClusterScene) => Promise<void>> = {
  metrics: metricsAnswer,
  monitoring: monitoringAnswers,
  volumes: volumesFollow,
  sanity: driverIsSane,
  upgrade: (scene) => upgradeMovesAddons(scene, TO),
};
const asked = process.env.E2E_STORIES?.split(',') ?? Object.keys(STORIES);

/** What the cluster gets. metrics-server is held: the lab builds that version. */
const ADDONS = [
  'flannel',
  'metrics-server@0.8.0',
  'node-exporter@1.12.1',
  'prometheus@3.16.0',
  'snapshot-controller@8.4.0',
  'cinder-csi',
];

/** Addons as they ship, brought by addon-manager to machines that run kubeadm, with images of the lab under upstream's names. */
export const addons: Variant = {
  title: 'addons run for real: network, metrics, monitoring, volumes of Cinder; an upgrade takes them along',
  args: ['--pool', 'default=2,flavor=m1.medium', ...ADDONS.flatMap((a) => ['--addon', a])],
  nodes: 3,
  images: 'addons',
  ...(asked.includes('upgrade') ? { also: [TO] } : {}),
  // What runs in machines calls the cloud too; an application credential for it can only be made by who has a password.
  cloud: async (cloud) => (process.env.E2E_CLOUDS_FILE ? cloud : { ...cloud, cloud: 'machines' }),
  look: async (scene) => {
    for (const name of asked) {
      expectThat(name in STORIES, `E2E_STORIES: there is no ${name}; there are ${Object.keys(STORIES).join(', ')}`);
      scene.say(`--- ${name}`);
      await STORIES[name]!(scene);
    }
  },
};
