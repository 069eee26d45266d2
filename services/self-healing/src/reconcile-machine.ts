import { findCondition, type Machine, MachineKind, resourceOf, timestamp, withCondition } from '@shoto/api';
import type { KubeClient } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import { isOpen } from './ladder.ts';
import { judgeNode, judgePlumbing, type Verdict } from './node.ts';
import { recovered } from './remediation.ts';
import { sortOf } from './symptoms.ts';
import type { NodeWatches } from './watches.ts';

const MACHINES = resourceOf(MachineKind);
/** How soon a node whose plumbing is not up is looked at again: the pods are read, not watched. */
const PLUMBING_MS = 1000;
/** How soon a pass that fell to a replica without this cluster's watch is asked for again. */
const OTHERS_MS = 500;

type Health = NonNullable<NonNullable<Machine['status']>['health']>;

/** What a pass over a Machine needs. */
export interface MachinePassDeps {
  client: Pick<KubeClient, 'patchStatusMap'>;
  /** The Machine as the cache, or a live read, has it. */
  read: (key: string) => Promise<Machine | undefined>;
  /** Told what a write gave, so that the next pass sees it. */
  wrote: (machine: Machine) => void;
  watches: Pick<NodeWatches, 'state' | 'node' | 'podsOn'>;
  /** Whether this replica is the one that watches a cluster. */
  owns: (clusterUid: string) => boolean;
  /** How long a node that joined may stay not ready before that is written down, in milliseconds. */
  silentMs: number;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/**
 * One pass over a Machine: mirrors what its node says, at transitions only. A node that never was healthy is written once,
 * when it becomes so, or when it has taken too long.
 */
export async function reconcileMachine(d: MachinePassDeps, key: string): Promise<Outcome> {
  const machine = await d.read(key);
  if (!machine || machine.metadata.deletionTimestamp) return undefined;
  const uid = machine.spec.cluster.uid;
  const { watched, synced, error } = d.watches.state(uid);
  // Only the replica that watches the cluster can tell; sooner or later the pass falls to it.
  if (!watched && !d.owns(uid)) return { requeueAfterMs: OTHERS_MS };
  // A cluster that we cannot reach is not sick: what was last seen stands.
  if (!synced || error) return undefined;
  const before = machine.status?.health;
  const { name } = machine.metadata;
  const seen = judgeNode(d.watches.node(uid, name));
  let verdict: Verdict = seen;
  if (seen.ready && !before?.ready) verdict = judgePlumbing(await d.watches.podsOn(uid, name)) ?? verdict;
  const again = verdict !== seen ? { requeueAfterMs: PLUMBING_MS } : undefined;
  if (before?.ready === undefined && !verdict.ready) {
    const joinedAt = machine.status?.bootstrap?.joinedAt;
    const left = joinedAt === undefined ? undefined : Date.parse(joinedAt) + d.silentMs - d.now();
    // It is still coming up; pods on their way are looked at more often than that.
    if (left === undefined || left > 0 || again)
      return again ?? (left === undefined ? again : { requeueAfterMs: left });
  }
  const known = findCondition(before?.conditions, 'Healthy');
  if (before?.ready === verdict.ready && known?.reason === verdict.reason) return again;
  d.wrote(
    await d.client.patchStatusMap<Machine>(
      MACHINES,
      machine,
      'health',
      healthAfter(machine, verdict, known?.reason, d.now()),
    ),
  );
  return again;
}

/** The map after a verdict. `sickSince` runs on while the sickness is of one sort; a machine that is well again needs no order. */
function healthAfter(machine: Machine, verdict: Verdict, said: string | undefined, now: number): Health {
  const { sickSince, unreachable: _, order, ...rest } = machine.status?.health ?? { revision: 0 };
  const sort = sortOf(verdict.reason);
  const isWell = verdict.ready && sort === undefined;
  let conditions = withCondition(
    rest.conditions,
    {
      type: 'Healthy',
      status: isWell ? 'True' : 'False',
      reason: verdict.reason,
      message: verdict.message,
    },
    now,
  );
  const isServed = ['Active', undefined].includes(machine.status?.server?.state);
  const remediation = findCondition(conditions, 'Remediation');
  const isOver = isWell && isServed;
  if (isOver && remediation && remediation.reason !== 'Recovered')
    conditions = withCondition(conditions, recovered(), now);
  // An order that nobody has carried out yet would now strike a healthy machine.
  const isWithdrawn = isOver && isOpen(order, machine.status?.server?.handled ?? 0);
  return {
    ...rest,
    ready: verdict.ready,
    ...(verdict.reason === 'NodeSilent' || verdict.reason === 'NodeMissing' ? { unreachable: true } : {}),
    ...(order && !isWithdrawn ? { order } : {}),
    ...(sort ? { sickSince: sickSince && sortOf(said) === sort ? sickSince : timestamp(now) } : {}),
    conditions,
  };
}
