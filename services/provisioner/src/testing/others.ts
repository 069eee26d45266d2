import type { Cluster, Machine } from '@shoto/api';
import { until } from '@shoto/service/testing';
import { CLUSTERS, MACHINES, type World } from './world.ts';

const AT = '2026-01-01T00:00:30Z';

/** Plays the other services once: what runs joins and is ready, who leaves is let go, and control planes serve. */
export async function playOthers(world: World): Promise<void> {
  for (const m of await world.machines()) {
    if (m.metadata.deletionTimestamp || m.status?.server.state !== 'Active' || m.status.health.ready !== undefined)
      continue;
    const joined = await world.kube.patchStatusMap<Machine>(MACHINES, m, 'bootstrap', { joinedAt: AT });
    await world.health(joined, { ready: true });
  }
  await world.letGo();
  for (const c of await world.kube.listAll<Cluster>(CLUSTERS, { namespace: 'tenant-a' }))
    if (!c.status?.controlPlane.initialized)
      await world.kube.patchStatusMap<Cluster>(CLUSTERS, c, 'controlPlane', {
        initialized: true,
        configRelease: 'v1.35.4',
        addonsRelease: 'v1.35.4',
        conditions: [
          { type: 'EndpointHealthy', status: 'True', reason: 'Answers', message: '', lastTransitionTime: AT },
        ],
      });
}

/** Plays on until the machines are as wanted. @returns them */
export const playOthersUntil = (world: World, what: string, is: (machines: Machine[]) => boolean): Promise<Machine[]> =>
  until(
    async () => {
      await playOthers(world);
      const machines = await world.machines();
      return is(machines) ? machines : undefined;
    },
    { what, timeoutMs: 25_000, everyMs: 20 },
  );
