import { Agent, request } from 'node:https';
import { issue } from '@shoto/pki';
import { Agent as HttpAgent, WebSocket } from 'undici';
import { SimulatorClock } from '../../core/clock.ts';
import { EventHub, type PoweredServer } from '../../core/hypervisor.ts';
import { Latency } from '../../core/latency.ts';
import { Random } from '../../core/random.ts';
import { Machines } from '../machines.ts';
import { FakeWorker } from './fake-worker.ts';

type Json = Record<string, unknown>;

/** What an API server answered. */
interface ApiAnswer {
  status: number;
  /** Empty where it is no JSON. */
  body: Json;
  text: string;
}

/** Who runs a command, where, and how it is spoken. */
interface ExecOptions {
  user?: string;
  groups?: string[];
  protocols?: string[];
  container?: string;
}

/** What a command said on each channel. */
interface ExecAnswer {
  protocol: string;
  stdout: string;
  stderr: string;
  status: Json;
}

/** The token that `kubeadm init` of the lab makes. */
const TOKEN = 'aaaaaa.0123456789abcdef';
const NETWORK = 'net-1';
const VIP = '10.0.0.5';

let slices = 0;

/** Machines with a bootstrap-worker, a load balancer in front of the control plane and its floating IP. */
export class Lab {
  readonly clock: SimulatorClock;
  readonly hub = new EventHub();
  readonly machines: Machines;
  readonly worker: FakeWorker;
  /** Outside address of the API: a loopback address of this test alone. */
  readonly floating: string;
  readonly said: string[] = [];
  /** Networks of ports that are not in the one of the lab. */
  readonly networkOf = new Map<string, string>();
  #agent: Agent | undefined;

  private constructor(worker: FakeWorker, clock: SimulatorClock) {
    this.worker = worker;
    this.clock = clock;
    this.floating = `127.${100 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 250}.${++slices}`;
    const random = new Random(1);
    this.machines = new Machines({
      clock,
      latency: new Latency({ profile: 'none', operations: {} }, random),
      random,
      networkOf: (portId) => this.networkOf.get(portId) ?? NETWORK,
      say: (what) => this.said.push(what),
    });
    this.machines.follow(this.hub);
  }

  static async start(clock = new SimulatorClock()): Promise<Lab> {
    return new Lab(await FakeWorker.start(), clock);
  }

  close(): void {
    this.#agent?.destroy();
    this.machines.close();
    this.worker.close();
    this.clock.close();
  }

  /** A server as Nova would switch it on. */
  server(name: string, address: string, over: Partial<PoweredServer> = {}): PoweredServer {
    return {
      id: `id-of-${name}`,
      name,
      userData: this.worker.userData(name),
      metadata: {},
      flavor: { vcpus: 2, ramMiB: 4096, diskGiB: 20 },
      imageId: 'image',
      image: { id: 'image', name: 'node', properties: { kubernetes_version: 'v1.35.4', containerd_version: '2.1.4' } },
      zone: 'az1',
      ports: [
        { id: `port-of-${name}`, mac: 'fa:16:3e:00:00:01', address, subnetCidr: '10.0.0.0/24', networkId: NETWORK },
      ],
      ...over,
    };
  }

  /** The load balancer of the API with these members, and its floating IP. */
  balance(...members: string[]): void {
    this.hub.loadBalancer({
      id: 'lb',
      vipPortId: 'vip',
      vipAddress: VIP,
      deleted: false,
      listeners: [
        { port: 6443, pool: { members: members.map((address) => ({ address, port: 6443, adminStateUp: true })) } },
      ],
    });
    this.hub.floatingIp({ address: this.floating, portId: 'vip', fixedAddress: VIP });
  }

  /** Boots a control plane `cp-1` behind the load balancer. */
  bootControlPlane(o: { cluster?: object; artifacts?: object[] } = {}, server: Partial<PoweredServer> = {}): void {
    this.balance('10.0.0.11');
    const task = {
      role: 'init' as const,
      name: 'cp-1',
      address: '10.0.0.11',
      endpoint: `${VIP}:6443`,
      sans: [VIP, this.floating],
      ...o,
    };
    this.worker.tasks.set('cp-1', task);
    this.machines.powerOn(this.server('cp-1', '10.0.0.11', server));
  }

  /** Boots a machine that joins. */
  bootNode(
    name: string,
    address: string,
    o: { token?: string; role?: 'worker' | 'control-plane'; taints?: object[] } = {},
    server: Partial<PoweredServer> = {},
  ): void {
    const { token = TOKEN, role = 'worker', taints } = o;
    this.worker.tasks.set(name, { role, name, address, endpoint: `${VIP}:6443`, token, ...(taints ? { taints } : {}) });
    this.machines.powerOn(this.server(name, address, server));
  }

  /** One request to the cluster's API at its outside address, with an administrator's certificate. */
  async api(method: string, path: string, body?: unknown, type = 'application/json'): Promise<ApiAnswer> {
    this.#agent ??= await this.agent('kubernetes-admin', ['kubeadm:cluster-admins']);
    return call(this.#agent, this.floating, method, path, body, type);
  }

  /** A client with a certificate of the cluster's CA. */
  async agent(user: string, groups: string[]): Promise<Agent> {
    const { ca } = this.worker.pki;
    const own = await issue(ca, { commonName: user, organizations: groups, usages: ['client'], seconds: 600 });
    return new Agent({ ca: ca.certificate, cert: own.certificate, key: own.key, keepAlive: true });
  }

  /** Runs a command in a container over a WebSocket, as kubectl does. */
  async exec(pod: string, command: string[], o: ExecOptions = {}): Promise<ExecAnswer> {
    const { user = 'kubernetes-admin', groups = ['kubeadm:cluster-admins'], protocols = ['v5.channel.k8s.io'] } = o;
    const { ca } = this.worker.pki;
    const own = await issue(ca, { commonName: user, organizations: groups, usages: ['client'], seconds: 600 });
    const dispatcher = new HttpAgent({
      allowH2: false,
      connect: { ca: ca.certificate, cert: own.certificate, key: own.key },
    });
    const query = new URLSearchParams([
      ['container', o.container ?? ''],
      ['stdout', 'true'],
      ['stderr', 'true'],
      ...command.map((word): [string, string] => ['command', word]),
    ]);
    const url = `wss://${this.floating}:6443/api/v1/namespaces/kube-system/pods/${pod}/exec?${query}`;
    const channels = new Map<number, string>();
    try {
      return await new Promise((resolve, reject) => {
        const socket = new WebSocket(url, { protocols, dispatcher });
        socket.binaryType = 'arraybuffer';
        socket.onmessage = ({ data }) => {
          const message = Buffer.from(data as ArrayBuffer);
          const channel = message[0] ?? -1;
          channels.set(channel, (channels.get(channel) ?? '') + message.subarray(1).toString());
        };
        socket.onerror = (e) => reject(e.error ?? new Error('the WebSocket was refused'));
        socket.onclose = () =>
          resolve({
            protocol: socket.protocol,
            stdout: channels.get(1) ?? '',
            stderr: channels.get(2) ?? '',
            status: JSON.parse(channels.get(3) ?? '{}') as Json,
          });
      });
    } finally {
      await dispatcher.destroy();
    }
  }

  /** Runs etcdctl with a member's certificates, as JSON; the exit code with what it printed. */
  async etcdctl(node: string, endpoints: string[], ...words: string[]): Promise<ExecAnswer & { exitCode: number }> {
    const pki = '/etc/kubernetes/pki/etcd';
    const answer = await this.exec(`etcd-${node}`, [
      'etcdctl',
      `--endpoints=${endpoints.map((a) => `https://${a}:2379`).join(',')}`,
      `--cacert=${pki}/ca.crt`,
      `--cert=${pki}/healthcheck-client.crt`,
      `--key=${pki}/healthcheck-client.key`,
      '-w',
      'json',
      ...words,
    ]);
    const causes = (answer.status.details as { causes?: { reason: string; message: string }[] } | undefined)?.causes;
    const exit = causes?.find((c) => c.reason === 'ExitCode')?.message;
    return { ...answer, exitCode: answer.status.status === 'Success' ? 0 : Number(exit) };
  }

  /** Applies objects server-side. */
  async apply(...objects: { path: string; object: object }[]): Promise<void> {
    for (const { path, object } of objects) {
      const answer = await this.api(
        'PATCH',
        `${path}?fieldManager=test&force=true`,
        object,
        'application/apply-patch+yaml',
      );
      if (answer.status >= 300) throw new Error(`PATCH ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }

  /** Objects at a path, by name. */
  async list(path: string): Promise<Map<string, Json>> {
    const { status, body } = await this.api('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return new Map(
      (body.items as { metadata: { name: string } }[]).map((o) => [o.metadata.name, o as unknown as Json]),
    );
  }

  /** Names of nodes with the status of their condition Ready. */
  async nodes(): Promise<Record<string, string>> {
    const found = await this.list('/api/v1/nodes');
    return Object.fromEntries([...found].map(([name, o]) => [name, conditionOf(o, 'Ready')]));
  }
}

/** One request over TLS. */
export function call(
  agent: Agent,
  host: string,
  method: string,
  path: string,
  body?: unknown,
  type = 'application/json',
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { agent, host, port: 6443, method, path, headers: { 'content-type': type, accept: 'application/json' } },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (p: Buffer) => parts.push(p));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          resolve({
            status: answer.statusCode ?? 0,
            body: text.startsWith('{') ? (JSON.parse(text) as Json) : {},
            text,
          });
        });
      },
    );
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** Status of a condition; '' where there is none. */
export function conditionOf(o: Json, type: string): string {
  const conditions = ((o.status as Json)?.conditions ?? []) as { type: string; status: string }[];
  return conditions.find((c) => c.type === type)?.status ?? '';
}

/** Looks until `probe` gives something; a refused connection counts as nothing. At most ten seconds. */
export async function until<T>(what: string, probe: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = Date.now() + 10_000;
  let last: unknown;
  while (Date.now() < end) {
    try {
      const found = await probe();
      if (found !== undefined) return found;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`gave up waiting for ${what}${last ? `; the last error: ${String(last)}` : ''}`);
}
