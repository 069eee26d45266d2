/**
 * `make e2e-real`: a cluster on machines that run kubeadm, from the command line to nothing left.
 *
 * E2E_VARIANT says which: `default`, `ha`, `artifacts`, `floating-ip`, `machine-address`, `cattle` or `addons` (`make e2e-real VARIANT=ha`).
 * The lab's OpenStack (Nova with lxc machines, Octavia) is installed and started where it is not there. Against another
 * OpenStack: E2E_CLOUDS_FILE, E2E_CLOUD, E2E_IMAGE, E2E_EXTERNAL_NETWORK, E2E_CHECKIN_HOST, and where they differ E2E_VERSION,
 * E2E_CONTROL_PLANE_FLAVOR, E2E_WORKER_FLAVOR, E2E_IMAGE_REPOSITORY, E2E_ZONES. E2E_KEEP=1 leaves everything as it is when it fails.
 */
import { existsSync } from 'node:fs';
import { apiServerBinaries } from './lab/cache.ts';
import { current } from './lab/openstack.ts';
import { difference, type Holdings, holdings } from './leftovers.ts';
import { until } from './poll.ts';
import { addons } from './real-machines/addons.ts';
import { artifacts } from './real-machines/artifacts.ts';
import { cattle } from './real-machines/cattle.ts';
import { standard } from './real-machines/default.ts';
import { floatingIp } from './real-machines/floating-ip.ts';
import { ha } from './real-machines/ha.ts';
import { machineAddress } from './real-machines/machine-address.ts';
import { givenBack, reserved, setQuota } from './real-machines/quota.ts';
import type { ClusterScene, Scene, Variant } from './real-machines/scene.ts';
import { execute, kubeconfigFile, startWorld, type World } from './world.ts';

const VARIANTS: Record<string, Variant> = {
  default: standard,
  ha,
  artifacts,
  'floating-ip': floatingIp,
  'machine-address': machineAddress,
  cattle,
  addons,
};

/** Machines that the tenant may have: each is reserved before it is made. */
const QUOTA = 20;

const started = Date.now();
const say = (text: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(1).padStart(7)}s  ${text}`);

async function main(variant: Variant, world: World): Promise<void> {
  const before = await holdings(world.cloud);
  const lab = process.env.E2E_CLOUDS_FILE ? undefined : await current('libvirt');
  const scene: Scene = { world, lab, say };
  await setQuota(world, QUOTA);
  await variant.before?.(scene);
  say(['shoto create cluster web', ...variant.args].join(' '));
  const created = await world.shoto('create', 'cluster', 'web', ...variant.args, '--timeout', '20m');
  console.log(created.stdout.replace(/^/gm, '          | '));
  if (created.code !== 0)
    throw new Error(
      `create ended with ${created.code}: ${created.stderr}\n${(await world.shoto('describe', 'cluster', 'web')).stdout}`,
    );
  const onceGone: (() => Promise<void>)[] = [];
  await variant.look({ ...(await clusterScene(scene, variant.nodes)), onceGone: (look) => onceGone.push(look) });
  say(`${await reserved(world)} machines of the tenant's quota of ${QUOTA} are reserved`);
  await deleteCluster(world, before);
  await givenBack(world);
  for (const look of onceGone) await look();
}

/** The cluster as kubectl shows it. */
async function clusterScene(scene: Scene, wanted: number): Promise<Omit<ClusterScene, 'onceGone'>> {
  const kubeconfig = await kubeconfigFile(scene.world, 'web');
  const binaries = await apiServerBinaries('v1.35.4', true);
  const kubectl = async (args: string[], input?: string): Promise<string> => {
    const r = await execute(binaries.kubectl, ['--kubeconfig', kubeconfig, ...args], process.env, input);
    if (r.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${r.stderr}`);
    return r.stdout;
  };
  const nodes = (await kubectl(['get', 'nodes', '--no-headers'])).trim().split('\n');
  say(`kubectl get nodes: ${nodes.length} nodes\n${nodes.join('\n').replace(/^/gm, '          | ')}`);
  const notReady = nodes.filter((n) => n.split(/\s+/)[1] !== 'Ready');
  if (nodes.length !== wanted || notReady.length > 0)
    throw new Error(`${wanted} nodes should be Ready; not: ${notReady.join(', ') || nodes.length}`);
  return { ...scene, kubectl, nodes: nodes.map((n) => n.split(/\s+/)[0]!) };
}

async function deleteCluster(world: World, before: Holdings): Promise<void> {
  say('shoto delete cluster web');
  const deleted = await world.shoto('delete', 'cluster', 'web', '--timeout', '10m');
  if (deleted.code !== 0)
    throw new Error(
      `delete ended with ${deleted.code}: ${deleted.stderr}\n${(await world.shoto('describe', 'cluster', 'web')).stdout}`,
    );
  const left = await until(
    'nothing left in the project',
    async () => {
      const rest = difference(before, await holdings(world.cloud));
      return rest.length === 0 ? 'nothing' : Promise.reject(new Error(rest.join(', ')));
    },
    30_000,
  );
  say(`deleted; left in the project: ${left}`);
}

const asked = process.env.E2E_VARIANT || 'default';
const variant = VARIANTS[asked];
if (!variant) {
  console.error(`VARIANT: there is no ${JSON.stringify(asked)}; there are ${Object.keys(VARIANTS).join(', ')}`);
  process.exit(2);
}
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
const world = await startWorld('machines', {
  ...(variant.cloud ? { change: variant.cloud } : {}),
  ...(variant.also ? { also: variant.also } : {}),
  ...(variant.images ? { images: variant.images } : {}),
  ...(variant.env ? { env: variant.env } : {}),
}).catch(async (e: unknown) => {
  await variant.end?.();
  throw e;
});
say(`up: management cluster, cloud and services; files in ${world.system.dir}`);
say(variant.title);
try {
  await Promise.race([main(variant, world), interrupted]);
  say('e2e-real passed');
} catch (e) {
  console.error(`\ne2e-real FAILED: ${(e as Error).message}\nlogs: ${world.system.dir}/logs`);
  if (process.env.E2E_KEEP && existsSync(world.system.dir)) await interrupted.catch(() => {});
  else {
    // Machines that stay take the room of the next run's.
    const deleted = await world.shoto('delete', 'cluster', 'web', '--timeout', '10m');
    if (deleted.code !== 0) console.error(`and the cluster could not be deleted: ${deleted.stderr.trim()}`);
  }
  process.exitCode = 1;
} finally {
  await world.end();
  await variant.end?.();
}
process.exit();
