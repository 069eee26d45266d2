import { celHolds, ExpressionError, type HealthCheck } from '@shoto/bundle';
import type { KubeObject } from '@shoto/kube';

interface Looked extends KubeObject {
  spec?: { replicas?: number; completions?: number };
  status?: {
    observedGeneration?: number;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
    replicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    conditions?: { type: string; status: string; message?: string }[];
  };
}

/**
 * What keeps an object from being healthy, in words that follow its name; undefined where it is. A check with CEL goes by that alone; kinds
 * without a rule are healthy when they are there. Pure.
 */
export function healthProblem(check: HealthCheck, object: KubeObject | undefined): string | undefined {
  if (!object) return 'is not there yet';
  if (check.cel !== undefined) return celProblem(check.cel, check.message, object);
  const rule = RULES[check.kind];
  return rule?.(object as Looked);
}

function celProblem(cel: string, message: string | undefined, object: KubeObject): string | undefined {
  const said = message ?? `does not meet ${cel}`;
  try {
    return celHolds(cel, 'health', { object }) ? undefined : said;
  } catch (e) {
    // A field that is not there yet, as a rule.
    if (e instanceof ExpressionError) return `${said} (${e.message})`;
    throw e;
  }
}

interface Counts {
  want: number;
  /** Pods (of a DaemonSet: nodes with one) that are as the object says now. */
  updated: number;
  /** Pods that serve, whether they are updated or not. */
  available: number;
  /** Pods of before that are there beside those that are wanted. */
  old?: number;
}

function rolledOut(o: Looked, { want, updated, available, old = 0 }: Counts): string | undefined {
  if ((o.status?.observedGeneration ?? 0) < (o.metadata.generation ?? 0))
    return 'was not looked at by its controller yet';
  if (updated < want) return `has ${updated} of ${want} pods updated, and ${available} available`;
  // Those that are available may be the old ones: of a Deployment they stay until others take their place.
  if (old > 0) return `has ${old} old ${old === 1 ? 'pod' : 'pods'} left beside ${updated} of ${want} updated`;
  if (available < want) return `has ${available} of ${want} pods available`;
  return undefined;
}

const condition = (o: Looked, type: string) => o.status?.conditions?.find((c) => c.type === type);
const has = (type: string, otherwise: string) => (o: Looked) =>
  condition(o, type)?.status === 'True' ? undefined : otherwise;
const replicated = (o: Looked): Counts => ({
  want: o.spec?.replicas ?? 1,
  updated: o.status?.updatedReplicas ?? 0,
  available: o.status?.availableReplicas ?? 0,
});

const RULES: Record<string, (o: Looked) => string | undefined> = {
  Deployment: (o) => {
    const counts = replicated(o);
    return rolledOut(o, { ...counts, old: (o.status?.replicas ?? 0) - counts.updated });
  },
  StatefulSet: (o) => rolledOut(o, replicated(o)),
  DaemonSet: (o) => {
    const want = o.status?.desiredNumberScheduled ?? 0;
    const updated = o.status?.updatedNumberScheduled ?? 0;
    const behind = rolledOut(o, { want, updated, available: o.status?.numberAvailable ?? 0 });
    return behind ?? (want === 0 ? 'has no node to run on yet' : undefined);
  },
  Job: (o) => {
    const failed = condition(o, 'Failed');
    if (failed?.status === 'True') return `has failed${failed.message ? `: ${failed.message}` : ''}`;
    return has('Complete', 'is not complete yet')(o);
  },
  CustomResourceDefinition: has('Established', 'is not established yet'),
  APIService: has('Available', 'is not available yet'),
};
