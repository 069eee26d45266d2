import type { Cluster, Machine, Tenant } from '@shoto/api';
import { SimulatedCluster, type SimulatedServer } from './simulators.ts';
import { CLUSTERS, MACHINES, NAMESPACE, TENANTS, type World } from './world.ts';

/** How the model hurts a machine. */
export type Hurt = 'die' | 'silent' | 'off' | 'diskFull';

const clusters = new Set<SimulatedCluster>();
const { memberUp } = SimulatedCluster.prototype;
// Workload clusters are made by their first machine, deep inside the simulator: they are noted where they come up.
SimulatedCluster.prototype.memberUp = function (this: SimulatedCluster, ...args) {
  clusters.add(this);
  return memberUp.apply(this, args);
};

/** How things are, as nobody in the world can see them: read from the inside of the simulators, without a request. */
export class Truth {
  readonly #world: World;
  /** What was done to machines by the ID of their server, and not undone. (Names come again.) */
  readonly hurt = new Map<string, Hurt>();

  constructor(world: World) {
    this.#world = world;
    clusters.clear();
    const { state } = world.cloud;
    const { hypervisor } = state;
    const mended = (id: string): void => {
      // A machine that has died does not come back.
      if (this.hurt.get(id) !== 'die') this.hurt.delete(id);
    };
    state.hypervisor = {
      powerOn: (server) => {
        mended(server.id);
        hypervisor.powerOn(server);
      },
      powerOff: (id, how) => hypervisor.powerOff(id, how),
      reboot: (id, how) => {
        mended(id);
        hypervisor.reboot(id, how);
      },
      destroy: (id) => hypervisor.destroy(id),
      consoleLog: (id) => hypervisor.consoleLog(id),
    };
  }

  /** All Machines of a cluster, or of all. */
  machines(cluster?: string): Machine[] {
    const all = this.#world.management.resource(MACHINES).list({ namespace: NAMESPACE }) as unknown as Machine[];
    return cluster === undefined ? all : all.filter((m) => m.spec.cluster.name === cluster);
  }

  cluster(name: string): Cluster | undefined {
    return this.#world.management.resource(CLUSTERS).get({ namespace: NAMESPACE, name }) as unknown as
      | Cluster
      | undefined;
  }

  clusters(): Cluster[] {
    return this.#world.management.resource(CLUSTERS).list({ namespace: NAMESPACE }) as unknown as Cluster[];
  }

  /** Machines that clusters hold of the tenant's quota, by the Cluster's UID. */
  reserved(): Record<string, number> {
    const tenant = this.#world.management.resource(TENANTS).get({ name: 'demo' }) as unknown as Tenant;
    const held = Object.entries(tenant.status?.reserved?.clusters ?? {});
    return Object.fromEntries(held.map(([uid, { machines }]) => [uid, machines]));
  }

  /** Servers that are there and were not told to go. */
  servers(): SimulatedServer[] {
    return [...this.#world.cloud.state.compute.servers.values()].filter((s) => s.taskState !== 'deleting');
  }

  /** Everything that the project holds, by kind, leaving out what each project has. */
  holdings(): Record<string, number> {
    const { compute, network, volume, loadBalancer, identity } = this.#world.cloud.state;
    const project = [...identity.projects.by('name', 'shoto')][0]?.id;
    const own = (rows: Iterable<{ project_id?: string; projectId?: string }>) =>
      [...rows].filter((r) => (r.project_id ?? r.projectId) === project).length;
    const counts: Record<string, number> = {
      servers: [...compute.servers.values()].length,
      serverGroups: [...compute.groups.values()].length,
      ports: own(network.ports.values()),
      networks: own(network.networks.values()),
      routers: own(network.routers.values()),
      floatingIps: own(network.floatingIps.values()),
      securityGroups: [...network.groups.values()].filter((g) => g.project_id === project && g.name !== 'default')
        .length,
      volumes: [...volume.volumes.values()].length,
      loadBalancers: [...loadBalancer.balancers.values()].length,
      applicationCredentials: [...identity.applicationCredentials.values()].length,
    };
    return Object.fromEntries(Object.entries(counts).filter(([, n]) => n > 0));
  }

  /** The workload cluster of that Cluster, once it came up; the newest, where a control plane was lost and made again. */
  workload(cluster: string): SimulatedCluster | undefined {
    return [...clusters].findLast((c) => [...c.members.values()].some((m) => m.nodeName.startsWith(`${cluster}-`)));
  }

  /** Whether a machine does its work: its server runs, nobody hurt it, its node is Ready. */
  works(m: Machine): boolean {
    const name = m.metadata.name;
    const server = this.servers().find((s) => s.name === name);
    if (server?.status !== 'ACTIVE' || this.hurt.has(server.id)) return false;
    return this.nodeReady(m.spec.cluster.name, name);
  }

  /** What the node says of itself. */
  nodeReady(cluster: string, node: string): boolean {
    const nodes = this.workload(cluster)?.server.resource({ group: '', version: 'v1', plural: 'nodes' });
    const found = nodes?.get({ name: node }) as
      | { status?: { conditions?: { type: string; status: string }[] } }
      | undefined;
    return found?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
  }
}

/** A machine as the services see it: joined, and said to be ready. */
export const isUsable = (m: Machine): boolean =>
  Boolean(m.status?.bootstrap?.joinedAt) && m.status?.health?.ready === true && !m.metadata.deletionTimestamp;
