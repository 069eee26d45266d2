import type { ClusterSpec, FieldProblem } from '@shoto/api';
import { surgeOf } from './limits.ts';
import type { Capacity, FlavorNeed, ProvisionerClient } from './provisioner-client.ts';

/** Machines that a change brings, and the field that asks for them. */
export interface Need extends FlavorNeed {
  field: string;
}

/**
 * Machines that a change needs quota for at its height: what counts grow by, and where the flavor changes what replaces the old ones at a time.
 * Nothing where neither grows: what is only replaced was counted before. Pure.
 *
 * @param before - the spec as it is stored; absent for a new cluster
 */
export function needsOf(spec: ClusterSpec, before?: ClusterSpec): Need[] {
  const groups = [
    { name: 'control-plane', at: 'spec.controlPlane', surge: 1, ...spec.controlPlane, old: before?.controlPlane },
    ...spec.nodePools.map((p, i) => ({
      ...p,
      at: `spec.nodePools[${i}]`,
      surge: Math.min(surgeOf(p), p.count),
      old: before?.nodePools.find((x) => x.name === p.name),
    })),
  ];
  return groups.flatMap(({ at, flavor, count, surge, old }): Need[] => {
    const more = count - (old?.count ?? 0);
    if (more > 0) return [{ field: `${at}.count`, flavor, count: more }];
    return old && old.flavor !== flavor && surge > 0 ? [{ field: `${at}.flavor`, flavor, count: surge }] : [];
  });
}

/** Names of the cloud's quotas that are not words. */
const WORDS: Record<string, string> = { ram: 'MiB of RAM' };

/** What the quotas do not carry, in words. */
export const shortages = ({ resources }: Capacity): string[] =>
  resources
    .filter((r) => r.left !== null && r.needed > r.left)
    .map(
      (r) =>
        `${r.needed} more ${WORDS[r.name] ?? r.name} are needed, and the project's quota leaves ${r.left}${typeof r.limit === 'number' ? ` of ${r.limit}` : ''}`,
    );

/**
 * What the cloud's quotas do not carry of a change. Advice: where the provisioner does not tell in time, nothing is wrong.
 *
 * @param onError - told why there is no advice
 */
export async function checkCapacity(
  provisioner: ProvisionerClient | undefined,
  spec: ClusterSpec,
  before: ClusterSpec | undefined,
  onError: (e: unknown) => void = () => {},
): Promise<FieldProblem[]> {
  const needs = needsOf(spec, before);
  const first = [...needs].sort((a, b) => b.count - a.count)[0];
  if (!provisioner || !first) return [];
  try {
    const capacity = await provisioner.capacity(spec.region, byFlavor(needs));
    return shortages(capacity).map((words) => ({
      field: first.field,
      reason: 'Invalid',
      message: `${words}: ask for fewer or smaller machines, free some, or have the cloud's operator raise it`,
    }));
  } catch (e) {
    onError(e);
    return [];
  }
}

/** Needs added up for each flavor. */
export function byFlavor(needs: FlavorNeed[]): FlavorNeed[] {
  const sums = new Map<string, number>();
  for (const { flavor, count } of needs) sums.set(flavor, (sums.get(flavor) ?? 0) + count);
  return [...sums].map(([flavor, count]) => ({ flavor, count }));
}
