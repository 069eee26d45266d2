import type { KeyedCertificate } from '@shoto/pki';
import type { Clock } from '../../core/clock.ts';
import type { Latency } from '../../core/latency.ts';
import type { Random } from '../../core/random.ts';
import { type ApiServer, createApiServer } from '../../kubernetes/index.ts';
import type { ClusterConfiguration } from '../kubeadm/config.ts';
import { Workloads } from '../workloads/workloads.ts';
import { clusterId, servingCertificate } from './pki.ts';

/** What a machine brings that makes a cluster. */
export interface ClusterSeed {
  ca: KeyedCertificate;
  /** PEM. */
  serviceAccountKey: string;
  configuration: ClusterConfiguration;
}

/** A control-plane machine: a stacked etcd member and an API server. */
export interface Member {
  serverId: string;
  nodeName: string;
  address: string;
  running: boolean;
}

/** What all clusters of a simulator share. */
export interface ClusterWorld {
  clock: Clock;
  latency: Latency;
  random: Random;
  /** Told of what should not happen. */
  say: (what: string) => void;
}

/** One simulated workload cluster: its API server in memory, its control-plane machines, its controllers. */
export class SimulatedCluster {
  readonly id: string;
  readonly server: ApiServer;
  readonly seed: ClusterSeed;
  readonly workloads: Workloads;
  readonly world: ClusterWorld;
  readonly members = new Map<string, Member>();
  #serving: Promise<KeyedCertificate> | undefined;
  #up = false;
  #waiting = new Set<() => void>();

  constructor(world: ClusterWorld, seed: ClusterSeed) {
    this.world = world;
    this.seed = seed;
    this.id = clusterId(seed.ca.certificate);
    const { clock } = world;
    const random = world.random.fork(this.id);
    let workloads: Workloads | undefined;
    this.server = createApiServer({
      name: seed.configuration.clusterName,
      version: seed.configuration.kubernetesVersion,
      watchWindow: 200,
      serviceCidr: seed.configuration.networking.serviceSubnet,
      rootCa: seed.ca.certificate,
      clock: {
        now: () => clock.now(),
        setTimeout: (fn, ms) => clock.setTimeout(fn, ms),
        clearTimeout: (timer) => (timer as { cancel(): void } | undefined)?.cancel(),
      },
      random: () => random.next(),
      authn: { serviceAccountKey: seed.serviceAccountKey },
      mayEvict: (pod) => workloads?.mayEvict(pod),
    });
    workloads = new Workloads({
      server: this.server,
      clock,
      latency: world.latency,
      random,
      say: (what) => world.say(`${seed.configuration.clusterName}: ${what}`),
      podSubnet: seed.configuration.networking.podSubnet,
      members: () => [...this.members.values()],
      // Who takes a control-plane node out for good takes its etcd member out.
      onNodeGone: (name) => this.memberRemoved(name),
    });
    this.workloads = workloads;
  }

  /** Whether its API answers: more than half of its etcd members run. */
  get up(): boolean {
    return this.#up;
  }

  /** The address of a control-plane machine that answers for the API, if one does. */
  answersAt(address: string): boolean {
    return this.#up && [...this.members.values()].some((m) => m.running && m.address === address);
  }

  /** The certificate that its API servers show; made when it is first needed. */
  serving(): Promise<KeyedCertificate> {
    const first = [...this.members.values()][0];
    this.#serving ??= servingCertificate(this.seed.ca, this.seed.configuration, {
      nodeName: first?.nodeName ?? 'kubernetes',
      address: first?.address ?? '',
    });
    return this.#serving;
  }

  /** A control-plane machine comes up, for the first time or again. */
  memberUp(m: Omit<Member, 'running'>): void {
    this.members.set(m.serverId, { ...m, running: true });
    this.#judge();
  }

  /** It went down, and may come again. */
  memberDown(serverId: string): void {
    const member = this.members.get(serverId);
    if (member) member.running = false;
    this.#judge();
  }

  /** Its etcd member was taken out. */
  memberRemoved(nodeName: string): void {
    for (const m of this.members.values()) if (m.nodeName === nodeName && !m.running) this.members.delete(m.serverId);
    this.#judge();
  }

  /** Resolves once the API answers. @returns false when it did not within `ms` */
  whenUp(ms: number): Promise<boolean> {
    if (this.#up) return Promise.resolve(true);
    return new Promise((resolve) => {
      const up = (): void => {
        timer.cancel();
        resolve(true);
      };
      const timer = this.world.clock.setTimeout(() => {
        this.#waiting.delete(up);
        resolve(false);
      }, ms);
      this.#waiting.add(up);
    });
  }

  /** Ends all that runs for it. */
  close(): void {
    this.#up = false;
    this.workloads.close();
    this.server.close();
  }

  #judge(): void {
    this.workloads.membersChanged();
    const running = [...this.members.values()].filter((m) => m.running).length;
    const up = running > this.members.size / 2;
    if (up === this.#up) return;
    this.#up = up;
    if (up) {
      this.workloads.resume();
      for (const told of this.#waiting) told();
      this.#waiting.clear();
    } else {
      this.workloads.suspend();
      this.server.dropStreams();
    }
  }
}
