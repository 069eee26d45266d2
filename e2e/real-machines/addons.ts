import { serviceIsBalanced } from './addons/load-balancer.ts';
import { metricsAnswer } from './addons/metrics.ts';
import { monitoringAnswers } from './addons/monitoring.ts';
import { problemsAreTold } from './addons/problems.ts';
import { driverIsSane } from './addons/sanity.ts';
import { upgradeMovesAddons } from './addons/upgrade.ts';
import { volumesFollow } from './addons/volumes.ts';
import { type ClusterScene, expectThat, type Variant } from './scene.ts';

/** The release that the cluster is brought to. */
const TO = 'v1.36.3';

interface Story {
  /** Addons that it needs. */
  addons: string[];
  tell(scene: ClusterScene): Promise<void>;
}

// Versions are held where the lab builds another than the newest, or that one only.
const METRICS = ['metrics-server@0.8.0'];
const MONITORING = ['node-exporter@1.12.1', 'kube-state-metrics@2.19.1', 'prometheus@3.16.0'];
const VOLUMES = ['snapshot-controller@8.4.0', 'cinder-csi'];
const LOAD_BALANCERS = ['openstack-cloud-controller-manager'];
const PROBLEMS = ['node-problem-detector@1.36.0'];

/** The stories, in their order; E2E_STORIES names some of them. */
const STORIES: Record<string, Story> = {
  metrics: { addons: METRICS, tell: metricsAnswer },
  monitoring: { addons: MONITORING, tell: monitoringAnswers },
  volumes: { addons: VOLUMES, tell: volumesFollow },
  sanity: { addons: VOLUMES, tell: driverIsSane },
  'load-balancer': { addons: LOAD_BALANCERS, tell: serviceIsBalanced },
  problems: { addons: PROBLEMS, tell: problemsAreTold },
  upgrade: { addons: [...METRICS, ...MONITORING, ...VOLUMES], tell: (scene) => upgradeMovesAddons(scene, TO) },
};
const asked = process.env.E2E_STORIES?.split(',') ?? Object.keys(STORIES);
const wanted = new Set(['flannel', ...asked.flatMap((name) => STORIES[name]?.addons ?? [])]);

/** Addons as they ship, brought by addon-manager to machines that run kubeadm, with images of the lab under upstream's names. */
export const addons: Variant = {
  title: 'addons run for real: network, metrics, monitoring, volumes, load balancers; an upgrade takes them along',
  args: ['--pool', 'default=2,flavor=m1.medium', ...[...wanted].flatMap((a) => ['--addon', a])],
  nodes: 3,
  images: 'addons',
  ...(asked.includes('upgrade') ? { also: [TO] } : {}),
  // What runs in machines calls the cloud too; an application credential for it can only be made by who has a password.
  cloud: async (cloud) => (process.env.E2E_CLOUDS_FILE ? cloud : { ...cloud, cloud: 'machines' }),
  look: async (scene) => {
    for (const name of asked) {
      expectThat(name in STORIES, `E2E_STORIES: there is no ${name}; there are ${Object.keys(STORIES).join(', ')}`);
      scene.say(`--- ${name}`);
      await STORIES[name]!.tell(scene);
    }
  },
};
