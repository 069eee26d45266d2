import type { Kube } from '../world.ts';

/** Longer than this an API server that is well does not take. */
const PROBE_MS = 3_000;

/** Why the API server does not answer `/readyz` with 200, in one line; undefined when it does. */
export async function whyNotReady(workload: Pick<Kube, 'raw'>, signal: AbortSignal): Promise<string | undefined> {
  try {
    const answer = await workload.raw('GET', '/readyz', undefined, { signal, timeoutMs: PROBE_MS, accept: '*/*' });
    return answer.status === 200 ? undefined : `/readyz says ${answer.status}`;
  } catch (e) {
    signal.throwIfAborted();
    return e instanceof Error ? e.message : String(e);
  }
}
