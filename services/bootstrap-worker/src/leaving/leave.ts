import { type Cluster, FINALIZERS, type Machine } from '@shoto/api';
import { KubeError } from '@shoto/kube';
import { type Outcome, WaitingError } from '@shoto/reconciler';
import { drainBegun, drainHeld, drainTimedOut, nodeRemoved, volumesTimedOut } from '../events.ts';
import type { MachineDeps } from '../machine-deps.ts';
import { names, type Pod, podKey } from '../workload/drain.ts';
import type { Held } from '../workload/held.ts';
import { deleteNode } from '../workload/node.ts';
import { attachedTo, volumesHeld, waitingFor } from '../workload/volumes.ts';
import { clusterKeyOf, type Kube, MACHINES } from '../world.ts';
import { drainRound, ROUND_MS } from './drain-node.ts';
import { giveUpMaking, mayHaveMade } from './give-up-making.ts';
import { waitingForMember, wayOut } from './rules.ts';
import { detachedOf, drainedOf, say, sayVolumes } from './say.ts';

/** How soon what holds a drain is looked at again. A silent node's server that goes is told by an event. */
const HELD_AGAIN_MS: Record<Held['reason'], number> = { DrainBlocked: 5_000, NodeSilent: 30_000 };
const UNKNOWN_AGAIN_MS = 1_000;
const WAIT_AGAIN_MS = 15_000;
const UNREACHABLE_AGAIN_MS = 10_000;
/** What is said once a drain was given up: that is not said again. */
const AFTER_DRAIN = new Set(['DrainTimedOut', 'WaitingForMember']);
const DETACHED = { reason: 'Detached', message: 'its volumes are detached' };

/**
 * One pass over a Machine that is being deleted: the next step of its node's way out, and in the end our finalizer.
 *
 * @param known - its Cluster; undefined where it is gone
 * @throws {WaitingError} while something holds it, which is said on the Machine
 */
export async function leave(
  d: MachineDeps,
  machine: Machine,
  known: Cluster | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const cluster = known && mayHaveMade(machine, known) ? await giveUpMaking(d, machine, known, signal) : known;
  const out = wayOut(machine, cluster, d.emergencyStop());
  if (out.way === 'wait') return waits(d, machine, out);
  if (out.way === 'free' || !cluster) return release(d, machine, signal);
  try {
    const workload = await d.access.client(cluster);
    const round = await drainRound(
      workload,
      machine,
      { keep: false, isMemberGone: out.isMemberGone, now: d.clock.now() },
      signal,
    );
    if (round.state === 'going') {
      if (round.isNew && round.pods > 0) await drainBegun(d.events, machine, round.pods);
      // What held it does so no more; that a drain goes on is not worth a write else.
      if (drainedOf(machine)) await say(d, machine, 'Draining', 'its pods are being moved to other nodes');
      return { requeueAfterMs: ROUND_MS };
    }
    if (round.state === 'held') {
      // Nobody will end its pods, and its member, silent too, stands in the way of the next that joins.
      const isMemberFirst = out.next === 'member' && round.held.reason === 'NodeSilent';
      return isMemberFirst ? await waits(d, machine, waitingForMember()) : await held(d, machine, round.held);
    }
    if (round.state === 'lost') {
      if (out.next === 'member') return await waits(d, machine, waitingForMember());
      // Its Node goes when its server is gone, as of any lost machine: until then its pods may run.
      const message = `its node has been silent since ${round.since} and counts as lost; left on it: ${names(round.left.map(podKey))}`;
      await say(d, machine, 'DrainTimedOut', message);
      await drainTimedOut(d.events, machine, message);
      return release(d, machine, signal);
    }
    if (round.state === 'out') {
      if (round.left.length > 0) await givenUp(d, machine, round.left.map(podKey));
      if (!out.isMemberGone) await volumesOff(d, workload, machine, round.staying, signal);
    }
    if (out.next === 'member') return await waits(d, machine, waitingForMember());
    await deleteNode(workload, machine.metadata.name, signal);
  } catch (e) {
    if (!(e instanceof KubeError) || e.status !== 0) throw e;
    signal.throwIfAborted();
    const message = "the node cannot be taken out: the cluster's API does not answer; it is tried again";
    await say(d, machine, 'ControlPlaneUnreachable', message);
    throw new WaitingError('ControlPlaneUnreachable', e.message, UNREACHABLE_AGAIN_MS);
  }
  await nodeRemoved(d.events, machine);
  return release(d, machine, signal);
}

async function waits(
  d: MachineDeps,
  machine: Machine,
  { reason, message, isSaid }: { reason: string; message: string; isSaid: boolean },
): Promise<never> {
  if (isSaid) await say(d, machine, reason, message);
  if (reason === 'WaitingForMember') d.wakeCluster(clusterKeyOf(machine));
  throw new WaitingError(reason, message, isSaid ? WAIT_AGAIN_MS : UNKNOWN_AGAIN_MS);
}

/** Says what holds a drain; in an event too when that is another than before. */
export async function held(d: MachineDeps, machine: Machine, { reason, message }: Held): Promise<never> {
  const before = drainedOf(machine)?.reason;
  await say(d, machine, reason, message);
  if (before !== reason) await drainHeld(d.events, machine, reason, message);
  throw new WaitingError(reason, message, HELD_AGAIN_MS[reason]);
}

/** The time for a drain is over: what is left goes down with the node. */
async function givenUp(d: MachineDeps, machine: Machine, pods: readonly string[]): Promise<void> {
  if (AFTER_DRAIN.has(drainedOf(machine)?.reason ?? '')) return;
  const message = `the drain is given up after ${machine.spec.nodeDrainTimeoutSeconds} s (nodeDrainTimeoutSeconds); left on the node: ${names(pods)}`;
  await say(d, machine, 'DrainTimedOut', message);
  await drainTimedOut(d.events, machine, message);
}

/**
 * Waits until the volumes of the node are let go. A volume whose server goes first is blocked for minutes, or torn from a writer.
 *
 * @throws {WaitingError} while some are attached
 */
async function volumesOff(
  d: MachineDeps,
  workload: Kube,
  machine: Machine,
  staying: readonly Pod[],
  signal: AbortSignal,
): Promise<void> {
  const attached = await attachedTo(workload, machine.metadata.name, staying, signal);
  const before = detachedOf(machine);
  if (attached.length === 0) {
    if (before?.status === 'False') await sayVolumes(d, machine, DETACHED.reason, DETACHED.message, 'True');
    return;
  }
  const now = d.clock.now();
  const since = before?.status === 'False' ? Date.parse(before.lastTransitionTime) : now;
  const timeoutSeconds = machine.spec.nodeVolumeDetachTimeoutSeconds ?? 0;
  if (timeoutSeconds > 0 && now >= since + timeoutSeconds * 1000) {
    if (before?.reason === 'DetachTimedOut') return;
    const message = `volumes are given up after ${timeoutSeconds} s (nodeVolumeDetachTimeoutSeconds); still attached: ${names(attached.map((a) => a.volume))}`;
    await sayVolumes(d, machine, 'DetachTimedOut', message);
    await volumesTimedOut(d.events, machine, message);
    return;
  }
  // The drain is over, so nothing must read as if it held.
  const current = drainedOf(machine)?.status === 'False' ? await sayDrained(d, machine) : machine;
  const said = volumesHeld(attached, { since, timeoutSeconds, now, pods: new Map() });
  const { reason, message } =
    said.reason === 'Detaching'
      ? said
      : volumesHeld(attached, { since, timeoutSeconds, now, pods: await waitingFor(workload, attached, signal) });
  await sayVolumes(d, current ?? machine, reason, message);
  throw new WaitingError(reason, message, reason === 'Detaching' ? ROUND_MS : HELD_AGAIN_MS.DrainBlocked);
}

const sayDrained = (d: MachineDeps, machine: Machine): Promise<Machine | undefined> =>
  AFTER_DRAIN.has(drainedOf(machine)?.reason ?? '')
    ? Promise.resolve(machine)
    : say(d, machine, 'Drained', 'its pods are out', 'True');

/** The node is out: the provisioner may take the server. */
async function release(d: MachineDeps, machine: Machine, signal: AbortSignal): Promise<Outcome> {
  await d.kube.removeFinalizer(MACHINES, machine, FINALIZERS.node, { signal });
  return undefined;
}
