import { type Cluster, ClusterKind, findCondition, type Machine, resourceOf, tenantNamespace } from '@shoto/api';
import { until } from '../../poll.ts';
import { type ClusterScene, expectThat, machinesOf } from '../scene.ts';

/** Runs `shoto` and shows what it prints. @throws Error with what the cluster says, where it does not end with 0 */
export async function shoto(scene: ClusterScene, ...args: string[]): Promise<string> {
  scene.say(`shoto ${args.join(' ')}`);
  const r = await scene.world.shoto(...args);
  console.log(r.stdout.trimEnd().replace(/^/gm, '          | '));
  if (r.code !== 0) {
    const { stdout } = await scene.world.shoto('describe', 'cluster', 'web');
    throw new Error(`shoto ${args.join(' ')} ended with ${r.code}: ${r.stderr}\n${stdout}`);
  }
  return r.stdout;
}

/** The Cluster as it is now. */
export async function clusterOf({ world }: ClusterScene): Promise<Cluster> {
  const cluster = await world.management.get<Cluster>(resourceOf(ClusterKind), {
    namespace: tenantNamespace(world.system.tenant),
    name: 'web',
  });
  expectThat(cluster !== undefined, 'cluster web is gone');
  return cluster;
}

/** Machines of a role, or of one pool. */
export const machinesIn = async (scene: ClusterScene, pool: string): Promise<Machine[]> =>
  (await machinesOf(scene)).filter((m) => m.spec.pool === pool);

/** The names of a pool's machines that are healthy and stay. */
export const healthyIn = async (scene: ClusterScene, pool: string): Promise<string[]> =>
  (await machinesIn(scene, pool))
    .filter((m) => !m.metadata.deletionTimestamp && m.status?.health.ready)
    .map((m) => m.metadata.name)
    .sort();

/**
 * Waits until a pool has just so many machines, all of them healthy, and the cluster says that all is as asked for.
 *
 * @returns their names
 */
export async function settled(
  scene: ClusterScene,
  pool: string,
  count: number,
  timeoutMs: number,
  also: (machines: Machine[]) => boolean = () => true,
): Promise<string[]> {
  return await until(
    `${count} healthy machines in ${pool}`,
    async () => {
      const machines = await machinesIn(scene, pool);
      const healthy = await healthyIn(scene, pool);
      const cluster = await clusterOf(scene);
      const upToDate = findCondition(cluster.status?.infrastructure.conditions, 'UpToDate');
      const said = machines.map((m) => {
        const what = findCondition(m.status?.health.conditions, 'Remediation')?.message ?? '';
        return `${m.metadata.name} ${m.status?.server.state} ${m.status?.health.ready} ${what}`;
      });
      if (machines.length !== count || healthy.length !== count || !also(machines) || upToDate?.status === 'False')
        throw new Error(`${said.join('; ')}; UpToDate: ${upToDate?.message ?? 'not said'}`);
      return healthy;
    },
    timeoutMs,
    1_000,
  );
}
