import type { System } from '@shoto/supervisor';
import type { Observations } from './measure.ts';

/** What is not waiting for a simulated latency, of each cluster, in seconds. */
export async function ownSeconds(_system: System, seen: Observations): Promise<number[]> {
  return seen.clusters.map((c) => (c.ready - c.asked) / 1000);
}
