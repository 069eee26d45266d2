import { ANNOTATIONS, type Cluster, keepOf, type Machine } from '@shoto/api';
import { NODES, refOf } from '@shoto/kube';
import type { Outcome, RunContext } from '@shoto/reconciler';
import { notJoined } from './check-in/steps.ts';
import { TICKET_SECONDS } from './check-in/ticket.ts';
import { MACHINE_CONDITIONS } from './conditions.ts';
import { isKubeletLabel } from './kubeadm/node.ts';
import { isTakenOut, keepNode, unkeepNode } from './leaving/keep.ts';
import { leave } from './leaving/leave.ts';
import { isForced, isLost, isMemberRemoved } from './leaving/rules.ts';
import type { MachineDeps } from './machine-deps.ts';
import { changeBootstrap } from './machine-status.ts';
import { endsPods, nodeFieldsPatch } from './workload/managed-fields.ts';
import type { Node } from './workload/node.ts';
import { clusterOf, holdsNode, type Kube, MACHINES } from './world.ts';

/** A node registers within seconds after kubeadm has ended; one that is later may never come. */
const NODE_AGAIN_MS = { soon: 2_000, late: 60_000 };
const NODE_LATE_MS = 300_000;
/** How soon it is looked whether a Machine whose node is out has gone; only where a pass finds it in between. */
const GONE_AGAIN_MS = 5_000;
const STOPPED_AGAIN_MS = 15_000;

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
    return holdsNode(machine) ? leave(d, machine, cluster, ctx.signal) : { requeueAfterMs: GONE_AGAIN_MS };
  }
  if (cluster?.spec.paused) return undefined; // its Machines are woken when it goes on
  await tellExpired(d, machine);
  if (!machine.status?.bootstrap.joinedAt || !cluster?.status?.controlPlane.initialized) return undefined;
  if (cluster.metadata.deletionTimestamp) return undefined;
  const workload = await d.access.client(cluster);
  const again = await bringFields(d, workload, machine, ctx.signal);
  return (await serveOrKeep(d, workload, machine, ctx.signal)) ?? again;
}

/** Labels and taints change in place: brings those of the Machine to its Node. */
async function bringFields(d: MachineDeps, workload: Kube, machine: Machine, signal: AbortSignal): Promise<Outcome> {
  const ref = { name: machine.metadata.name };
  const node = await workload.get<Node>(NODES, ref, { signal });
  if (!node) {
    if (!hasFields(machine)) return undefined;
    const waited = d.clock.now() - Date.parse(machine.status?.bootstrap.joinedAt ?? '');
    return { requeueAfterMs: waited > NODE_LATE_MS ? NODE_AGAIN_MS.late : NODE_AGAIN_MS.soon };
  }
  // A taint that ends pods is the owner's wish, but not now.
  if (endsPods(node, machine) && d.emergencyStop()) return { requeueAfterMs: STOPPED_AGAIN_MS };
  const patch = nodeFieldsPatch(node, machine);
  if (patch) await workload.mergePatch(NODES, ref, patch, { signal });
  return undefined;
}

/** A worker with a keep-mark is taken out of service; one whose mark was taken away is put back. One whose time is over is the provisioner's. */
async function serveOrKeep(d: MachineDeps, workload: Kube, machine: Machine, signal: AbortSignal): Promise<Outcome> {
  const keep = keepOf(machine, d.clock.now());
  if (keep.state === 'no')
    return isTakenOut(machine) ? void (await unkeepNode(d, workload, machine, signal)) : undefined;
  if (keep.state === 'over' || machine.spec.role !== 'worker') return undefined;
  return keepNode(d, workload, machine, keep, signal);
}

const hasFields = (m: Machine): boolean =>
  Object.keys(m.spec.labels ?? {}).length > 0 || (m.spec.taints ?? []).length > 0;
const keepMark = (m: Machine): string | undefined => m.metadata.annotations?.[ANNOTATIONS.keepUntil];

/** Whether a Machine that is new to this process needs a pass. Labels and taints that a kubelet sets itself were set when it joined; the sweep looks after them. */
export function machineNeedsWork(m: Machine): boolean {
  if (m.metadata.deletionTimestamp) return holdsNode(m);
  if (m.status?.bootstrap.joinedAt === undefined) return false;
  const isOurs = (label: string): boolean => !isKubeletLabel(label);
  return keepMark(m) !== undefined || isTakenOut(m) || Object.keys(m.spec.labels ?? {}).some(isOurs);
}

/** Whether a change of a Machine is for us: it goes, what its way out depends on is another, or what its Node shall have. */
export function machineChanged(now: Machine | undefined, before: Machine): boolean {
  if (!now) return false;
  if (now.metadata.deletionTimestamp) {
    const way = (m: Machine): string =>
      JSON.stringify([
        m.metadata.deletionTimestamp,
        isForced(m),
        isLost(m),
        isMemberRemoved(m),
        m.status?.bootstrap.joinedAt,
        m.spec.nodeDrainTimeoutSeconds,
        m.spec.nodeVolumeDetachTimeoutSeconds,
      ]);
    return holdsNode(now) && way(now) !== way(before);
  }
  const { joinedAt } = now.status?.bootstrap ?? {};
  if (joinedAt === undefined) return false;
  const fields = (m: Machine): string => JSON.stringify([m.spec.labels, m.spec.taints, keepMark(m)]);
  return fields(now) !== fields(before) || (joinedAt !== before.status?.bootstrap.joinedAt && hasFields(now));
}

/** Whether a change of a Cluster is for those of its Machines that need work: what they waited for, or would, is over. */
export const clusterMovesMachines = (now: Cluster | undefined, before: Cluster): boolean =>
  now !== undefined &&
  ((before.spec.paused && !now.spec.paused) ||
    (!before.metadata.deletionTimestamp && !!now.metadata.deletionTimestamp));

/** Whether a Machine's ticket has ended unused and nobody was told. */
export function hasExpired(m: Machine, now: number): boolean {
  const { server, bootstrap, health } = m.status ?? {};
  // A Ready node has joined: a restored management cluster may not know when.
  if (m.metadata.deletionTimestamp || !server?.activeAt || bootstrap?.keyHash || health?.ready) return false;
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
