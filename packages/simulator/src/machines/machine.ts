import type { Clock, Timer } from '../core/clock.ts';
import type { NodeCondition, NodeFault } from '../core/faults.ts';
import type { PoweredServer } from '../core/hypervisor.ts';
import type { Latency } from '../core/latency.ts';
import { type AgentHost, type AgentState, runAgent } from './agent.ts';
import type { SimulatedCluster } from './cluster/cluster.ts';
import { clusterId } from './cluster/pki.ts';
import type { Backend } from './cluster/routes.ts';
import { Console } from './console.ts';
import { EtcdError } from './etcd/etcd.ts';
import { kubeadmImages } from './kubeadm/images.ts';
import { kubeadmInit } from './kubeadm/init.ts';
import { kubeadmJoin } from './kubeadm/join.ts';
import type { KubeadmHost, Membership } from './kubeadm/run.ts';
import { PowerLost, pause } from './pause.ts';
import type { PlannedStep, Programs } from './protocol.ts';
import { StepFailed } from './step-failed.ts';
import { readUserData } from './user-data.ts';
import type { NodeFacts, NodeState } from './workloads/node-object.ts';

/** What a machine is part of. */
export interface MachineWorld {
  clock: Clock;
  latency: Latency;
  clusters: KubeadmHost['clusters'];
  /** Told when what listens on the machine's port 6443 may have changed. */
  onChange(backend: Backend): void;
}

/** What survives a reboot. */
interface Disk {
  agent: AgentState;
  programs: Programs;
  files: Map<string, string>;
  /** Whether kubeadm left something that another run stumbles over. */
  dirty: boolean;
  membership?: Membership;
  node: NodeState;
}

/** An ordered failure that is in force. */
interface Ordered {
  curedBy: NonNullable<NodeFault['curedBy']>;
  timer: Timer | undefined;
}

const version = (text: string | undefined): string | null => (text ? (text.startsWith('v') ? text : `v${text}`) : null);

const plugsOf = (server: PoweredServer): Backend['plugs'] =>
  server.ports.map((p) => ({ portId: p.id, networkId: p.networkId, address: p.address }));

/** One simulated machine: its power, its disk, what runs on it. */
export class Machine implements Backend {
  plugs: Backend['plugs'];
  readonly console = new Console();
  #server: PoweredServer;
  readonly #world: MachineWorld;
  readonly #disk: Disk;
  #power: AbortController | undefined;
  #isDead = false;
  #silent: Ordered | undefined;
  readonly #ordered = new Map<NodeCondition | 'noPodNetwork', Ordered>();
  #serving = false;
  #startedAtMs = 0;
  #boots = 0;

  constructor(server: PoweredServer, world: MachineWorld) {
    this.#server = server;
    this.#world = world;
    this.plugs = plugsOf(server);
    const { kubernetes_version, containerd_version } = server.image.properties;
    const kubernetes = version(kubernetes_version);
    this.#disk = {
      agent: { started: false, done: [], joined: false },
      programs: {
        kubeadm: kubernetes,
        kubelet: kubernetes,
        containerd: version(containerd_version) ?? (kubernetes ? 'v2.1.4' : null),
      },
      files: new Map(),
      dirty: false,
      node: { networkReady: false, networkReported: false, networkBroken: false, ordered: new Map() },
    };
  }

  /** The cluster that answers on its port 6443 now; without a quorum it answers that it cannot. */
  cluster(): SimulatedCluster | undefined {
    const cluster = this.#serving ? this.#disk.membership?.cluster : undefined;
    return cluster?.serves(this.#server.id) ? cluster : undefined;
  }

  /** Of the API server that it runs. */
  get apiVersion(): string {
    return this.#disk.membership?.controlPlane?.version ?? '';
  }

  get name(): string {
    return this.#server.name;
  }

  /** When its API server started. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  /** What it is in its cluster; undefined before it has joined. */
  get membership(): Membership | undefined {
    return this.#disk.membership;
  }

  /** What Nova says of it at a later power-on: ports and flavor may have changed. */
  update(server: PoweredServer): void {
    this.#server = server;
    this.plugs = plugsOf(server);
  }

  powerOn(): void {
    if (this.#power || this.#isDead) return;
    this.#start((signal) => this.#boot(signal));
  }

  #start(work: (power: AbortSignal) => Promise<void>): void {
    const power = new AbortController();
    this.#power = power;
    work(power.signal).catch((error: unknown) => {
      if (!(error instanceof PowerLost) && !power.signal.aborted)
        this.console.print(
          `systemd[1]: shoto-machine.service: ${error instanceof Error ? error.message : String(error)}`,
        );
    });
  }

  powerOff(how: 'soft' | 'hard'): void {
    this.#cure('hard');
    this.#goDown(how);
  }

  #goDown(how: 'soft' | 'hard'): void {
    if (!this.#power) return;
    if (how === 'soft') this.console.print('systemd[1]: Reached target System Power Off.', 'reboot: Power down');
    this.#power.abort();
    this.#power = undefined;
    this.#stopNode();
  }

  /** A machine that has died does not come back; what else was ordered ends as it was ordered to. */
  reboot(how: 'soft' | 'hard'): void {
    this.#cure(how);
    this.#goDown(how);
    this.powerOn();
  }

  /** Lets it fail as ordered. Switching it off is Nova's affair. */
  fail(f: NodeFault): void {
    if (this.#isDead || f.fault === 'powerOff') return;
    if (f.fault === 'none') {
      this.#cure('all');
      return;
    }
    if (f.fault === 'die') {
      this.console.print('Kernel panic - not syncing: Fatal hardware error!');
      this.#isDead = true;
      this.#power?.abort();
      this.#power = undefined;
      this.#stopNode();
      return;
    }
    if (f.fault === 'silent') this.#fallSilent(f);
    else this.#order(f.fault === 'diskFull' ? 'DiskPressure' : f.fault, f);
  }

  // What still installs is cut off too; a silent machine stays on, as Nova sees it.
  #fallSilent(f: NodeFault): void {
    this.#silent?.timer?.cancel();
    this.#silent = this.#orderOf(f, 'reboot', () => this.#beHeard());
    this.#power?.abort();
    this.#stopNode();
  }

  /** It is reached again, without a boot in between. */
  #beHeard(): void {
    this.#silent = undefined;
    if (this.#power) this.#start((signal) => this.#live(signal));
  }

  #order(what: NodeCondition | 'noPodNetwork', f: NodeFault): void {
    if (what === 'DiskPressure')
      this.console.print('EXT4-fs warning (device vda1): ext4_dx_add_entry: No space left on device');
    this.#ordered.get(what)?.timer?.cancel();
    const usual = what === 'DiskPressure' || what === 'noPodNetwork' ? 'nothing' : 'reboot';
    this.#ordered.set(
      what,
      this.#orderOf(f, usual, () => this.#lift(what)),
    );
    const { node } = this.#disk;
    if (what === 'noPodNetwork') node.networkBroken = true;
    else node.ordered.set(what, true);
    this.#tellKubelet();
  }

  #lift(what: NodeCondition | 'noPodNetwork'): void {
    this.#ordered.get(what)?.timer?.cancel();
    this.#ordered.delete(what);
    const { node } = this.#disk;
    if (what === 'noPodNetwork') node.networkBroken = false;
    else node.ordered.set(what, false);
    this.#tellKubelet();
  }

  #orderOf(f: NodeFault, usual: Ordered['curedBy'], end: () => void): Ordered {
    const timer = f.forMs === undefined ? undefined : this.#world.clock.setTimeout(end, f.forMs);
    return { curedBy: f.curedBy ?? usual, timer };
  }

  /** Ends what a restart of this kind ends. */
  #cure(how: 'soft' | 'hard' | 'all'): void {
    const isCured = (o: Ordered): boolean =>
      how === 'all' || o.curedBy === 'reboot' || (o.curedBy === 'hardReboot' && how === 'hard');
    for (const [what, o] of [...this.#ordered]) if (isCured(o)) this.#lift(what);
    if (!this.#silent || !isCured(this.#silent)) return;
    this.#silent.timer?.cancel();
    if (how === 'all') this.#beHeard();
    else this.#silent = undefined;
  }

  #tellKubelet(): void {
    const { membership } = this.#disk;
    membership?.cluster.workloads.kubeletChanged(membership.registration.name);
  }

  async #boot(power: AbortSignal): Promise<void> {
    const { clock, latency } = this.#world;
    this.#boots++;
    this.console.boot(this.#server.name, this.#server.image.name);
    await pause(
      clock,
      latency.sample('machine.boot', () => this.#server.id),
      power,
    );
    this.console.print(`cloud-init[431]: Cloud-init v. 22.4.2 running 'modules:final' at boot ${this.#boots}.`);
    this.console.print(`Debian GNU/Linux 12 ${this.#server.name} ttyS0`, `${this.#server.name} login: `);
    await this.#live(power);
  }

  /** What runs once the machine is up: the node that it is, or the agent that makes it one. */
  async #live(power: AbortSignal): Promise<void> {
    if (this.#silent) return;
    if (this.#disk.membership) this.#startNode();
    if (this.#disk.agent.joined) return;
    const data = readUserData(this.#server.userData);
    if (data.kind === 'broken') this.console.print(`cloud-init[431]: ${data.why}`);
    if (data.kind === 'check-in') await runAgent(data.file, this.#disk.agent, this.#agentHost(), power);
  }

  #agentHost(): AgentHost {
    const disk = this.#disk;
    const { id, name, ports } = this.#server;
    return {
      clock: this.#world.clock,
      instance: { id, addresses: ports.map((p) => p.address), hostname: name },
      programs: () => disk.programs,
      install: (program, _path, v) => {
        if (program === 'kubeadm' || program === 'kubelet' || program === 'containerd') disk.programs[program] = v;
      },
      writeFile: (path, content) => disk.files.set(path, content.toString()),
      removeFile: (path) => disk.files.delete(path),
      run: (step, power) => this.#run(step, power),
      addonImages: (version, repository) => {
        if (!disk.programs.kubeadm) return undefined;
        const { coreDNS, kubeProxy } = kubeadmImages(repository, version, disk.programs.kubeadm);
        return { coreDNS, kubeProxy };
      },
      say: (line) => this.console.print(line),
    };
  }

  /** Runs a command as the machine's shell would; only kubeadm is there. */
  async #run(step: PlannedStep, power: AbortSignal): Promise<void> {
    const [program, verb, ...args] = step.command;
    if (program !== 'kubeadm') throw new StepFailed(`[Errno 2] No such file or directory: '${program}'`);
    const config = args[args.indexOf('--config') + 1] ?? '';
    if (verb === 'reset') {
      this.#stopNode();
      this.#leaveEtcd();
      this.#disk.dirty = false;
      delete this.#disk.membership;
      return;
    }
    if (verb !== 'init' && verb !== 'join') throw new StepFailed(`unknown command "${verb}" for "kubeadm"`);
    const host = this.#kubeadmHost();
    this.#disk.membership = await (verb === 'init' ? kubeadmInit : kubeadmJoin)(host, config, power);
    this.#startNode();
  }

  /** `kubeadm reset` takes the machine's member out of etcd, if it is one and the others let it. */
  #leaveEtcd(): void {
    const ca = this.#disk.files.get('/etc/kubernetes/pki/ca.crt');
    const cluster = ca === undefined ? undefined : this.#world.clusters.get(clusterId(ca));
    const member = cluster?.etcd.on(this.#server.id);
    if (!cluster || !member || cluster.etcd.members.length === 1) return;
    try {
      if (!cluster.up) throw new EtcdError('Unavailable', 'request timed out');
      cluster.etcd.remove(member.id);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      this.console.print(`kubeadm[733]: [reset] Failed to remove etcd member: ${error.message}`);
    }
  }

  #kubeadmHost(): KubeadmHost {
    const disk = this.#disk;
    const { clock, latency, clusters } = this.#world;
    return {
      clock,
      latency,
      clusters,
      serverId: this.#server.id,
      address: this.#server.ports[0]?.address ?? '',
      programs: disk.programs,
      dirty: () => disk.dirty,
      soil: () => {
        disk.dirty = true;
      },
      read: (path) => disk.files.get(path),
      say: (line) => this.console.print(`kubeadm[733]: ${line}`),
    };
  }

  /** Kubelet, and on a control plane API server and etcd, start. */
  #startNode(): void {
    const { membership } = this.#disk;
    if (!membership || this.#silent) return;
    const { cluster, registration, address, controlPlane } = membership;
    cluster.workloads.kubeletUp(this.#facts(membership), this.#disk.node);
    if (!controlPlane) return;
    this.#serving = true;
    this.#startedAtMs = cluster.startOfApiServer();
    const { version } = controlPlane;
    cluster.memberUp({ serverId: this.#server.id, nodeName: registration.name, address, version });
    this.#world.onChange(this);
  }

  #stopNode(): void {
    const { membership } = this.#disk;
    if (!membership) return;
    membership.cluster.workloads.kubeletDown(membership.registration.name);
    if (!this.#serving) return;
    this.#serving = false;
    membership.cluster.memberDown(this.#server.id);
    this.#world.onChange(this);
  }

  #facts(m: Membership): NodeFacts {
    const { registration } = m;
    const argument = (name: string): string => registration.kubeletExtraArgs.find((a) => a.name === name)?.value ?? '';
    const labels = argument('node-labels')
      .split(',')
      .filter((l) => l !== '')
      .map((l): [string, string] => [l.split('=')[0] ?? '', l.split('=').slice(1).join('=')]);
    const properties = this.#server.image.properties;
    return {
      name: registration.name,
      role: m.role,
      address: m.address,
      flavor: this.#server.flavor,
      kubeletVersion: m.kubeletVersion,
      containerdVersion: (this.#disk.programs.containerd ?? '').replace(/^v/, ''),
      osImage: properties.os_distro === 'debian' ? 'Debian GNU/Linux 12 (bookworm)' : this.#server.image.name,
      machineId: this.#server.id,
      bootId: `${this.#server.id.slice(0, 24)}${String(this.#boots).padStart(12, '0')}`,
      providerId: argument('provider-id'),
      criSocket: registration.criSocket,
      labels: Object.fromEntries(labels),
      taints: registration.taints?.map((t) => ({
        key: t.key,
        effect: t.effect,
        ...(t.value === undefined ? {} : { value: t.value }),
      })),
      controlPlane: m.controlPlane,
    };
  }
}
