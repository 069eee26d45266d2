import { request } from 'node:http';
import { connectionFromKubeconfig, type HasMeta, KubeClient, NODES, Reflector } from '@shoto/kube';
import type { OpenStack } from 'openstack-client-ts';
import { $ } from 'zx';
import { expectThat } from '../scene.ts';

/** How often the Service is asked, and how long an answer may take. */
const EVERY_MS = 100;
const ANSWER_MS = 5_000;

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
 * a cloud's load balancer does: Ready, and not excluded.
 */
export class Traffic {
  readonly #nodes: Reflector<Node>;
  readonly #client: KubeClient;
  readonly #port: number;
  readonly #cidr: string;
  readonly #timer: NodeJS.Timeout;
  #turn = 0;
  #tally: Tally = { asked: 0, failed: [] };

  private constructor(client: KubeClient, port: number, cidr: string) {
    this.#client = client;
    this.#port = port;
    this.#cidr = cidr;
    this.#nodes = new Reflector<Node>({ client, type: NODES, onError: () => {} });
    this.#nodes.start();
    this.#timer = setInterval(() => this.#ask(), EVERY_MS);
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
    return new Traffic(new KubeClient({ connection, userAgent: 'shoto-e2e-traffic' }), o.port, cidr);
  }

  /** What came of it since the last call. */
  take(): Tally {
    const tally = this.#tally;
    this.#tally = { asked: 0, failed: [] };
    return tally;
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#nodes.stop();
    await this.#client.close();
    await $({ quiet: true, nothrow: true })`ip route del ${this.#cidr}`;
  }

  #ask(): void {
    const backEnds = this.#nodes
      .list()
      .filter(isBackEnd)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const node = backEnds[this.#turn++ % Math.max(1, backEnds.length)];
    const host = node?.status?.addresses?.find((a) => a.type === 'InternalIP')?.address;
    const tally = this.#tally;
    tally.asked++;
    const at = new Date().toISOString();
    const fail = (why: string): void => {
      tally.failed.push({ at, node: node?.metadata.name ?? 'none', why });
    };
    if (!host) {
      fail('there is no node to ask');
      return;
    }
    const asked = request(
      { host, port: this.#port, path: '/', agent: false, signal: AbortSignal.timeout(ANSWER_MS) },
      (answer) => {
        answer.resume();
        answer.once('end', () => {
          if (answer.statusCode !== 200) fail(`status ${answer.statusCode}`);
        });
        answer.once('error', (e) => fail(`answer cut off: ${e.message}`));
      },
    );
    asked.once('error', (e) => fail(e.message));
    asked.end();
  }
}
