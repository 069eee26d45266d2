import type { HasMeta, ResourceType } from '@shoto/kube';
import type { Kube } from '../world.ts';

const BUDGETS: ResourceType = {
  group: 'policy',
  version: 'v1',
  plural: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

/** A label selector as objects hold it. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** What of a PodDisruptionBudget is read here. */
export interface Budget extends HasMeta {
  spec?: { selector?: LabelSelector };
  status?: { disruptionsAllowed?: number; expectedPods?: number; currentHealthy?: number; desiredHealthy?: number };
}

/** Whether a budget has pods and lets none of them go. */
export const allowsNothing = (b: Budget): boolean =>
  (b.status?.disruptionsAllowed ?? 0) === 0 && (b.status?.expectedPods ?? 0) > 0;

/** Budgets that let none of their pods go now. */
export async function tightBudgets(workload: Kube, signal: AbortSignal): Promise<Budget[]> {
  return (await workload.listAll<Budget>(BUDGETS, {}, { signal })).filter(allowsNothing);
}

/** Whether a selector selects what has these labels. One that is absent selects nothing, an empty one everything. */
export function selects(selector: LabelSelector | undefined, labels: Record<string, string> = {}): boolean {
  if (!selector) return false;
  return (
    Object.entries(selector.matchLabels ?? {}).every(([k, v]) => labels[k] === v) &&
    (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'In') return value !== undefined && values.includes(value);
      if (operator === 'NotIn') return value === undefined || !values.includes(value);
      if (operator === 'Exists') return value !== undefined;
      return operator === 'DoesNotExist' && value === undefined;
    })
  );
}
