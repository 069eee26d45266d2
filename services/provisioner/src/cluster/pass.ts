import type { Cluster, ConditionInput, Machine } from '@shoto/api';
import { ReconcileError, toReconcileError, WaitingError } from '@shoto/reconciler';
import type { Deps } from '../deps.ts';
import type { ClusterMemory, Infrastructure } from '../memory.ts';
import type { Owner } from '../names.ts';
import type { RegionRuntime } from '../region/runtime.ts';

/** One pass over a Cluster: what was read, what was found out, what goes wrong. Phases write into it; reconcile.ts stores it. */
export interface ClusterPass {
  d: Deps;
  cluster: Cluster;
  /** `namespace/name`. */
  key: string;
  /** Name and UID, for names in the cloud. */
  ref: { name: string; uid: string };
  owner: Owner;
  region: RegionRuntime;
  machines: Machine[];
  /** What is stored, with what this pass adds. */
  infra: Infrastructure;
  memory: ClusterMemory;
  conditions: ConditionInput[];
  signal: AbortSignal;
}

/** Whether the first control-plane machine is up. */
export const isInitialized = ({ cluster }: Pick<ClusterPass, 'cluster'>): boolean =>
  cluster.status?.controlPlane?.initialized === true;

/** Remembers what was made at once, so that Machines and the next pass find it even if this one ends here. */
export function found(pass: ClusterPass, ids: Partial<Infrastructure>): void {
  Object.assign(pass.infra, ids);
  pass.memory.infrastructure = { ...pass.memory.infrastructure, ...ids };
}

/**
 * Runs what does not depend on each other side by side, all to their end.
 *
 * @throws {ReconcileError} the one that matters most: terminal before retryable before waiting; of the waiting the soonest
 */
export async function together(...work: Promise<unknown>[]): Promise<void> {
  const errors = (await Promise.allSettled(work)).flatMap((r) =>
    r.status === 'rejected' ? [toReconcileError(r.reason)] : [],
  );
  const worst = worstOf(errors);
  if (worst) throw worst;
}

const RANK = { terminal: 0, retryable: 1, waiting: 2 } as const;

/** The error that decides what follows. */
export function worstOf(errors: readonly ReconcileError[]): ReconcileError | undefined {
  return [...errors].sort((a, b) => {
    if (a.kind !== b.kind) return RANK[a.kind] - RANK[b.kind];
    return a instanceof WaitingError && b instanceof WaitingError ? a.afterMs - b.afterMs : 0;
  })[0];
}

/** Runs a phase and gives its error, if it ends with one. */
export async function outcomeOf(phase: Promise<unknown>): Promise<ReconcileError | undefined> {
  try {
    await phase;
    return undefined;
  } catch (e) {
    return e instanceof ReconcileError ? e : toReconcileError(e);
  }
}
