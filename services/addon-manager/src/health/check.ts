import type { HealthCheck } from '@shoto/bundle';
import type { KubeClient, KubeObject } from '@shoto/kube';
import { inWords } from '../apply/inventory.ts';
import type { KindFinder } from '../apply/kinds.ts';
import { healthProblem } from './rules.ts';

/** What keeps an addon from being healthy, in one line: the first of its checks that does not hold. undefined where all do. */
export async function firstProblem(
  c: { client: KubeClient; finder: KindFinder; version: string; signal?: AbortSignal | undefined },
  checks: readonly HealthCheck[],
): Promise<string | undefined> {
  for (const check of checks) {
    c.signal?.throwIfAborted();
    const type = await c.finder.find(c.client, c.version, check);
    const ref = { namespace: check.namespace, name: check.name };
    const problem = type
      ? healthProblem(check, await c.client.get<KubeObject>(type, ref))
      : `is of a kind that is not served yet (${check.apiVersion})`;
    if (problem) return `${inWords(check)} ${problem}`;
  }
  return undefined;
}
