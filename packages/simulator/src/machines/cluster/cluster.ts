import type { KeyedCertificate } from '@shoto/pki';
import type { ApiFaults } from '../../core/api-faults.ts';
import type { Clock } from '../../core/clock.ts';
import type { Latency } from '../../core/latency.ts';
import type { Random } from '../../core/random.ts';
import type { RequestInfo } from '../../kubernetes/http/request-info.ts';
import { type ApiServer, createApiServer, handleExec, type Intercepted, StatusError } from '../../kubernetes/index.ts';
import { orderedFault } from '../../kubernetes/ordered-faults.ts';
import { Etcd } from '../etcd/etcd.ts';
import type { ClusterConfiguration } from '../kubeadm/config.ts';
import { etcdVersion } from '../kubeadm/images.ts';
import { Workloads } from '../workloads/workloads.ts';
import { type ExecWorld, runInContainer } from './exec.ts';
import { clusterId, servingCertificate } from './pki.ts';

/** What a machine brings that makes a cluster. */
export interface ClusterSeed {
  ca: KeyedCertificate;
  /** PEM. */
  serviceAccountKey: string;
  configuration: ClusterConfiguration;
}

/** A control-plane machine: an API server, and beside it the member of etcd that it stores in. */
export interface Member {
  serverId: string;
  nodeName: string;
  address: string;
  /** Of its static pods, such as `v1.35.4`. */
  version: string;
  /** Whether the machine runs and is reached. */
  running: boolean;
}

/** What all clusters of a simulator share. */
export interface ClusterWorld {
  clock: Clock;
  latency: Latency;
  random: Random;
  /** Ordered failures of Kubernetes APIs. */
  apiFaults: ApiFaults;
  /** Outside addresses that lead to a cluster now. */
  addressesOf(cluster: SimulatedCluster): string[];
  /** Told that machines serve, or serve no more. */
  onServing(cluster: SimulatedCluster): void;
  /** Told of what should not happen. */
  say: (what: string) => void;
}

/** How long an API server waits for its etcd: etcd's own limit for a request without a leader. */
const ETCD_REQUEST_MS = 7000;

/** One simulated workload cluster: its API in memory, its control-plane machines with their etcd, its controllers. */
export class SimulatedCluster {
  readonly id: string;
  readonly server: ApiServer;
  readonly seed: ClusterSeed;
  readonly workloads: Workloads;
  readonly world: ClusterWorld;
  readonly etcd: Etcd;
  readonly members = new Map<string, Member>();
  #serving: Promise<KeyedCertificate> | undefined;
  #up = false;
  #waiting = new Set<() => void>();
  #lastStartMs = 0;

  constructor(world: ClusterWorld, seed: ClusterSeed) {
    this.world = world;
    this.seed = seed;
    this.id = clusterId(seed.ca.certificate);
    const { clock } = world;
    const random = world.random.fork(this.id);
    this.etcd = new Etcd(random.fork('etcd'), () => this.#judge());
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
      connect: (x, pod, subresource) =>
        subresource === 'exec' ? handleExec(x, pod, (r) => runInContainer(this.#execWorld(), r)) : undefined,
      intercept: async (r) =>
        (await orderedFault(world.apiFaults, () => [this.name, ...world.addressesOf(this)], r)) ??
        (this.#up ? undefined : this.#withoutQuorum(r.info)),
    });
    workloads = new Workloads({
      server: this.server,
      clock,
      latency: world.latency,
      random,
      say: (what) => world.say(`${seed.configuration.clusterName}: ${what}`),
      podSubnet: seed.configuration.networking.podSubnet,
      members: () => [...this.members.values()].map((m) => ({ ...m, running: this.serves(m.serverId) })),
    });
    this.workloads = workloads;
  }

  /** As kubeadm's configuration has it. */
  get name(): string {
    return this.seed.configuration.clusterName;
  }

  /** Whether its API answers: more than half of etcd's voters run. */
  get up(): boolean {
    return this.#up;
  }

  /** Whether the API server of a machine runs: with its etcd taken out of the cluster, or gone, it ends and is started again for ever. */
  serves(serverId: string): boolean {
    return this.members.get(serverId)?.running === true && this.etcd.on(serverId)?.running === true;
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

  /** A control-plane machine comes up, for the first time or again. The first of all makes the etcd. */
  memberUp(m: Omit<Member, 'running'>): void {
    this.members.set(m.serverId, { ...m, running: true });
    const version = etcdVersion(m.version);
    if (this.etcd.members.length === 0 && !this.etcd.wasRemoved(m.serverId))
      this.etcd.bootstrap({ serverId: m.serverId, name: m.nodeName, address: m.address, version });
    else this.etcd.start(m.serverId, m.nodeName);
    this.#judge();
  }

  /**
   * When an API server that starts now has started, milliseconds since the epoch. Processes are told apart by hundredths of a second, and no two
   * start at once.
   */
  startOfApiServer(): number {
    this.#lastStartMs = Math.max(this.world.clock.now(), this.#lastStartMs + 10);
    return this.#lastStartMs;
  }

  /** It went down, and may come again. */
  memberDown(serverId: string): void {
    const member = this.members.get(serverId);
    if (member) member.running = false;
    this.etcd.stop(serverId);
    this.#judge();
  }

  /** Its machine is gone for good. Its member of etcd stays until somebody takes it out. */
  memberGone(serverId: string): void {
    this.memberDown(serverId);
    this.members.delete(serverId);
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

  #execWorld(): ExecWorld {
    return {
      clock: this.world.clock,
      etcd: this.etcd,
      isAlive: (node) => this.workloads.isAlive(node),
      machineOf: (node) => [...this.members.values()].find((m) => m.nodeName === node)?.serverId,
    };
  }

  /** What an API server says that finds no leader in its etcd. What it has in memory it still tells. */
  async #withoutQuorum(info: RequestInfo): Promise<Intercepted> {
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(info.path))
      return { status: 500, body: '[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\nhealthz check failed\n' };
    if (!info.resource) return undefined;
    if (info.verb === 'watch') {
      const said = new StatusError(429, 'TooManyRequests', 'storage is (re)initializing', { retryAfterSeconds: 1 });
      return { status: 429, body: said.body(), headers: { 'retry-after': '1' } };
    }
    if (await this.whenUp(ETCD_REQUEST_MS)) return undefined;
    const message = 'etcdserver: request timed out';
    return {
      status: 500,
      body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, code: 500 },
    };
  }

  #judge(): void {
    this.workloads.membersChanged();
    this.world.onServing(this);
    const up = this.etcd.hasQuorum;
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
