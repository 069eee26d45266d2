import { collect, type OpenStack } from 'openstack-client-ts';

/** How many of each kind of resource a project holds. */
export type Holdings = Record<string, number>;

/** Counts what a project holds; what every project has by itself (the default security group) is left out. */
export async function holdings(cloud: OpenStack): Promise<Holdings> {
  const { compute, network, loadBalancer, blockStorage, identity } = cloud;
  const project = await cloud.projectId();
  const own = <T extends object>(items: T[]): T[] =>
    items.filter((i) => !project || !('project_id' in i) || i.project_id === project);
  const [
    servers,
    ports,
    floatingIps,
    networks,
    routers,
    groups,
    volumes,
    balancers,
    listeners,
    pools,
    monitors,
    serverGroups,
    credentials,
  ] = await Promise.all([
    collect(compute.servers.list()),
    collect(network.ports.list()),
    collect(network.floatingIps.list()),
    collect(network.networks.list()),
    collect(network.routers.list()),
    collect(network.securityGroups.list()),
    collect(blockStorage.volumes.list()),
    collect(loadBalancer.loadBalancers.list()),
    collect(loadBalancer.listeners.list()),
    collect(loadBalancer.pools.list()),
    collect(loadBalancer.healthMonitors.list()),
    collect(compute.serverGroups.list()),
    identity.applicationCredentials.list(),
  ]);
  return {
    servers: servers.length,
    ports: own(ports).length,
    floatingIps: own(floatingIps).length,
    networks: own(networks).filter((n) => !n['router:external']).length,
    routers: own(routers).length,
    securityGroups: own(groups).filter((g) => g.name !== 'default').length,
    volumes: volumes.length,
    loadBalancers: own(balancers).length,
    listeners: own(listeners).length,
    pools: own(pools).length,
    healthMonitors: own(monitors).length,
    serverGroups: serverGroups.length,
    applicationCredentials: credentials.length,
  };
}

/** Names the holdings that are not what they were. */
export const difference = (before: Holdings, now: Holdings): string[] =>
  Object.entries(now).flatMap(([kind, count]) =>
    count === (before[kind] ?? 0) ? [] : [`${count - (before[kind] ?? 0)} ${kind}`],
  );
