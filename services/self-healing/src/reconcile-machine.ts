import { type Machine, MachineKind, resourceOf, withCondition } from '@shoto/api';
import type { KubeClient } from '@shoto/kube';
import type { Outcome } from '@shoto/reconciler';
import { judgeNode, judgePlumbing, type Verdict } from './node.ts';
import type { NodeWatches } from './watches.ts';

const MACHINES = resourceOf(MachineKind);
/** How soon a node whose plumbing is not up is looked at again: the pods are read, not watched. */
const PLUMBING_MS = 1000;

/** What a pass over a Machine needs. */
export interface MachinePassDeps {
  client: KubeClient;
  /** The Machine as the cache, or a live read, has it. */
  read: (key: string) => Promise<Machine | undefined>;
  /** Told what a write gave, so that the next pass sees it. */
  wrote: (machine: Machine) => void;
  watches: Pick<NodeWatches, 'state' | 'node' | 'podsOn'>;
  /** Milliseconds since the epoch. */
  now: () => number;
}

/**
 * One pass over a Machine: mirrors what its node says, at transitions only. A node that never was healthy is written once,
 * when it becomes so.
 */
export async function reconcileMachine(d: MachinePassDeps, key: string): Promise<Outcome> {
  const machine = await d.read(key);
  if (!machine || machine.metadata.deletionTimestamp) return undefined;
  const uid = machine.spec.cluster.uid;
  const { synced, error } = d.watches.state(uid);
  // A cluster that we cannot reach is not sick: what was last seen stands.
  if (!synced || error) return undefined;
  const before = machine.status?.health;
  const { name } = machine.metadata;
  let verdict: Verdict = judgeNode(d.watches.node(uid, name));
  if (verdict.ready && !before?.ready) verdict = judgePlumbing(await d.watches.podsOn(uid, name)) ?? verdict;
  const again =
    verdict.reason === 'PodNetworkStarting' && judgeNode(d.watches.node(uid, name)).ready
      ? { requeueAfterMs: PLUMBING_MS }
      : undefined;
  if (before?.ready === undefined && !verdict.ready) return again;
  const known = before?.conditions?.find((c) => c.type === 'Healthy');
  if (before?.ready === verdict.ready && known?.reason === verdict.reason) return again;
  const conditions = withCondition(
    before?.conditions,
    { type: 'Healthy', status: verdict.ready ? 'True' : 'False', reason: verdict.reason, message: verdict.message },
    d.now(),
  );
  d.wrote(
    await d.client.patchStatusMap<Machine>(MACHINES, machine, 'health', {
      ...before,
      ready: verdict.ready,
      conditions,
    }),
  );
  return again;
}
