import { type Machine, MachineKind, resourceOf, tenantNamespace } from '@shoto/api';
import type { Cloud } from '@shoto/supervisor';
import type { NodeImageKind } from '../lab/images.ts';
import { inMachine, type MachineOutput, type OpenStackLab } from '../lab/openstack.ts';
import type { World } from '../world.ts';

/** What a variant looks at. */
export interface Scene {
  world: World;
  /** The lab whose machines can be entered; undefined in somebody's own OpenStack. */
  lab: OpenStackLab | undefined;
  /** Tells what was seen, with the seconds since the start. */
  say(text: string): void;
}

/** A scene in which the cluster `web` is up. */
export interface ClusterScene extends Scene {
  /** Runs kubectl in the cluster as its owner; throws with what it said on stderr. */
  kubectl(args: string[], input?: string): Promise<string>;
  /** Names of its nodes. */
  nodes: string[];
  /** Has something looked at once the cluster is deleted and its project holds no more than before. */
  onceGone(look: () => Promise<void>): void;
}

/** One kind of cluster, on machines that run kubeadm. */
export interface Variant {
  /** What of it is special, in a few words. */
  title: string;
  /** Arguments of `shoto create cluster web`. */
  args: string[];
  /** How many nodes must be Ready. */
  nodes: number;
  /** Releases that are offered besides the first; the lab makes an image of each. */
  also?: string[];
  /** What the lab's images hold; `node` where it is not said. */
  images?: NodeImageKind;
  /** More environment for every service. */
  env?: Record<string, string>;
  /** What is otherwise about the cloud; may start things, which `end` ends. */
  cloud?(cloud: Cloud): Promise<Cloud>;
  /** Before the cluster is made. */
  before?(scene: Scene): Promise<void>;
  /** While it is up. */
  look(scene: ClusterScene): Promise<void>;
  end?(): Promise<void>;
}

/** The Machines of a cluster. */
export const machinesOf = async ({ world }: Scene, cluster = 'web'): Promise<Machine[]> =>
  (
    await world.management.listAll<Machine>(resourceOf(MachineKind), {
      namespace: tenantNamespace(world.system.tenant),
    })
  ).filter((m) => m.spec.cluster.name === cluster);

/**
 * Runs a command as root inside a machine of the lab.
 * @throws {Error} when the Machine has no server
 */
export async function inside(
  lab: OpenStackLab,
  machine: Machine,
  command: string[],
  input = '',
): Promise<MachineOutput> {
  const id = machine.status?.server?.id;
  if (!id) throw new Error(`${machine.metadata.name} has no server`);
  return await inMachine(lab, id, command, input);
}

/** Throws unless it holds. */
export function expectThat(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise);
}
