import { collectDefaultMetrics, Registry } from 'prom-client';

export type { Registry } from 'prom-client';

/**
 * A registry of its own with the process metrics (CPU, memory, event loop), each labelled `service`.
 *
 * @param o.ofProcess - whether the process is measured. What does so can never be stopped, and holds all that was there when it began: where services
 *   come and go in one process, false. Default true
 */
export function createMetrics(service: string, { ofProcess = true }: { ofProcess?: boolean } = {}): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  if (!ofProcess) return registry;
  // The event loop's delay is sampled by a timer: each 10 ms, as is the default, is most of what an idle process costs.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 250 });
  return registry;
}
