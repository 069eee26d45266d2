import type { Cloud } from '../openstack/cloud.ts';

/** How many of every resource each project has, by project name; '' holds what belongs to no project. */
export function resourceCounts(cloud: Cloud): { projects: Record<string, Record<string, number>> } {
  const projects: Record<string, Record<string, number>> = {};
  const names = new Map([...cloud.identity.projects.values()].map((p) => [p.id, p.name]));
  const count = (kind: string, rows: Iterable<object>) => {
    for (const row of rows) {
      const r = row as { project_id?: string; projectId?: string; owner?: string };
      const id = r.project_id ?? r.projectId ?? r.owner ?? '';
      const name = names.get(id) ?? id;
      projects[name] ??= {};
      const project = projects[name];
      project[kind] = (project[kind] ?? 0) + 1;
    }
  };
  const { network, compute, volume, loadBalancer, image } = cloud;
  count('networks', network.networks.values());
  count('subnets', network.subnets.values());
  count('ports', network.ports.values());
  count('routers', network.routers.values());
  count('floatingIps', network.floatingIps.values());
  // The default group comes with the project and does not count.
  count(
    'securityGroups',
    [...network.groups.values()].filter((g) => g.name !== 'default'),
  );
  count('servers', compute.servers.values());
  count('deletedServers', compute.gone.values());
  count('serverGroups', compute.groups.values());
  count('volumes', volume.volumes.values());
  count('snapshots', volume.snapshots.values());
  count('images', image.images.values());
  count('loadBalancers', loadBalancer.balancers.values());
  count('listeners', loadBalancer.listeners.values());
  count('pools', loadBalancer.pools.values());
  count('members', loadBalancer.members.values());
  return { projects };
}
