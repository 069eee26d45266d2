import type { Cluster } from '@shoto/api';
import type { Kube } from '../world.ts';

/** Who asks gives up after 10 s. */
const LONGEST_MS = 8_000;

/** Asks the API of a workload cluster. That it does not answer is an answer too: why, in one line. */
export async function answerInTime<T>(
  cluster: Cluster,
  client: (cluster: Cluster) => Promise<Kube>,
  ask: (workload: Kube, signal: AbortSignal) => Promise<T>,
): Promise<{ answer: T } | { unreachable: string }> {
  if (!cluster.status?.controlPlane.initialized || cluster.metadata.deletionTimestamp)
    return { unreachable: 'the control plane is not up' };
  const signal = AbortSignal.timeout(LONGEST_MS);
  const late = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new Error(`no answer within ${LONGEST_MS / 1000} s`)), {
      once: true,
    }),
  );
  try {
    return { answer: await Promise.race([client(cluster).then((workload) => ask(workload, signal)), late]) };
  } catch (e) {
    return { unreachable: `the cluster's API does not answer: ${e instanceof Error ? e.message : String(e)}` };
  }
}
