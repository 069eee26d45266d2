import { request } from 'node:http';
import { connectionFromKubeconfig, type HasMeta, KubeClient, NODES, Reflector } from '@shoto/kube';
import type { OpenStack } from 'openstack-client-ts';
import { $ } from 'zx';
import { until } from '../../poll.ts';
import { expectThat } from '../scene.ts';

/** How often the Service is asked, and how long an answer may take. */
const EVERY_MS = 100;
const ANSWER_MS = 5_000;
/** How often a node that is not in its turn yet is checked, and how many checks it must answer in a row. */
const CHECK_MS = 1_000;
const CHECKS = 2;

interface Node extends HasMeta {
  status?: { addresses?: { type: string; address: string }[]; conditions?: { type: string; status: string }[] };
}

/** A request that got no good answer. */
export interface Failure {
  at: string;
  node: string;
  why: string;
}

/** What came of the requests since the last time that somebody asked. */
export interface Tally {
  asked: number;
  failed: Failure[];
}

const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** Whether a load balancer sends to a node: the rule of Kubernetes' service controller. */
function isBackEnd(node: Node): boolean {
  return (
    node.metadata.labels?.[EXCLUDED] === undefined &&
    node.metadata.labels?.['node-role.kubernetes.io/control-plane'] === undefined &&
    (node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false)
  );
}

/**
 * Asks a Service by its NodePort every 100 ms, from this host, which is none of the cluster's machines. Takes its back ends from the Nodes as
 * a cloud's load balancer does: Ready, not excluded, and in its turn only after it answered two health checks.
 */
export class Traffic {
  readonly #nodes: Reflector<Node>;
  readonly #client: KubeClient;
  readonly #port: number;
  readonly #cidr: string;
  readonly #timer: NodeJS.Timeout;
  readonly #checks: NodeJS.Timeout;
  /** Health checks that a node answered in a row, by its UID. */
  readonly #good = new Map<string, number>();
  #turn = 0;
  #tally: Tally = { asked: 0, failed: [] };

  private constructor(client: KubeClient, port: number, cidr: string) {
    this.#client = client;
    this.#port = port;
    this.#cidr = cidr;
    this.#nodes = new Reflector<Node>({ client, type: NODES, onError: () => {} });
    this.#nodes.start();
    this.#timer = setInterval(() => this.#ask(), EVERY_MS);
    this.#checks = setInterval(() => this.#check(), CHECK_MS);
  }

  /**
   * Starts to ask. This host gets a route to the machines by their router; it is taken back by {@link end}.
   *
   * @param o.kubeconfig - a person's, as text
   * @param o.port - NodePort of the Service
   */
  static async start(
    cloud: OpenStack,
    o: { kubeconfig: string; port: number; subnetId: string; routerId: string },
  ): Promise<Traffic> {
    const { cidr } = await cloud.network.subnets.get(o.subnetId);
    const router = await cloud.network.routers.get(o.routerId);
    const gateway = router.external_gateway_info?.external_fixed_ips?.[0]?.ip_address;
    expectThat(gateway !== undefined, `the router ${o.routerId} has no address outside`);
    await $({ quiet: true })`ip route replace ${cidr} via ${gateway}`;
    const connection = await connectionFromKubeconfig({ text: o.kubeconfig });
    const traffic = new Traffic(new KubeClient({ connection, userAgent: 'shoto-e2e-traffic' }), o.port, cidr);
    await until('a node in its turn', async () => [...traffic.#good.values()].some((n) => n >= CHECKS), 60_000);
    traffic.take();
    return traffic;
  }

  /** What came of it since the last call. */
  take(): Tally {
    const tally = this.#tally;
    this.#tally = { asked: 0, failed: [] };
    return tally;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    clearInterval(this.#checks);
    await this.#nodes.stop();
    await this.#client.close();
    await $({ quiet: true, nothrow: true })`ip route del ${this.#cidr}`;
  }

  #nodesReady(): Node[] {
    return this.#nodes
      .list()
      .filter(isBackEnd)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  }

  /** Brings new nodes into their turn. One that is in it stays as long as its Node says so. */
  #check(): void {
    for (const node of this.#nodesReady()) {
      const uid = node.metadata.uid ?? '';
      const good = this.#good.get(uid) ?? 0;
      if (good >= CHECKS) continue;
      get(hostOf(node), this.#port, CHECK_MS).then(
        () => this.#good.set(uid, good + 1),
        () => this.#good.set(uid, 0),
      );
    }
  }

  #ask(): void {
    const backEnds = this.#nodesReady().filter((n) => (this.#good.get(n.metadata.uid ?? '') ?? 0) >= CHECKS);
    const node = backEnds[this.#turn++ % Math.max(1, backEnds.length)];
    const tally = this.#tally;
    tally.asked++;
    const at = new Date().toISOString();
    get(node && hostOf(node), this.#port, ANSWER_MS).catch((e: Error) =>
      tally.failed.push({ at, node: node?.metadata.name ?? 'none', why: e.message }),
    );
  }
}

const hostOf = (node: Node): string | undefined =>
  node.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;

/** One request on a connection of its own. @throws {Error} unless it is answered with 200, whole, and in time */
async function get(host: string | undefined, port: number, timeoutMs: number): Promise<void> {
  if (!host) throw new Error('there is no node to ask');
  await new Promise<void>((resolve, reject) => {
    const asked = request({ host, port, path: '/', agent: false, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      answer.resume();
      answer.once('error', reject);
      answer.once('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`)),
      );
    });
    asked.once('error', reject);
    asked.end();
  });
}
