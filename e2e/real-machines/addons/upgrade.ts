import { readFileSync } from 'node:fs';
import { type Addon, AddonKind, resourceOf, tenantNamespace } from '@shoto/api';
import { until } from '../../poll.ts';
import { kubeconfigFile } from '../../world.ts';
import { clusterOf } from '../cattle/look.ts';
import { Traffic } from '../cattle/traffic.ts';
import { upgrade } from '../cattle/upgrade.ts';
import { deployWorkload } from '../cattle/workload.ts';
import { type ClusterScene, expectThat } from '../scene.ts';

/** Addons of which each version fits one minor and the one after it: they move with the cluster. */
const MOVE: Record<string, [before: string, after: string]> = {
  flannel: ['0.28.4', '0.28.10'],
  'cinder-csi': ['1.35.0', '1.36.0'],
};

async function standing({ world }: ClusterScene): Promise<Map<string, { version: string; healthy: boolean }>> {
  const all = await world.management.listAll<Addon>(resourceOf(AddonKind), {
    namespace: tenantNamespace(world.system.tenant),
  });
  return new Map(
    all
      .filter((a) => a.spec.clusterName === 'web')
      .map((a) => [
        a.spec.addon,
        {
          version: a.status?.manager.version ?? '',
          healthy: a.status?.manager.conditions?.some((c) => c.type === 'Healthy' && c.status === 'True') ?? false,
        },
      ]),
  );
}

const said = (all: Map<string, { version: string; healthy: boolean }>): string =>
  [...all].map(([name, a]) => `${name} ${a.version}${a.healthy ? '' : ' (not healthy)'}`).join(', ');

/** From one minor to the next under a Service that is asked ten times a second: the addons go along, and no request fails. */
export async function upgradeMovesAddons(scene: ClusterScene, to: string): Promise<void> {
  const before = await standing(scene);
  for (const [name, [version]] of Object.entries(MOVE))
    expectThat(before.get(name)?.version === version, `${name} should be at ${version}: ${said(before)}`);
  const port = await deployWorkload(scene);
  const { subnetId, routerId } = (await clusterOf(scene)).status?.infrastructure ?? {};
  expectThat(subnetId !== undefined && routerId !== undefined, 'the cluster has no network of its own');
  const kubeconfig = readFileSync(await kubeconfigFile(scene.world, 'web'), 'utf8');
  const traffic = await Traffic.start(scene.world.cloud, { kubeconfig, port, subnetId, routerId });
  try {
    await upgrade(scene, traffic, to);
    const after = await until(
      'addons have followed',
      async () => {
        const all = await standing(scene);
        const behind = Object.entries(MOVE).filter(([name, [, version]]) => all.get(name)?.version !== version);
        const sick = [...all.values()].some((a) => !a.healthy);
        return behind.length === 0 && !sick ? all : Promise.reject(new Error(said(all)));
      },
      600_000,
      2_000,
    );
    const { asked, failed } = traffic.take();
    scene.say(
      `addons: ${said(before)}; after the upgrade: ${said(after)}; ${asked} more requests, ${failed.length} failed`,
    );
    expectThat(failed.length === 0, `requests failed while addons moved: ${JSON.stringify(failed.slice(0, 5))}`);
  } finally {
    await traffic.end();
  }
}
