import { type Cluster, FINALIZERS, type Machine } from '@shoto/api';
import { KubeError, refOf } from '@shoto/kube';
import { type Outcome, type RunContext, WaitingError } from '@shoto/reconciler';
import type { Clock, Logger } from '@shoto/service';
import { notJoined, withConditionOf } from './check-in/steps.ts';
import { TICKET_SECONDS } from './check-in/ticket.ts';
import { MACHINE_CONDITIONS } from './conditions.ts';
import type { DepartedNodes } from './departed.ts';
import { drainHeld, type Events } from './events.ts';
import { isKubeletLabel } from './kubeadm/node.ts';
import { changeBootstrap } from './machine-status.ts';
import type { WorkloadAccess } from './workload/access.ts';
import { cordon, deleteNode, drainOnce, labelNode } from './workload/drain.ts';
import { type Held, heldBy } from './workload/held.ts';
import { clusterOf, holdsNode, type Kube, MACHINES, type World } from './world.ts';

/** What a pass over a Machine needs. */
export interface MachineDeps {
  kube: Kube;
  world: World;
  access: WorkloadAccess;
  departed: DepartedNodes;
  events: Events;
  clock: Clock;
  log: Logger;
}

const DRAIN_AGAIN_MS = 2_000;
/** How soon what holds a drain is looked at again. A silent node's server that goes is told by an event. */
const HELD_AGAIN_MS: Record<Held['reason'], number> = { DrainBlocked: 5_000, NodeSilent: 30_000 };
/** How soon it is looked whether a Machine whose node is out has gone; only where a pass finds it in between. */
const GONE_AGAIN_MS = 5_000;

/** One pass over one Machine. May be cut short, repeated or late, and must end the same. */
export async function reconcileMachine(
  d: MachineDeps,
  key: string,
  ctx: Pick<RunContext, 'signal' | 'wake'>,
): Promise<Outcome> {
  const cached = d.world.machines.get(key);
  const wanted = ctx.wake?.resourceVersion;
  const machine =
    wanted === undefined || cached?.metadata.resourceVersion === wanted
      ? cached
      : await d.kube.get<Machine>(MACHINES, refOf(key));
  if (!machine) return void (await d.departed.leave(key, ctx.signal));
  const cluster = clusterOf(d.world, machine);
  if (machine.metadata.deletionTimestamp) {
    // Another replica may know already that it is gone, and have sent us for its node.
    if (!holdsNode(machine)) return { requeueAfterMs: GONE_AGAIN_MS };
    return (await isNodeOut(d, machine, cluster, ctx.signal))
      ? release(d, machine, ctx.signal)
      : { requeueAfterMs: DRAIN_AGAIN_MS };
  }
  if (cluster?.spec.paused) return undefined;
  await tellExpired(d, machine);
  return labelJoined(d, machine, cluster, ctx.signal);
}

/** Labels of a Machine that its kubelet may not set itself. */
const ourLabels = (m: Machine): Record<string, string> =>
  Object.fromEntries(Object.entries(m.spec.labels ?? {}).filter(([k]) => !isKubeletLabel(k)));

/** Whether a Machine that is new to this process needs a pass. */
export const machineNeedsWork = (m: Machine): boolean =>
  m.metadata.deletionTimestamp
    ? holdsNode(m)
    : m.status?.bootstrap.joinedAt !== undefined && Object.keys(ourLabels(m)).length > 0;

/** Whether a change of a Machine is for us: it goes, its server is gone, or it has joined and has labels that we set. */
export function machineChanged(now: Machine | undefined, before: Machine): boolean {
  if (!now || !machineNeedsWork(now)) return false;
  const relevant = (m: Machine): string =>
    JSON.stringify([m.metadata.deletionTimestamp, m.status?.server.state, m.status?.bootstrap.joinedAt]);
  return relevant(now) !== relevant(before);
}

/** Whether a Machine's ticket has ended unused and nobody was told. */
export function hasExpired(m: Machine, now: number): boolean {
  const { server, bootstrap } = m.status ?? {};
  if (m.metadata.deletionTimestamp || !server?.activeAt || bootstrap?.keyHash) return false;
  const said = bootstrap?.conditions?.find((c) => c.type === MACHINE_CONDITIONS.joined);
  return said?.reason !== 'TicketExpired' && now >= Date.parse(server.activeAt) + TICKET_SECONDS * 1000;
}

async function tellExpired(d: MachineDeps, machine: Machine): Promise<void> {
  if (!hasExpired(machine, d.clock.now())) return;
  const message = `the machine has not checked in within ${TICKET_SECONDS / 60} minutes after its server became active; its console log says why. It must be replaced`;
  await changeBootstrap({ kube: d.kube, machines: d.world.machines }, machine, (b) =>
    notJoined(b, 'TicketExpired', message, d.clock.now()),
  );
}

async function labelJoined(
  d: MachineDeps,
  machine: Machine,
  cluster: Cluster | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const labels = ourLabels(machine);
  if (
    !cluster?.status?.controlPlane.initialized ||
    !machine.status?.bootstrap.joinedAt ||
    Object.keys(labels).length === 0
  ) {
    return undefined;
  }
  const workload = await d.access.client(cluster);
  const found = await labelNode(workload, machine.metadata.name, labels, signal);
  return found ? undefined : { requeueAfterMs: DRAIN_AGAIN_MS };
}

/**
 * Takes the node out of its cluster, a step each time. Nothing to take out when the cluster itself goes, when the node never joined, or when
 * its server is gone; then only the Node object of a living cluster is removed.
 */
async function isNodeOut(
  d: MachineDeps,
  machine: Machine,
  cluster: Cluster | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (!cluster || cluster.metadata.deletionTimestamp) return true;
  const isUp = cluster.status?.controlPlane.initialized === true;
  if (!isUp || !machine.status?.bootstrap.joinedAt) return true;
  const isLost = machine.status.server.state === 'Gone';
  const node = machine.metadata.name;
  if (machine.spec.role === 'control-plane') {
    // A count of control-plane machines cannot change, so this is only reached by a deletion by hand. To go on would leave a dead etcd member.
    await say(
      d,
      machine,
      'MemberRemovalNotBuilt',
      'the cluster lives, and taking a single control-plane machine out of it is not built yet: it waits until the cluster is deleted',
    );
    throw new WaitingError('MemberRemovalNotBuilt', 'a control-plane machine of a living cluster', 60_000);
  }
  try {
    const workload = await d.access.client(cluster);
    const found = isLost ? undefined : await cordon(workload, node, signal);
    if (found) {
      const pods = await drainOnce(workload, node, signal);
      const { silentSince } = found;
      const held = heldBy(pods, { node, serverId: machine.status.server.id, silentSince, now: d.clock.now() });
      if (held) {
        await say(d, machine, held.reason, held.message);
        await drainHeld(d.events, machine, held.reason, held.message);
        throw new WaitingError(held.reason, held.message, HELD_AGAIN_MS[held.reason]);
      }
      if (pods.length > 0) {
        // What held it does so no more; that a drain goes on is not worth a write else.
        const wasHeld = machine.status.bootstrap.conditions?.some((c) => c.type === MACHINE_CONDITIONS.drained);
        if (wasHeld) await say(d, machine, 'Draining', 'its pods are being moved to other nodes');
        return false;
      }
    }
    await deleteNode(workload, node, signal);
    return true;
  } catch (e) {
    if (!(e instanceof KubeError) || e.status !== 0) throw e;
    signal.throwIfAborted();
    await say(
      d,
      machine,
      'ControlPlaneUnreachable',
      "the node cannot be taken out: the cluster's API does not answer; it is tried again",
    );
    throw new WaitingError('ControlPlaneUnreachable', e.message, 10_000);
  }
}

const say = (d: MachineDeps, machine: Machine, reason: string, message: string): Promise<unknown> =>
  changeBootstrap({ kube: d.kube, machines: d.world.machines }, machine, (b) =>
    withConditionOf(b, { type: MACHINE_CONDITIONS.drained, status: 'False', reason, message }, d.clock.now()),
  );

/** The node is out: the provisioner may take the server. */
async function release(d: MachineDeps, machine: Machine, signal: AbortSignal): Promise<Outcome> {
  await d.kube.removeFinalizer(MACHINES, machine, FINALIZERS.node, { signal });
  return undefined;
}
