import type { Clock } from '../../core/clock.ts';
import type { Latency } from '../../core/latency.ts';
import type { ClusterSeed, SimulatedCluster } from '../cluster/cluster.ts';
import { pause } from '../pause.ts';
import type { Programs } from '../protocol.ts';
import { StepFailed } from '../step-failed.ts';
import type { NodeRegistration } from './config.ts';
import { type KubeadmImages, minorOf } from './images.ts';

/** What kubeadm sees of the machine that it runs on. */
export interface KubeadmHost {
  clock: Clock;
  latency: Latency;
  serverId: string;
  address: string;
  programs: Programs;
  /** Whether an earlier run left something behind. */
  dirty(): boolean;
  /** From now on there is something to clean up. */
  soil(): void;
  read(path: string): string | undefined;
  say(line: string): void;
  clusters: {
    /** The cluster whose CA has this key hash, if there is one. */
    get(id: string): SimulatedCluster | undefined;
    /** Makes it; one of the same CA that was there before is forgotten. */
    make(seed: ClusterSeed): SimulatedCluster;
  };
}

/** What a machine has become. */
export interface Membership {
  cluster: SimulatedCluster;
  role: 'control-plane' | 'worker';
  registration: NodeRegistration;
  address: string;
  kubeletVersion: string;
  /** Of what its static pods are made; on a control plane only. */
  controlPlane?: { version: string; images: KubeadmImages };
}

/** Collects what kubeadm prints, for the console and for the report of a failure. */
export class Output {
  readonly lines: string[] = [];
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  print(...lines: string[]): void {
    for (const line of lines) {
      this.lines.push(line);
      this.#say(line);
    }
  }

  /** Prints the reason and gives what to throw. */
  fail(...reason: string[]): StepFailed {
    this.print(...reason);
    return new StepFailed(reason[0] ?? 'kubeadm ended with 1', this.lines);
  }

  /** Fails the preflight checks. */
  preflight(...errors: string[]): StepFailed {
    return this.fail(
      'error execution phase preflight: [preflight] Some fatal errors occurred:',
      ...errors.map((e) => `\t[ERROR ${e}`),
      '[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`',
    );
  }
}

/** Waits for a share of an operation's time. */
export const spend = (host: KubeadmHost, ms: number, power: AbortSignal): Promise<void> => pause(host.clock, ms, power);

/** The versions of the programs that kubeadm needs. @throws {StepFailed} */
export function needPrograms(host: KubeadmHost, out: Output): { kubeadm: string; kubelet: string } {
  const { kubeadm, kubelet, containerd } = host.programs;
  if (!kubeadm) throw out.fail("[Errno 2] No such file or directory: 'kubeadm'");
  if (!kubelet) throw out.preflight('FileExisting-kubelet]: kubelet not found in system path');
  if (!containerd)
    throw out.preflight(
      'CRI]: container runtime is not running: validate service connection: unix:///run/containerd/containerd.sock: no such file or directory',
    );
  return { kubeadm, kubelet };
}

/**
 * Whether kubeadm deploys a control plane of this version, or joins one: its own minor version and the one before. Of a newer one it only warns.
 * @throws {StepFailed}
 */
export function checkControlPlaneVersion(version: string, kubeadm: string, out: Output): void {
  const own = minorOf(kubeadm);
  if (minorOf(version) < own - 1)
    throw out.fail(
      `this version of kubeadm only supports deploying clusters with the control plane version >= 1.${own - 1}.0. Current version: ${version}`,
    );
  if (minorOf(version) > own)
    out.print(
      `\t[WARNING KubernetesVersion]: Kubernetes version is greater than kubeadm version. Please consider to upgrade kubeadm. Kubernetes version: ${version.slice(1)}. Kubeadm version: 1.${own}.x`,
    );
}
