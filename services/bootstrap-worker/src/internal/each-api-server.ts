import type { Kube } from '../world.ts';

/** Connections for each control plane, at most. A load balancer that chooses at random leaves one of three servers out of twelve in 2 %. */
const ROUNDS = 4;
/** No more rounds begin after this: what is known then is the answer. */
const LONGEST_MS = 4_000;
/** A server that is on its way out does not hold up the others. */
const TIMEOUT_MS = 3_500;
/** Every process has it, and no two servers of a cluster have the same. */
const START = /^process_start_time_seconds\s+(\S+)/m;

/**
 * Asks the API servers of a cluster for `/metrics`, of which each counts for itself. There is one address for all: connections are made anew, as many at
 * once as there are servers, until each was seen or that was tried four times.
 *
 * @param servers - how many there are to be
 * @param now - milliseconds, on any clock
 * @returns what each that was seen says; at least one, and at most `servers`
 * @throws {KubeError} where none answers in the first round
 */
export async function metricsOfEach(
  workload: Pick<Kube, 'raw'>,
  servers: number,
  o: { signal: AbortSignal; now?: () => number },
): Promise<string[]> {
  const { signal, now = () => performance.now() } = o;
  const began = now();
  const seen = new Map<string, string>();
  const ask = async (): Promise<void> => {
    const more = servers > 1 ? { freshConnection: true, timeoutMs: TIMEOUT_MS } : {};
    const { body } = await workload.raw('GET', '/metrics', undefined, { signal, accept: 'text/plain', ...more });
    const start = START.exec(body)?.[1] ?? '';
    if (seen.size < servers) seen.set(start, body);
  };
  for (let round = 0; round < ROUNDS && seen.size < servers; round++) {
    if (round > 0 && now() - began >= LONGEST_MS) break;
    const asked = await Promise.allSettled(Array.from({ length: servers }, ask));
    const failed = asked.find((a) => a.status === 'rejected');
    if (failed && seen.size === 0) throw failed.reason;
  }
  return [...seen.values()];
}
