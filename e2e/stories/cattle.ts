import {
  type Cluster,
  ClusterKind,
  findCondition,
  type Machine,
  MachineKind,
  resourceOf,
  tenantNamespace,
} from '@shoto/api';
import { connectionFromKubeconfig, KubeClient } from '@shoto/kube';
import { collect } from 'openstack-client-ts';
import { expect } from 'vitest';
import { until } from '../poll.ts';
import { kubeconfigFile, type Result, shoto, tier, type World } from '../world.ts';

/** Whether machines of this tier run Kubernetes. */
export const boots = tier !== 'api';

/** How long a state is waited for: generous, since the machine may be busy. Tests that wait have {@link TEST_MS}. */
export const PATIENCE_MS = 240_000;
export const TEST_MS = 400_000;

const CLUSTERS = resourceOf(ClusterKind);
const MACHINES = resourceOf(MachineKind);

/** What stories of sizing, replacement and healing look at, of one world. */
export class Cattle {
  readonly world: World;
  readonly namespace: string;
  readonly #workloads: KubeClient[] = [];

  constructor(world: World) {
    this.world = world;
    this.namespace = tenantNamespace(world.system.tenant);
  }

  /** Runs `shoto`, which must end well. @returns what it printed */
  async shoto(...args: string[]): Promise<string> {
    return said(args, await this.world.shoto(...args));
  }

  /** Runs `shoto` as an administrator, which must end well. */
  async admin(...args: string[]): Promise<string> {
    const { system } = this.world;
    const tokens = { ...system.tokens, demo: system.tokens.admin };
    return said(args, await shoto({ ...system, tokens }, args));
  }

  async cluster(name: string): Promise<Cluster> {
    const found = await this.world.management.get<Cluster>(CLUSTERS, { namespace: this.namespace, name });
    if (!found) throw new Error(`there is no cluster ${name}`);
    return found;
  }

  /** A condition of a cluster, in whichever map of its status it stands. */
  async condition(name: string, type: string) {
    const { status } = await this.cluster(name);
    return findCondition(
      [
        ...(status?.conditions ?? []),
        ...(status?.infrastructure.conditions ?? []),
        ...(status?.controlPlane.conditions ?? []),
        ...(status?.health.conditions ?? []),
      ],
      type,
    );
  }

  /** The Machines of a cluster, or of one of its pools, by name. */
  async machines(cluster: string, pool?: string): Promise<Machine[]> {
    return (await this.world.management.listAll<Machine>(MACHINES, { namespace: this.namespace }))
      .filter((m) => m.spec.cluster.name === cluster && (pool === undefined || m.spec.pool === pool))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  /**
   * Waits until a pool has just so many machines, all of which work (where machines do not boot: whose servers run).
   *
   * @returns them
   */
  async settled(cluster: string, pool: string, count: number, also: (m: Machine) => boolean = () => true) {
    return await until(
      `${count} machines in pool ${pool} of ${cluster}`,
      async () => {
        const all = await this.machines(cluster, pool);
        if (all.length === count && all.every((m) => works(m) && also(m))) return all;
        throw new Error(
          all
            .map((m) => {
              const { server, health, bootstrap } = m.status ?? {};
              const why = [
                ...(server?.conditions ?? []),
                ...(bootstrap?.conditions ?? []),
                ...(health?.conditions ?? []),
              ]
                .filter((c) => c.status !== 'True')
                .map((c) => `${c.type} ${c.reason}`);
              return `${m.metadata.name} of ${m.spec.release}${m.metadata.deletionTimestamp ? ' leaving' : ''} ${server?.state} ${health?.ready} ${why.join(', ')}`;
            })
            .join('; '),
        );
      },
      PATIENCE_MS,
    );
  }

  /** Every Machine has one server, and every server one Machine. */
  async oneToOne(): Promise<void> {
    const all = await this.world.management.listAll<Machine>(MACHINES, { namespace: this.namespace });
    const servers = await collect(this.world.cloud.compute.servers.list());
    expect(servers.map((s) => s.name).sort()).toEqual(all.map((m) => m.metadata.name).sort());
    expect(all.map((m) => m.status?.server.id).sort()).toEqual(servers.map((s) => s.id).sort());
  }

  /** A client of a cluster's own API, as a person. */
  async workload(cluster: string): Promise<KubeClient> {
    const client = new KubeClient({
      connection: await connectionFromKubeconfig({ file: await kubeconfigFile(this.world, cluster) }),
      userAgent: 'test',
    });
    this.#workloads.push(client);
    return client;
  }

  /** Orders something from the simulator. */
  async simulator(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<void> {
    const { origin } = new URL(this.world.system.simulator!.adminUrl);
    const answer = await fetch(`${origin}/admin${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  }

  async end(): Promise<void> {
    await Promise.all(this.#workloads.map((c) => c.close()));
    await this.world.end();
  }
}

const works = (m: Machine): boolean =>
  !m.metadata.deletionTimestamp &&
  m.status?.server.state === 'Active' &&
  (!boots || (m.status.bootstrap.joinedAt !== undefined && m.status.health.ready === true));

function said(args: string[], { code, stdout, stderr }: Result): string {
  if (code !== 0) throw new Error(`shoto ${args.join(' ')} ended with ${code}: ${stderr}\n${stdout}`);
  return stdout;
}

export const names = (machines: Machine[]): string[] => machines.map((m) => m.metadata.name).sort();

/** How many machines are in each zone, fewest first. */
export function perZone(machines: Machine[], zones: readonly string[]): number[] {
  return zones.map((z) => machines.filter((m) => m.status?.server.zone === z).length).sort((a, b) => a - b);
}

/** UIDs of machines: a name that is free again may be given again. */
export const uids = (machines: Machine[]): string[] => machines.map((m) => m.metadata.uid!).sort();

const NONE = -1;
/** Quotas of a simulated cloud that are in nobody's way. */
export const UNLIMITED = {
  default: {
    compute: { instances: NONE, cores: NONE, ram: NONE, server_groups: NONE, server_group_members: NONE },
    network: {
      network: NONE,
      subnet: NONE,
      port: NONE,
      router: NONE,
      floatingip: NONE,
      security_group: NONE,
      security_group_rule: NONE,
    },
    volume: { volumes: NONE, gigabytes: NONE },
  },
};
