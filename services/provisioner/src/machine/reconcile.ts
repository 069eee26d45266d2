import { FINALIZERS, type Machine } from '@shoto/api';
import { type Outcome, ReconcileError, RetryableError, type RunContext, WaitingError } from '@shoto/reconciler';
import { bad, CONDITIONS, isStated } from '../conditions.ts';
import { clusterKeyOf, type Deps } from '../deps.ts';
import { tell } from './events.ts';
import { mayDestroy } from './may-destroy.ts';
import type { MachinePass } from './pass.ts';
import { afterReboot, carryOutOrder } from './phases/carry-out-order.ts';
import { deleteServer, leaveEndpoint } from './phases/delete-server.ts';
import { ensureServer } from './phases/ensure-server.ts';
import { followLeaving, followServer } from './phases/follow-server.ts';
import { observeServer } from './phases/observe-server.ts';
import { MACHINES, stateProblem } from './server-map.ts';

/** One pass over one Machine. May be cut short, repeated or late, and must end the same. */
export async function reconcileMachine(d: Deps, key: string, ctx: RunContext): Promise<Outcome> {
  const machine = await d.machines.read(key, ctx.wake?.resourceVersion);
  if (!machine?.metadata.finalizers?.includes(FINALIZERS.server)) return;
  const named = d.clusters.get(clusterKeyOf(machine));
  const cluster = named?.metadata.uid === machine.spec.cluster.uid ? named : undefined;
  const deleting = machine.metadata.deletionTimestamp !== undefined;
  // A Machine of a Cluster that goes is deleted by the Cluster's pass; before that nothing new is made.
  if (!deleting && (!cluster || cluster.metadata.deletionTimestamp)) return;

  const uid = machine.metadata.uid as string;
  const pass: MachinePass = {
    d,
    machine,
    key,
    uid,
    cluster,
    owner: { installation: d.installation, clusterUid: machine.spec.cluster.uid },
    region: d.region(machine.spec.region),
    infra: cluster ? d.memory.infrastructure(cluster) : {},
    memory: d.memory.machine(uid),
    signal: ctx.signal,
  };
  try {
    return deleting ? await runDeletion(pass) : await runCreation(pass);
  } catch (e) {
    return await outcome(pass, e);
  }
}

async function runCreation(pass: MachinePass): Promise<Outcome> {
  const { machine, infra, memory, d, cluster } = pass;
  if (machine.status?.server?.activeAt) return await runLife(pass);
  if (cluster?.spec.paused) return;
  const group =
    machine.spec.role === 'control-plane' ? infra.securityGroups?.controlPlane : infra.securityGroups?.worker;
  const grouped = infra.serverGroups?.[machine.spec.pool];
  // The Cluster's pass wakes us when it has made them.
  if (!infra.networkId || !infra.subnetId || !group || !grouped)
    throw new WaitingError('NetworkPending', `${pass.key} waits for its cluster's network`, d.times.lookAgainMs);
  if (!memory.serverId) await ensureServer(pass);
  await observeServer(pass);
}

/** The server runs, or did: it is followed, paused or not, and rebooted when that was ordered. */
async function runLife(pass: MachinePass): Promise<Outcome> {
  const { d, machine } = pass;
  const followed = await followServer(pass);
  afterReboot(pass);
  if (pass.machine.status?.server?.state === 'Gone') {
    await leaveEndpoint(pass);
    if (machine.status?.server?.state !== 'Gone') d.wake.cluster(clusterKeyOf(machine));
  }
  return soonest(followed, await carryOutOrder(pass));
}

/** The earlier of two times to look again. */
function soonest(a: Outcome, b: Outcome): Outcome {
  const times = [a, b].flatMap((o) => (o?.requeueAfterMs === undefined ? [] : [o.requeueAfterMs]));
  return times.length > 0 ? { requeueAfterMs: Math.min(...times) } : undefined;
}

async function runDeletion(pass: MachinePass): Promise<Outcome> {
  const { d, uid, key, signal } = pass;
  await leaveEndpoint(pass);
  // The node goes before its server: its volumes and its etcd member must be let go in order. Who takes the finalizer off wakes us.
  if (pass.machine.metadata.finalizers?.includes(FINALIZERS.node)) return await followLeaving(pass);
  mayDestroy(pass);
  await deleteServer(pass);
  const left = await d.kube.removeFinalizer<Machine>(MACHINES, pass.machine, FINALIZERS.server, { signal });
  if (left) d.machines.wrote(left);
  else d.machines.forget(key, uid);
  d.memory.forgetMachine(uid);
}

/** Reasons that a person must know of, for this very Machine. What ails the whole region is said by the Region and the Cluster. */
const TOLD = new Set(['QuotaExceeded', 'Forbidden', 'InvalidRequest', 'Ambiguous', 'NoAddress']);
/** What was asked of the cloud may still come: said of machines that leave, too, and in an Event, since it passes. */
const UNSURE = new Set(['ServerUnsure', 'AnswerLost']);

async function outcome(pass: MachinePass, e: unknown): Promise<Outcome> {
  if (!(e instanceof ReconcileError)) throw e;
  const { memory, d, machine } = pass;
  if (UNSURE.has(e.reason)) await sayUnsure(pass, e);
  if (TOLD.has(e.reason) && !machine.metadata.deletionTimestamp) await stateProblem(pass, e.reason, e.message);
  if (e.kind === 'terminal') {
    d.log.warn(
      { cluster: clusterKeyOf(machine), machine: machine.metadata.name, reason: e.reason, problem: e.message },
      'machine needs a person',
    );
    return { requeueAfterMs: d.times.recheckMs };
  }
  if (e.kind === 'waiting') return { requeueAfterMs: (e as WaitingError).afterMs };
  if (e instanceof RetryableError && e.reason === 'QuotaExceeded' && memory.retryAt !== undefined)
    return { requeueAfterMs: Math.max(0, memory.retryAt - d.clock.now()) };
  throw e;
}

/** One write and one Event for each answer that was lost, however often it is looked. */
async function sayUnsure(pass: MachinePass, e: ReconcileError): Promise<void> {
  const isSaid = isStated(pass.machine.status?.server?.conditions, bad(CONDITIONS.server, e.reason, e.message));
  if (isSaid) return;
  await stateProblem(pass, e.reason, e.message);
  await tell(pass, { type: 'Warning', reason: e.reason, action: 'LookForServer' }, e.message);
}
