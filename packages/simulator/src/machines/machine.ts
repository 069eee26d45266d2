import type { Clock } from '../core/clock.ts';
import type { NodeFault } from '../core/faults.ts';
import type { PoweredServer } from '../core/hypervisor.ts';
import type { Latency } from '../core/latency.ts';
import { type AgentHost, type AgentState, runAgent } from './agent.ts';
import type { SimulatedCluster } from './cluster/cluster.ts';
import type { Backend } from './cluster/routes.ts';
import { Console } from './console.ts';
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
  #fault: NodeFault | undefined;
  #serving = false;
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
      node: { networkReady: false, networkReported: false, diskPressure: false },
    };
  }

  /** The cluster that answers on its port 6443 now. */
  cluster(): SimulatedCluster | undefined {
    const cluster = this.#serving ? this.#disk.membership?.cluster : undefined;
    return cluster?.up ? cluster : undefined;
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
    if (this.#power || this.#fault === 'die') return;
    const power = new AbortController();
    this.#power = power;
    this.#boot(power.signal).catch((error: unknown) => {
      if (!(error instanceof PowerLost) && !power.signal.aborted)
        this.console.print(
          `systemd[1]: shoto-machine.service: ${error instanceof Error ? error.message : String(error)}`,
        );
    });
  }

  powerOff(how: 'soft' | 'hard'): void {
    if (!this.#power) return;
    if (how === 'soft') this.console.print('systemd[1]: Reached target System Power Off.', 'reboot: Power down');
    this.#power.abort();
    this.#power = undefined;
    this.#stopNode();
  }

  /** A reboot ends silence; a machine that has died does not come back. */
  reboot(how: 'soft' | 'hard'): void {
    this.powerOff(how);
    if (this.#fault === 'silent') this.#fault = undefined;
    this.powerOn();
  }

  fail(fault: NodeFault): void {
    if (this.#fault === 'die') return;
    if (fault === 'diskFull') {
      this.console.print('EXT4-fs warning (device vda1): ext4_dx_add_entry: No space left on device');
      this.#disk.node.diskPressure = true;
      const { membership } = this.#disk;
      membership?.cluster.workloads.kubeletChanged(membership.registration.name);
      return;
    }
    this.#fault = fault;
    // What still installs is cut off too; a silent machine stays on, as Nova sees it.
    this.#power?.abort();
    if (fault === 'die') {
      this.console.print('Kernel panic - not syncing: Fatal hardware error!');
      this.#power = undefined;
    }
    this.#stopNode();
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
      this.#disk.dirty = false;
      delete this.#disk.membership;
      return;
    }
    if (verb !== 'init' && verb !== 'join') throw new StepFailed(`unknown command "${verb}" for "kubeadm"`);
    const host = this.#kubeadmHost();
    this.#disk.membership = await (verb === 'init' ? kubeadmInit : kubeadmJoin)(host, config, power);
    this.#startNode();
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
    if (!membership || this.#fault === 'silent') return;
    const { cluster, role, registration, address } = membership;
    cluster.workloads.kubeletUp(this.#facts(membership), this.#disk.node);
    if (role !== 'control-plane') return;
    this.#serving = true;
    cluster.memberUp({ serverId: this.#server.id, nodeName: registration.name, address });
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
    const { registration, cluster } = m;
    const { configuration } = cluster.seed;
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
      imageRepository: configuration.imageRepository,
      kubernetesVersion: configuration.kubernetesVersion,
    };
  }
}
