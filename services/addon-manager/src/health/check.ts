import type { HealthCheck } from '@shoto/bundle';
import type { KubeClient, KubeObject } from '@shoto/kube';
import { inWords } from '../apply/inventory.ts';
import type { KindFinder } from '../apply/kinds.ts';
import { healthProblem } from './rules.ts';

/** A check that does not hold. */
export interface Failing {
  /** In one line: the object, and what keeps it from being healthy. */
  message: string;
  check: HealthCheck;
  /** As it was looked at; undefined where it is not there. */
  object: KubeObject | undefined;
}

/** What keeps an addon from being healthy: the first of its checks that does not hold. undefined where all do. */
export async function firstFailing(
  c: { client: KubeClient; finder: KindFinder; version: string; signal?: AbortSignal | undefined },
  checks: readonly HealthCheck[],
): Promise<Failing | undefined> {
  for (const check of checks) {
    c.signal?.throwIfAborted();
    const type = await c.finder.find(c.client, c.version, check);
    const ref = { namespace: check.namespace, name: check.name };
    const object = type && (await c.client.get<KubeObject>(type, ref));
    const problem = type ? healthProblem(check, object) : `is of a kind that is not served yet (${check.apiVersion})`;
    if (problem) return { message: `${inWords(check)} ${problem}`, check, object };
  }
  return undefined;
}
